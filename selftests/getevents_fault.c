// SPDX-License-Identifier: GPL-2.0
/*
 * Description: an event that could not be copied to the program is not lost:
 * EFAULT leaves all of them in the ring.
 */
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define COUNT 6

static char byte[1];

static void submit_numbered(aio_context_t ctx, unsigned int from, unsigned int count)
{
	int fd = new_file(1);
	struct iocb iocb;

	while (count--) {
		prep(&iocb, IOCB_CMD_PREAD, fd, byte, 1, 0);
		iocb.aio_data = from++;
		ASSERT_EQ(1, submit_one(ctx, &iocb));
	}
	close(fd);
}

static void expect_numbered(aio_context_t ctx, unsigned int from, unsigned int count)
{
	struct io_event events[128];
	unsigned int i;

	ASSERT_EQ(count, events_wait(ctx, events, count));
	for (i = 0; i < count; i++)
		EXPECT_EQ(from + i, events[i].data);
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

TEST(bad_buffer)
{
	aio_context_t ctx = new_context(COUNT);
	void *bad = (char *)guarded_buffer(getpagesize()) + getpagesize();
	struct io_event *read_only = read_only_copy("", 1);

	submit_numbered(ctx, 0, COUNT);
	EXPECT_EQ(-EFAULT, be_getevents(ctx, 1, COUNT, NULL, NULL));
	EXPECT_EQ(-EFAULT, be_getevents(ctx, 1, COUNT, bad, NULL));
	EXPECT_EQ(-EFAULT, be_getevents(ctx, 0, 1, bad, NULL));
	EXPECT_EQ(-EFAULT, be_getevents(ctx, 1, 1, read_only, NULL));
	EXPECT_EQ(-EFAULT, be_getevents(ctx, 1, 1, (void *)-64L, NULL));
	expect_numbered(ctx, 0, COUNT);
}

/* The buffer holds two and a half events: what was copied is not consumed. */
TEST(buffer_ends)
{
	size_t size = 2 * sizeof(struct io_event) + 16;
	struct io_event *events = guarded_buffer(size);
	aio_context_t ctx = new_context(COUNT);

	submit_numbered(ctx, 0, COUNT);
	EXPECT_EQ(-EFAULT, be_getevents(ctx, COUNT, COUNT, events, NULL));
	EXPECT_EQ(-EFAULT, be_getevents(ctx, 3, 3, events, NULL));
	/* as many as there is room for */
	EXPECT_EQ(2, be_getevents(ctx, 2, 2, events, NULL));
	EXPECT_EQ(0, events[0].data);
	EXPECT_EQ(1, events[1].data);
	expect_numbered(ctx, 2, COUNT - 2);
}

/* At each place of the ring, so that its end is met as well. */
TEST(everywhere)
{
	aio_context_t ctx = new_context(COUNT);
	unsigned int nr = ring_of(ctx)->nr, i;
	struct io_event *events = guarded_buffer(2 * sizeof(*events));

	for (i = 0; i < nr + COUNT; i++) {
		submit_numbered(ctx, i * 3, 3);
		EXPECT_EQ(-EFAULT, be_getevents(ctx, 3, 3, events, NULL));
		expect_numbered(ctx, i * 3, 3);
	}
}
