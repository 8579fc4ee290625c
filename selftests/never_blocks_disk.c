// SPDX-License-Identifier: GPL-2.0
/*
 * Description: submit does not wait for a disk: files that are cold, sparse or
 * grow, and block devices, by the page cache and around it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "switches.h"

#define SIZE (256 * 1024)
#define PART (2 * DIRECT_ALIGN)
/* Longer than the slowest guest needs for one submit. */
#define SLOW_NSEC 2000000000UL

static aio_context_t ctx;
static uint8_t *buf;

static bool is_cold(int fd)
{
	unsigned char resident[SIZE / 4096] = { 0 };
	unsigned int i, count = 0;
	void *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);

	ASSERT_TRUE(map != MAP_FAILED);
	ASSERT_EQ(0, mincore(map, SIZE, resident));
	munmap(map, SIZE);
	for (i = 0; i < sizeof(resident); i++)
		count += resident[i] & 1;
	return !count;
}

static void make_cold(int fd)
{
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	if (!is_cold(fd))
		SKIP("the files of RAIO_TEST_DIR are in memory");
}

/* A thread of the process may have to be made for the first one. */
static void start(int fd)
{
	struct iocb iocb;

	ctx = new_context(8);
	buf = aligned_buffer(SIZE);
	prep(&iocb, IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
	ASSERT_EQ(0, run_one(ctx, &iocb));
}

static void read_part(int fd, int64_t offset)
{
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, PART, offset);
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(PART, finish_one(ctx, &iocb));
}

static void write_part(int fd, size_t size, int64_t offset)
{
	struct iocb iocb;

	fill_pattern(buf, size, offset, 1);
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, size, offset);
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(size, finish_one(ctx, &iocb));
	memset(buf, 0, size);
	ASSERT_EQ(size, pread(fd, buf, size, offset));
	EXPECT_TRUE(is_pattern(buf, size, offset, 1));
}

TEST_RAIO(file_cold_read, "native: blocks until the page is there")
{
	int fd = new_file(SIZE);

	start(fd);
	make_cold(fd);
	read_part(fd, 5 * DIRECT_ALIGN);
	EXPECT_TRUE(is_pattern(buf, PART, 5 * DIRECT_ALIGN, 0));
}

TEST(file_cached_read)
{
	int fd = new_file(SIZE);

	start(fd);
	read_part(fd, 100);
	EXPECT_TRUE(is_pattern(buf, PART, 100, 0));
}

TEST_RAIO(file_sparse_read, "native: may block for the map of the file")
{
	int fd = new_file(0), i;

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	start(fd);
	make_cold(fd);
	memset(buf, 0xee, PART);
	read_part(fd, DIRECT_ALIGN);
	for (i = 0; i < PART; i++)
		if (buf[i])
			break;
	EXPECT_EQ(PART, i);
}

/* Of a page that has to be read first. */
TEST_RAIO(file_cold_write, "native: blocks until the page is there")
{
	int fd = new_file(SIZE);

	start(fd);
	make_cold(fd);
	write_part(fd, 100, 10 * DIRECT_ALIGN + 10);
	ASSERT_EQ(10, pread(fd, buf, 10, 10 * DIRECT_ALIGN));
	EXPECT_TRUE(is_pattern(buf, 10, 10 * DIRECT_ALIGN, 0));
}

TEST_RAIO(file_growing_write, "native: may block for the map of the file")
{
	int fd = new_file(0);

	start(fd);
	write_part(fd, SIZE, 100);
}

TEST_RAIO(file_fsync, "native: its worker is one that all processes share")
{
	int fd = new_file(SIZE);
	struct iocb iocb;

	start(fd);
	prep(&iocb, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(0, finish_one(ctx, &iocb));
}

static int open_direct(int fd)
{
	int direct = reopen(fd, O_RDWR | O_DIRECT);
	struct iocb iocb;

	if (direct < 0)
		SKIP("RAIO_TEST_DIR has no O_DIRECT");
	/* the first one since the file system was mounted makes its work queue */
	prep(&iocb, IOCB_CMD_PREAD, direct, aligned_buffer(DIRECT_ALIGN), DIRECT_ALIGN, 0);
	ASSERT_EQ(DIRECT_ALIGN, run_one(new_context(1), &iocb));
	return direct;
}

TEST(file_direct_read)
{
	int fd = new_file(SIZE), direct = open_direct(fd);

	start(fd);
	make_cold(fd);
	read_part(direct, 7 * DIRECT_ALIGN);
	EXPECT_TRUE(is_pattern(buf, PART, 7 * DIRECT_ALIGN, 0));
}

TEST_RAIO(file_direct_write, "native: may block to note the time of change")
{
	int fd = new_file(SIZE), direct = open_direct(fd);

	start(fd);
	make_cold(fd);
	write_part(direct, PART, 3 * DIRECT_ALIGN);
}

/* It has to write back first what the cache has of it. */
TEST_RAIO(file_direct_read_dirty, "native: blocks until the cache is written back")
{
	int fd = new_file(SIZE), direct = open_direct(fd);

	start(fd);
	ASSERT_EQ(PART, pwrite(fd, buf, PART, 0));
	read_part(direct, 0);
}

TEST_RAIO(file_direct_growing_write, "native: blocks until the file has grown")
{
	int fd = new_file(DIRECT_ALIGN), direct = open_direct(fd);
	struct stat stat;

	start(fd);
	write_part(direct, PART, DIRECT_ALIGN);
	ASSERT_EQ(0, fstat(fd, &stat));
	EXPECT_EQ(DIRECT_ALIGN + PART, stat.st_size);
}

/* A device of which nothing is in the cache, and that takes its time. */
static int new_device(struct nullb *nullb, unsigned int depth)
{
	uint8_t *bytes = aligned_buffer(SIZE);
	int fd;

	nullb_create(nullb, &(struct nullb_options){
		.size_mb = 1, .hw_queue_depth = depth, .memory_backed = true });
	fd = nullb_open(nullb, true);
	fill_pattern(bytes, SIZE, 0, 0);
	ASSERT_EQ(SIZE, pwrite(fd, bytes, SIZE, 0));
	close(fd);
	nullb_set_delay(nullb, SLOW_NSEC);
	ctx = new_context(8);
	buf = aligned_buffer(SIZE);
	return nullb_open(nullb, true);
}

TEST_RAIO(device_read, "native: blocks until the page is there")
{
	struct nullb nullb;
	struct iocb iocb;
	int fd;

	new_device(&nullb, 0);
	fd = open(nullb.dev, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, PART, 100);
	submit_unfinished(ctx, &iocb);
	EXPECT_EQ(PART, finish_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, PART, 100, 0));
}

/* Of a page that has to be read first. */
TEST_RAIO(device_write, "native: blocks until the page is there")
{
	struct nullb nullb;
	struct iocb iocb;
	int fd;

	new_device(&nullb, 0);
	fd = open(nullb.dev, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	fill_pattern(buf, 100, 0, 1);
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, 100, 10);
	submit_unfinished(ctx, &iocb);
	EXPECT_EQ(100, finish_one(ctx, &iocb));
	memset(buf, 0, PART);
	ASSERT_EQ(PART, pread(fd, buf, PART, 0));
	EXPECT_TRUE(is_pattern(buf, 10, 0, 0));
	EXPECT_TRUE(is_pattern(buf + 10, 100, 0, 1));
	EXPECT_TRUE(is_pattern(buf + 110, PART - 110, 110, 0));
}

TEST(device_direct)
{
	struct nullb nullb;
	struct iocb iocb;
	int fd = new_device(&nullb, 0);

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, PART, DIRECT_ALIGN);
	submit_unfinished(ctx, &iocb);
	EXPECT_EQ(PART, finish_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, PART, DIRECT_ALIGN, 0));
	fill_pattern(buf, PART, 0, 2);
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, PART, DIRECT_ALIGN);
	submit_unfinished(ctx, &iocb);
	EXPECT_EQ(PART, finish_one(ctx, &iocb));
}

/* Its only request tag is taken. */
TEST_RAIO(device_direct_busy, "native: blocks until there is a request tag")
{
	struct nullb nullb;
	struct iocb iocbs[2];
	struct io_event events[2];
	int fd = new_device(&nullb, 1), i;

	for (i = 0; i < 2; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf + i * PART, PART, 4 * i * PART);
		submit_unfinished(ctx, &iocbs[i]);
	}
	ASSERT_EQ(2, events_wait(ctx, events, 2));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(PART, (long long)events[i].res);
		EXPECT_TRUE(is_pattern(buf + i * PART, PART, 4 * i * PART, 0));
	}
}

TEST_RAIO(device_fsync, "native: its worker is one that all processes share")
{
	struct nullb nullb;
	struct iocb iocb;
	int fd;

	new_device(&nullb, 0);
	fd = open(nullb.dev, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(PART, pwrite(fd, buf, PART, 0));
	prep(&iocb, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	submit_unfinished(ctx, &iocb);
	EXPECT_EQ(0, finish_one(ctx, &iocb));
}
