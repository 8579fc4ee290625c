// SPDX-License-Identifier: GPL-2.0
/*
 * Description: processes that set up, submit, destroy, fork, exit and are killed
 * at any moment, on all CPUs at once, leave nothing of theirs behind.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "harness.h"

#define EVENTS 64

static char buf[4096];
static int fd;

/* One context: some requests, perhaps all of their events, perhaps no destroy. */
static void use_context(unsigned int *state)
{
	struct iocb iocb, sync, *list[EVENTS];
	struct io_event events[EVENTS];
	aio_context_t ctx = 0;
	unsigned int i, nr = 1 + random_number(state) % EVENTS;

	if (be_setup(nr, &ctx))
		return;
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), 0);
	prep(&sync, IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
	for (i = 0; i < nr; i++)
		list[i] = i % 8 == 7 ? &sync : &iocb;
	EXPECT_EQ(nr, be_submit(ctx, nr, list));
	switch (random_number(state) % 4) {
	case 0:
		EXPECT_EQ(nr, events_wait(ctx, events, nr));
		break;
	case 1:
		EXPECT_LE(0, events_now(ctx, events, nr));
		break;
	}
	if (random_number(state) % 8)
		EXPECT_EQ(0, be_destroy(ctx));
}

static void *use_in_thread(void *arg)
{
	unsigned int state = (uintptr_t)arg, i;

	for (i = 0; i < 4; i++)
		use_context(&state);
	return NULL;
}

static void live(unsigned int state)
{
	unsigned int i, rounds = 1 + random_number(&state) % 8;
	pthread_t threads[2];

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, use_in_thread,
					    (void *)(uintptr_t)random_number(&state)));
	for (i = 0; i < rounds; i++)
		use_context(&state);
	/* sometimes the threads are still at it */
	if (random_number(&state) % 2)
		for (i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
	_exit(0);
}

static pid_t start(unsigned int state)
{
	pid_t pid = test_fork();

	if (pid == 0)
		live(state);
	return pid;
}

TEST(stress)
{
	unsigned long count = stress_count(200), before = be_nr();

	fd = new_file(sizeof(buf));
	turn_over(start, 0xabcdef01, count, 2000);
	EXPECT_EQ(before, be_nr());
}
