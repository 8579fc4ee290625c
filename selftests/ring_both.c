// SPDX-License-Identifier: GPL-2.0
/*
 * Description: events are taken in user space, by compare-exchange of head, and
 * by getevents in other threads, at the same time: each comes exactly once.
 *
 * The ring is larger than what is submitted: head is a slot's number, so after
 * a whole lap a compare-exchange in user space can't tell.
 */
#include <pthread.h>

#include "harness.h"

#define TOTAL	20000
#define BATCH	8

static aio_context_t ctx;
static unsigned char seen[TOTAL];
static unsigned int taken, by_user;

static void note(const struct io_event *event)
{
	if (!EXPECT_LT(event->data, TOTAL))
		return;
	EXPECT_EQ(0, __atomic_fetch_add(&seen[event->data], 1, __ATOMIC_RELAXED));
	__atomic_add_fetch(&taken, 1, __ATOMIC_RELEASE);
}

static bool done(void)
{
	return __atomic_load_n(&taken, __ATOMIC_ACQUIRE) >= TOTAL;
}

static void *user_reaper(void *arg)
{
	struct raio_ring *ring = ring_of(ctx);

	(void)arg;
	while (!done()) {
		uint32_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
		struct io_event event;

		if (head == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE))
			continue;
		event = ring_events(ring)[head];
		if (!__atomic_compare_exchange_n(&ring->head, &head, (head + 1) % ring->nr, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		note(&event);
		__atomic_add_fetch(&by_user, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *kernel_reaper(void *arg)
{
	struct __kernel_timespec timeout = { .tv_nsec = 1000000 };
	struct io_event events[5];

	(void)arg;
	while (!done()) {
		int i, got = be_getevents(ctx, 1, 5, events, &timeout);

		if (!EXPECT_LE(0, got))
			break;
		for (i = 0; i < got; i++)
			note(&events[i]);
	}
	return NULL;
}

TEST_RAIO(each_once, "its getevents writes head without looking at it again")
{
	struct iocb iocbs[BATCH], *list[BATCH];
	pthread_t user, kernel[2];
	unsigned int next = 0, i;

	ctx = new_context(TOTAL);
	for (i = 0; i < BATCH; i++)
		list[i] = &iocbs[i];
	ASSERT_EQ(0, pthread_create(&user, NULL, user_reaper, NULL));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&kernel[i], NULL, kernel_reaper, NULL));
	while (next < TOTAL) {
		for (i = 0; i < BATCH; i++) {
			prep(&iocbs[i], IOCB_CMD_NOOP, -1, NULL, 0, 0);
			iocbs[i].aio_data = next++;
		}
		ASSERT_EQ(BATCH, be_submit(ctx, BATCH, list));
	}
	for (i = 0; i < 2; i++)
		pthread_join(kernel[i], NULL);
	pthread_join(user, NULL);
	EXPECT_EQ(TOTAL, taken);
	test_note("%u of %u were taken in user space", by_user, TOTAL);
}
