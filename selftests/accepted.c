// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a write or fsync of a regular file or a block device that was taken is
 * done, also if its program ends the context, or itself, before it asks for the event;
 * what waits for the data of a stream, or for space there, is cancelled.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "pairs.h"

#define ROUNDS	((int)test_rounds(10))
#define COUNT	8
#define PART	16384

enum end { DESTROYS, UNMAPS, EXITS, KILLED, KILLED_IN_CALL, EXECS, ENDS };

static const char *const end_names[ENDS] = {
	[DESTROYS] = "io_destroy",
	[UNMAPS] = "munmap",
	[EXITS] = "_exit",
	[KILLED] = "kill",
	[KILLED_IN_CALL] = "kill, while it waits for the event of something else",
	[EXECS] = "exec",
};

static struct iocb iocbs[COUNT + 1], *list[COUNT];
static char *bufs;
static aio_context_t ctx;

int test_helper(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* It waits for what never comes, in a context of its own. */
static void wait_for_ever(void)
{
	static struct iocb iocb;
	struct io_event event;
	int fds[2];

	pair_open(PAIR_PIPE, fds);
	prep_poll(&iocb, fds[0], 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	events_wait(ctx, &event, COUNT + 1);
}

static __noreturn void end(enum end how, int ready)
{
	switch (how) {
	case DESTROYS:
		ASSERT_EQ(0, be_destroy(ctx));
		break;
	case UNMAPS:
		ASSERT_EQ(0, munmap((void *)(uintptr_t)ctx, mapping_size(ctx)));
		break;
	case EXITS:
		break;
	case KILLED:
		ASSERT_EQ(1, write(ready, "x", 1));
		raise(SIGKILL);
		break;
	case KILLED_IN_CALL:
		ASSERT_EQ(1, write(ready, "x", 1));
		wait_for_ever();
		break;
	case EXECS:
		test_exec_helper((char *[]){ NULL });
	default:
		break;
	}
	_exit(0);
}

/* A child submits, and ends in that way; when this returns it is gone. */
static void run_child(enum end how, void (*prepare)(int fd), int fd)
{
	int ready[2], i;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	pid = test_fork();
	if (!pid) {
		/* one for each, and one for that which never comes */
		ctx = new_context(COUNT + 1);
		prepare(fd);
		for (i = 0; i < COUNT; i++)
			list[i] = &iocbs[i];
		ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
		end(how, ready[1]);
	}
	close(ready[1]);
	if (how == KILLED || how == KILLED_IN_CALL) {
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		kill(pid, SIGKILL);
		EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	} else {
		EXPECT_EQ(0, test_wait(pid));
	}
	close(ready[0]);
}

/* Files */

struct target {
	int fd;		/* of the child */
	int check_fd;	/* of who looks at what has become of it */
	bool direct;
	struct nullb nullb;
};

static void prepare_writes(int fd)
{
	int i;

	for (i = 0; i < COUNT; i++)
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs + i * PART, PART, i * PART);
}

static void run_writes(const struct target *target)
{
	char *seen = aligned_buffer(COUNT * PART);
	int round, missing;
	enum end how;

	bufs = aligned_buffer(COUNT * PART);
	for (how = 0; how < ENDS; how++) {
		missing = 0;
		for (round = 0; round < ROUNDS; round++) {
			fill_pattern(bufs, COUNT * PART, 0, how * 10 + round);
			run_child(how, prepare_writes, target->fd);
			memset(seen, 0, COUNT * PART);
			if (pread(target->check_fd, seen, COUNT * PART, 0) != COUNT * PART ||
			    memcmp(seen, bufs, COUNT * PART))
				missing++;
		}
		if (!EXPECT_EQ(0, missing))
			test_note("%s: there is something missing in %d of %d rounds",
				  end_names[how], missing, ROUNDS);
	}
}

static void prepare_fsyncs(int fd)
{
	int i;

	for (i = 0; i < COUNT; i++)
		prep(&iocbs[i], i % 2 ? IOCB_CMD_FDSYNC : IOCB_CMD_FSYNC, fd, NULL, 0, 0);
}

static void run_fsyncs(const struct target *target)
{
	unsigned long before;
	int round, missing;
	enum end how;

	bufs = aligned_buffer(PART);
	for (how = 0; how < ENDS; how++) {
		missing = 0;
		for (round = 0; round < ROUNDS; round++) {
			fill_pattern(bufs, PART, 0, how * 10 + round);
			ASSERT_EQ(PART, pwrite(target->check_fd, bufs, PART, 0));
			/* nothing is written back before somebody asks for it */
			before = nullb_sectors_written(&target->nullb);
			run_child(how, prepare_fsyncs, target->fd);
			missing += nullb_sectors_written(&target->nullb) < before + PART / 512;
		}
		if (!EXPECT_EQ(0, missing))
			test_note("%s: not written back in %d of %d rounds", end_names[how],
				  missing, ROUNDS);
	}
}

/* An unlinked file there. */
static void open_in(struct target *target, const char *dir, int flags)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/raio-XXXXXX", dir);
	target->check_fd = mkostemp(path, O_CLOEXEC);
	if (target->check_fd < 0)
		SKIP("%s: %m", path);
	target->fd = open(path, O_RDWR | O_CLOEXEC | flags);
	unlink(path);
	if (target->fd < 0)
		SKIP("%s: %m", dir);
}

static void run_writes_in(const char *dir, int flags)
{
	struct target target;

	if (!dir)
		SKIP("no such file system");
	open_in(&target, dir, flags);
	run_writes(&target);
}

static const char *test_dir(void)
{
	return getenv("RAIO_TEST_DIR") ?: "/tmp";
}

TEST(writes_ext4)
{
	run_writes_in(test_dir(), 0);
}

TEST(writes_ext4_direct)
{
	run_writes_in(test_dir(), O_DIRECT);
}

/* Each adds to the file. */
TEST(writes_ext4_append)
{
	struct target target;
	int round, missing;
	enum end how;

	bufs = aligned_buffer(COUNT * PART);
	open_in(&target, test_dir(), O_APPEND);
	for (how = 0; how < ENDS; how++) {
		missing = 0;
		for (round = 0; round < ROUNDS; round++) {
			run_child(how, prepare_writes, target.fd);
			missing += lseek(target.check_fd, 0, SEEK_END) != COUNT * PART;
			ASSERT_EQ(0, ftruncate(target.check_fd, 0));
		}
		if (!EXPECT_EQ(0, missing))
			test_note("%s: there is something missing in %d of %d rounds",
				  end_names[how], missing, ROUNDS);
	}
}

TEST(writes_xfs)
{
	run_writes_in(getenv("RAIO_XFS_DIR"), 0);
}

TEST(writes_xfs_direct)
{
	run_writes_in(getenv("RAIO_XFS_DIR"), O_DIRECT);
}

TEST(writes_tmpfs)
{
	run_writes_in("/dev/shm", 0);
}

static void open_device(struct target *target, int flags)
{
	nullb_create(&target->nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 1000000, .memory_backed = true });
	target->check_fd = open(target->nullb.dev, O_RDWR | O_CLOEXEC);
	target->fd = open(target->nullb.dev, O_RDWR | O_CLOEXEC | flags);
	ASSERT_LE(0, target->check_fd);
	ASSERT_LE(0, target->fd);
}

TEST(writes_device)
{
	struct target target;

	open_device(&target, 0);
	run_writes(&target);
}

/* Each takes a while, and most of them have not begun when it ends. */
TEST(writes_device_direct)
{
	struct target target;

	open_device(&target, O_DIRECT);
	run_writes(&target);
}

TEST(fsyncs_device)
{
	struct target target;

	open_device(&target, 0);
	run_fsyncs(&target);
}

/* No path leads there any more, when it is open. */
static void open_on_device(struct target *target)
{
	char dir[] = "/tmp/raio-accepted-XXXXXX", command[128];

	nullb_create(&target->nullb, &(struct nullb_options){
		.size_mb = 8, .completion_nsec = 1000, .memory_backed = true });
	snprintf(command, sizeof(command), "mke2fs -F -b 4096 %s >/dev/null 2>&1",
		 target->nullb.dev);
	if (system(command))
		SKIP("needs mke2fs");
	ASSERT_TRUE(mkdtemp(dir));
	if (mount(target->nullb.dev, dir, "ext4", 0, NULL))
		SKIP("can't mount ext4: %m");
	open_in(target, dir, 0);
	ASSERT_EQ(0, umount2(dir, MNT_DETACH));
	ASSERT_EQ(0, rmdir(dir));
}

TEST(fsyncs_ext4)
{
	struct target target;

	open_on_device(&target);
	run_fsyncs(&target);
}

/* Streams: what comes after the end is there for others. */

static void prepare_reads(int fd)
{
	int i;

	for (i = 0; i < COUNT; i++)
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, bufs + i * PART, PART, 0);
}

static void prepare_stream_writes(int fd)
{
	int i;

	memset(bufs, 'x', COUNT * PART);
	for (i = 0; i < COUNT; i++)
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs + i * PART, PART, 0);
}

static void run_stream(enum pair pair)
{
	char seen[8];
	enum end how;
	int fds[2];
	size_t size;

	bufs = aligned_buffer(COUNT * PART);
	for (how = 0; how < ENDS; how++) {
		pair_open(pair, fds);
		run_child(how, prepare_reads, fds[0]);
		ASSERT_EQ(5, write(fds[1], "hello", 5));
		EXPECT_EQ(5, read(fds[0], seen, sizeof(seen)));
		EXPECT_EQ(0, memcmp(seen, "hello", 5));

		/* a terminal makes space by itself */
		if (pair != PAIR_TTY) {
			size = pair_fill(fds[1]);
			run_child(how, prepare_stream_writes, fds[1]);
			EXPECT_EQ(size, pair_drain(fds[0]));
		}
		close(fds[0]);
		close(fds[1]);
	}
}

TEST_RAIO(stream_pipe, "native: blocks")
{
	run_stream(PAIR_PIPE);
}

TEST_RAIO(stream_fifo, "native: blocks")
{
	run_stream(PAIR_FIFO);
}

TEST_RAIO(stream_unix, "native: blocks")
{
	run_stream(PAIR_UNIX_STREAM);
}

TEST_RAIO(stream_tty, "native: blocks")
{
	run_stream(PAIR_TTY);
}
