// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a context whose file system does not answer leaves other contexts
 * alone: those of the same process, and those of another one of the same user.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "workers.h"

#define HANGING	64
#define ROUNDS	200

static struct fuse fuse;
static struct iocb hanging[HANGING];
static char bufs[HANGING][512];

static aio_context_t hang(unsigned int opcode, unsigned int fuse_opcode)
{
	aio_context_t ctx = new_context(HANGING);
	int fd, i;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(fuse_opcode));
	fd = fuse_open(&fuse, O_RDWR);
	for (i = 0; i < HANGING; i++) {
		prep(&hanging[i], opcode, fd, bufs[i], sizeof(bufs[i]), i * 512);
		if (opcode == IOCB_CMD_FSYNC)
			prep(&hanging[i], opcode, fd, NULL, 0, 0);
		ASSERT_EQ(1, submit_one(ctx, &hanging[i]));
	}
	fuse_wait_held(&fuse, 1);
	return ctx;
}

/* Nothing has come, and when the server answers all do. */
static void release(aio_context_t ctx)
{
	struct io_event events[HANGING];
	int i;

	EXPECT_EQ(0, events_now(ctx, events, 1));
	fuse_release(&fuse);
	ASSERT_EQ(HANGING, events_wait(ctx, events, HANGING));
	for (i = 0; i < HANGING; i++)
		EXPECT_LE(0, (long long)events[i].res);
}

/* A read that waits, for data that comes. */
static void retry_read(aio_context_t ctx, const int fds[2], bool wait)
{
	struct io_event event;
	struct iocb iocb;
	char byte = 0;

	prep(&iocb, IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
	if (is_native())
		prep_poll(&iocb, fds[0], POLLIN);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	if (!wait)
		wait_for_ring(ctx, 1);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(1, (long long)event.res & POLLIN);
	if (is_native())
		ASSERT_EQ(1, read(fds[0], &byte, 1));
	EXPECT_EQ('x', byte);
}

static void write_file(aio_context_t ctx, int fd, int round)
{
	static char block[4096];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PWRITE, fd, block, sizeof(block), round % 16 * 4096);
	EXPECT_EQ(sizeof(block), run_one(ctx, &iocb));
	if (round % 16)
		return;
	prep(&iocb, IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
	EXPECT_EQ(0, run_one(ctx, &iocb));
}

/* Of each kind: the workqueue, threads, the task itself. */
static void work(void)
{
	aio_context_t ctx = new_context(4);
	int pipes[2], sockets[2], fd = new_file(0), i;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	for (i = 0; i < ROUNDS; i++) {
		retry_read(ctx, pipes, i % 2);
		retry_read(ctx, sockets, i % 2);
		write_file(ctx, fd, i);
	}
	EXPECT_EQ(0, be_destroy(ctx));
}

static void run(unsigned int opcode, unsigned int fuse_opcode)
{
	aio_context_t ctx = hang(opcode, fuse_opcode);
	pid_t pid;

	work();
	pid = test_fork();
	if (!pid) {
		work();
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	release(ctx);
}

TEST_RAIO(reads, "native: blocks")
{
	run(IOCB_CMD_PREAD, FUSE_READ);
}

TEST_RAIO(writes, "native: blocks")
{
	run(IOCB_CMD_PWRITE, FUSE_WRITE);
}

TEST(fsyncs)
{
	run(IOCB_CMD_FSYNC, FUSE_FSYNC);
}

static void start_hanging(aio_context_t ctx, int count)
{
	int fd, i;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	fd = fuse_open(&fuse, O_RDWR);
	for (i = 0; i < count; i++) {
		prep(&hanging[i], IOCB_CMD_PREAD, fd, bufs[i], sizeof(bufs[i]), i * 512);
		ASSERT_EQ(1, submit_one(ctx, &hanging[i]));
	}
}

/* In the hanging context itself, what can be done without the server goes on. */
static void run_same_context(const int fds[2], int hanging_count)
{
	aio_context_t ctx = new_context(HANGING + 4);
	struct io_event event;
	int i;

	start_hanging(ctx, hanging_count);
	fuse_wait_held(&fuse, 1);
	for (i = 0; i < ROUNDS; i++)
		retry_read(ctx, fds, i % 2);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	fuse_release(&fuse);
	for (i = 0; i < hanging_count; i++) {
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_EQ(512, (long long)event.res);
	}
}

TEST_RAIO(same_context, "native: blocks")
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	run_same_context(fds, HANGING);
}

/* Its retry needs a thread, and the first one hangs. */
TEST_RAIO(same_context_one_hangs, "native: blocks")
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	run_same_context(fds, 1);
}

/* There are as many that hang as there may be threads, and more, before it comes. */
TEST_RAIO(same_context_all_hang, "native: blocks")
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	run_same_context(fds, HANGING);
}

/* It is armed before more requests hang than there may be threads. */
TEST_RAIO(same_context_armed_before, "native: blocks")
{
	aio_context_t ctx = new_context(HANGING + 1);
	struct io_event event;
	struct iocb iocb;
	char byte = 0;
	int fds[2], i;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	start_hanging(ctx, HANGING);
	fuse_wait_held(&fuse, MAX_WORKERS - 1);
	/* idle threads go after 100 ms, but not the one that it needs */
	usleep(300000);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	wait_for_ring(ctx, 1);
	ASSERT_EQ(1, events_now(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	EXPECT_EQ('x', byte);
	fuse_release(&fuse);
	for (i = 0; i < HANGING; i++) {
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_EQ(512, (long long)event.res);
	}
}
