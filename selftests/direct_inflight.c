// SPDX-License-Identifier: GPL-2.0
/*
 * Description: O_DIRECT requests are with the device when submit returns, all of
 * them at once, and the submitter has not slept: that is what aio is for.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"

#define COUNT 64
/* Longer than the slowest guest needs for one submit. */
#define SLOW_NSEC 4000000000UL

static struct iocb iocbs[COUNT];
static struct iocb *list[COUNT];
static struct io_event events[COUNT];

/* Every other block, so that no two are merged into one request. */
static void prep_list(int fd, unsigned int opcode)
{
	uint8_t *bufs = aligned_buffer(COUNT * DIRECT_ALIGN);
	int i;

	for (i = 0; i < COUNT; i++) {
		fill_pattern(bufs + i * DIRECT_ALIGN, DIRECT_ALIGN, i, 0);
		prep(&iocbs[i], opcode, fd, bufs + i * DIRECT_ALIGN, DIRECT_ALIGN,
		     2L * i * DIRECT_ALIGN);
		list[i] = &iocbs[i];
	}
}

static void expect_all(aio_context_t ctx)
{
	uint64_t seen = 0;
	int i;

	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++) {
		EXPECT_EQ(DIRECT_ALIGN, (long long)events[i].res);
		seen |= 1ULL << ((struct iocb *)(uintptr_t)events[i].obj - iocbs);
	}
	EXPECT_TRUE(seen == ~0ULL);
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

static long voluntary_switches(void)
{
	struct rusage usage;

	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_nvcsw;
}

static void run_in_flight(unsigned int opcode)
{
	aio_context_t ctx = new_context(COUNT);
	struct nullb nullb;
	long before;
	int fd, ret;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = SLOW_NSEC });
	fd = nullb_open(&nullb, opcode == IOCB_CMD_PWRITE);
	prep_list(fd, opcode);

	before = voluntary_switches();
	ret = be_submit(ctx, COUNT, list);
	EXPECT_EQ(0, voluntary_switches() - before);
	EXPECT_EQ(COUNT, ret);
	EXPECT_EQ(COUNT, nullb_inflight(&nullb));
	EXPECT_EQ(0, events_now(ctx, events, COUNT));
	expect_all(ctx);
	nullb_wait_idle(&nullb);
	close(fd);
	nullb_remove(&nullb);
}

TEST(reads)
{
	run_in_flight(IOCB_CMD_PREAD);
}

TEST(writes)
{
	run_in_flight(IOCB_CMD_PWRITE);
}

/* One at a time is in flight as well. */
TEST(one)
{
	aio_context_t ctx = new_context(COUNT);
	struct io_event event;
	struct nullb nullb;
	int fd;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = SLOW_NSEC });
	fd = nullb_open(&nullb, false);
	prep_list(fd, IOCB_CMD_PREAD);
	EXPECT_EQ(1, submit_one(ctx, &iocbs[0]));
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	EXPECT_EQ(1, events_wait(ctx, &event, 1));
}

/* More requests than the device has tags: all are taken, and all come. */
TEST(more_than_tags)
{
	aio_context_t ctx = new_context(COUNT);
	struct nullb nullb;
	int round;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 1000000, .hw_queue_depth = 2,
		.memory_backed = true });
	prep_list(nullb_open(&nullb, true), IOCB_CMD_PWRITE);
	for (round = 0; round < 4; round++) {
		ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
		expect_all(ctx);
	}
	prep_list(nullb_open(&nullb, false), IOCB_CMD_PREAD);
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	expect_all(ctx);
	for (round = 0; round < COUNT; round++)
		EXPECT_TRUE(is_pattern((void *)(uintptr_t)iocbs[round].aio_buf, DIRECT_ALIGN,
				       round, 0));
}

/* A waiter sleeps until the completion comes from interrupt context. */
TEST(completion_wakes_waiter)
{
	aio_context_t ctx = new_context(COUNT);
	struct nullb nullb;
	int fd, i;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 2000000 });
	fd = nullb_open(&nullb, false);
	prep_list(fd, IOCB_CMD_PREAD);
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(1 + i, be_submit(ctx, 1 + i, list));
		ASSERT_EQ(1 + i, events_wait(ctx, events, 1 + i));
	}
}
