// SPDX-License-Identifier: GPL-2.0
/*
 * Description: what the file of a request holds is released when its process has been
 * waited for, has executed a program, or has destroyed the context: a lock of flock(2),
 * a mount, and the end of a pipe or socket whose peer then sees the end of it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "pairs.h"
#include "registered.h"

#define ROUNDS	((int)test_rounds(15))
#define COUNT	64
#define PART	16384

enum end { KILLED, EXITS, EXECS, DESTROYS };

static struct iocb iocbs[COUNT], *list[COUNT];
static char dir[80], path[128], bufs[COUNT][PART];
static struct nullb nullb;

/* Requests: each opens path (or takes an end of a pair), submits, and keeps nothing. */

static aio_context_t ctx;

static void submit(unsigned int count, int fd)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		list[i] = &iocbs[i];
	ASSERT_EQ(count, be_submit(ctx, count, list));
	close(fd);
}

static void poll_in(int fd)
{
	prep_poll(&iocbs[0], fd, POLLIN);
	submit(1, fd);
}

static void poll_error(int fd)
{
	prep_poll(&iocbs[0], fd, POLLERR);
	submit(1, fd);
}

static void read_armed(int fd)
{
	prep(&iocbs[0], IOCB_CMD_PREAD, fd, bufs[0], 8, 0);
	submit(1, fd);
}

/* There is no space. */
static void write_armed(int fd)
{
	prep(&iocbs[0], IOCB_CMD_PWRITE, fd, bufs[0], 8, 0);
	submit(1, fd);
}

static void read_registered(int fd)
{
	register_file(ctx, fd);
	prep(&iocbs[0], IOCB_CMD_PREAD, 0, bufs[0], 8, 0);
	fix_file(&iocbs[0], 0);
	submit(1, fd);
}

static void write_buffered(int fd)
{
	int i;

	/* native aio drops the file of a FSYNC in a kworker, after the exit */
	for (i = 0; i < COUNT; i++)
		if (i % 8 == 7 && !is_native())
			prep(&iocbs[i], IOCB_CMD_FSYNC, fd, NULL, 0, 0);
		else
			prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs[i], PART, i * PART);
	submit(COUNT, fd);
}

static void read_direct(int fd)
{
	char *data = aligned_buffer(COUNT * DIRECT_ALIGN);
	int i;

	for (i = 0; i < COUNT; i++)
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, data + i * DIRECT_ALIGN, DIRECT_ALIGN,
		     i * DIRECT_ALIGN);
	submit(COUNT, fd);
}

struct request {
	void (*start)(int fd);
	int flags;
};

static const struct request poll_fifo = { poll_in, O_RDONLY | O_NONBLOCK };
static const struct request read_fifo = { read_armed, O_RDWR };
static const struct request registered_fifo = { read_registered, O_RDWR };
static const struct request buffered = { write_buffered, O_RDWR };
static const struct request direct = { read_direct, O_RDONLY | O_DIRECT };

/* The new program: it says that it runs, and stays. */
int test_helper(int argc, char **argv)
{
	ASSERT_EQ(1, argc);
	ASSERT_EQ(1, write(atoi(argv[0]), "x", 1));
	pause();
	return 0;
}

static __noreturn void end(enum end end, int ready)
{
	char arg[16];

	switch (end) {
	case KILLED:
		ASSERT_EQ(1, write(ready, "x", 1));
		pause();
		break;
	case EXITS:
		break;
	case EXECS:
		snprintf(arg, sizeof(arg), "%d", dup(ready));
		test_exec_helper((char *[]){ arg, NULL });
	case DESTROYS:
		ASSERT_EQ(0, be_destroy(ctx));
		ASSERT_EQ(1, write(ready, "x", 1));
		pause();
		break;
	}
	_exit(0);
}

static int ready[2];

/*
 * Returns in the test, when that is the case; the child is there after some of the ends.
 * The test closes that descriptor at once, if it is one.
 */
static pid_t run_child(enum end how, void (*start)(void *arg), void *arg, int only_child)
{
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	pid = test_fork();
	if (!pid) {
		close(ready[0]);
		ctx = new_context(COUNT);
		start(arg);
		end(how, ready[1]);
	}
	close(ready[1]);
	if (only_child >= 0)
		close(only_child);
	ASSERT_EQ(how == EXITS ? 0 : 1, read(ready[0], &byte, 1));
	close(ready[0]);
	if (how == KILLED)
		ASSERT_EQ(0, kill(pid, SIGKILL));
	if (how == KILLED || how == EXITS)
		ASSERT_EQ(how == EXITS ? 0 : 128 + SIGKILL, test_wait(pid));
	return pid;
}

static void end_child(enum end how, pid_t pid)
{
	if (how == KILLED || how == EXITS)
		return;
	ASSERT_EQ(0, kill(pid, SIGKILL));
	test_wait(pid);
}

/* Files */

static void make_dir(void)
{
	const char *parent = getenv("RAIO_TEST_DIR");

	snprintf(dir, sizeof(dir), "%s/raio-locks-XXXXXX", parent ? parent : "/tmp");
	ASSERT_TRUE(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
}

static void make_file(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, COUNT * PART));
	close(fd);
}

static void make(const struct request *request)
{
	if (request == &direct) {
		nullb_create(&nullb, &(struct nullb_options){
			.size_mb = 1, .completion_nsec = 50000000 });
		snprintf(path, sizeof(path), "%s", nullb.dev);
		return;
	}
	make_dir();
	if (request == &buffered)
		make_file();
	else
		ASSERT_EQ(0, mkfifo(path, 0600));
}

static void unmake(void)
{
	if (!dir[0])
		return;
	unlink(path);
	rmdir(dir);
}

static int open_path(const struct request *request)
{
	int fd = open(path, request->flags | O_CLOEXEC);

	ASSERT_LE(0, fd);
	return fd;
}

static void start_locked(void *arg)
{
	const struct request *request = arg;
	int fd = open_path(request);

	ASSERT_EQ(0, flock(fd, LOCK_EX | LOCK_NB));
	request->start(fd);
}

/* Another open of it; false if the lock is still held, and then it waits for it. */
static bool take_lock(void)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool free;

	ASSERT_LE(0, fd);
	free = !flock(fd, LOCK_EX | LOCK_NB);
	if (!free)
		ASSERT_EQ(0, flock(fd, LOCK_EX));
	close(fd);
	return free;
}

static void run_lock(const struct request *request, enum end how)
{
	int i, late = 0;
	pid_t pid;

	make(request);
	for (i = 0; i < ROUNDS; i++) {
		pid = run_child(how, start_locked, (void *)request, -1);
		late += !take_lock();
		end_child(how, pid);
	}
	EXPECT_EQ(0, late);
	unmake();
}

#define LATE	"native: the driver's interrupt releases the file last"
#define BLOCKS	"native: blocks"
#define NO_FILES "it has no such files"

TEST(lock_poll_killed) { run_lock(&poll_fifo, KILLED); }
TEST(lock_poll_exits) { run_lock(&poll_fifo, EXITS); }
TEST(lock_poll_execs) { run_lock(&poll_fifo, EXECS); }
TEST(lock_poll_destroys) { run_lock(&poll_fifo, DESTROYS); }
TEST_RAIO(lock_read_killed, BLOCKS) { run_lock(&read_fifo, KILLED); }
TEST_RAIO(lock_read_exits, BLOCKS) { run_lock(&read_fifo, EXITS); }
TEST_RAIO(lock_read_execs, BLOCKS) { run_lock(&read_fifo, EXECS); }
TEST_RAIO(lock_read_destroys, BLOCKS) { run_lock(&read_fifo, DESTROYS); }
TEST_RAIO(lock_registered_killed, NO_FILES) { run_lock(&registered_fifo, KILLED); }
TEST_RAIO(lock_registered_exits, NO_FILES) { run_lock(&registered_fifo, EXITS); }
TEST_RAIO(lock_registered_execs, NO_FILES) { run_lock(&registered_fifo, EXECS); }
TEST_RAIO(lock_registered_destroys, NO_FILES) { run_lock(&registered_fifo, DESTROYS); }
TEST(lock_buffered_killed) { run_lock(&buffered, KILLED); }
TEST(lock_buffered_exits) { run_lock(&buffered, EXITS); }
TEST(lock_buffered_execs) { run_lock(&buffered, EXECS); }
TEST(lock_buffered_destroys) { run_lock(&buffered, DESTROYS); }
TEST_RAIO(lock_direct_killed, LATE) { run_lock(&direct, KILLED); }
TEST_RAIO(lock_direct_exits, LATE) { run_lock(&direct, EXITS); }
TEST_RAIO(lock_direct_execs, LATE) { run_lock(&direct, EXECS); }
TEST_RAIO(lock_direct_destroys, LATE) { run_lock(&direct, DESTROYS); }

/* Mounts */

static void mount_tmpfs(void)
{
	if (mount("raio", dir, "tmpfs", 0, NULL))
		SKIP("needs root, to mount: %m");
}

/* A file system on a device: its read is not over when the process exits. */
static void mount_disk(void)
{
	char command[128];
	int fd;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 8, .completion_nsec = 1000, .memory_backed = true });
	snprintf(command, sizeof(command), "mke2fs -F -b 4096 %s >/dev/null 2>&1", nullb.dev);
	if (system(command))
		SKIP("needs mke2fs");
	if (mount(nullb.dev, dir, "ext4", 0, NULL))
		SKIP("can't mount ext4: %m");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(sizeof(bufs), write(fd, bufs, sizeof(bufs)));
	close(fd);
	ASSERT_EQ(0, umount(dir));
	nullb_set_delay(&nullb, 50000000);
	ASSERT_EQ(0, mount(nullb.dev, dir, "ext4", 0, NULL));
}

static void start_open(void *arg)
{
	const struct request *request = arg;

	request->start(open_path(request));
}

static void run_mount(const struct request *request, enum end how)
{
	int i, late = 0;
	pid_t pid;

	make_dir();
	if (request == &direct)
		mount_disk();
	for (i = 0; i < ROUNDS; i++) {
		if (request != &direct) {
			mount_tmpfs();
			if (request == &buffered)
				make_file();
			else
				ASSERT_EQ(0, mkfifo(path, 0600));
		} else if (i) {
			ASSERT_EQ(0, mount(nullb.dev, dir, "ext4", 0, NULL));
		}
		pid = run_child(how, start_open, (void *)request, -1);
		if (umount(dir)) {
			ASSERT_EQ(EBUSY, errno);
			late++;
			while (umount(dir))
				usleep(1000);
		}
		end_child(how, pid);
	}
	EXPECT_EQ(0, late);
	rmdir(dir);
}

TEST(mount_poll_killed) { run_mount(&poll_fifo, KILLED); }
TEST(mount_poll_destroys) { run_mount(&poll_fifo, DESTROYS); }
TEST_RAIO(mount_read_killed, BLOCKS) { run_mount(&read_fifo, KILLED); }
TEST_RAIO(mount_read_exits, BLOCKS) { run_mount(&read_fifo, EXITS); }
TEST_RAIO(mount_read_execs, BLOCKS) { run_mount(&read_fifo, EXECS); }
TEST_RAIO(mount_read_destroys, BLOCKS) { run_mount(&read_fifo, DESTROYS); }
TEST_RAIO(mount_registered_killed, NO_FILES) { run_mount(&registered_fifo, KILLED); }
TEST(mount_buffered_killed) { run_mount(&buffered, KILLED); }
TEST(mount_buffered_execs) { run_mount(&buffered, EXECS); }
TEST_RAIO(mount_direct_killed, LATE) { run_mount(&direct, KILLED); }
TEST_RAIO(mount_direct_execs, LATE) { run_mount(&direct, EXECS); }
TEST_RAIO(mount_direct_destroys, LATE) { run_mount(&direct, DESTROYS); }

/* Peers */

struct peer {
	enum pair pair;
	int end;	/* that of the request: 0 is read, 1 is written */
	void (*start)(int fd);
	int fds[2];
};

static void start_end(void *arg)
{
	struct peer *peer = arg;

	close(peer->fds[!peer->end]);
	peer->start(peer->fds[peer->end]);
}

/* The other end has been closed: now, and not in a moment. */
static bool sees_end(const struct peer *peer)
{
	struct pollfd pollfd = { .fd = peer->fds[!peer->end], .events = POLLIN | POLLRDHUP };

	if (peer->end == 1)
		pair_drain(pollfd.fd);
	if (poll(&pollfd, 1, 0) != 1)
		return false;
	return pollfd.revents & (POLLHUP | POLLERR | POLLRDHUP);
}

static void run_peer(struct peer peer, enum end how)
{
	int i, late = 0;
	pid_t pid;

	for (i = 0; i < ROUNDS; i++) {
		pair_open(peer.pair, peer.fds);
		if (peer.start == write_armed)
			pair_fill(peer.fds[1]);
		/* the child's is then the last one */
		pid = run_child(how, start_end, &peer, peer.fds[peer.end]);
		late += !sees_end(&peer);
		end_child(how, pid);
		close(peer.fds[!peer.end]);
	}
	EXPECT_EQ(0, late);
}

static void run_peer_ends(enum pair pair, int end, void (*start)(int fd))
{
	struct peer peer = { .pair = pair, .end = end, .start = start };

	run_peer(peer, KILLED);
	run_peer(peer, EXITS);
	run_peer(peer, EXECS);
	run_peer(peer, DESTROYS);
}

TEST_RAIO(peer_pipe_read, BLOCKS) { run_peer_ends(PAIR_PIPE, 0, read_armed); }
TEST_RAIO(peer_pipe_write, BLOCKS) { run_peer_ends(PAIR_PIPE, 1, write_armed); }
TEST(peer_pipe_poll) { run_peer_ends(PAIR_PIPE, 0, poll_in); }
TEST(peer_pipe_poll_error) { run_peer_ends(PAIR_PIPE, 1, poll_error); }
TEST_RAIO(peer_unix_read, BLOCKS) { run_peer_ends(PAIR_UNIX_STREAM, 0, read_armed); }
TEST_RAIO(peer_unix_write, BLOCKS) { run_peer_ends(PAIR_UNIX_STREAM, 1, write_armed); }
TEST_RAIO(peer_unix_registered, NO_FILES) { run_peer_ends(PAIR_UNIX_STREAM, 0, read_registered); }
TEST_RAIO(peer_tcp_read, BLOCKS) { run_peer_ends(PAIR_TCP, 0, read_armed); }
TEST_RAIO(peer_tty_read, BLOCKS) { run_peer_ends(PAIR_TTY, 0, read_armed); }
TEST_RAIO(peer_pty_read, BLOCKS) { run_peer_ends(PAIR_PTY, 0, read_armed); }
