// SPDX-License-Identifier: GPL-2.0
/*
 * Description: with RAIO_SETUP_CANCEL_EVENT a cancelled request has its event in
 * the ring, as native aio's has: every request has one, however it ends.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "workers.h"

static aio_context_t ctx;

static void make_context(unsigned int nr_events)
{
	ctx = is_native() ? new_context(nr_events) :
		new_context_flags(nr_events, RAIO_SETUP_CANCEL_EVENT);
}

static void expect_cancelled(struct iocb *iocb)
{
	struct io_event result, event;

	memset(&result, 0xee, sizeof(result));
	EXPECT_EQ(-EINPROGRESS, be_cancel(ctx, iocb, &result));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(iocb->aio_data, event.data);
	EXPECT_EQ((uintptr_t)iocb, event.obj);
	/* native's only such request is a poll, and its event has no events */
	EXPECT_EQ(is_native() ? 0 : -ECANCELED, (long long)event.res);
	EXPECT_EQ(0, (long long)event.res2);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	/* and nothing in result, which may be anything */
	EXPECT_TRUE(result.obj == 0xeeeeeeeeeeeeeeeeULL);
	EXPECT_EQ(-EINVAL, be_cancel(ctx, iocb, NULL));
}

TEST(poll)
{
	struct iocb iocb;
	int fds[2], i;

	ASSERT_EQ(0, pipe(fds));
	make_context(1);
	for (i = 0; i < 200; i++) {
		prep_poll(&iocb, fds[0], POLLIN);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		expect_cancelled(&iocb);
	}
}

/* Where the event goes is not asked for. */
TEST(no_result)
{
	struct io_event event;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	make_context(1);
	prep_poll(&iocb, fds[0], POLLIN);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(-EINPROGRESS, be_cancel(ctx, &iocb, NULL));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
}

/* Who waits for the event gets it. */
TEST_RAIO(read, "native: blocks")
{
	struct iocb iocb;
	char byte = 0;
	int fds[2], i;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	make_context(1);
	for (i = 0; i < 200; i++) {
		prep(&iocb, IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		expect_cancelled(&iocb);
	}
	ASSERT_EQ(1, write(fds[1], "x", 1));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
	EXPECT_EQ(1, run_one(ctx, &iocb));
	EXPECT_EQ('x', byte);
}

/* What is over is over. */
TEST(completed)
{
	struct io_event event;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	make_context(1);
	prep_poll(&iocb, fds[1], POLLOUT);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(POLLOUT, (long long)event.res);
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, NULL));
	EXPECT_EQ(0, events_now(ctx, &event, 1));
}
