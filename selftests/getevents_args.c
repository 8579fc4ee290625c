// SPDX-License-Identifier: GPL-2.0
/*
 * Description: getevents' min_nr, nr and pointers in all combinations, with and
 * without events; a program that asks wrongly must not be told 0, nor wait.
 */
#include <limits.h>
#include <unistd.h>

#include "harness.h"

#define READY 3

static const struct {
	long min_nr, nr;
	int expected;		/* with 3 events there */
	int expected_empty;	/* with none, and a zero timeout */
} rows[] = {
	{ 0, 0, 0, 0 },
	{ 0, 1, 1, 0 },
	{ 0, 3, 3, 0 },
	{ 0, 8, 3, 0 },
	{ 0, 1000, 3, 0 },
	{ 1, 1, 1, 0 },
	{ 1, 2, 2, 0 },
	{ 1, 8, 3, 0 },
	{ 3, 3, 3, 0 },
	{ 3, 8, 3, 0 },
	{ 4, 8, 3, 0 },
	{ 100, 100, 3, 0 },
	{ 1, 0, -EINVAL, -EINVAL },
	{ 2, 1, -EINVAL, -EINVAL },
	{ -1, 1, -EINVAL, -EINVAL },
	{ 0, -1, -EINVAL, -EINVAL },
	{ -1, -1, -EINVAL, -EINVAL },
	{ -2, -1, -EINVAL, -EINVAL },
	{ LONG_MIN, LONG_MIN, -EINVAL, -EINVAL },
	{ LONG_MAX, LONG_MIN, -EINVAL, -EINVAL },
	{ LONG_MIN, LONG_MAX, -EINVAL, -EINVAL },
	{ 0, LONG_MAX, 3, 0 },
};

TEST(counts)
{
	struct __kernel_timespec zero = { 0 };
	struct io_event events[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		aio_context_t ready = context_with_events(READY), empty = context_with_events(0);
		bool ok = true;

		ok &= EXPECT_EQ(rows[i].expected,
				be_getevents(ready, rows[i].min_nr, rows[i].nr, events, &zero));
		ok &= EXPECT_EQ(rows[i].expected_empty,
				be_getevents(empty, rows[i].min_nr, rows[i].nr, events, &zero));
		/* where there is enough nobody waits, whatever the timeout */
		if (rows[i].min_nr <= READY) {
			be_destroy(ready);
			ready = context_with_events(READY);
			ok &= EXPECT_EQ(rows[i].expected, be_getevents(ready, rows[i].min_nr,
								       rows[i].nr, events, NULL));
		}
		if (!ok)
			test_note("with min_nr %ld, nr %ld", rows[i].min_nr, rows[i].nr);
		be_destroy(ready);
		be_destroy(empty);
	}
}

/* min_nr 0 never waits. */
TEST(min_nr_0)
{
	aio_context_t ctx = context_with_events(0);
	struct io_event event;

	EXPECT_EQ(0, be_getevents(ctx, 0, 0, &event, NULL));
	EXPECT_EQ(0, be_getevents(ctx, 0, 0, NULL, NULL));
	EXPECT_EQ(0, be_getevents(ctx, 0, 1, &event, NULL));
	EXPECT_EQ(0, be_getevents(ctx, 0, 1, NULL, NULL));
}

TEST(bad_context)
{
	aio_context_t ctx = context_with_events(0);
	void *page = guarded_buffer(getpagesize());
	struct __kernel_timespec zero = { 0 };
	struct io_event event;

	EXPECT_EQ(-EINVAL, be_getevents(0, 0, 1, &event, &zero));
	EXPECT_EQ(-EINVAL, be_getevents(-1, 0, 1, &event, &zero));
	EXPECT_EQ(-EINVAL, be_getevents((aio_context_t)page, 0, 1, &event, &zero));
	EXPECT_EQ(-EINVAL, be_getevents(ctx + 32, 0, 1, &event, &zero));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(-EINVAL, be_getevents(ctx, 0, 1, &event, &zero));
	EXPECT_EQ(-EINVAL, be_getevents(ctx, 0, 0, NULL, NULL));
}

/* The timeout is read first, before context and counts are looked at. */
TEST(bad_timeout_is_seen_first)
{
	struct __kernel_timespec *half = guarded_buffer(8);
	struct __kernel_timespec *bad = (void *)((char *)half + 8);
	aio_context_t ctx = context_with_events(1);
	struct io_event event;

	if (is_libraio())
		SKIP("the library reads it, as libaio does");
	EXPECT_EQ(-EFAULT, be_getevents(ctx, 1, 1, &event, bad));
	EXPECT_EQ(-EFAULT, be_getevents(ctx, 1, 1, &event, half));
	EXPECT_EQ(-EFAULT, be_getevents(0, 1, 1, &event, bad));
	EXPECT_EQ(-EFAULT, be_getevents(ctx, 2, 1, &event, bad));
	EXPECT_EQ(1, events_now(ctx, &event, 1));
}

/* Events come in the order in which the requests were completed. */
TEST(order)
{
	aio_context_t ctx = new_context(8);
	struct io_event events[8];
	int fd = new_file(1), i;
	struct iocb iocb;
	char buf[1];

	for (i = 0; i < 8; i++) {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
		iocb.aio_data = i;
		EXPECT_EQ(1, submit_one(ctx, &iocb));
	}
	EXPECT_EQ(3, be_getevents(ctx, 3, 3, events, NULL));
	EXPECT_EQ(5, be_getevents(ctx, 5, 5, events + 3, NULL));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(i, events[i].data);
}
