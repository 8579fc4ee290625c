// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a batch stops at the first bad request: submit tells how many
 * were taken, and the error when that request comes first.
 */
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define COUNT 4

static struct iocb iocbs[COUNT];
static struct iocb *list[COUNT];
static char bufs[COUNT][8];

static void prep_list(void)
{
	int fd = new_file(64), i;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, bufs[i], 8, i * 8);
		list[i] = &iocbs[i];
	}
}

static void expect_events(aio_context_t ctx, int count)
{
	struct io_event events[COUNT];
	unsigned int seen = 0;
	int i;

	ASSERT_EQ(count, events_wait(ctx, events, count));
	for (i = 0; i < count; i++) {
		EXPECT_EQ(8, (long long)events[i].res);
		seen |= 1U << ((struct iocb *)(uintptr_t)events[i].obj - iocbs);
	}
	EXPECT_EQ((1U << count) - 1, seen);
	EXPECT_EQ(0, events_now(ctx, events, COUNT));
}

TEST(all)
{
	aio_context_t ctx = new_context(COUNT);

	prep_list();
	EXPECT_EQ(COUNT, be_submit(ctx, COUNT, list));
	expect_events(ctx, COUNT);
}

TEST(bad_request_at_each_place)
{
	aio_context_t ctx = new_context(COUNT);
	int i;

	for (i = 1; i < COUNT; i++) {
		prep_list();
		iocbs[i].aio_fildes = 9999;
		EXPECT_EQ(i, be_submit(ctx, COUNT, list));
		EXPECT_EQ(-EBADF, be_submit(ctx, COUNT - i, list + i));
		expect_events(ctx, i);
	}
}

TEST(bad_pointer_in_the_middle)
{
	aio_context_t ctx = new_context(COUNT);

	prep_list();
	list[2] = NULL;
	EXPECT_EQ(2, be_submit(ctx, COUNT, list));
	EXPECT_EQ(-EFAULT, be_submit(ctx, COUNT - 2, list + 2));
	expect_events(ctx, 2);
}

/* The array itself ends in bad memory. */
TEST(array_ends)
{
	aio_context_t ctx = new_context(COUNT);
	struct iocb **copy;

	prep_list();
	copy = guarded_buffer(3 * sizeof(*copy));
	memcpy(copy, list, 3 * sizeof(*copy));
	EXPECT_EQ(3, be_submit(ctx, COUNT, copy));
	EXPECT_EQ(-EFAULT, be_submit(ctx, 1, copy + 3));
	expect_events(ctx, 3);
}

/* A request that fails later is a taken request, and does not stop the others. */
TEST(error_in_event)
{
	aio_context_t ctx = new_context(COUNT);
	struct io_event events[COUNT];
	int i;

	prep_list();
	iocbs[1].aio_buf = 0;
	EXPECT_EQ(COUNT, be_submit(ctx, COUNT, list));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(events[i].obj == (uintptr_t)&iocbs[1] ? -EFAULT : 8,
			  (long long)events[i].res);
}

/* One iocb may be submitted again before its event was taken. */
TEST(same_iocb)
{
	aio_context_t ctx = new_context(COUNT);
	struct io_event events[COUNT];
	int i;

	prep_list();
	for (i = 1; i < COUNT; i++)
		list[i] = list[0];
	EXPECT_EQ(COUNT, be_submit(ctx, COUNT, list));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ((uintptr_t)&iocbs[0], events[i].obj);
}
