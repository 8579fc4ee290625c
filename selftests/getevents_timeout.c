// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the timeout of getevents: it is relative, never cut short, and
 * strange values mean what they mean to native aio.
 */
#include <limits.h>

#include "harness.h"

#define MSEC 1000000L

TEST(zero)
{
	struct __kernel_timespec zero = { 0 };
	aio_context_t ctx = context_with_events(0);
	struct io_event event;

	EXPECT_EQ(0, be_getevents(ctx, 1, 1, &event, &zero));
}

TEST(expires)
{
	struct __kernel_timespec timeout = { .tv_nsec = 30 * MSEC };
	aio_context_t ctx = context_with_events(0);
	struct io_event event;
	uint64_t start = now_ns();

	EXPECT_EQ(0, be_getevents(ctx, 1, 1, &event, &timeout));
	EXPECT_LE(30 * MSEC, now_ns() - start);
	/* it is not written back */
	EXPECT_EQ(0, timeout.tv_sec);
	EXPECT_EQ(30 * MSEC, timeout.tv_nsec);
}

/* What came before the timeout is returned. */
TEST(expires_with_some)
{
	struct __kernel_timespec timeout = { .tv_nsec = 30 * MSEC };
	aio_context_t ctx = context_with_events(2);
	struct io_event events[4];
	uint64_t start = now_ns();

	EXPECT_EQ(2, be_getevents(ctx, 3, 4, events, &timeout));
	EXPECT_LE(30 * MSEC, now_ns() - start);
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

/* Native does not look at the fields, it adds them up. */
TEST(sum_of_fields)
{
	struct __kernel_timespec none = { .tv_sec = -1, .tv_nsec = 1000 * MSEC };
	struct __kernel_timespec second = { .tv_nsec = 1000 * MSEC };
	aio_context_t ctx = context_with_events(0);
	struct io_event event;
	uint64_t start = now_ns();

	EXPECT_EQ(0, be_getevents(ctx, 1, 1, &event, &none));
	EXPECT_EQ(0, be_getevents(ctx, 1, 1, &event, &second));
	EXPECT_LE(1000 * MSEC, now_ns() - start);
}

/*
 * A negative time is for ever (its sum with the clock overflows).
 */
TEST(negative)
{
	static const struct __kernel_timespec negative[] = {
		{ .tv_sec = -1 },
		{ .tv_nsec = -1 },
		{ .tv_sec = -2, .tv_nsec = 1000 * MSEC },
	};
	struct io_event event;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(negative); i++) {
		aio_context_t ctx = context_with_events(1);

		EXPECT_EQ(1, be_getevents(ctx, 1, 1, &event, &negative[i]));
	}
}

/* Far beyond what the clock can hold: for ever, and events still come. */
TEST(huge_values)
{
	static const struct __kernel_timespec huge[] = {
		{ .tv_sec = LLONG_MAX },
		{ .tv_sec = LLONG_MAX, .tv_nsec = 999999999 },
		{ .tv_sec = LLONG_MAX / 1000000000 },
	};
	struct io_event events[2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(huge); i++) {
		aio_context_t ctx = context_with_events(2);

		EXPECT_EQ(2, be_getevents(ctx, 2, 2, events, &huge[i]));
		EXPECT_EQ(0, be_getevents(ctx, 0, 2, events, &huge[i]));
	}
}
