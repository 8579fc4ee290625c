// SPDX-License-Identifier: GPL-2.0
/*
 * Description: buffered writes and syncs of one file run in the order in which
 * they were submitted, though they may block: programs written for native aio,
 * where they are over when io_submit returns, rely on it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"

#define COUNT		32
#define SIZE		(64 * 1024)

static struct iocb iocbs[COUNT];
static struct iocb *list[COUNT];
static struct io_event events[COUNT];
static uint8_t bufs[COUNT][SIZE], model[SIZE], back[SIZE];

static void run_batch(aio_context_t ctx, int count)
{
	int i;

	for (i = 0; i < count; i++)
		list[i] = &iocbs[i];
	ASSERT_EQ(count, be_submit(ctx, count, list));
	ASSERT_EQ(count, events_wait(ctx, events, count));
	for (i = 0; i < count; i++)
		EXPECT_EQ(((struct iocb *)(uintptr_t)events[i].obj)->aio_nbytes,
			  (long long)events[i].res);
}

/* Random ranges of a cold file, most of them overlap. */
TEST(overlapping_writes)
{
	aio_context_t ctx = new_context(COUNT);
	unsigned int random = 1, round, offset, size;
	int fd = new_file(SIZE), i;

	ASSERT_EQ(SIZE, pread(fd, model, SIZE, 0));
	for (round = 0; round < stress_count(20); round++) {
		ASSERT_EQ(0, fsync(fd));
		ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		for (i = 0; i < COUNT; i++) {
			offset = random_number(&random) % (SIZE - 1);
			size = 1 + random_number(&random) % (SIZE - offset);
			fill_pattern(bufs[i], size, offset, round * COUNT + i);
			memcpy(model + offset, bufs[i], size);
			prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs[i], size, offset);
		}
		run_batch(ctx, COUNT);
		ASSERT_EQ(SIZE, pread(fd, back, SIZE, 0));
		ASSERT_EQ(0, memcmp(model, back, SIZE));
	}
}

/* The same place each time, each from a call of its own. */
TEST(last_write_wins)
{
	aio_context_t ctx = new_context(COUNT);
	int fd = new_file(0), i;

	for (i = 0; i < COUNT; i++) {
		fill_pattern(bufs[i], 5000, 0, i);
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs[i], 5000, 0);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	ASSERT_EQ(5000, pread(fd, back, SIZE, 0));
	EXPECT_TRUE(is_pattern(back, 5000, 0, COUNT - 1));
}

static void check_appends(int fd, int (*fd_of)(int fd, int i))
{
	aio_context_t ctx = new_context(COUNT);
	unsigned int random = 7, size, total = 0;
	int i;

	for (i = 0; i < COUNT; i++) {
		size = 1 + random_number(&random) % 1000;
		fill_pattern(bufs[i], size, total, 0);
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd_of(fd, i), bufs[i], size, 0);
		total += size;
	}
	run_batch(ctx, COUNT);
	ASSERT_EQ(total, pread(fd, back, SIZE, 0));
	EXPECT_TRUE(is_pattern(back, total, 0, 0));
}

static int same_file(int fd, int i)
{
	(void)i;
	return fd;
}

static int other_open(int fd, int i)
{
	(void)i;
	fd = reopen(fd, O_WRONLY | O_APPEND);
	ASSERT_LE(0, fd);
	return fd;
}

TEST(append)
{
	int fd = reopen(new_file(0), O_RDWR | O_APPEND);

	ASSERT_LE(0, fd);
	check_appends(fd, same_file);
}

/* The order is that of the inode, not of the open file. */
TEST(append_by_many_opens)
{
	check_appends(new_file(0), other_open);
}

/* Two files in turn do not disturb each other. */
TEST(two_files)
{
	aio_context_t ctx = new_context(COUNT);
	int fds[2] = { new_file(0), new_file(0) }, i;

	for (i = 0; i < COUNT; i++) {
		fill_pattern(bufs[i], 3000, 0, i);
		prep(&iocbs[i], IOCB_CMD_PWRITE, fds[i % 2], bufs[i], 3000, 0);
	}
	run_batch(ctx, COUNT);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(3000, pread(fds[i], back, SIZE, 0));
		EXPECT_TRUE(is_pattern(back, 3000, 0, COUNT - 2 + i));
	}
}

/*
 * A sync covers every write that was submitted before it: its event comes
 * later, and then they are on the device.  The writes are slow, as each has to
 * read a page first.
 */
static void check_sync(unsigned int opcode, bool one_call)
{
	enum { WRITES = 4 };
	aio_context_t ctx = new_context(COUNT);
	unsigned long before;
	struct nullb nullb;
	int fd, i, count;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 100000000, .memory_backed = true });
	fd = open(nullb.dev, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	before = nullb_sectors_written(&nullb);
	for (i = 0; i < WRITES; i++) {
		fill_pattern(bufs[i], 100, 0, i);
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs[i], 100, i * 65536L + 10);
		list[i] = &iocbs[i];
	}
	prep(&iocbs[i], opcode, fd, NULL, 0, 0);
	list[i] = &iocbs[i];
	if (one_call)
		ASSERT_EQ(WRITES + 1, be_submit(ctx, WRITES + 1, list));
	else
		for (i = 0; i <= WRITES; i++)
			ASSERT_EQ(1, submit_one(ctx, list[i]));

	for (i = 0; i <= WRITES; i += count) {
		count = be_getevents(ctx, 1, WRITES + 1 - i, events + i, NULL);
		ASSERT_LE(1, count);
		if (events[i + count - 1].obj == (uintptr_t)&iocbs[WRITES])
			EXPECT_LE(WRITES * 8, nullb_sectors_written(&nullb) - before);
	}
	EXPECT_EQ((uintptr_t)&iocbs[WRITES], events[WRITES].obj);
	EXPECT_EQ(0, (long long)events[WRITES].res);
	for (i = 0; i < WRITES; i++)
		EXPECT_EQ(100, (long long)events[i].res);
}

TEST(fsync_after_writes)
{
	check_sync(IOCB_CMD_FSYNC, true);
}

TEST(fdsync_after_writes)
{
	check_sync(IOCB_CMD_FDSYNC, true);
}

TEST(fdsync_by_calls)
{
	check_sync(IOCB_CMD_FDSYNC, false);
}

/*
 * Writes, and a sync between each two, on a file system: no sync is over before
 * the writes that were submitted before it.
 */
TEST(alternating)
{
	aio_context_t ctx = new_context(COUNT);
	int fd = new_file(SIZE), i, written = 0, place;

	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	for (i = 0; i < COUNT; i++) {
		fill_pattern(bufs[i], 100, 0, i);
		if (i % 2)
			prep(&iocbs[i], IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
		else
			prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs[i], 100, 50);
	}
	run_batch(ctx, COUNT);
	for (i = 0; i < COUNT; i++) {
		place = (struct iocb *)(uintptr_t)events[i].obj - iocbs;
		if (place % 2)
			EXPECT_LE(place / 2 + 1, written);
		else
			EXPECT_EQ(2 * written++, place);
	}
	ASSERT_EQ(100, pread(fd, back, 100, 50));
	EXPECT_TRUE(is_pattern(back, 100, 0, COUNT - 2));
}
