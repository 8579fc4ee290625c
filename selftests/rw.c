// SPDX-License-Identifier: GPL-2.0
/*
 * Description: reads and writes move the right bytes from and to the right
 * place, and their event tells how many.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define SIZE 20000

TEST(read_everywhere)
{
	static const struct { size_t size; int64_t offset, expected; } rows[] = {
		{ 1, 0, 1 },
		{ SIZE, 0, SIZE },
		{ 4096, 0, 4096 },
		{ 4096, 1, 4096 },
		{ 5000, 4095, 5000 },
		{ 1, SIZE - 1, 1 },
		{ 2, SIZE - 1, 1 },
		{ SIZE * 2, 0, SIZE },
		{ SIZE, 100, SIZE - 100 },
		{ 1, SIZE, 0 },
		{ 4096, SIZE, 0 },
		{ 4096, 1LL << 40, 0 },
		{ 0, 0, 0 },
		{ 0, SIZE, 0 },
	};
	aio_context_t ctx = new_context(1);
	static uint8_t buf[SIZE * 2 + 1];
	int fd = new_file(SIZE);
	struct iocb iocb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(buf, 0xee, sizeof(buf));
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, rows[i].size, rows[i].offset);
		EXPECT_EQ(rows[i].expected, run_one(ctx, &iocb));
		EXPECT_TRUE(is_pattern(buf, rows[i].expected, rows[i].offset, 0));
		EXPECT_EQ(0xee, buf[rows[i].expected]);
	}
	/* the file position is not used */
	EXPECT_EQ(SIZE, lseek(fd, 0, SEEK_END));
}

TEST(write_everywhere)
{
	static const struct { size_t size; int64_t offset; } rows[] = {
		{ 1, 0 }, { 4096, 4096 }, { 5000, 4095 }, { SIZE, 0 }, { 100, SIZE - 10 },
		{ 77, 3 * SIZE }, { 0, 0 }, { 0, 10 * SIZE },
	};
	aio_context_t ctx = new_context(1);
	static uint8_t buf[SIZE], back[SIZE];
	int fd = new_file(SIZE);
	struct iocb iocb;
	struct stat stat;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		fill_pattern(buf, rows[i].size, rows[i].offset, i + 1);
		prep(&iocb, IOCB_CMD_PWRITE, fd, buf, rows[i].size, rows[i].offset);
		EXPECT_EQ(rows[i].size, run_one(ctx, &iocb));
		EXPECT_EQ(rows[i].size, pread(fd, back, rows[i].size, rows[i].offset));
		EXPECT_TRUE(is_pattern(back, rows[i].size, rows[i].offset, i + 1));
	}
	EXPECT_EQ(0, fstat(fd, &stat));
	EXPECT_EQ(3 * SIZE + 77, stat.st_size);
}

/* A batch that covers a file in pieces; native finishes each at submit, raio need not. */
TEST(batch)
{
	enum { COUNT = 50, PART = SIZE / COUNT };
	static uint8_t bufs[COUNT][PART], back[SIZE];
	struct iocb iocbs[COUNT], *list[COUNT];
	struct io_event events[COUNT];
	aio_context_t ctx = new_context(COUNT);
	int fd = new_file(0), i;

	for (i = 0; i < COUNT; i++) {
		fill_pattern(bufs[i], PART, i * PART, 9);
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs[i], PART, i * PART);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(PART, (long long)events[i].res);
	EXPECT_EQ(SIZE, pread(fd, back, SIZE, 0));
	EXPECT_TRUE(is_pattern(back, SIZE, 0, 9));

	for (i = 0; i < COUNT; i++) {
		memset(bufs[i], 0, PART);
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, bufs[i], PART, i * PART);
	}
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_TRUE(is_pattern(bufs[i], PART, i * PART, 9));
}

/* The request owns the file: the fd may be closed once submit has returned. */
TEST(fd_closed_after_submit)
{
	aio_context_t ctx = new_context(1);
	struct io_event event;
	int fd = new_file(100);
	struct iocb iocb;
	char buf[100];

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 100, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	close(fd);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(100, (long long)event.res);
	EXPECT_TRUE(is_pattern(buf, 100, 0, 0));
}

/* And iocb and array may be reused: what they say was copied. */
TEST(iocb_reused_after_submit)
{
	aio_context_t ctx = new_context(2);
	struct io_event events[2];
	int fd = new_file(100);
	char first[50], second[50];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, first, 50, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PREAD, fd, second, 50, 50);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(2, events_wait(ctx, events, 2));
	EXPECT_TRUE(is_pattern(first, 50, 0, 0));
	EXPECT_TRUE(is_pattern(second, 50, 50, 0));
}

/* A read that stops at bad memory tells what it has read before. */
TEST(buffer_ends)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(SIZE);
	struct iocb iocb;
	char *buf = guarded_buffer(4096);

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 8192, 0);
	EXPECT_EQ(4096, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 4096, 0, 0));
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, 8192, 4096);
	EXPECT_EQ(4096, run_one(ctx, &iocb));
}
