// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the order of accesses that lib/libraio/ring.c relies on, with its own exchange
 * and without the kernel: one thread publishes events as the kernel does, two consume them as
 * user space does and one as a system call does.  Each event comes once, and whole.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>

#include "../lib/libraio/exchange.h"
#include "harness.h"

#define EVENTS	300000UL
#define NR	7U	/* slots: each is used again at once */
#define MIX	0x9e3779b97f4a7c15ULL

#ifdef RAIO_EXCHANGE
bool __raio_can_reap(void);

static struct {
	struct raio_ring header;
	struct io_event slots[NR];
} ring __attribute__((aligned(64)));
static unsigned int in_kernel;
static unsigned long taken, torn;
static unsigned char seen[EVENTS];

static bool is_over(void)
{
	return __atomic_load_n(&taken, __ATOMIC_RELAXED) >= EVENTS;
}

/* As the kernel: the slot, and then the new tail. */
static void *publish(void *arg)
{
	unsigned int tail = 0;

	for (unsigned long i = 0; i < EVENTS; i++) {
		unsigned int next = (tail + 1) % NR;

		while (__atomic_load_n(&ring.header.head, __ATOMIC_ACQUIRE) == next)
			sched_yield();
		ring.slots[tail] = (struct io_event){
			.data = i, .obj = i * MIX, .res = ~i, .res2 = i ^ MIX,
		};
		__atomic_store_n(&ring.header.tail, next, __ATOMIC_RELEASE);
		tail = next;
	}
	return arg;
}

static void note(const struct io_event *event)
{
	unsigned long i = event->data;

	if (i >= EVENTS || event->obj != i * MIX || (unsigned long)event->res != ~i ||
	    (uint64_t)event->res2 != (i ^ MIX))
		__atomic_fetch_add(&torn, 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&seen[i], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
}

/* Steps 1 to 5. */
static void *take_here(void *arg)
{
	struct header *header = (struct header *)&ring.header, old;
	struct io_event event;

	while (!is_over()) {
		uint32_t head, tail, id;

		old.id_nr = __atomic_load_n(&header->id_nr, __ATOMIC_ACQUIRE);
		if (__atomic_load_n(&in_kernel, __ATOMIC_ACQUIRE)) {
			sched_yield();
			continue;
		}
		old.head_tail = __atomic_load_n(&header->head_tail, __ATOMIC_ACQUIRE);
		head = old.head_tail;
		tail = old.head_tail >> 32;
		if (head == tail) {
			sched_yield();
			continue;
		}
		copy(&event, &ring.slots[head], 1);
		id = (uint32_t)old.id_nr + 1;
		if (exchange(header, &old, (old.id_nr >> 32 << 32) | id,
			     (uint64_t)tail << 32 | (head + 1) % NR))
			note(&event);
	}
	return arg;
}

/* Steps a to d. */
static void *take_in_kernel(void *arg)
{
	struct io_event event;

	while (!is_over()) {
		uint32_t head, tail;

		__atomic_fetch_add(&in_kernel, 1, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&ring.header.id, 1, __ATOMIC_SEQ_CST);
		head = __atomic_load_n(&ring.header.head, __ATOMIC_RELAXED);
		tail = __atomic_load_n(&ring.header.tail, __ATOMIC_ACQUIRE);
		if (head != tail) {
			event = ring.slots[head];
			__atomic_store_n(&ring.header.head, (head + 1) % NR, __ATOMIC_RELEASE);
			note(&event);
		}
		__atomic_fetch_sub(&in_kernel, 1, __ATOMIC_RELEASE);
		sched_yield();
	}
	return arg;
}

TEST_RAIO(each_once_and_whole, "libraio's")
{
	void *(*const all[])(void *) = { publish, take_here, take_here, take_in_kernel };
	pthread_t threads[ARRAY_SIZE(all)];
	unsigned long i, wrong = 0;

	if (!__raio_can_reap())
		SKIP("this CPU has no exchange of 16 bytes");
	ring.header.nr = NR;
	for (i = 0; i < ARRAY_SIZE(all); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, all[i], NULL));
	for (i = 0; i < ARRAY_SIZE(all); i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < EVENTS; i++)
		wrong += seen[i] != 1;
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, torn);
	EXPECT_EQ(NR, ring.header.nr);
}
#else
TEST_RAIO(each_once_and_whole, "libraio's")
{
	SKIP("no exchange of 16 bytes on this architecture");
}
#endif
