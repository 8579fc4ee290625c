// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a full ring makes submit say EAGAIN, never drops an event, and
 * takes requests again as soon as events are taken out.
 */
#include "harness.h"

#define EVENTS 100
#define SLOTS 4096

static struct io_event events[SLOTS];
static char buf[1];

static unsigned int fill(aio_context_t ctx, int fd, uint64_t from)
{
	unsigned int count = 0;
	struct iocb iocb;
	int ret;

	do {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
		iocb.aio_data = from + count;
		ret = submit_one(ctx, &iocb);
		count += ret == 1;
	} while (ret == 1 && count < SLOTS);
	EXPECT_EQ(-EAGAIN, ret);
	return count;
}

/* At least what setup was asked for, at most what the ring can hold. */
TEST(capacity)
{
	static const unsigned int sizes[] = { 1, 2, 3, 31, 63, 64, 100, 126, 127, 128, 129, 1000 };
	int fd = new_file(1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		aio_context_t ctx = new_context(sizes[i]);
		unsigned int count = fill(ctx, fd, 0);

		EXPECT_LE(sizes[i], count);
		EXPECT_LT(count, ring_of(ctx)->nr);
		EXPECT_EQ(count, events_now(ctx, events, SLOTS));
		EXPECT_EQ(0, be_destroy(ctx));
	}
}

TEST(all_events_come)
{
	aio_context_t ctx = new_context(EVENTS);
	unsigned int round, count, i;
	int fd = new_file(1);
	uint64_t next = 0;

	for (round = 0; round < 20; round++) {
		count = fill(ctx, fd, next);
		EXPECT_LE(EVENTS, count);
		ASSERT_EQ(count, events_now(ctx, events, SLOTS));
		for (i = 0; i < count; i++)
			EXPECT_EQ(next + i, events[i].data);
		next += count;
	}
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

/* raio gives a slot back with each event; native does in lots, for each CPU. */
TEST(one_out_one_in)
{
	aio_context_t ctx = new_context(EVENTS);
	int fd = new_file(1), i, taken = 0;
	struct iocb iocb;

	fill(ctx, fd, 0);
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	for (i = 0; i < 3 * EVENTS; i++) {
		int ret;

		ASSERT_EQ(1, events_now(ctx, events, 1));
		ret = submit_one(ctx, &iocb);
		if (!is_native())
			EXPECT_EQ(1, ret);
		else if (ret != 1)
			EXPECT_EQ(-EAGAIN, ret);
		taken += ret == 1;
	}
	EXPECT_LE(EVENTS, taken);
}

/* The batch that meets the end of the ring is taken in part. */
TEST(partial_batch)
{
	aio_context_t ctx = new_context(EVENTS);
	struct iocb iocb, *list[SLOTS];
	int fd = new_file(1), i, ret;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	for (i = 0; i < SLOTS; i++)
		list[i] = &iocb;
	ret = be_submit(ctx, SLOTS, list);
	EXPECT_LE(EVENTS, ret);
	EXPECT_LT(ret, (int)ring_of(ctx)->nr);
	EXPECT_EQ(-EAGAIN, be_submit(ctx, SLOTS, list));
	EXPECT_EQ(ret, events_now(ctx, events, SLOTS));
}

/* A request that is refused gives its slot back. */
TEST(errors_use_no_slot)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(1), i;
	struct iocb iocb;

	for (i = 0; i < 10000; i++) {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
		if (i % 4 == 0)
			iocb.aio_fildes = 9999;
		else if (i % 4 == 1)
			iocb.aio_lio_opcode = 99;
		else if (i % 4 == 2)
			iocb.aio_offset = -1;
		else
			iocb.aio_rw_flags = 1 << 30;
		EXPECT_LT(submit_one(ctx, &iocb), 0);
	}
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	EXPECT_EQ(1, run_one(ctx, &iocb));
}

TEST_RAIO(slots_do_not_depend_on_cpus, "it doubles and rounds up by the number of CPUs")
{
	aio_context_t ctx = new_context(1);

	/* one page: room for 127 events */
	EXPECT_LE(ring_of(ctx)->nr, 127);
	EXPECT_EQ(4096, mapping_size(ctx));
}
