// SPDX-License-Identifier: GPL-2.0
/*
 * Description: submit does not wait for the server of a FUSE file, which may
 * never answer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "switches.h"

static struct fuse fuse;
static uint8_t buf[FUSE_FILE_SIZE];
static aio_context_t ctx;
static int fd;

static void start(unsigned int flags)
{
	struct iocb iocb;

	memset(buf, 0, sizeof(buf));
	ctx = new_context(8);
	fuse_start(&fuse, flags);
	fd = fuse_open(&fuse, O_RDWR);
	/* a server that answers; what the first request needs is there afterwards */
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	ASSERT_EQ(1, run_one(ctx, &iocb));
}

static void finish(struct iocb *iocb, int64_t expected)
{
	fuse_wait_held(&fuse, 1);
	EXPECT_LE(1, fuse.shared->held);
	fuse_release(&fuse);
	EXPECT_EQ(expected, finish_one(ctx, iocb));
}

/* What the server does for those that are answered. */
TEST(answers)
{
	struct iocb iocb;

	start(0);
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, FUSE_FILE_SIZE, 0);
	EXPECT_EQ(FUSE_FILE_SIZE, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, FUSE_FILE_SIZE, 0, 0));
	fill_pattern(buf, 5000, 100, 1);
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, 5000, 100);
	EXPECT_EQ(5000, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(fuse.shared->data + 100, 5000, 100, 1));
	prep(&iocb, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	EXPECT_EQ(0, run_one(ctx, &iocb));
	EXPECT_EQ(1, fuse.shared->seen[FUSE_FSYNC]);
}

static void read_held(unsigned int flags)
{
	struct iocb iocb;

	start(flags);
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 10000, 4096);
	submit_unfinished(ctx, &iocb);
	finish(&iocb, 10000);
	EXPECT_TRUE(is_pattern(buf, 10000, 4096, 0));
}

TEST_RAIO(read, "native: blocks until the server answers")
{
	read_held(0);
}

TEST_RAIO(read_direct, "native: blocks until the server answers")
{
	read_held(FUSE_DIRECT_IO);
}

static void write_held(unsigned int flags)
{
	struct iocb iocb;

	start(flags);
	fill_pattern(buf, 10000, 50, 3);
	fuse_hold(&fuse, FUSE_OP(FUSE_WRITE));
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, 10000, 50);
	submit_unfinished(ctx, &iocb);
	finish(&iocb, 10000);
	EXPECT_TRUE(is_pattern(fuse.shared->data + 50, 10000, 50, 3));
}

TEST_RAIO(write, "native: blocks until the server answers")
{
	write_held(0);
}

TEST_RAIO(write_direct, "native: blocks until the server answers")
{
	write_held(FUSE_DIRECT_IO);
}

/* Native has a worker for this one. */
TEST(fsync)
{
	struct iocb iocb;

	start(0);
	fuse_hold(&fuse, FUSE_OP(FUSE_FSYNC));
	prep(&iocb, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	submit_unfinished(ctx, &iocb);
	finish(&iocb, 0);
}

/* Its poll asks the server as well. */
TEST_RAIO(poll, "native: blocks until the server answers")
{
	struct iocb iocb;

	start(0);
	fuse_hold(&fuse, FUSE_OP(FUSE_POLL));
	prep_poll(&iocb, fd, POLLIN);
	submit_unfinished(ctx, &iocb);
	finish(&iocb, POLLIN);
}

/* Several that wait for the server, and one more. */
TEST_RAIO(many, "native: blocks until the server answers")
{
	enum { COUNT = 8 };
	struct iocb iocbs[COUNT];
	struct io_event events[COUNT];
	int i;

	start(FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf + i * 4096, 4096, i * 4096);
		submit_unfinished(ctx, &iocbs[i]);
	}
	fuse_wait_held(&fuse, 1);
	fuse_release(&fuse);
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(4096, (long long)events[i].res);
	EXPECT_TRUE(is_pattern(buf, COUNT * 4096, 0, 0));
}

/* A server that dies without an answer ends what waits for it. */
TEST_RAIO(server_dies, "native: blocks until the server is gone")
{
	struct iocb iocb;

	start(FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 100, 0);
	submit_unfinished(ctx, &iocb);
	fuse_wait_held(&fuse, 1);
	fuse_kill(&fuse);
	EXPECT_EQ(-ECONNABORTED, finish_one(ctx, &iocb));
}
