// SPDX-License-Identifier: GPL-2.0
/*
 * Description: RAIO_IOC_ENTER submits and then waits; whatever part of it fails,
 * the program knows how many requests were taken, and loses no event.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

#define WHY "there is no such call"
#define COUNT 8

static struct iocb iocbs[COUNT];
static struct iocb *list[COUNT];
static struct io_event events[COUNT];
static struct __kernel_timespec zero, moment = { .tv_nsec = 50000000 };

/* Requests that are complete at once. */
static struct raio_enter enter_of(aio_context_t ctx, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_NOOP, -1, NULL, 0, 0);
		list[i] = &iocbs[i];
	}
	return (struct raio_enter) {
		.ctx_id = ctx, .nr = nr, .iocbpp = (uintptr_t)list, .min_events = nr,
		.nr_events = COUNT, .events = (uintptr_t)events,
	};
}

static int enter(struct raio_enter *arg)
{
	return raio_ioctl(RAIO_IOC_ENTER, arg);
}

TEST_RAIO(submit_and_wait, WHY)
{
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter arg = enter_of(ctx, 5);
	int i;

	EXPECT_EQ(5, enter(&arg));
	EXPECT_EQ(5, arg.submitted);
	for (i = 0; i < 5; i++)
		EXPECT_EQ((uintptr_t)&iocbs[i], events[i].obj);
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

TEST_RAIO(reads, WHY)
{
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter arg = enter_of(ctx, 2);
	char buf[2][100];
	int fd = new_file(200), i;

	for (i = 0; i < 2; i++)
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf[i], 100, i * 100);
	EXPECT_EQ(2, enter(&arg));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(100, events[i].res);
		EXPECT_TRUE(is_pattern(buf[i], 100, i * 100, 0));
	}
}

TEST_RAIO(submit_only, WHY)
{
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter arg = enter_of(ctx, 3);

	arg.min_events = 0;
	arg.nr_events = 0;
	arg.events = 0;
	EXPECT_EQ(0, enter(&arg));
	EXPECT_EQ(3, arg.submitted);
	EXPECT_EQ(3, events_now(ctx, events, COUNT));
}

TEST_RAIO(wait_only, WHY)
{
	aio_context_t ctx = context_with_events(3);
	struct raio_enter arg = enter_of(ctx, 0);

	arg.iocbpp = 0;
	arg.min_events = 2;
	EXPECT_EQ(3, enter(&arg));
	EXPECT_EQ(0, arg.submitted);
	arg.timeout = (uintptr_t)&moment;
	EXPECT_EQ(0, enter(&arg));
}

/* The first iocb is refused: nothing was taken, and nothing is waited for. */
TEST_RAIO(nothing_taken, WHY)
{
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter arg = enter_of(ctx, 3);

	iocbs[0].aio_reserved2 = 1;
	EXPECT_EQ(-EINVAL, enter(&arg));
	EXPECT_EQ(0, arg.submitted);
	list[0] = NULL;
	EXPECT_EQ(-EFAULT, enter(&arg));
	arg.iocbpp = 8;
	EXPECT_EQ(-EFAULT, enter(&arg));
	EXPECT_EQ(0, arg.submitted);
	EXPECT_EQ(0, events_now(ctx, events, COUNT));
}

TEST_RAIO(some_taken, WHY)
{
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter arg = enter_of(ctx, 3);

	iocbs[2].aio_reserved2 = 1;
	/* The third will never come. */
	EXPECT_EQ(2, enter(&arg));
	EXPECT_EQ(2, arg.submitted);
}

TEST_RAIO(ring_full, WHY)
{
	aio_context_t ctx = new_context(1);
	unsigned int slots = ring_of(ctx)->nr - 1, i;
	struct raio_enter arg = enter_of(ctx, 1);

	for (i = 0; i < slots; i++)
		ASSERT_EQ(1, submit_one(ctx, list[0]));
	EXPECT_EQ(-EAGAIN, enter(&arg));
	EXPECT_EQ(0, arg.submitted);
	EXPECT_EQ(COUNT, events_now(ctx, events, COUNT));
	EXPECT_EQ(COUNT, enter(&arg));
	EXPECT_EQ(1, arg.submitted);
}

/* What can be known before is an error before a request is taken. */
TEST_RAIO(checked_first, WHY)
{
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter good = enter_of(ctx, 1), bad;
	uint64_t mask = 0;

#define EXPECT_REFUSED(_errno, ...) do {		\
	bad = good;					\
	__VA_ARGS__;					\
	EXPECT_EQ(-(_errno), enter(&bad));		\
} while (0)
	EXPECT_REFUSED(EINVAL, bad.flags = 1);
	EXPECT_REFUSED(EINVAL, bad.submitted = 1);
	EXPECT_REFUSED(EINVAL, bad.ctx_id = 0);
	EXPECT_REFUSED(EINVAL, bad.nr = -1);
	EXPECT_REFUSED(EINVAL, bad.min_events = -1);
	EXPECT_REFUSED(EINVAL, bad.nr_events = -1);
	EXPECT_REFUSED(EINVAL, bad.min_events = COUNT + 1);
	EXPECT_REFUSED(EFAULT, bad.timeout = 8);
	EXPECT_REFUSED(EFAULT, bad.sigmask = 8; bad.sigsetsize = 8);
	EXPECT_REFUSED(EINVAL, bad.sigmask = (uintptr_t)&mask; bad.sigsetsize = 4);
	EXPECT_EQ(0, events_now(ctx, events, COUNT));
	EXPECT_EQ(1, enter(&good));
}

/* They can't be told how many, and their events come all the same. */
TEST_RAIO(read_only_argument, WHY)
{
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter arg = enter_of(ctx, 2);

	EXPECT_EQ(-EFAULT, raio_ioctl(RAIO_IOC_ENTER, read_only_copy(&arg, sizeof(arg))));
	EXPECT_EQ(2, events_wait(ctx, events, 2));
	arg.nr = 0;
	arg.min_events = 0;
	EXPECT_EQ(0, raio_ioctl(RAIO_IOC_ENTER, read_only_copy(&arg, sizeof(arg))));
}

TEST_RAIO(bad_events, WHY)
{
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter arg = enter_of(ctx, 2);

	arg.events = 8;
	EXPECT_EQ(-EFAULT, enter(&arg));
	EXPECT_EQ(2, arg.submitted);
	EXPECT_EQ(2, events_wait(ctx, events, 2));
}

static volatile int handled;

static void handler(int signal)
{
	(void)signal;
	handled++;
}

/* The mask is of the wait: a signal that it lets in does not keep requests out. */
TEST_RAIO(interrupted, WHY)
{
	struct sigaction action = { .sa_handler = handler };
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter arg = enter_of(ctx, 2);
	uint64_t empty = 0;
	sigset_t mask;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &mask, NULL));
	raise(SIGUSR1);
	arg.sigmask = (uintptr_t)&empty;
	arg.sigsetsize = sizeof(empty);
	EXPECT_EQ(2, enter(&arg));
	EXPECT_EQ(1, handled);
	EXPECT_EQ(2, arg.submitted);

	raise(SIGUSR1);
	arg.submitted = 0;
	arg.min_events = 3;
	EXPECT_EQ(2, enter(&arg));
	EXPECT_EQ(2, handled);

	raise(SIGUSR1);
	arg.nr = 0;
	arg.submitted = 0;
	EXPECT_EQ(-EINTR, enter(&arg));
	EXPECT_EQ(3, handled);
	ASSERT_EQ(0, sigprocmask(SIG_SETMASK, NULL, &mask));
	EXPECT_EQ(1, sigismember(&mask, SIGUSR1));
}

TEST_RAIO(timeout, WHY)
{
	aio_context_t ctx = new_context(COUNT);
	struct raio_enter arg = enter_of(ctx, 2);

	arg.min_events = 3;
	arg.timeout = (uintptr_t)&moment;
	EXPECT_EQ(2, enter(&arg));
	arg.submitted = 0;
	arg.timeout = (uintptr_t)&zero;
	EXPECT_EQ(2, enter(&arg));
}
