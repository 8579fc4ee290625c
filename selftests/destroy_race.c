// SPDX-License-Identifier: GPL-2.0
/*
 * Description: destroy while other threads submit, take events and cancel: each
 * call says what is true for it, and nothing is used after its end.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

#define EVENTS 32

static aio_context_t ctx;
static int stop, fd;
static char buf[4096];

static aio_context_t current_context(void)
{
	return __atomic_load_n(&ctx, __ATOMIC_ACQUIRE);
}

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void *submit_loop(void *arg)
{
	unsigned long *count = arg;
	struct iocb iocb, sync, *list[4] = { &iocb, &sync, &iocb, &iocb };

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), 0);
	prep(&sync, IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
	while (!stopped()) {
		int ret = be_submit(current_context(), ARRAY_SIZE(list), list);

		if (ret > 0)
			__atomic_add_fetch(count, ret, __ATOMIC_RELAXED);
		else
			EXPECT_TRUE(ret == -EINVAL || ret == -EAGAIN);
	}
	return NULL;
}

static void *getevents_loop(void *arg)
{
	struct __kernel_timespec timeout = { .tv_nsec = 1000000 };
	struct io_event events[EVENTS];
	unsigned long *count = arg;

	while (!stopped()) {
		int ret = be_getevents(current_context(), 4, EVENTS, events, &timeout);

		if (ret >= 0)
			__atomic_add_fetch(count, ret, __ATOMIC_RELAXED);
		else
			EXPECT_EQ(-EINVAL, ret);
	}
	return NULL;
}

static void *cancel_loop(void *arg)
{
	struct io_event event;
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	(void)arg;
	while (!stopped())
		EXPECT_EQ(-EINVAL, be_cancel(current_context(), &iocb, &event));
	return NULL;
}

static void *destroy_loop(void *arg)
{
	(void)arg;
	while (!stopped()) {
		int ret = be_destroy(current_context());

		if (ret)
			EXPECT_EQ(-EINVAL, ret);
		sched_yield();
	}
	return NULL;
}

static void run_race(bool by_munmap, bool two_destroyers)
{
	/* a destroy of native's takes some RCU grace periods */
	unsigned long i, rounds = stress_count(is_native() ? 10 : 300), counts[5] = { 0 };
	unsigned long before = be_nr();
	void *(*loops[])(void *) = {
		submit_loop, submit_loop, getevents_loop, getevents_loop, cancel_loop,
	};
	pthread_t threads[ARRAY_SIZE(loops)], destroyer;

	/* no device: each destroy finishes what it has of fsyncs */
	fd = memfd_create("raio", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(fd, 4096));
	ctx = new_context(EVENTS);
	for (i = 0; i < ARRAY_SIZE(loops); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, loops[i], &counts[i]));
	if (two_destroyers)
		ASSERT_EQ(0, pthread_create(&destroyer, NULL, destroy_loop, NULL));
	for (i = 0; i < rounds; i++) {
		aio_context_t next = new_context(EVENTS), old = current_context();
		unsigned long seen = counts[0];
		unsigned int spins = 0;
		int ret;

		__atomic_store_n(&ctx, next, __ATOMIC_RELEASE);
		/* each context has some work before it goes */
		while (__atomic_load_n(&counts[0], __ATOMIC_RELAXED) == seen && spins++ < 20)
			sched_yield();
		if (by_munmap) {
			EXPECT_EQ(0, munmap(ring_of(old), mapping_size(old)));
			continue;
		}
		ret = be_destroy(old);
		if (!two_destroyers || ret)
			EXPECT_EQ(two_destroyers ? -EINVAL : 0, ret);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(loops); i++)
		pthread_join(threads[i], NULL);
	if (two_destroyers)
		pthread_join(destroyer, NULL);
	be_destroy(ctx);
	EXPECT_EQ(before, be_nr());
}

TEST(destroy)
{
	run_race(false, false);
}

TEST(two_destroyers)
{
	run_race(false, true);
}

TEST_RAIO(munmap_ring, "the context stays when its ring is unmapped")
{
	if (is_libraio())
		SKIP("the library does not know of it");
	run_race(true, false);
}
