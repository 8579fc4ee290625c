// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a program may take events out of the ring without a call, as
 * libaio and fio do; the kernel must see its head and reuse the slots.
 */
#include <string.h>

#include "harness.h"

#define EVENTS 16

static struct io_event events[1024];
static char buf[1];

static void submit(aio_context_t ctx, int fd, uint64_t from, unsigned int count)
{
	struct iocb iocb;

	while (count--) {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
		iocb.aio_data = from++;
		ASSERT_EQ(1, submit_one(ctx, &iocb));
	}
}

static void expect_numbers(uint64_t from, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		EXPECT_EQ(from + i, events[i].data);
		EXPECT_EQ(1, (long long)events[i].res);
		EXPECT_EQ(0, events[i].res2);
	}
}

TEST(reap)
{
	aio_context_t ctx = new_context(EVENTS);
	struct raio_ring *ring = ring_of(ctx);
	int fd = new_file(1);

	EXPECT_EQ(0, ring_reap(ring, events, 1));
	submit(ctx, fd, 0, 3);
	EXPECT_EQ(3, (ring->tail - ring->head + ring->nr) % ring->nr);
	EXPECT_EQ(2, ring_reap(ring, events, 2));
	expect_numbers(0, 2);
	EXPECT_EQ(1, ring_reap(ring, events, 2));
	expect_numbers(2, 1);
	EXPECT_EQ(0, ring_reap(ring, events, 1));
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

/* Many times around the ring without one getevents. */
TEST(slots_come_back)
{
	aio_context_t ctx = new_context(EVENTS);
	struct raio_ring *ring = ring_of(ctx);
	uint64_t next, total = ring->nr * 5;
	int fd = new_file(1);

	for (next = 0; next < total; next += EVENTS) {
		submit(ctx, fd, next, EVENTS);
		ASSERT_EQ(EVENTS, ring_reap(ring, events, EVENTS));
		expect_numbers(next, EVENTS);
	}
}

TEST(after_full_ring)
{
	aio_context_t ctx = new_context(EVENTS);
	struct raio_ring *ring = ring_of(ctx);
	unsigned int round, count;
	int fd = new_file(1);
	struct iocb iocb;

	for (round = 0; round < 10; round++) {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
		for (count = 0; submit_one(ctx, &iocb) == 1; count++)
			;
		EXPECT_LE(EVENTS, count);
		EXPECT_EQ(count, ring_reap(ring, events, 1024));
	}
}

/* By turns in user space and by getevents: none comes twice, none is lost. */
TEST(mixed)
{
	aio_context_t ctx = new_context(EVENTS);
	struct raio_ring *ring = ring_of(ctx);
	unsigned int state = 1, round;
	uint64_t submitted = 0, taken = 0;
	int fd = new_file(1);

	for (round = 0; round < 2000; round++) {
		unsigned int space = EVENTS - (submitted - taken);
		unsigned int in = random_number(&state) % (space + 1);
		unsigned int out = random_number(&state) % EVENTS;
		int got;

		submit(ctx, fd, submitted, in);
		submitted += in;
		if (random_number(&state) % 2)
			got = ring_reap(ring, events, out);
		else
			got = events_now(ctx, events, out);
		ASSERT_LE(0, got);
		expect_numbers(taken, got);
		taken += got;
	}
	EXPECT_EQ(submitted - taken, events_now(ctx, events, 1024));
}

/* A getevents that waits sees what user space has taken before. */
TEST(head_counts_for_min_nr)
{
	struct __kernel_timespec timeout = { .tv_nsec = 20000000 };
	aio_context_t ctx = new_context(EVENTS);
	int fd = new_file(1);

	submit(ctx, fd, 0, 3);
	EXPECT_EQ(2, ring_reap(ring_of(ctx), events, 2));
	EXPECT_EQ(1, be_getevents(ctx, 2, 2, events, &timeout));
	expect_numbers(2, 1);
}
