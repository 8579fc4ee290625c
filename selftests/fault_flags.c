// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whichever operation fails while a request with flags is submitted, it
 * is refused or has its event, and what the flags name is as before.
 */
#include <linux/raio.h>

#include "fault_op.h"
#include "harness.h"

#define SUBMIT	false
#define ENTER	true

static void run(const char *name, unsigned int opcode, unsigned int flags, bool enter,
		unsigned int setup)
{
	struct fault_op op = { .opcode = opcode, .flags = flags, .enter = enter, .setup = setup };
	const struct target_kind *kind = target_kind(name);

	ASSERT_TRUE(fault_op_suits(&op, kind));
	if (fault_op_run(&op, kind) < 0)
		SKIP("no %s", name);
}

#define WHY	"it has no such flags"

#define FIXED	(RAIO_IOCB_FLAG_FIXED_FILE | RAIO_IOCB_FLAG_FIXED_BUFFER)
#define TIMED	RAIO_IOCB_FLAG_DEADLINE
#define BARRIER	RAIO_IOCB_FLAG_BARRIER

TEST_RAIO(resfd, "its way of failing is not what is tested")
{
	run("ext4", IOCB_CMD_PREAD, IOCB_FLAG_RESFD, SUBMIT, 0);
	run("ext4", IOCB_CMD_FSYNC, IOCB_FLAG_RESFD, ENTER, 0);
	run("pipe", IOCB_CMD_PWRITE, IOCB_FLAG_RESFD, SUBMIT, 0);
	run("eventfd", IOCB_CMD_POLL, IOCB_FLAG_RESFD, SUBMIT, 0);
	run("ext4", IOCB_CMD_NOOP, IOCB_FLAG_RESFD, SUBMIT, 0);
}

TEST_RAIO(noop, "NOOP is EINVAL")
{
	run("ext4", IOCB_CMD_NOOP, 0, SUBMIT, 0);
	run("ext4", IOCB_CMD_NOOP, 0, ENTER, 0);
	run("ext4", IOCB_CMD_NOOP, TIMED, SUBMIT, 0);
	run("ext4", IOCB_CMD_NOOP, BARRIER, ENTER, 0);
}

TEST_RAIO(fixed, WHY)
{
	run("ext4", IOCB_CMD_PREAD, FIXED, SUBMIT, 0);
	run("direct device", IOCB_CMD_PWRITE, FIXED, SUBMIT, 0);
	run("direct ext4", IOCB_CMD_PREADV, FIXED, SUBMIT, 0);
	run("pipe", IOCB_CMD_PWRITEV, FIXED, ENTER, 0);
	run("TCP", IOCB_CMD_PREADV, FIXED, SUBMIT, 0);
	run("ext4", IOCB_CMD_FDSYNC, RAIO_IOCB_FLAG_FIXED_FILE, SUBMIT, 0);
	run("ext4", RAIO_CMD_SYNC_FILE_RANGE, RAIO_IOCB_FLAG_FIXED_FILE, SUBMIT, 0);
	run("pipe", IOCB_CMD_POLL, RAIO_IOCB_FLAG_FIXED_FILE, SUBMIT, 0);
}

TEST_RAIO(deadlines, WHY)
{
	run("ext4", IOCB_CMD_PREAD, TIMED, SUBMIT, 0);
	run("ext4", IOCB_CMD_PREADV, TIMED | FIXED, SUBMIT, 0);
	run("cold ext4", IOCB_CMD_PREAD, TIMED, ENTER, 0);
	run("ext4", IOCB_CMD_FSYNC, TIMED, SUBMIT, 0);
	run("TCP", IOCB_CMD_PWRITE, TIMED, SUBMIT, 0);
	run("eventfd", IOCB_CMD_POLL, TIMED, SUBMIT, 0);
}

TEST_RAIO(barriers, WHY)
{
	run("ext4", IOCB_CMD_PREAD, BARRIER, SUBMIT, 0);
	run("ext4", IOCB_CMD_PWRITEV, BARRIER, SUBMIT, 0);
	run("direct ext4", IOCB_CMD_PWRITE, BARRIER | TIMED, ENTER, 0);
	run("ext4", IOCB_CMD_FSYNC, BARRIER, SUBMIT, 0);
	run("pipe", IOCB_CMD_PREAD, BARRIER, SUBMIT, 0);
	run("proc", IOCB_CMD_PREAD, BARRIER, SUBMIT, 0);
	run("pipe", IOCB_CMD_POLL, BARRIER, SUBMIT, 0);
}

TEST_RAIO(positions, WHY)
{
	run("ext4", IOCB_CMD_PREAD, RAIO_IOCB_FLAG_CUR_POS, SUBMIT, 0);
	run("ext4", IOCB_CMD_PWRITE, RAIO_IOCB_FLAG_CUR_POS, SUBMIT, 0);
	run("cold ext4", IOCB_CMD_PREADV, RAIO_IOCB_FLAG_CUR_POS, ENTER, 0);
	run("direct ext4", IOCB_CMD_PREAD, RAIO_IOCB_FLAG_CUR_POS | FIXED, SUBMIT, 0);
	run("tmpfs", IOCB_CMD_PWRITEV, RAIO_IOCB_FLAG_CUR_POS, SUBMIT, 0);
}

TEST_RAIO(ranges, WHY)
{
	run("ext4", IOCB_CMD_FSYNC, RAIO_IOCB_FLAG_RANGE, SUBMIT, 0);
	run("direct ext4", IOCB_CMD_FDSYNC, RAIO_IOCB_FLAG_RANGE | TIMED, ENTER, 0);
}

TEST_RAIO(no_threads, WHY)
{
	run("ext4", IOCB_CMD_PREAD, 0, SUBMIT, RAIO_SETUP_NO_THREADS);
	run("cold ext4", IOCB_CMD_PREAD, 0, SUBMIT, RAIO_SETUP_NO_THREADS);
	run("ext4", IOCB_CMD_PWRITEV, 0, ENTER, RAIO_SETUP_NO_THREADS);
	run("direct device", IOCB_CMD_PREADV, 0, SUBMIT, RAIO_SETUP_NO_THREADS);
	run("ext4", IOCB_CMD_FSYNC, BARRIER, ENTER, RAIO_SETUP_NO_THREADS);
	run("TCP", IOCB_CMD_PREAD, 0, SUBMIT, RAIO_SETUP_NO_THREADS);
}

TEST_RAIO(sync_writes, WHY)
{
	run("ext4", IOCB_CMD_PWRITE, 0, SUBMIT, RAIO_SETUP_SYNC_WRITES);
	run("tmpfs", IOCB_CMD_PWRITEV, 0, ENTER, RAIO_SETUP_SYNC_WRITES);
	run("ext4", IOCB_CMD_PWRITE, BARRIER, SUBMIT, RAIO_SETUP_SYNC_WRITES);
}
