// SPDX-License-Identifier: GPL-2.0
/*
 * Description: reads that wait for a page of a slow device are cancelled, again
 * and again: one event for each at most, and no slot is lost.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "harness.h"
#include "slowfile.h"

#define SLOTS	16
#define COUNT	1000
#define BLOCK	4096

static struct slowfile file;
static struct iocb iocbs[COUNT];
static uint8_t *bufs;
static char over[COUNT];	/* has its event */
static unsigned int completed;

static void note_events(aio_context_t ctx, bool wait)
{
	struct io_event events[SLOTS];
	int i, index, count;

	count = wait ? be_getevents(ctx, 1, SLOTS, events, NULL) : events_now(ctx, events, SLOTS);
	ASSERT_LE(0, count);
	for (i = 0; i < count; i++) {
		index = (struct iocb *)(uintptr_t)events[i].obj - iocbs;
		ASSERT_TRUE(index >= 0 && index < COUNT);
		EXPECT_EQ(0, over[index]);
		over[index] = 1;
		completed++;
		EXPECT_EQ(BLOCK, (long long)events[i].res);
		EXPECT_TRUE(is_pattern(bufs + index * BLOCK, BLOCK, iocbs[index].aio_offset, 0));
	}
}

/* A slot is free again when the page has come for whose sake it was taken. */
static void submit_sometime(aio_context_t ctx, struct iocb *iocb)
{
	int ret;

	while ((ret = submit_one(ctx, iocb)) == -EAGAIN) {
		note_events(ctx, false);
		sched_yield();
	}
	ASSERT_EQ(1, ret);
}

/* 0 if it is cancelled. */
static int cancel(aio_context_t ctx, unsigned int i)
{
	struct io_event result = { 0 };
	int ret = be_cancel(ctx, &iocbs[i], &result);

	if (ret) {
		EXPECT_TRUE(ret == -EAGAIN || ret == -EINPROGRESS || ret == -EINVAL);
		return ret;
	}
	EXPECT_EQ((uintptr_t)&iocbs[i], result.obj);
	EXPECT_EQ(-ECANCELED, (long long)result.res);
	EXPECT_EQ(0, over[i]);
	over[i] = 1;
	return 0;
}

/* As many at once as at first, of what is in memory by now. */
static void expect_all_slots(aio_context_t ctx)
{
	unsigned int i;

	memset(over, 0, sizeof(over));
	completed = 0;
	for (i = 0; i < SLOTS; i++)
		submit_sometime(ctx, &iocbs[i]);
	while (completed < SLOTS)
		note_events(ctx, true);
}

/* Those of a group are cancelled when all are with the device, or at once. */
static void run(const char *type, unsigned int pages, unsigned int group)
{
	aio_context_t ctx = new_context(SLOTS);
	unsigned int i, j, cancelled = 0;

	slowfile_make(&file, type, 100000000);
	bufs = aligned_buffer(COUNT * BLOCK);
	for (i = 0; i < COUNT; i += group) {
		for (j = i; j < i + group; j++) {
			prep(&iocbs[j], IOCB_CMD_PREAD, file.fd, bufs + j * BLOCK, BLOCK,
			     j % pages * BLOCK);
			submit_sometime(ctx, &iocbs[j]);
		}
		while (group > 1 && nullb_inflight(&file.nullb) < group && !over[i + group - 1])
			note_events(ctx, false);
		for (j = i; j < i + group; j++)
			cancelled += !cancel(ctx, j);
	}
	while (completed + cancelled < COUNT)
		note_events(ctx, true);
	note_events(ctx, false);
	EXPECT_EQ(COUNT, completed + cancelled);
	test_note("%u cancelled, %u read", cancelled, completed);
	expect_all_slots(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

#define NATIVE	"native: blocks"

TEST_RAIO(block_device, NATIVE)
{
	run(NULL, COUNT, 1);
}

TEST_RAIO(ext4, NATIVE)
{
	run("ext4", COUNT, 1);
}

/* All of one page, which comes once. */
TEST_RAIO(one_page, NATIVE)
{
	run(NULL, 1, 1);
}

TEST_RAIO(in_flight_block_device, NATIVE)
{
	run(NULL, COUNT, 8);
}

TEST_RAIO(in_flight_ext4, NATIVE)
{
	run("ext4", COUNT, 8);
}

TEST_RAIO(in_flight_xfs, NATIVE)
{
	run("xfs", COUNT, 8);
}

/* The context goes while the pages of cancelled reads are still to come. */
TEST_RAIO(destroyed, NATIVE)
{
	struct io_event result;
	aio_context_t ctx;
	unsigned int i, round;

	slowfile_make(&file, NULL, 200000000);
	bufs = aligned_buffer(SLOTS * BLOCK);
	for (round = 0; round < 10; round++) {
		ctx = new_context(SLOTS);
		for (i = 0; i < SLOTS; i++) {
			prep(&iocbs[i], IOCB_CMD_PREAD, file.fd, bufs + i * BLOCK, BLOCK,
			     (round * SLOTS + i) * BLOCK);
			ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
			if (i % 2)
				be_cancel(ctx, &iocbs[i], &result);
		}
		EXPECT_EQ(0, be_destroy(ctx));
	}
	expect_works(new_context(1));
}

/* What an eventfd has counted of one read that waits for a page, when that has come. */
static unsigned int counted(int (*end)(aio_context_t ctx, struct iocb *iocb))
{
	aio_context_t ctx = new_context(SLOTS);
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	eventfd_t count = 0;

	ASSERT_LE(0, event);
	slowfile_make(&file, NULL, 300000000);
	bufs = aligned_buffer(BLOCK);
	prep(&iocbs[0], IOCB_CMD_PREAD, file.fd, bufs, BLOCK, 0);
	iocbs[0].aio_flags = IOCB_FLAG_RESFD;
	iocbs[0].aio_resfd = event;
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	wait_armed(ctx);
	ASSERT_EQ(0, end(ctx, &iocbs[0]));
	/* It is back when that has returned. */
	be_destroy(ctx);
	eventfd_read(event, &count);
	return count;
}

static int end_by_destroy(aio_context_t ctx, struct iocb *iocb)
{
	(void)iocb;
	return be_destroy(ctx);
}

static int end_by_cancel(aio_context_t ctx, struct iocb *iocb)
{
	return cancel(ctx, iocb - iocbs);
}

/* Its event is in the ring, which goes then. */
TEST_RAIO(eventfd_destroyed, NATIVE)
{
	EXPECT_EQ(1, counted(end_by_destroy));
}

/* Its event is in the result of the call. */
TEST_RAIO(eventfd_cancelled, NATIVE)
{
	EXPECT_EQ(0, counted(end_by_cancel));
}
