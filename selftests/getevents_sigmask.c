// SPDX-License-Identifier: GPL-2.0
/*
 * Description: getevents with a signal mask is as io_pgetevents(2): a signal that
 * is unblocked only inside interrupts it and is never missed, and whatever
 * happens the old mask is in force afterwards.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define BIT_OF(_signal)	(1ULL << ((_signal) - 1))

/* Sets of the kernel's size. */
static const uint64_t nothing, everything = ~0ULL, usr1 = BIT_OF(SIGUSR1);
static const struct __kernel_timespec zero, moment = { .tv_nsec = 50000000 };

static volatile int handled;
static volatile bool usr2_blocked_in_handler;
static sigset_t before;

static bool is_blocked(int signal)
{
	sigset_t mask;

	ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, NULL, &mask));
	return sigismember(&mask, signal);
}

static void handler(int signal)
{
	(void)signal;
	handled++;
	usr2_blocked_in_handler = is_blocked(SIGUSR2);
}

/* The program's own mask: these two, or none. */
static void start(bool block)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	sigemptyset(&before);
	if (block) {
		sigaddset(&before, SIGUSR1);
		sigaddset(&before, SIGUSR2);
	}
	ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, &before, NULL));
}

static void expect_restored(void)
{
	int signal;

	for (signal = 1; signal < 32; signal++)
		if (!EXPECT_EQ(sigismember(&before, signal), is_blocked(signal)))
			test_note("signal %d", signal);
}

static int wait_for_one(aio_context_t ctx, const struct __kernel_timespec *timeout,
			const uint64_t *mask)
{
	struct io_event event;

	return be_pgetevents(ctx, 1, 1, &event, timeout, mask, sizeof(*mask));
}

TEST(interrupted)
{
	aio_context_t ctx = context_with_events(0);

	start(true);
	start_interrupter();
	EXPECT_EQ(-EINTR, wait_for_one(ctx, NULL, &nothing));
	EXPECT_EQ(1, handled);
	expect_restored();
}

/* The handler runs under the mask of the call, and the old one comes after it. */
TEST(mask_in_handler)
{
	aio_context_t ctx = context_with_events(0);
	uint64_t usr2 = BIT_OF(SIGUSR2);

	start(true);
	start_interrupter();
	EXPECT_EQ(-EINTR, wait_for_one(ctx, NULL, &nothing));
	EXPECT_TRUE(!usr2_blocked_in_handler);
	start_interrupter();
	EXPECT_EQ(-EINTR, wait_for_one(ctx, NULL, &usr2));
	EXPECT_TRUE(usr2_blocked_in_handler);
	EXPECT_EQ(2, handled);
	expect_restored();
}

/* It came before the call: what the mask is for. */
TEST(pending)
{
	aio_context_t ctx = context_with_events(0);

	start(true);
	raise(SIGUSR1);
	EXPECT_EQ(0, handled);
	EXPECT_EQ(-EINTR, wait_for_one(ctx, NULL, &nothing));
	EXPECT_EQ(1, handled);
	expect_restored();
}

TEST(pending_without_wait)
{
	aio_context_t ctx = context_with_events(0);

	start(true);
	raise(SIGUSR1);
	EXPECT_EQ(-EINTR, wait_for_one(ctx, &zero, &nothing));
	EXPECT_EQ(1, handled);
	expect_restored();
}

/* There is something to return, and the handler runs as well. */
TEST(pending_with_events)
{
	aio_context_t ctx = context_with_events(1);

	start(true);
	raise(SIGUSR1);
	EXPECT_EQ(1, wait_for_one(ctx, NULL, &nothing));
	EXPECT_EQ(1, handled);
	expect_restored();
}

/* Even a call that fails has let it in. */
TEST(pending_with_error)
{
	start(true);
	raise(SIGUSR1);
	EXPECT_EQ(-EINVAL, wait_for_one(0, NULL, &nothing));
	EXPECT_EQ(1, handled);
	expect_restored();
}

/* Blocked inside: it comes when the call is over. */
TEST(blocked_inside)
{
	aio_context_t ctx = context_with_events(0);

	start(false);
	start_interrupter();
	/* it may come after a moment */
	do {
		ASSERT_EQ(0, wait_for_one(ctx, &moment, &usr1));
	} while (!handled);
	EXPECT_EQ(1, handled);
	expect_restored();
}

TEST(not_interrupted)
{
	aio_context_t ctx = context_with_events(1);

	start(true);
	EXPECT_EQ(1, wait_for_one(ctx, NULL, &nothing));
	expect_restored();
	EXPECT_EQ(0, wait_for_one(ctx, &moment, &nothing));
	expect_restored();
	EXPECT_EQ(0, wait_for_one(ctx, &zero, &everything));
	expect_restored();
	EXPECT_EQ(-EINVAL, wait_for_one(0, &zero, &everything));
	expect_restored();
	EXPECT_EQ(0, handled);
}

TEST(no_mask)
{
	aio_context_t ctx = context_with_events(1);
	struct io_event event;

	start(true);
	EXPECT_EQ(1, be_pgetevents(ctx, 1, 1, &event, NULL, NULL, 0));
	/* nobody looks at the size then */
	EXPECT_EQ(0, be_pgetevents(ctx, 0, 1, &event, &zero, NULL, 3));
	expect_restored();
}

TEST(size)
{
	static const size_t sizes[] = { 0, 1, 4, 7, 9, 16, 128, ~0UL };
	aio_context_t ctx = context_with_events(1);
	uint64_t set[16] = { 0 };
	struct io_event event;
	unsigned int i;

	start(true);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(-EINVAL, be_pgetevents(ctx, 1, 1, &event, NULL, set, sizes[i]));
	expect_restored();
	EXPECT_EQ(1, events_now(ctx, &event, 1));
}

TEST(bad_mask)
{
	aio_context_t ctx = context_with_events(1);
	struct io_event event;

	start(true);
	EXPECT_EQ(-EFAULT, be_pgetevents(ctx, 1, 1, &event, NULL, (void *)8, 8));
	EXPECT_EQ(-EFAULT, be_pgetevents(ctx, 1, 1, &event, NULL, guarded_buffer(4), 8));
	expect_restored();
	EXPECT_EQ(1, events_now(ctx, &event, 1));
}

/* Timeout, then mask, then context, then counts. */
TEST(order_of_checks)
{
	struct io_event event;

	EXPECT_EQ(-EFAULT, be_pgetevents(0, 2, 1, &event, (void *)8, &nothing, 4));
	EXPECT_EQ(-EFAULT, be_pgetevents(0, 2, 1, &event, NULL, (void *)8, 8));
	EXPECT_EQ(-EINVAL, be_pgetevents(0, 2, 1, &event, NULL, (void *)8, 4));
	EXPECT_EQ(-EINVAL, be_pgetevents(0, 1, 1, &event, NULL, &nothing, 8));
}

static pid_t waiter(void)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		wait_for_one(context_with_events(0), NULL, &everything);
		FAIL("getevents came back");
		test_abort();
	}
	wait_asleep(pid);
	return pid;
}

/* A mask of all signals does not hold these two. */
TEST(kill)
{
	pid_t pid = waiter();

	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
}

TEST(stop)
{
	pid_t pid = waiter();
	int status;

	kill(pid, SIGSTOP);
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	EXPECT_TRUE(WIFSTOPPED(status));
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
}
