// SPDX-License-Identifier: GPL-2.0
/*
 * Description: FSYNC and FDSYNC of a range, and SYNC_FILE_RANGE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "special.h"

#ifndef SYS_cachestat
#define SYS_cachestat	451
#endif

#define WHY	"it has no ranges"
/* Folios, which are written as a whole, are smaller than a quarter of it. */
#define SIZE	(32 << 20)
#define ALL	(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

static char buf[SIZE];

static int64_t sync_one(aio_context_t ctx, unsigned int opcode, int fd, int64_t offset,
			uint64_t size, unsigned int flags)
{
	struct iocb iocb;

	prep(&iocb, opcode, fd, NULL, 0, offset);
	iocb.aio_nbytes = size;
	if (opcode == RAIO_CMD_SYNC_FILE_RANGE)
		iocb.aio_rw_flags = flags;
	else
		iocb.aio_flags |= flags;
	return run_one(ctx, &iocb);
}

/* The pages of the file that are not on the disk. */
static unsigned long long unwritten(int fd)
{
	struct { uint64_t offset, length; } range = { 0, 0 };
	struct { uint64_t cache, dirty, writeback, evicted, recently; } stat;

	if (syscall(SYS_cachestat, fd, &range, &stat, 0)) {
		ASSERT_EQ(ENOSYS, errno);
		SKIP("needs cachestat(2)");
	}
	return stat.dirty + stat.writeback;
}

TEST_RAIO(fsync_of_a_range, WHY)
{
	static const unsigned int opcodes[] = { IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC };
	aio_context_t ctx = new_context(1);
	int fd = new_file(0);
	unsigned int i;

	ASSERT_EQ(0, unwritten(fd));
	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		unsigned long long dirty;

		ASSERT_EQ(SIZE, pwrite(fd, buf, SIZE, 0));
		ASSERT_EQ(0, sync_one(ctx, opcodes[i], fd, 0, 0, RAIO_IOCB_FLAG_RANGE));
		ASSERT_EQ(0, unwritten(fd));
		ASSERT_EQ(SIZE, pwrite(fd, buf, SIZE, 0));
		dirty = unwritten(fd);
		ASSERT_EQ(0, sync_one(ctx, opcodes[i], fd, SIZE / 2, SIZE / 4,
				      RAIO_IOCB_FLAG_RANGE));
		/* A quarter, and not the rest. */
		EXPECT_LE(unwritten(fd), dirty - SIZE / 4 / getpagesize());
		EXPECT_LT(0, unwritten(fd));
		ASSERT_EQ(0, sync_one(ctx, opcodes[i], fd, 0, 0, 0));
		EXPECT_EQ(0, unwritten(fd));
	}
}

TEST_RAIO(sync_file_range, WHY)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(0), flags;

	/* Before what not every kernel can tell. */
	for (flags = 0; flags <= 7; flags++)
		EXPECT_EQ(0, sync_one(ctx, RAIO_CMD_SYNC_FILE_RANGE, fd, 0, 0, flags));
	ASSERT_EQ(0, unwritten(fd));
	ASSERT_EQ(SIZE, pwrite(fd, buf, SIZE, 0));
	ASSERT_EQ(0, sync_one(ctx, RAIO_CMD_SYNC_FILE_RANGE, fd, 0, SIZE / 2, ALL));
	EXPECT_LT(0, unwritten(fd));
	ASSERT_EQ(0, sync_one(ctx, RAIO_CMD_SYNC_FILE_RANGE, fd, SIZE / 2, 0, ALL));
	EXPECT_EQ(0, unwritten(fd));
}

/* It covers the writes before it. */
TEST_RAIO(behind_writes, WHY)
{
	struct iocb iocbs[9], *list[9];
	aio_context_t ctx = new_context(16);
	struct io_event events[9];
	int fd = new_file(0), i;

	ASSERT_EQ(0, unwritten(fd));
	for (i = 0; i < 8; i++) {
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, buf, SIZE / 8, i * (SIZE / 8));
		list[i] = &iocbs[i];
	}
	prep(&iocbs[8], RAIO_CMD_SYNC_FILE_RANGE, fd, NULL, 0, 0);
	iocbs[8].aio_rw_flags = ALL;
	list[8] = &iocbs[8];
	ASSERT_EQ(9, be_submit(ctx, 9, list));
	ASSERT_EQ(9, events_wait(ctx, events, 9));
	EXPECT_EQ(0, unwritten(fd));
}

TEST_RAIO(refused, WHY)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(SIZE), fds[2];
	const unsigned int op = RAIO_CMD_SYNC_FILE_RANGE, range = RAIO_IOCB_FLAG_RANGE;
	struct iocb iocb;

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-ESPIPE, sync_one(ctx, op, fds[0], 0, 0, ALL));
	EXPECT_EQ(-EBADF, sync_one(ctx, op, 9999, 0, 0, ALL));
	EXPECT_EQ(-EINVAL, sync_one(ctx, op, fd, 0, 0, 8));
	EXPECT_EQ(-EINVAL, sync_one(ctx, op, fd, -1, 0, ALL));
	EXPECT_EQ(-EINVAL, sync_one(ctx, op, fd, 1, INT64_MAX, ALL));
	EXPECT_EQ(-EINVAL, sync_one(ctx, op, fd, 0, UINT64_MAX, ALL));
	EXPECT_EQ(-EINVAL, sync_one(ctx, IOCB_CMD_FSYNC, fd, 0, 1, 0));
	EXPECT_EQ(-EINVAL, sync_one(ctx, IOCB_CMD_FSYNC, fd, 1, 0, 0));
	EXPECT_EQ(-EINVAL, sync_one(ctx, IOCB_CMD_FSYNC, fd, -1, 0, range));
	EXPECT_EQ(-EINVAL, sync_one(ctx, IOCB_CMD_FSYNC, fd, 1, INT64_MAX, range));
	EXPECT_EQ(-EINVAL, sync_one(ctx, IOCB_CMD_FSYNC, fds[0], 0, 0, range));
	prep(&iocb, op, fd, buf, 0, 0);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 10, 0);
	iocb.aio_flags = range;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
}

/* Flags that nobody knows are refused, and native aio's are not ours. */
TEST_RAIO(unknown_flags, "it ignores them")
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(SIZE), bit;
	struct iocb iocb;

	for (bit = 2; bit < 26; bit++) {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 10, 0);
		iocb.aio_flags = 1U << bit;
		EXPECT_EQ(bit < 16 ? 10 : -EINVAL, run_one(ctx, &iocb));
	}
}
