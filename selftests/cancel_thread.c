// SPDX-License-Identifier: GPL-2.0
/*
 * Description: cancel reaches a request that a thread runs and that sleeps there: it is
 * interrupted, and its event comes, with ECANCELED or what was moved.  Whoever cancels
 * does not wait for that; what can't be interrupted is EAGAIN.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "nullb.h"
#include "pairs.h"

#define WHY	"native: blocks"

static struct fuse fuse;
static char buf[65536];

/* The event that cancel has given, or the one in the ring; some bytes may have been moved. */
static void expect_cancelled(aio_context_t ctx, struct iocb *iocb, long long most)
{
	struct __kernel_timespec limit = { .tv_sec = 5 };
	struct io_event event, more;
	uint64_t start = now_ns();
	int ret;

	/* the thread may be on its way there, where it can't be interrupted */
	do
		ret = be_cancel(ctx, iocb, &event);
	while (ret == -EAGAIN && now_ns() - start < 5000000000ULL);
	/* there is no answer that it could have waited for */
	EXPECT_LE(now_ns() - start, 5000000000ULL);
	if (ret != 0) {
		EXPECT_EQ(-EINPROGRESS, ret);
		if (!EXPECT_EQ(1, be_getevents(ctx, 1, 1, &event, &limit)))
			return;
	}
	EXPECT_EQ((uintptr_t)iocb, event.obj);
	if ((long long)event.res <= 0 || (long long)event.res > most)
		EXPECT_EQ(-ECANCELED, (long long)event.res);
	EXPECT_EQ(0, events_now(ctx, &more, 1));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, iocb, &more));
	expect_works(ctx);
}

/* Which poll says nothing about: it is the read itself that waits. */
TEST_RAIO(tty_read_time, WHY)
{
	aio_context_t ctx = new_context(2);
	struct iocb iocb;
	int fds[2];

	pair_open(PAIR_TTY, fds);
	terminal_set_min_time(fds[0], 0, 255);
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	expect_cancelled(ctx, &iocb, 0);
}

TEST_RAIO(tty_read_min, WHY)
{
	aio_context_t ctx = new_context(2);
	struct iocb iocb;
	int fds[2];

	pair_open(PAIR_TTY, fds);
	terminal_set_min_time(fds[0], 100, 0);
	ASSERT_EQ(4, write(fds[1], "some", 4));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	expect_cancelled(ctx, &iocb, 4);
}

TEST_RAIO(tty_write, WHY)
{
	aio_context_t ctx = new_context(2);
	struct iocb iocb;
	int fds[2];

	pair_open(PAIR_PTY, fds);
	pair_fill(fds[1]);
	prep(&iocb, IOCB_CMD_PWRITE, fds[1], buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	expect_cancelled(ctx, &iocb, sizeof(buf));
}

static void run_lowat(enum pair pair, bool some)
{
	aio_context_t ctx = new_context(2);
	int fds[2], low = 1000;
	struct iocb iocb;

	pair_open(pair, fds);
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	if (some)
		ASSERT_EQ(4, write(fds[1], "some", 4));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	expect_cancelled(ctx, &iocb, some ? 4 : 0);
}

TEST_RAIO(unix_lowat, WHY)
{
	run_lowat(PAIR_UNIX_STREAM, false);
}

TEST_RAIO(unix_lowat_some, WHY)
{
	run_lowat(PAIR_UNIX_STREAM, true);
}

TEST_RAIO(tcp_lowat_some, WHY)
{
	run_lowat(PAIR_TCP, true);
}

/* The timeout is that of a wait in the file, of which poll knows nothing either. */
TEST_RAIO(unix_timeout, WHY)
{
	struct timeval timeout = { .tv_sec = 1000 };
	aio_context_t ctx = new_context(2);
	struct iocb iocb;
	int fds[2];

	pair_open(PAIR_UNIX_STREAM, fds);
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	expect_cancelled(ctx, &iocb, 0);
}

static void run_fuse(unsigned int opcode, unsigned int fuse_opcode)
{
	aio_context_t ctx = new_context(2);
	struct iocb iocb;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(fuse_opcode));
	prep(&iocb, opcode, fuse_open(&fuse, O_RDWR), opcode == IOCB_CMD_FSYNC ? NULL : buf,
	     opcode == IOCB_CMD_FSYNC ? 0 : 4096, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	fuse_wait_held(&fuse, 1);
	/* the server gives it up when it is told to */
	expect_cancelled(ctx, &iocb, 0);
	EXPECT_EQ(0, fuse.shared->held);
	fuse_release(&fuse);
}

TEST_RAIO(fuse_read, WHY)
{
	run_fuse(IOCB_CMD_PREAD, FUSE_READ);
}

TEST_RAIO(fuse_write, WHY)
{
	/* libraio's default is native aio's. */
	setenv("RAIO_WRITES", "async", 1);
	run_fuse(IOCB_CMD_PWRITE, FUSE_WRITE);
}

TEST_RAIO(fuse_fsync, "native: it can't be cancelled")
{
	run_fuse(IOCB_CMD_FSYNC, FUSE_FSYNC);
}

/* Those that a thread has not begun with go at once. */
TEST_RAIO(fuse_queued, WHY)
{
	static struct iocb iocbs[32];
	aio_context_t ctx = new_context(33);
	int fd, i;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	fd = fuse_open(&fuse, O_RDONLY);
	for (i = 0; i < 32; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf, 64, i * 64);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	fuse_wait_held(&fuse, 1);
	for (i = 31; i >= 0; i--)
		expect_cancelled(ctx, &iocbs[i], 0);
	fuse_release(&fuse);
}

/* A server that does not listen: the caller is told, or the event comes when it answers. */
TEST_RAIO(fuse_deaf, WHY)
{
	aio_context_t ctx = new_context(2);
	struct io_event event;
	struct iocb iocb;
	int ret;

	fuse_start(&fuse, FUSE_DIRECT_IO | FUSE_DEAF);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	prep(&iocb, IOCB_CMD_PREAD, fuse_open(&fuse, O_RDONLY), buf, 64, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	fuse_wait_held(&fuse, 1);
	ret = be_cancel(ctx, &iocb, &event);
	EXPECT_TRUE(ret == -EAGAIN || ret == -EINPROGRESS);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	fuse_release(&fuse);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	EXPECT_EQ(64, (long long)event.res);
}

/* What a device has can't be interrupted. */
TEST(device)
{
	aio_context_t ctx = new_context(2);
	struct io_event event;
	struct nullb nullb;
	struct iocb iocb;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 500000000 });
	prep(&iocb, IOCB_CMD_PREAD, nullb_open(&nullb, false), aligned_buffer(4096), 4096, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(is_native() ? -EINVAL : -EAGAIN, be_cancel(ctx, &iocb, &event));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(4096, (long long)event.res);
}
