// SPDX-License-Identifier: GPL-2.0
/*
 * Description: several threads wait for one context: each gets its share, no
 * event comes twice, and all of them return when the context is destroyed.
 */
#include <pthread.h>

#include "harness.h"

#define WAITERS 4
#define SHARE 3

static struct waiter {
	pthread_t thread;
	pid_t tid;
	long min_nr;
	int ret;
	struct io_event events[SHARE];
} waiters[WAITERS];

static aio_context_t ctx;

static void *wait_events(void *arg)
{
	struct waiter *waiter = arg;

	__atomic_store_n(&waiter->tid, thread_id(), __ATOMIC_SEQ_CST);
	waiter->ret = be_getevents(ctx, waiter->min_nr, waiter->min_nr, waiter->events, NULL);
	return NULL;
}

static void start(struct waiter *waiter, long min_nr)
{
	waiter->min_nr = min_nr;
	ASSERT_EQ(0, pthread_create(&waiter->thread, NULL, wait_events, waiter));
	while (!__atomic_load_n(&waiter->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	wait_asleep(waiter->tid);
}

static void submit(unsigned int from, unsigned int count)
{
	static char buf[1];
	int fd = new_file(1);
	struct iocb iocb;

	while (count--) {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
		iocb.aio_data = from++;
		ASSERT_EQ(1, submit_one(ctx, &iocb));
	}
}

static unsigned int collect(int expected)
{
	unsigned int seen = 0;
	int i, j;

	for (i = 0; i < WAITERS; i++) {
		pthread_join(waiters[i].thread, NULL);
		EXPECT_EQ(expected, waiters[i].ret);
		for (j = 0; j < waiters[i].ret; j++) {
			EXPECT_EQ(0, seen & 1U << waiters[i].events[j].data);
			seen |= 1U << waiters[i].events[j].data;
		}
	}
	return seen;
}

TEST(one_each)
{
	int i;

	ctx = new_context(WAITERS);
	for (i = 0; i < WAITERS; i++)
		start(&waiters[i], 1);
	submit(0, WAITERS);
	EXPECT_EQ((1 << WAITERS) - 1, collect(1));
}

/* min_nr is reached in several steps. */
TEST(several_each)
{
	int i;

	ctx = new_context(WAITERS * SHARE);
	for (i = 0; i < WAITERS; i++)
		start(&waiters[i], SHARE);
	submit(0, WAITERS * SHARE);
	EXPECT_EQ((1 << WAITERS * SHARE) - 1, collect(SHARE));
}

/* A waiter that needs more does not keep one that needs less from its event. */
TEST(small_behind_large)
{
	ctx = new_context(8);
	start(&waiters[0], SHARE);
	start(&waiters[1], 1);
	submit(0, 1 + SHARE);
	pthread_join(waiters[0].thread, NULL);
	pthread_join(waiters[1].thread, NULL);
	EXPECT_EQ(SHARE, waiters[0].ret);
	EXPECT_EQ(1, waiters[1].ret);
}

TEST(destroyed)
{
	int i;

	ctx = new_context(WAITERS);
	for (i = 0; i < WAITERS; i++)
		start(&waiters[i], 1);
	EXPECT_EQ(0, be_destroy(ctx));
	collect(-EINVAL);
}
