// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a signal ends a waiting getevents with EINTR, or with the events
 * that are there; no call starts anew behind the program's back.
 */
#include <pthread.h>
#include <signal.h>

#include "harness.h"

TEST(interrupted)
{
	aio_context_t ctx = context_with_events(0);
	struct io_event event;

	catch_signal(SIGUSR1, 0);
	start_interrupter();
	EXPECT_EQ(-EINTR, be_getevents(ctx, 1, 1, &event, NULL));
}

TEST(sa_restart)
{
	aio_context_t ctx = context_with_events(0);
	struct io_event event;

	catch_signal(SIGUSR1, SA_RESTART);
	start_interrupter();
	EXPECT_EQ(-EINTR, be_getevents(ctx, 1, 1, &event, NULL));
}

TEST(with_timeout)
{
	struct __kernel_timespec hour = { .tv_sec = 3600 };
	aio_context_t ctx = context_with_events(0);
	struct io_event event;

	catch_signal(SIGUSR1, SA_RESTART);
	start_interrupter();
	EXPECT_EQ(-EINTR, be_getevents(ctx, 1, 1, &event, &hour));
}

/* There is something to return: it is not dropped for the signal's sake. */
TEST(with_events)
{
	aio_context_t ctx = context_with_events(2);
	struct io_event events[4];

	catch_signal(SIGUSR1, SA_RESTART);
	start_interrupter();
	EXPECT_EQ(2, be_getevents(ctx, 3, 4, events, NULL));
	EXPECT_EQ(0, events_now(ctx, events, 4));
}

/* Nothing is lost by an EINTR. */
TEST(after_signal)
{
	aio_context_t ctx = context_with_events(0);
	struct io_event event;
	struct iocb iocb;
	char buf[1];

	catch_signal(SIGUSR1, 0);
	start_interrupter();
	EXPECT_EQ(-EINTR, be_getevents(ctx, 1, 1, &event, NULL));
	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	EXPECT_EQ(1, run_one(ctx, &iocb));
}

/* A signal that is blocked does not interrupt. */
TEST(blocked)
{
	struct __kernel_timespec timeout = { .tv_nsec = 50000000 };
	aio_context_t ctx = context_with_events(0);
	struct io_event event;
	sigset_t mask;

	catch_signal(SIGUSR1, 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &mask, NULL));
	raise(SIGUSR1);
	EXPECT_EQ(0, be_getevents(ctx, 1, 1, &event, &timeout));
}

/* SIGKILL ends the wait. */
TEST(killed)
{
	aio_context_t ctx;
	pid_t pid = test_fork();

	if (pid == 0) {
		struct io_event event;

		ctx = context_with_events(0);
		be_getevents(ctx, 1, 1, &event, NULL);
		FAIL("getevents came back");
		test_abort();
	}
	wait_asleep(pid);
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
}
