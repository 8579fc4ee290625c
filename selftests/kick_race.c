// SPDX-License-Identifier: GPL-2.0
/*
 * Description: data that comes while a read is about to wait for it is not
 * missed: each read has its event, whoever else is asleep.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "workers.h"

#define BATCH	32
#define ROUNDS	8000

/* Read from the first, written to the second. */
static int fds[BATCH][2];
static size_t size;
static unsigned int go;
static unsigned long batches;

static void *write_all(void *arg)
{
	static const uint64_t one = 1;
	unsigned int batch, i;

	(void)arg;
	for (batch = 1; batch <= batches; batch++) {
		while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) != batch)
			sched_yield();
		for (i = 0; i < BATCH; i++)
			ASSERT_EQ(size, write(fds[(i + batch) % BATCH][1], &one, size));
	}
	return NULL;
}

enum how {
	WAIT,		/* in getevents */
	LOOK,		/* at the ring, so that nothing but a kick drives them */
};

static void run(enum how how, bool one_by_one)
{
	aio_context_t ctx = new_context(BATCH);
	struct iocb iocbs[BATCH], *list[BATCH];
	struct io_event events[BATCH];
	unsigned int batch, i;
	uint64_t bufs[BATCH];
	pthread_t writer;

	go = 0;
	batches = stress_count(ROUNDS) / BATCH;
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_all, NULL));
	for (batch = 1; batch <= batches; batch++) {
		for (i = 0; i < BATCH; i++) {
			bufs[i] = 0;
			prep(&iocbs[i], IOCB_CMD_PREAD, fds[i][0], &bufs[i], size, 0);
			list[i] = &iocbs[i];
		}
		__atomic_store_n(&go, batch, __ATOMIC_RELEASE);
		if (one_by_one)
			for (i = 0; i < BATCH; i++)
				ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
		else
			ASSERT_EQ(BATCH, be_submit(ctx, BATCH, list));
		while (how == LOOK && events_in_ring(ctx) < BATCH)
			sched_yield();
		ASSERT_EQ(BATCH, events_wait(ctx, events, BATCH));
		for (i = 0; i < BATCH; i++) {
			EXPECT_EQ(size, (long long)events[i].res);
			EXPECT_EQ(1, bufs[i]);
		}
		EXPECT_EQ(0, events_now(ctx, events, 1));
	}
	ASSERT_EQ(0, pthread_join(writer, NULL));
	EXPECT_EQ(0, be_destroy(ctx));
}

static void run_all(void)
{
	run(WAIT, false);
	run(WAIT, true);
	run(LOOK, false);
	run(LOOK, true);
}

/* Native's reads block until the writer comes, and it comes. */
TEST(pipe)
{
	int i;

	size = 1;
	for (i = 0; i < BATCH; i++)
		ASSERT_EQ(0, pipe(fds[i]));
	run_all();
}

TEST(unix_socket)
{
	int i;

	size = 1;
	for (i = 0; i < BATCH; i++)
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]));
	run_all();
}

TEST(eventfd)
{
	int i;

	size = sizeof(uint64_t);
	for (i = 0; i < BATCH; i++) {
		fds[i][0] = eventfd(0, 0);
		fds[i][1] = fds[i][0];
		ASSERT_LE(0, fds[i][0]);
	}
	run_all();
}
