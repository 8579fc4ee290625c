// SPDX-License-Identifier: GPL-2.0
/*
 * Description: cancel wants the key and the address of the iocb that was
 * submitted, to the same context; all else is EINVAL and cancels nothing.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <unistd.h>

#include "harness.h"

#define COUNT 8

static struct iocb iocbs[COUNT];
static struct io_event result;

static aio_context_t submit_polls(int fds[2])
{
	aio_context_t ctx = new_context(COUNT);
	int i;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < COUNT; i++) {
		prep_poll(&iocbs[i], fds[0], POLLIN);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	return ctx;
}

/* They are all there still, and come. */
static void expect_all(aio_context_t ctx, int fds[2])
{
	struct io_event events[COUNT + 1];
	unsigned int seen = 0;
	int i;

	EXPECT_EQ(0, events_now(ctx, events, COUNT));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++) {
		/* it may tell more than it was asked for */
		EXPECT_EQ(POLLIN, (long long)events[i].res & POLLIN);
		seen |= 1 << ((struct iocb *)(uintptr_t)events[i].obj - iocbs);
	}
	EXPECT_EQ((1 << COUNT) - 1, seen);
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

TEST(other_address)
{
	struct iocb copy;
	aio_context_t ctx;
	int fds[2], i;

	ctx = submit_polls(fds);
	for (i = 0; i < COUNT; i++) {
		copy = iocbs[i];
		EXPECT_EQ(-EINVAL, be_cancel(ctx, &copy, &result));
	}
	expect_all(ctx, fds);
}

TEST(unknown_key)
{
	aio_context_t ctx;
	uint32_t key;
	int fds[2], i;

	ctx = submit_polls(fds);
	key = iocbs[0].aio_key;
	for (i = 0; i < 32; i++) {
		iocbs[0].aio_key = key ^ (1U << i);
		EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocbs[0], &result));
	}
	for (i = 0; i < 4; i++) {
		iocbs[0].aio_key = ~0U << (8 * i);
		EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocbs[0], &result));
	}
	iocbs[0].aio_key = key;
	expect_all(ctx, fds);
}

/* The key of one with the address of another. */
TEST_RAIO(mixed, "all of its keys are the same")
{
	aio_context_t ctx;
	uint32_t key;
	int fds[2], i;

	ctx = submit_polls(fds);
	for (i = 1; i < COUNT; i++)
		EXPECT_NE(iocbs[0].aio_key, iocbs[i].aio_key);
	key = iocbs[0].aio_key;
	for (i = 1; i < COUNT; i++) {
		iocbs[0].aio_key = iocbs[i].aio_key;
		EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocbs[0], &result));
	}
	iocbs[0].aio_key = key;
	expect_all(ctx, fds);
}

TEST(other_context)
{
	aio_context_t ctx, other = new_context(COUNT);
	int fds[2], i;

	ctx = submit_polls(fds);
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(-EINVAL, be_cancel(other, &iocbs[i], &result));
	expect_all(ctx, fds);
}

/* The same iocb twice: what was submitted first has no key in it any more. */
TEST_RAIO(submitted_twice, "all of its keys are the same")
{
	aio_context_t ctx = new_context(2);
	struct io_event event;
	uint32_t first, second;
	int fds[2];

	if (cancels_into_ring())
		SKIP("the events are in the ring");
	ASSERT_EQ(0, pipe(fds));
	prep_poll(&iocbs[0], fds[0], POLLIN);
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	first = iocbs[0].aio_key;
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	second = iocbs[0].aio_key;
	EXPECT_NE(first, second);
	EXPECT_EQ(0, be_cancel(ctx, &iocbs[0], &result));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocbs[0], &result));
	iocbs[0].aio_key = first;
	EXPECT_EQ(0, be_cancel(ctx, &iocbs[0], &result));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocbs[0], &result));
	EXPECT_EQ(0, events_now(ctx, &event, 1));
}
