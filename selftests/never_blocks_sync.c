// SPDX-License-Identifier: GPL-2.0
/*
 * Description: submit does not wait until what is written is on the device, where
 * the write says that its call does: on a file system that knows how not to block.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "harness.h"
#include "slowfile.h"
#include "switches.h"

#define DELAY_NSEC 20000000UL
#define ROUNDS 8

static aio_context_t ctx;
static char buf[DIRECT_ALIGN];

static int new_slow_file(void)
{
	struct slowfile file;
	struct iocb iocb;

	slowfile_make(&file, "xfs", DELAY_NSEC);
	slowfile_open_for_write(&file, "xfs");
	ctx = new_context(1);
	/* a thread of the process may have to be made for the first one */
	prep(&iocb, IOCB_CMD_FDSYNC, file.fd, NULL, 0, 0);
	ASSERT_EQ(0, run_one(ctx, &iocb));
	return file.fd;
}

/* Of a page that is in memory, just after its time was noted: but for the device, nothing waits. */
static void write_synced(int fd, int flags, int rw_flags)
{
	int synced = reopen(fd, O_RDWR | flags), i;
	struct iocb iocb;

	ASSERT_LE(0, synced);

	prep(&iocb, IOCB_CMD_PWRITE, synced, buf, sizeof(buf), 0);
	iocb.aio_rw_flags = rw_flags;
	ASSERT_EQ(sizeof(buf), run_one(ctx, &iocb));
	for (i = 0; i < ROUNDS; i++) {
		fill_pattern(buf, sizeof(buf), 0, i);
		ASSERT_EQ(sizeof(buf), pwrite(fd, buf, sizeof(buf), 0));
		submit_without_wait(ctx, &iocb);
		EXPECT_EQ(sizeof(buf), finish_one(ctx, &iocb));
	}
	ASSERT_EQ(sizeof(buf), pread(fd, buf, sizeof(buf), 0));
	EXPECT_TRUE(is_pattern(buf, sizeof(buf), 0, ROUNDS - 1));
}

#define WHY "native: blocks until the device has it"

TEST_RAIO(o_dsync, WHY)
{
	write_synced(new_slow_file(), O_DSYNC, 0);
}

TEST_RAIO(rwf_dsync, WHY)
{
	write_synced(new_slow_file(), 0, RWF_DSYNC);
}

TEST_RAIO(rwf_sync, WHY)
{
	write_synced(new_slow_file(), 0, RWF_SYNC);
}

/* The one try that it asks for is a thread's. */
TEST_RAIO(rwf_dsync_nowait, WHY)
{
	struct iocb iocb;
	int fd = new_slow_file();

	ASSERT_EQ(sizeof(buf), pwrite(fd, buf, sizeof(buf), 0));
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, sizeof(buf), 0);
	iocb.aio_rw_flags = RWF_DSYNC | RWF_NOWAIT;
	submit_without_wait(ctx, &iocb);
	/* it may say that to note the time of change would block */
	if (finish_one(ctx, &iocb) != -EAGAIN)
		ASSERT_EQ(sizeof(buf), pread(fd, buf, sizeof(buf), 0));
}
