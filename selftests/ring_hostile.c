// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the ring is the program's memory: whatever it writes there, only
 * its own events suffer; the kernel, other contexts and destroy do not.
 */
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "harness.h"

#define EVENTS 256
#define WHY "it trusts head and tail of the ring in places"

static struct io_event events[EVENTS];
static char buf[1];
static int stop;

static void put(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static void *scribble(void *arg)
{
	struct raio_ring *ring = arg;
	size_t size = mapping_size((uintptr_t)ring);
	unsigned int state = 0x12345678;
	uint32_t *words = arg;
	size_t i;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		/* header and events as often as each other */
		for (i = 0; i < 64; i++) {
			put(&words[random_number(&state) % 8], random_number(&state));
			put(&words[random_number(&state) % (size / 4)], random_number(&state));
			put(&words[2], random_number(&state) % (EVENTS * 2));
			put(&words[3], random_number(&state) % (EVENTS * 2));
		}
	}
	return NULL;
}

static void expect_still_good(aio_context_t ctx)
{
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	EXPECT_EQ(1, run_one(ctx, &iocb));
	EXPECT_EQ(0, events_now(ctx, events, EVENTS));
}

TEST_RAIO(scribbled, WHY)
{
	aio_context_t bad = new_context(EVENTS), good = new_context(EVENTS);
	unsigned long i, count = stress_count(4000);
	int fd = new_file(1);
	struct iocb iocb, *list[64];
	pthread_t thread;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	for (i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = &iocb;
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, ring_of(bad)));
	for (i = 0; i < count; i++) {
		int ret = be_submit(bad, 1 + i % ARRAY_SIZE(list), list);

		if (ret < 0)
			EXPECT_EQ(-EAGAIN, ret);
		ret = events_now(bad, events, EVENTS);
		EXPECT_LE(0, ret);
		EXPECT_LE(ret, EVENTS);
		/* the neighbour works all the time */
		ASSERT_EQ(1, submit_one(good, &iocb));
		ASSERT_EQ(1, events_now(good, events, 2));
		EXPECT_EQ((uintptr_t)&iocb, events[0].obj);
		EXPECT_EQ(1, (long long)events[0].res);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, be_destroy(bad));
	expect_still_good(good);
	EXPECT_EQ(0, be_destroy(good));
}

/* Each odd head, before and after events: no call may crash, loop or overrun. */
TEST_RAIO(odd_heads, WHY)
{
	aio_context_t good = new_context(1);
	int fd = new_file(1);
	unsigned int i, j;

	for (i = 0; i < 12; i++) {
		aio_context_t ctx = new_context(EVENTS);
		struct raio_ring *ring = ring_of(ctx);
		uint32_t heads[] = {
			0, 1, ring->nr - 1, ring->nr, ring->nr + 1, 2 * ring->nr, 0x7fffffff,
			0x80000000, 0xffffffff, 0xffffffff - ring->nr, 5, 10,
		};
		struct iocb iocb;

		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
		for (j = 0; j < 3 * ring->nr; j++) {
			int ret = submit_one(ctx, &iocb);

			if (ret < 0)
				EXPECT_EQ(-EAGAIN, ret);
			ring->head = heads[i];
			if (j % 3 == 0) {
				ret = events_now(ctx, events, EVENTS);
				EXPECT_LE(0, ret);
				EXPECT_LE(ret, EVENTS);
			}
		}
		EXPECT_EQ(0, be_destroy(ctx));
	}
	expect_still_good(good);
}

/* All other header fields are for the program only. */
TEST_RAIO(header_is_not_read, WHY)
{
	aio_context_t ctx = new_context(EVENTS);
	struct raio_ring *ring = ring_of(ctx);
	uint32_t head, tail;

	ring->id = 0xffffffff;
	ring->nr = 0;
	ring->magic = 0;
	ring->compat_features = 0xffffffff;
	ring->incompat_features = 0xffffffff;
	ring->header_length = 0;
	expect_still_good(ctx);
	head = ring->head;
	tail = ring->tail;
	EXPECT_EQ(head, tail);
	EXPECT_EQ(0, be_destroy(ctx));
}

/* A tail of the program's is not believed: no event is made of nothing. */
TEST_RAIO(tail_is_not_read, WHY)
{
	aio_context_t ctx = new_context(EVENTS);
	struct raio_ring *ring = ring_of(ctx);
	struct __kernel_timespec zero = { 0 };

	ring->tail = 10;
	EXPECT_EQ(0, be_getevents(ctx, 1, 8, events, &zero));
	ring->tail = UINT_MAX;
	EXPECT_EQ(0, be_getevents(ctx, 1, 8, events, &zero));
	expect_still_good(ctx);
}

/* The same after the ring was filled with rubbish before the first request. */
TEST_RAIO(filled_with_ones, WHY)
{
	aio_context_t ctx = new_context(EVENTS), good = new_context(1);
	struct iocb iocb;
	int fd = new_file(1), i;

	memset(ring_of(ctx), 0xff, mapping_size(ctx));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	for (i = 0; i < 2000; i++) {
		int ret = submit_one(ctx, &iocb);

		if (ret < 0)
			EXPECT_EQ(-EAGAIN, ret);
		EXPECT_LE(0, events_now(ctx, events, EVENTS));
	}
	EXPECT_EQ(0, be_destroy(ctx));
	expect_still_good(good);
}
