// SPDX-License-Identifier: GPL-2.0
/*
 * Description: IOCB_FLAG_IOPRIO takes the priorities that ioprio_set(2) would
 * take from the caller.
 */
#define _GNU_SOURCE
#include <linux/ioprio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

static aio_context_t ctx;
static char buf[100];
static int fd, pipes[2];

static void start(void)
{
	ctx = new_context(1);
	fd = new_file(100);
	ASSERT_EQ(0, pipe(pipes));
}

static int64_t run_prio(unsigned int opcode, int file, int prio)
{
	struct iocb iocb;

	prep(&iocb, opcode, file, buf, 10, 0);
	iocb.aio_flags = IOCB_FLAG_IOPRIO;
	iocb.aio_reqprio = prio;
	return run_one(ctx, &iocb);
}

static void expect_prio(int64_t expected, int prio)
{
	EXPECT_EQ(expected, run_prio(IOCB_CMD_PREAD, fd, prio));
	EXPECT_EQ(expected, run_prio(IOCB_CMD_PWRITE, fd, prio));
	EXPECT_EQ(expected, run_prio(IOCB_CMD_PWRITE, pipes[1], prio));
}

TEST(valid)
{
	int level;

	start();
	expect_prio(10, 0);
	expect_prio(10, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
	for (level = 0; level < 8; level++)
		expect_prio(10, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, level));
	/* the test is root */
	if (getuid() == 0)
		expect_prio(10, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 4));
}

TEST(invalid)
{
	start();
	expect_prio(-EINVAL, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_NONE, 1));
	expect_prio(-EINVAL, IOPRIO_PRIO_VALUE(4, 0));
	expect_prio(-EINVAL, IOPRIO_PRIO_VALUE(7, 0));
	expect_prio(-EINVAL, -1);
}

TEST(capability)
{
	start();
	if (getuid() == 0)
		ASSERT_EQ(0, syscall(SYS_setresuid, 65534, 65534, 65534));
	expect_prio(-EPERM, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 0));
	expect_prio(-EPERM, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 7));
	expect_prio(10, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 0));
}

/* It is checked after the file descriptor, and before what may be done with it. */
TEST(order_of_checks)
{
	start();
	EXPECT_EQ(-EBADF, run_prio(IOCB_CMD_PREAD, 9999, -1));
	EXPECT_EQ(-EINVAL, run_prio(IOCB_CMD_PREAD, pipes[1], -1));
	EXPECT_EQ(-EBADF, run_prio(IOCB_CMD_PREAD, pipes[1], 0));
}

/* Without the flag, and by what does no input or output, the field is not read. */
TEST(not_read)
{
	struct iocb iocb;

	start();
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 10, 0);
	iocb.aio_reqprio = -1;
	EXPECT_EQ(10, run_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	iocb.aio_flags = IOCB_FLAG_IOPRIO;
	iocb.aio_reqprio = -1;
	EXPECT_EQ(0, run_one(ctx, &iocb));
}
