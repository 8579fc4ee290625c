// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a request that a FUSE server has taken up is interrupted by a cancel,
 * which is EINPROGRESS, or EAGAIN where that is not possible; if the server does not
 * mind, its event comes when it is done.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"

static struct fuse fuse;
static char buf[100];

static void run(unsigned int opcode, unsigned int fuse_opcode, unsigned int size)
{
	aio_context_t ctx = new_context(4);
	struct io_event result, event;
	struct iocb iocb, copy;
	int i;

	/* a server that listens would end it between two cancels */
	fuse_start(&fuse, FUSE_DIRECT_IO | FUSE_DEAF);
	fuse_hold(&fuse, FUSE_OP(fuse_opcode));
	prep(&iocb, opcode, fuse_open(&fuse, O_RDWR), size ? buf : NULL, size, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	fuse_wait_held(&fuse, 1);
	memset(&result, 0xee, sizeof(result));
	for (i = 0; i < 10; i++) {
		int ret = be_cancel(ctx, &iocb, &result);

		if (is_native())
			EXPECT_EQ(-EINVAL, ret);
		else
			EXPECT_TRUE(ret == -EAGAIN || ret == -EINPROGRESS);
	}
	EXPECT_TRUE(result.obj == 0xeeeeeeeeeeeeeeeeULL);
	copy = iocb;
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &copy, &result));
	EXPECT_EQ(0, events_now(ctx, &event, 1));

	fuse_release(&fuse);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	EXPECT_EQ(size, (long long)event.res);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, &result));
	expect_works(ctx);
}

TEST_RAIO(read, "native: blocks")
{
	run(IOCB_CMD_PREAD, FUSE_READ, sizeof(buf));
	EXPECT_TRUE(is_pattern(buf, sizeof(buf), 0, 0));
}

TEST_RAIO(write, "native: blocks")
{
	/* libraio's default is native aio's. */
	setenv("RAIO_WRITES", "async", 1);
	run(IOCB_CMD_PWRITE, FUSE_WRITE, sizeof(buf));
}

TEST(fsync)
{
	run(IOCB_CMD_FSYNC, FUSE_FSYNC, 0);
}

TEST(fdsync)
{
	run(IOCB_CMD_FDSYNC, FUSE_FSYNC, 0);
}
