// SPDX-License-Identifier: GPL-2.0
/*
 * Description: O_DIRECT works where it is aligned, and says EINVAL in the event
 * where it is not; data must never be wrong for it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define SIZE (16 * DIRECT_ALIGN)

static int direct_file(int *buffered)
{
	int fd = new_file(SIZE), direct;

	ASSERT_EQ(0, fsync(fd));
	direct = reopen(fd, O_RDWR | O_DIRECT);
	if (direct < 0)
		SKIP("no O_DIRECT in RAIO_TEST_DIR");
	*buffered = fd;
	return direct;
}

TEST(aligned)
{
	uint8_t *buf = aligned_buffer(SIZE), *back = aligned_buffer(SIZE);
	int buffered, fd = direct_file(&buffered);
	aio_context_t ctx = new_context(1);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, SIZE, 0);
	EXPECT_EQ(SIZE, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 0));

	fill_pattern(buf, SIZE / 2, SIZE / 4, 7);
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, SIZE / 2, SIZE / 4);
	EXPECT_EQ(SIZE / 2, run_one(ctx, &iocb));
	EXPECT_EQ(SIZE, pread(buffered, back, SIZE, 0));
	EXPECT_TRUE(is_pattern(back, SIZE / 4, 0, 0));
	EXPECT_TRUE(is_pattern(back + SIZE / 4, SIZE / 2, SIZE / 4, 7));
	EXPECT_TRUE(is_pattern(back + SIZE * 3 / 4, SIZE / 4, SIZE * 3 / 4, 0));
}

TEST(end_of_file)
{
	uint8_t *buf = aligned_buffer(SIZE * 2);
	int buffered, fd = direct_file(&buffered);
	aio_context_t ctx = new_context(1);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, SIZE * 2, 0);
	EXPECT_EQ(SIZE, run_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, SIZE, SIZE);
	EXPECT_EQ(0, run_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 0, 0);
	EXPECT_EQ(0, run_one(ctx, &iocb));
	EXPECT_EQ(0, ftruncate(buffered, 1000));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, DIRECT_ALIGN, 0);
	EXPECT_EQ(1000, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 1000, 0, 0));
}

TEST(unaligned)
{
	static const struct { int opcode, shift, size, offset; } rows[] = {
		{ IOCB_CMD_PREAD, 0, DIRECT_ALIGN, 1 },
		{ IOCB_CMD_PREAD, 0, 100, 0 },
		{ IOCB_CMD_PREAD, 0, DIRECT_ALIGN + 1, 0 },
		{ IOCB_CMD_PREAD, 1, DIRECT_ALIGN, 0 },
	};
	uint8_t *buf = aligned_buffer(SIZE), *same = aligned_buffer(SIZE);
	int buffered, fd = direct_file(&buffered);
	aio_context_t ctx = new_context(1);
	struct io_event event;
	struct iocb iocb;
	unsigned int i;

	/* some file systems fall back to buffered I/O: what pread says is the measure */
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ssize_t expected = pread(fd, same + rows[i].shift, rows[i].size, rows[i].offset);

		if (expected < 0)
			expected = -errno;
		prep(&iocb, rows[i].opcode, fd, buf + rows[i].shift, rows[i].size, rows[i].offset);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_EQ(expected, (long long)event.res);
	}
}

TEST(bad_memory)
{
	uint8_t *bad = (uint8_t *)guarded_buffer(DIRECT_ALIGN) + DIRECT_ALIGN;
	int buffered, fd = direct_file(&buffered);
	aio_context_t ctx = new_context(1);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, bad, DIRECT_ALIGN, 0);
	EXPECT_EQ(-EFAULT, run_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PWRITE, fd, bad, DIRECT_ALIGN, 0);
	EXPECT_EQ(-EFAULT, run_one(ctx, &iocb));
}
