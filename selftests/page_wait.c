// SPDX-License-Identifier: GPL-2.0
/*
 * Description: reads of files that are not in memory hold neither the submitter
 * nor a thread while the device works: each waits for its page only.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "slowfile.h"
#include "switches.h"
#include "workers.h"

#define COUNT		256
#define BLOCK		4096
#define MAX_BUSY	4
/* Longer than the slowest guest needs to start all of them. */
#define SLOW_NSEC	2000000000UL

static struct slowfile file;
static struct iocb iocbs[COUNT], *list[COUNT];
static struct io_event events[COUNT];
static uint8_t *bufs;
static bool stop;

/* Every other block, so that no two are merged into one request. */
static off_t offset_of(int i)
{
	return 2L * i * BLOCK;
}

static void prep_reads(int count)
{
	int i;

	bufs = aligned_buffer(count * BLOCK);
	for (i = 0; i < count; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, file.fd, bufs + i * BLOCK, BLOCK, offset_of(i));
		list[i] = &iocbs[i];
	}
}

/* One event for each, with the result that is due and the data. */
static void expect_reads(aio_context_t ctx, int count)
{
	struct io_event more;
	char seen[COUNT] = "";
	int i, index;

	ASSERT_EQ(count, events_wait(ctx, events, count));
	EXPECT_EQ(0, events_now(ctx, &more, 1));
	for (i = 0; i < count; i++) {
		index = (struct iocb *)(uintptr_t)events[i].obj - iocbs;
		ASSERT_TRUE(index >= 0 && index < count && !seen[index]);
		seen[index] = 1;
		EXPECT_EQ(BLOCK, (long long)events[i].res);
		EXPECT_TRUE(is_pattern(bufs + index * BLOCK, BLOCK, offset_of(index), 0));
	}
}

/* Looks all the time at how many work. */
static void *watch_workers(void *arg)
{
	unsigned int *most = arg, busy;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		busy = busy_workers(getpid());
		if (busy > *most)
			*most = busy;
	}
	return NULL;
}

static void run_cold(const char *type, unsigned long nsec)
{
	aio_context_t ctx = new_context(COUNT);
	unsigned int busy = 0, inflight = 0, now;
	pthread_t watcher;
	long nvcsw;

	slowfile_make(&file, type, nsec);
	prep_reads(COUNT);
	ASSERT_EQ(0, pthread_create(&watcher, NULL, watch_workers, &busy));
	ASSERT_EQ(COUNT, submit_list_counting(ctx, COUNT, list, &nvcsw));
	EXPECT_EQ(0, nvcsw);
	/* all are with the device at once */
	while (inflight < COUNT && !events_in_ring(ctx)) {
		now = nullb_inflight(&file.nullb);
		if (now > inflight)
			inflight = now;
	}
	EXPECT_EQ(COUNT, inflight);
	expect_reads(ctx, COUNT);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(watcher, NULL));
	test_note("%u with the device, at most %u workers busy", inflight, busy);
	EXPECT_LE(busy, MAX_BUSY);
}

#define NATIVE_BLOCKS	"native: blocks, one after the other"

TEST_RAIO(block_device, NATIVE_BLOCKS)
{
	run_cold(NULL, SLOW_NSEC);
}

TEST_RAIO(ext4, NATIVE_BLOCKS)
{
	run_cold("ext4", SLOW_NSEC);
}

TEST_RAIO(xfs, NATIVE_BLOCKS)
{
	/* to mount it takes more requests, one after the other */
	run_cold("xfs", SLOW_NSEC / 2);
}

/* All wait for the same page. */
static void run_same_page(const char *type)
{
	aio_context_t ctx = new_context(COUNT);
	int i;

	slowfile_make(&file, type, 100000000);
	prep_reads(COUNT);
	for (i = 0; i < COUNT; i++)
		iocbs[i].aio_offset = BLOCK;
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++) {
		EXPECT_EQ(BLOCK, (long long)events[i].res);
		EXPECT_TRUE(is_pattern(bufs + i * BLOCK, BLOCK, BLOCK, 0));
	}
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

TEST(same_page_block_device)
{
	run_same_page(NULL);
}

TEST(same_page_ext4)
{
	run_same_page("ext4");
}

TEST(same_page_xfs)
{
	run_same_page("xfs");
}

/* A read of many pages goes on until it has all of them, or the end of the file. */
static void run_long_read(const char *type)
{
	aio_context_t ctx = new_context(COUNT);
	static uint8_t buf[100000];
	struct iocb iocb;

	slowfile_make(&file, type, 10000000);
	prep(&iocb, IOCB_CMD_PREAD, file.fd, buf, sizeof(buf), 12345);
	EXPECT_EQ(sizeof(buf), run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, sizeof(buf), 12345, 0));
	if (!type)
		return;
	prep(&iocb, IOCB_CMD_PREAD, file.fd, buf, sizeof(buf), SLOWFILE_SIZE - 20000);
	EXPECT_EQ(20000 + 8193, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 20000, SLOWFILE_SIZE - 20000, 0));
}

TEST(long_read_block_device)
{
	run_long_read(NULL);
}

TEST(long_read_ext4)
{
	run_long_read("ext4");
}

TEST(long_read_xfs)
{
	run_long_read("xfs");
}

/* What the device can't read is EIO, once; the others are read. */
TEST(read_error)
{
	enum { READS = 32, BAD = 7 };
	aio_context_t ctx = new_context(READS);
	struct io_event more;
	int i, index, bad = 0, round;

	slowfile_make(&file, NULL, 1000000);
	prep_reads(READS);
	nullb_set_bad(&file.nullb, offset_of(BAD) / 512, offset_of(BAD) / 512 + 7, true);
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(READS, be_submit(ctx, READS, list));
		ASSERT_EQ(READS, events_wait(ctx, events, READS));
		EXPECT_EQ(0, events_now(ctx, &more, 1));
		for (i = 0; i < READS; i++) {
			index = (struct iocb *)(uintptr_t)events[i].obj - iocbs;
			bad += index == BAD;
			EXPECT_EQ(index == BAD ? -EIO : BLOCK, (long long)events[i].res);
		}
	}
	EXPECT_EQ(3, bad);
	nullb_set_bad(&file.nullb, offset_of(BAD) / 512, offset_of(BAD) / 512 + 7, false);
	ASSERT_EQ(READS, be_submit(ctx, READS, list));
	expect_reads(ctx, READS);
}

/* A read that gets past good pages to a bad one tells of the good ones. */
TEST(read_error_later)
{
	aio_context_t ctx = new_context(1);
	static uint8_t buf[8 * BLOCK];
	struct iocb iocb;

	slowfile_make(&file, NULL, 1000000);
	nullb_set_bad(&file.nullb, 5 * 8, 5 * 8 + 7, true);
	/* what is good is in memory, however the device reads what is near it */
	EXPECT_EQ(5 * BLOCK, pread(file.fd, buf, 5 * BLOCK, 0));
	memset(buf, 0, sizeof(buf));
	prep(&iocb, IOCB_CMD_PREAD, file.fd, buf, sizeof(buf), 0);
	EXPECT_EQ(5 * BLOCK, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 5 * BLOCK, 0, 0));
}
