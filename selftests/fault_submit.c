// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whichever operation fails while several requests are submitted, those
 * that were taken have their events, and the others none.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include "fail_nth.h"
#include "fault_op.h"
#include "harness.h"

#define COUNT		8
#define SEGMENTS	8
#define MAX_EVENTS	(COUNT + 2)

static struct iovec iov[COUNT][SEGMENTS];
static char buf[COUNT][512];

/* Those events that are there are of the first ones, each once. */
static void expect_first(const struct io_event *events, unsigned int count)
{
	unsigned int i, seen = 0;

	for (i = 0; i < count; i++) {
		EXPECT_LT(events[i].data, count);
		seen |= 1U << events[i].data;
	}
	EXPECT_EQ((1U << count) - 1, seen);
}

/* Of all that a call does, at least so much can fail. */
static void fail_requests(unsigned int opcode, int fd, size_t size, unsigned int least)
{
	bool vectored = opcode == IOCB_CMD_PREADV;
	struct iocb iocbs[COUNT], *list[COUNT];
	struct left before;
	int i, j;

	for (i = 0; i < COUNT; i++) {
		for (j = 0; j < SEGMENTS; j++)
			iov[i][j] = (struct iovec){ buf[i] + j, 1 };
		prep(&iocbs[i], opcode, fd, vectored ? (void *)iov[i] : size ? buf[i] : NULL,
		     vectored ? SEGMENTS : size, 0);
		iocbs[i].aio_data = i;
		list[i] = &iocbs[i];
	}
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context(COUNT);
		struct io_event events[MAX_EVENTS];
		int taken;

		fail_nth_arm();
		taken = be_submit(ctx, COUNT, list);
		if (fail_nth_disarm() && taken < 0) {
			EXPECT_TRUE(taken == -EAGAIN || taken == -EFAULT ||
				    (vectored && taken == -ENOMEM));
			taken = 0;
		}
		ASSERT_LE(0, taken);
		ASSERT_EQ(taken, events_until_over(ctx, events, MAX_EVENTS));
		expect_first(events, taken);

		/* and the next ones are none the worse for it */
		ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
		ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
		expect_first(events, COUNT);
		EXPECT_EQ(0, be_destroy(ctx));
		EXPECT_EQ(before.nr, be_nr());
	}
	left_expect(&before, "submit");
	EXPECT_LE(least, fail_nth_count());
}

#define WHY	"its way of failing is not what is tested"

TEST_RAIO(reads, WHY)
{
	fail_requests(IOCB_CMD_PREAD, new_file(512), 512, COUNT);
}

TEST_RAIO(writes, WHY)
{
	fail_requests(IOCB_CMD_PWRITE, new_file(512), 512, COUNT);
}

TEST_RAIO(vectored_reads, WHY)
{
	fail_requests(IOCB_CMD_PREADV, new_file(512), 512, COUNT);
}

TEST_RAIO(fsyncs, WHY)
{
	fail_requests(IOCB_CMD_FSYNC, new_file(512), 0, COUNT);
}

TEST_RAIO(noops, "NOOP is EINVAL")
{
	/* the argument and the pointers: there is no request that could not be had */
	fail_requests(IOCB_CMD_NOOP, -1, 0, 2);
}

/* What enter says of those that were taken holds, whatever else fails. */
TEST_RAIO(enters, WHY)
{
	struct iocb iocbs[COUNT], *list[COUNT];
	int i, fd = new_file(512);
	struct left before;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf[i], sizeof(buf[i]), 0);
		iocbs[i].aio_data = i;
		list[i] = &iocbs[i];
	}
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context(COUNT);
		struct io_event events[2 * MAX_EVENTS];
		int64_t submitted;
		int ret, got;

		fail_nth_arm();
		ret = do_enter(ctx, COUNT, list, COUNT, events, &submitted);
		if (fail_nth_disarm() && ret < 0)
			EXPECT_TRUE(ret == -EAGAIN || ret == -EFAULT);
		else
			EXPECT_LT(0, ret);
		got = ret < 0 ? 0 : ret;
		got += events_until_over(ctx, events + got, MAX_EVENTS);
		/* which itself may be what could not be written */
		if (submitted || ret != -EFAULT)
			EXPECT_EQ(submitted, got);
		else
			EXPECT_LE(got, COUNT);
		expect_first(events, got);
		EXPECT_EQ(0, be_destroy(ctx));
	}
	left_expect(&before, "enter");
	EXPECT_LE(COUNT, fail_nth_count());
}
