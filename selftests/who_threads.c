// SPDX-License-Identifier: GPL-2.0
/*
 * Description: what a process sees of the threads that raio makes in it: only
 * for requests that have to wait, a bounded number of them, gone when they are idle, and
 * no obstacle to signals, fork and exec.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "pairs.h"
#include "workers.h"

#define NATIVE_BLOCKS	"native: blocks"

static struct fuse fuse;

/* A read for which there is nothing, until to writes; nobody waits for it. */
static bool retry_makes_thread(int from, int to)
{
	aio_context_t ctx = new_context(1);
	bool seen = false;
	struct io_event event;
	struct iocb iocb;
	uint64_t buf = 1;

	prep(&iocb, IOCB_CMD_PREAD, from, &buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(0, events_in_ring(ctx));
	if (to >= 0)
		ASSERT_EQ(sizeof(buf), write(to, "\0\1\2\3\4\5\6\n", 8));
	while (!events_in_ring(ctx))
		seen |= worker_threads(getpid(), NULL, 0);
	seen |= worker_threads(getpid(), NULL, 0);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(sizeof(buf), (long long)event.res);
	EXPECT_EQ(0, be_destroy(ctx));
	return seen;
}

/* All do, and the thread stays for a moment: in a slow guest one may go unseen. */
static void expect_thread(int from, int to)
{
	int i;

	for (i = 0; i < 20; i++)
		if (retry_makes_thread(from, to))
			return;
	FAIL("there was no thread");
}

TEST_RAIO(pipe_has_one, NATIVE_BLOCKS)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	expect_thread(fds[0], fds[1]);
	wait_worker_threads(getpid(), false);
}

TEST_RAIO(eventfd_has_one, NATIVE_BLOCKS)
{
	int fd = eventfd(0, 0);

	expect_thread(fd, fd);
	wait_worker_threads(getpid(), false);
}

TEST_RAIO(timerfd_has_one, NATIVE_BLOCKS)
{
	struct itimerspec soon = { .it_value.tv_nsec = 200000000 };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	ASSERT_EQ(0, timerfd_settime(fd, 0, &soon, NULL));
	EXPECT_TRUE(retry_makes_thread(fd, -1));
	wait_worker_threads(getpid(), false);
}

/* What need not wait needs none. */
TEST_RAIO(ready_has_none, NATIVE_BLOCKS)
{
	aio_context_t ctx = new_context(1);
	static char buf[4096];
	struct iocb iocb;
	int fds[2], i;

	ASSERT_EQ(0, pipe(fds));
	fds[0] = new_file(sizeof(buf));
	for (i = 0; i < 20; i++) {
		prep(&iocb, IOCB_CMD_PWRITE, fds[1], buf, 8, 0);
		ASSERT_EQ(8, run_one(ctx, &iocb));
		prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
		ASSERT_EQ(sizeof(buf), run_one(ctx, &iocb));
		EXPECT_EQ(0, worker_threads(getpid(), NULL, 0));
	}
}

TEST_RAIO(tcp_has_one, NATIVE_BLOCKS)
{
	int fds[2];

	pair_open(PAIR_TCP, fds);
	expect_thread(fds[0], fds[1]);
	wait_worker_threads(getpid(), false);
}

TEST_RAIO(udp_has_one, NATIVE_BLOCKS)
{
	int fds[2];

	pair_open(PAIR_UDP, fds);
	expect_thread(fds[0], fds[1]);
	wait_worker_threads(getpid(), false);
}

/* A message of it can carry who has sent it: see who_passcred. */
TEST_RAIO(unix_socket_has_one, NATIVE_BLOCKS)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	expect_thread(fds[0], fds[1]);
	wait_worker_threads(getpid(), false);
}

TEST_RAIO(tty_has_one, NATIVE_BLOCKS)
{
	int fds[2];

	pair_open(PAIR_TTY, fds);
	expect_thread(fds[0], fds[1]);
	wait_worker_threads(getpid(), false);
}

static int64_t write_block(aio_context_t ctx, int fd)
{
	static char block[4096];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PWRITE, fd, block, sizeof(block), 0);
	return run_one(ctx, &iocb);
}

/* What a thread is: one of this process, with a name, gone when there is no work. */
TEST_RAIO(same_process, "it has no such threads")
{
	aio_context_t ctx = new_context(1);
	char buf[100];
	struct iocb iocb;
	pid_t tids[2];
	char path[64];
	int fd, round;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fd = fuse_open(&fuse, O_RDONLY);
	for (round = 0; round < 2; round++) {
		EXPECT_EQ(1, all_threads(getpid()));
		fuse_hold(&fuse, FUSE_OP(FUSE_READ));
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		fuse_wait_held(&fuse, 1);
		EXPECT_EQ(1, worker_threads(getpid(), tids, 2));
		EXPECT_EQ(2, all_threads(getpid()));
		/* it is no process of its own */
		snprintf(path, sizeof(path), "/proc/self/task/%d", tids[0]);
		EXPECT_EQ(0, access(path, F_OK));
		EXPECT_EQ(-1, waitpid(tids[0], NULL, WNOHANG | __WALL));
		fuse_release(&fuse);
		ASSERT_EQ(1, events_wait(ctx, &(struct io_event){ 0 }, 1));
		wait_worker_threads(getpid(), false);
	}
	/* and back when it is needed */
	EXPECT_EQ(4096, write_block(ctx, new_file(0)));
}

/* However many requests hang. */
TEST_RAIO(bounded, NATIVE_BLOCKS)
{
	enum { COUNT = 64, CONTEXTS = 2 };
	static struct iocb iocbs[CONTEXTS][COUNT];
	static char bufs[CONTEXTS][COUNT][512];
	struct io_event events[COUNT];
	aio_context_t ctx[CONTEXTS];
	unsigned int i, c, threads, most = 0;
	int fd;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fd = fuse_open(&fuse, O_RDONLY);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	for (c = 0; c < CONTEXTS; c++) {
		ctx[c] = new_context(COUNT);
		for (i = 0; i < COUNT; i++) {
			prep(&iocbs[c][i], IOCB_CMD_PREAD, fd, bufs[c][i], 512, i * 512);
			ASSERT_EQ(1, submit_one(ctx[c], &iocbs[c][i]));
			threads = worker_threads(getpid(), NULL, 0);
			if (threads > most)
				most = threads;
		}
		EXPECT_LE(threads, MAX_WORKERS * (c + 1));
		EXPECT_LE(1, threads);
	}
	fuse_wait_held(&fuse, CONTEXTS);
	for (i = 0; i < 50; i++) {
		threads = worker_threads(getpid(), NULL, 0);
		if (threads > most)
			most = threads;
		usleep(1000);
	}
	test_note("%u threads for %u contexts", most, CONTEXTS);
	EXPECT_LE(most, MAX_WORKERS * CONTEXTS);

	fuse_release(&fuse);
	for (c = 0; c < CONTEXTS; c++) {
		ASSERT_EQ(COUNT, events_wait(ctx[c], events, COUNT));
		for (i = 0; i < COUNT; i++) {
			EXPECT_EQ(512, (long long)events[i].res);
			EXPECT_TRUE(is_pattern(bufs[c][i], 512, i * 512, 0));
		}
	}
	wait_worker_threads(getpid(), false);
}

/* The program forbids them: what may block does so in submit. */
TEST_RAIO(none_allowed, "it has no such threads")
{
	aio_context_t ctx = new_context_flags(4, RAIO_SETUP_NO_THREADS);
	static char block[4096];
	int fd = new_file(0), i;
	struct io_event event;
	struct iocb iocb;

	for (i = 0; i < 20; i++) {
		prep(&iocb, IOCB_CMD_PWRITE, fd, block, sizeof(block), i * 4096);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		EXPECT_EQ(0, worker_threads(getpid(), NULL, 0));
		EXPECT_EQ(1, events_in_ring(ctx));
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_EQ(4096, (long long)event.res);
		prep(&iocb, IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
		EXPECT_EQ(0, run_one(ctx, &iocb));
		EXPECT_EQ(0, worker_threads(getpid(), NULL, 0));
	}
	EXPECT_EQ(1, all_threads(getpid()));
}

static unsigned long *writes;

/* A process that always has a thread at work. */
static pid_t start_writer(void)
{
	pid_t pid;

	writes = mmap(NULL, sizeof(*writes), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(writes != MAP_FAILED);
	pid = test_fork();
	if (!pid) {
		aio_context_t ctx = new_context(1);
		int fd = new_file(0);

		for (;;) {
			EXPECT_EQ(4096, write_block(ctx, fd));
			__atomic_add_fetch(writes, 1, __ATOMIC_SEQ_CST);
		}
	}
	return pid;
}

static void wait_for_writes(unsigned long more)
{
	unsigned long end = __atomic_load_n(writes, __ATOMIC_SEQ_CST) + more;

	while (__atomic_load_n(writes, __ATOMIC_SEQ_CST) < end)
		usleep(1000);
}

/* All threads are by now, but for one that is about to go. */
static void wait_stopped(pid_t pid, pid_t tid)
{
	char state;

	do {
		state = thread_state(pid, tid);
	} while (state && state != 'T');
}

TEST_RAIO(stop_and_continue, "it has no such threads")
{
	pid_t pid = start_writer(), tids[MAX_WORKERS];
	unsigned int count, i;
	int round, status;

	for (round = 0; round < 20; round++) {
		wait_for_writes(2);
		ASSERT_EQ(0, kill(pid, SIGSTOP));
		ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		count = worker_threads(pid, tids, MAX_WORKERS);
		ASSERT_LE(count, MAX_WORKERS);
		for (i = 0; i < count; i++)
			wait_stopped(pid, tids[i]);
		ASSERT_EQ(0, kill(pid, SIGCONT));
	}
	wait_for_writes(2);
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
}

/* Writes a block, stops, and so on. */
static pid_t start_stopping_writer(void)
{
	pid_t pid = test_fork();

	if (!pid) {
		aio_context_t ctx = new_context(1);
		int fd = new_file(0);

		for (;;) {
			EXPECT_EQ(4096, write_block(ctx, fd));
			kill(getpid(), SIGSTOP);
		}
	}
	return pid;
}

static void wait_stop(pid_t pid)
{
	int status;

	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
}

/*
 * A thread that is idle is stopped with its process, and would be gone soon after
 * that: the kernel's worker does not wait until it goes on.
 */
TEST_RAIO(stopped_when_idle, "it has no such threads")
{
	pid_t pid = start_stopping_writer(), tid;
	int round;

	wait_stop(pid);
	/* in a slow guest it may be gone by then */
	while (!worker_threads(pid, &tid, 1)) {
		ASSERT_EQ(0, kill(pid, SIGCONT));
		wait_stop(pid);
	}
	wait_stopped(pid, tid);
	for (round = 0; round < 3; round++) {
		/* this thread is idle later, so the other one's turn was before it is gone */
		EXPECT_EQ(4096, write_block(new_context(1), new_file(0)));
		wait_worker_threads(getpid(), false);
		wait_no_kworker_waits();
	}
	EXPECT_EQ(1, worker_threads(pid, NULL, 0));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, kill(pid, SIGCONT));
		wait_stop(pid);
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
}

/* A signal for the process is not for such a thread. */
TEST_RAIO(signals_go_elsewhere, "it has no such threads")
{
	aio_context_t ctx = new_context(4);
	struct io_event event;
	struct iocb iocb;
	char buf[100];
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	fuse_start(&fuse, FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	prep(&iocb, IOCB_CMD_PREAD, fuse_open(&fuse, O_RDONLY), buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	fuse_wait_held(&fuse, 1);
	/* no handler: whoever takes it ends the process */
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, kill(getpid(), SIGUSR1));
		EXPECT_EQ(SIGUSR1, sigwaitinfo(&set, NULL));
	}
	fuse_release(&fuse);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(sizeof(buf), (long long)event.res);
}

/* With a thread that hangs. */
static aio_context_t hang(void)
{
	aio_context_t ctx = new_context(16);
	static struct iocb iocb;
	static char buf[100];

	prep(&iocb, IOCB_CMD_PREAD, fuse_open(&fuse, O_RDONLY), buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	fuse_wait_held(&fuse, 1);
	EXPECT_EQ(2, all_threads(getpid()));
	return ctx;
}

TEST_RAIO(fork_has_none, "it has no such threads")
{
	aio_context_t ctx;
	pid_t pid;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	ctx = hang();
	pid = test_fork();
	if (!pid) {
		EXPECT_EQ(1, all_threads(getpid()));
		EXPECT_EQ(4096, write_block(new_context(1), new_file(0)));
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	fuse_release(&fuse);
	ASSERT_EQ(1, events_wait(ctx, &(struct io_event){ 0 }, 1));
}

int test_helper(int argc, char **argv)
{
	ASSERT_EQ(1, argc);
	EXPECT_EQ(1, all_threads(getpid()));
	EXPECT_EQ(strtoul(argv[0], NULL, 10), be_nr());
	EXPECT_EQ(4096, write_block(new_context(1), new_file(0)));
	return 0;
}

TEST_RAIO(exec_has_none, "it has no such threads")
{
	unsigned long before = be_nr();
	char count[24];
	pid_t pid;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	pid = test_fork();
	if (!pid) {
		hang();
		snprintf(count, sizeof(count), "%lu", before);
		test_exec_helper((char *[]){ count, NULL });
	}
	EXPECT_EQ(0, test_wait(pid));
	fuse_release(&fuse);
}
