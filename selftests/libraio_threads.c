// SPDX-License-Identifier: GPL-2.0
/*
 * Description: threads that take events, some in the kernel and some not, and are
 * interrupted by signals that do so too, share them out: each comes once.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "harness.h"
#include "libraio.h"

#define THREADS	5

static const struct __kernel_timespec zero, moment = { .tv_nsec = 100000 };
static const uint64_t nothing;
static aio_context_t ctx;
static unsigned long total, taken, by_signals;
static unsigned char *seen;

static void note(const struct io_event *events, int count)
{
	int i;

	for (i = 0; i < count; i++)
		__atomic_fetch_add(&seen[events[i].data], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&taken, count, __ATOMIC_RELAXED);
}

static bool is_over(void)
{
	return __atomic_load_n(&taken, __ATOMIC_RELAXED) >= total;
}

static void on_signal(int signal)
{
	struct io_event events[3];
	int ret = io_getevents(ctx, 0, 3, events, &zero);

	(void)signal;
	if (ret < 0) {
		EXPECT_EQ(0, ret);
		return;
	}
	note(events, ret);
	__atomic_fetch_add(&by_signals, ret, __ATOMIC_RELAXED);
}

static void *take(void *arg)
{
	const void *set[] = { &nothing, (void *)8 };
	unsigned long kind = (unsigned long)arg;
	struct io_event events[128];
	int ret;

	while (!is_over()) {
		switch (kind % 3) {
		case 0:		/* whatever there is */
			ret = io_getevents(ctx, 0, 1 + kind * 31 % 127, events, &zero);
			break;
		case 1:		/* what there is, or it waits */
			ret = io_getevents(ctx, 1, 40, events, &moment);
			break;
		default:	/* always in the kernel */
			ret = raio_syscall(SYS_io_pgetevents, ctx, 1, 7, events, &moment, set);
			break;
		}
		if (ret == -EINTR)
			continue;
		if (!EXPECT_LE(0, ret))
			break;
		note(events, ret);
		if (!ret)
			sched_yield();
	}
	return NULL;
}

static void *submit(void *arg)
{
	unsigned long next = 0;
	struct iocb iocbs[32], *list[32];
	int i, count, ret;

	(void)arg;
	while (next < total) {
		count = 1 + next % 31;
		if (next + count > total)
			count = total - next;
		for (i = 0; i < count; i++) {
			prep(&iocbs[i], IOCB_CMD_NOOP, -1, NULL, 0, 0);
			iocbs[i].aio_data = next + i;
			list[i] = &iocbs[i];
		}
		ret = io_submit(ctx, count, list);
		if (ret == -EAGAIN) {
			sched_yield();
			continue;
		}
		ASSERT_LT(0, ret);
		next += ret;
	}
	return NULL;
}

static void run(bool signals)
{
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t threads[THREADS], submitter;
	unsigned long i, wrong = 0;
	struct io_event event;

	total = stress_count(60000);
	seen = calloc(total, 1);
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, io_setup(1, &ctx));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, take, (void *)i));
	ASSERT_EQ(0, pthread_create(&submitter, NULL, submit, NULL));
	for (i = 0; signals && !is_over(); i++) {
		pthread_kill(threads[i % THREADS], SIGUSR1);
		if (i % 8 == 0)
			sched_yield();
	}
	pthread_join(submitter, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, io_getevents(ctx, 0, 1, &event, &zero));
	for (i = 0; i < total; i++)
		wrong += seen[i] != 1;
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(total, taken);
	if (signals)
		test_note("%lu of %lu in signal handlers", by_signals, total);
	EXPECT_EQ(0, io_destroy(ctx));
}

TEST_RAIO(threads, "libraio's")
{
	run(false);
}

TEST_RAIO(signals, "libraio's")
{
	run(true);
}
