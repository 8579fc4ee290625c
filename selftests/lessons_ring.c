// SPDX-License-Identifier: GPL-2.0
/*
 * Description: faults that native aio's ring once had, one TEST() for each:
 * Documentation/lessons.md lists them all.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>

#include "harness.h"

#define SLOTS	1024
#define MARK	0x1e550000u

static struct io_event events[SLOTS];
static char buf[64];

static void mark_slots(struct raio_ring *ring)
{
	unsigned int i;

	for (i = 0; i < ring->nr; i++)
		ring_events(ring)[i] = (struct io_event){
			.data = MARK + i, .obj = MARK + i, .res = MARK + i, .res2 = i,
		};
}

/* Whatever the head, it is the slots of the ring, one after the other. */
static void expect_slots(aio_context_t ctx, uint32_t head)
{
	struct raio_ring *ring = ring_of(ctx);
	unsigned int i, slot = head % ring->nr;
	int got;

	__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
	got = events_now(ctx, events, SLOTS);
	EXPECT_LE(0, got);
	EXPECT_LT(got, (int)ring->nr);
	for (i = 0; (int)i < got; i++) {
		EXPECT_EQ(MARK + slot, events[i].data);
		EXPECT_EQ(slot, events[i].res2);
		slot = (slot + 1) % ring->nr;
	}
}

/*
 * The head that a program had written was an index of the kernel's own: events were
 * copied from beyond the ring's pages.
 */
TEST(cve_2014_0206)
{
	aio_context_t ctx = new_context(200);
	struct raio_ring *ring = ring_of(ctx);
	unsigned int seed = 0x5eed, i;
	uint32_t nr = ring->nr;
	struct iocb iocb;

	if (is_libraio())
		SKIP("the library reads its ring itself");
	ASSERT_LE(nr, SLOTS);
	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	/* the tail is somewhere in the middle */
	for (i = 0; i < nr / 2; i++)
		EXPECT_EQ(1, run_one(ctx, &iocb));
	mark_slots(ring);
	expect_slots(ctx, 0);
	expect_slots(ctx, nr - 1);
	expect_slots(ctx, nr);
	expect_slots(ctx, nr + 1);
	expect_slots(ctx, 2 * nr - 1);
	expect_slots(ctx, 128);
	expect_slots(ctx, 0x7fffffff);
	expect_slots(ctx, 0x80000000);
	expect_slots(ctx, 0xffffffff);
	expect_slots(ctx, 0xffffffff - nr);
	for (i = 0; i < 500; i++)
		expect_slots(ctx, random_number(&seed));
	EXPECT_EQ(0, be_destroy(ctx));
}

/* Takes what is there, by a call or from the ring: each has to be one that was submitted. */
static unsigned int take(aio_context_t ctx, bool by_call, uint8_t *seen, unsigned int count)
{
	unsigned int i, got = by_call ? (unsigned int)events_now(ctx, events, SLOTS) :
		ring_reap(ring_of(ctx), events, SLOTS);

	ASSERT_LE(got, SLOTS);
	for (i = 0; i < got; i++) {
		ASSERT_LT(events[i].data, count);
		EXPECT_EQ(0, seen[events[i].data]);
		seen[events[i].data] = 1;
	}
	return got;
}

/*
 * Free slots were counted by events that the kernel had handed out: when programs took
 * them from the ring, more was submitted than there was room for, and events were lost.
 */
TEST(fix_d856f32a86b2)
{
	enum { COUNT = 5000 };
	aio_context_t ctx = new_context(32);
	unsigned int submitted = 0, taken = 0, room = ring_of(ctx)->nr - 1, turn = 0, refused = 0;
	static struct iocb iocbs[COUNT], *list[COUNT];
	static uint8_t seen[COUNT];
	int fd = new_file(1), ret, i;

	ASSERT_LE(room, SLOTS);
	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf, 1, 0);
		iocbs[i].aio_data = i;
		list[i] = &iocbs[i];
	}
	while (submitted < COUNT) {
		ret = be_submit(ctx, COUNT - submitted, list + submitted);
		if (ret > 0) {
			submitted += ret;
			ASSERT_LE(submitted - taken, room);
			continue;
		}
		ASSERT_EQ(-EAGAIN, ret);
		refused++;
		taken += take(ctx, ++turn % 3 == 0, seen, COUNT);
	}
	while (taken < submitted)
		taken += take(ctx, false, seen, COUNT);
	EXPECT_LT(1, refused);
	EXPECT_EQ(0, events_now(ctx, events, 1));
	EXPECT_EQ(0, be_destroy(ctx));
}

#define BATCH	16

static aio_context_t shared;
static struct iocb stream[64];

static void *submit_stream(void *arg)
{
	struct iocb *list[BATCH];
	long left = (long)arg;
	unsigned int next = 0;
	int ret, i, fd = new_file(sizeof(buf));

	for (i = 0; i < (int)ARRAY_SIZE(stream); i++)
		prep(&stream[i], IOCB_CMD_PREAD, fd, buf, i + 1, 0);
	while (left) {
		for (i = 0; i < BATCH; i++)
			list[i] = &stream[(next + i) % ARRAY_SIZE(stream)];
		ret = be_submit(shared, left < BATCH ? left : BATCH, list);
		if (ret > 0) {
			next += ret;
			left -= ret;
		} else {
			EXPECT_EQ(-EAGAIN, ret);
			sched_yield();
		}
	}
	return NULL;
}

/* As ring_reap(), but the newest event is read first, as soon as it can be. */
static int reap_backwards(struct raio_ring *ring)
{
	uint32_t head = ring->head, tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	int count = (tail + ring->nr - head) % ring->nr, i;

	for (i = count; i--;)
		events[i] = ring_events(ring)[(head + i) % ring->nr];
	__atomic_store_n(&ring->head, tail, __ATOMIC_RELEASE);
	return count;
}

/*
 * The tail was read, and then the event without a barrier between: what was in the slot
 * before was taken for the event.
 */
TEST(fix_2ff396be602f)
{
	long i, at = 0, left = test_rounds(20000);
	unsigned int turn = 0;
	struct raio_ring *ring;
	pthread_t thread;
	int got;

	shared = new_context(4);
	ring = ring_of(shared);
	ASSERT_NE(0, ring->nr % ARRAY_SIZE(stream));
	ASSERT_LE(ring->nr, SLOTS);
	mark_slots(ring);
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_stream, (void *)left));
	for (; left > 0; left -= got) {
		got = ++turn % 64 ? reap_backwards(ring) : events_now(shared, events, SLOTS);
		ASSERT_LE(0, got);
		for (i = 0; i < got; i++, at++) {
			struct iocb *iocb = &stream[at % ARRAY_SIZE(stream)];

			/* each in its turn, and all of it: a lap ago it was that of another */
			ASSERT_EQ((uintptr_t)iocb, events[i].obj);
			ASSERT_EQ((uintptr_t)iocb, events[i].data);
			ASSERT_EQ(at % ARRAY_SIZE(stream) + 1, (unsigned long long)events[i].res);
			ASSERT_EQ(0, (long long)events[i].res2);
		}
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, be_destroy(shared));
}
