// SPDX-License-Identifier: GPL-2.0
/*
 * Description: if the event can't be written to result, cancel says EFAULT, and
 * the event is in the ring: it is not lost.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "workers.h"

static aio_context_t ctx;
static char buf[8];

static void run(struct iocb *iocb, struct io_event *result)
{
	struct io_event event;

	ASSERT_EQ(1, submit_one(ctx, iocb));
	EXPECT_EQ(-EFAULT, be_cancel(ctx, iocb, result));
	EXPECT_EQ(1, events_in_ring(ctx));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)iocb, event.obj);
	EXPECT_EQ(iocb->aio_data, event.data);
	EXPECT_EQ(-ECANCELED, (long long)event.res);
	EXPECT_EQ(0, (long long)event.res2);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, iocb, &event));
}

static void run_all(struct io_event *result)
{
	struct iocb iocb;
	int fds[2], i;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	ctx = new_context(1);
	for (i = 0; i < 200; i++) {
		prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
		run(&iocb, result);
		prep_poll(&iocb, fds[0], POLLIN);
		run(&iocb, result);
	}
	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
	run(&iocb, result);
}

#define NATIVE	"its result is not used"

TEST_RAIO(null, NATIVE)
{
	run_all(NULL);
}

TEST_RAIO(unmapped, NATIVE)
{
	run_all((void *)((char *)guarded_buffer(getpagesize()) + getpagesize()));
}

/* Its first half could be written. */
TEST_RAIO(half, NATIVE)
{
	run_all(guarded_buffer(sizeof(struct io_event) / 2));
}

TEST_RAIO(read_only, NATIVE)
{
	run_all(read_only_copy("", 1));
}
