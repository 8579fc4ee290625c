// SPDX-License-Identifier: GPL-2.0
/*
 * Description: cancel knows what it can't cancel, and never takes the event of a
 * request that goes on.
 */
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"

static struct io_event result;

TEST(unknown_iocb)
{
	aio_context_t ctx = new_context(8);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, 0, NULL, 0, 0);
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, &result));
	iocb.aio_key = 0xffffffff;
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, &result));
}

TEST(bad_context)
{
	aio_context_t ctx = new_context(8);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, 0, NULL, 0, 0);
	EXPECT_EQ(-EINVAL, be_cancel(0, &iocb, &result));
	EXPECT_EQ(-EINVAL, be_cancel(-1, &iocb, &result));
	EXPECT_EQ(-EINVAL, be_cancel(ctx + 64, &iocb, &result));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, &result));
}

/* The iocb's key is read first, before the context is looked at. */
TEST(bad_iocb)
{
	char *bad = (char *)guarded_buffer(getpagesize()) + getpagesize();
	aio_context_t ctx = new_context(8);

	EXPECT_EQ(-EFAULT, be_cancel(ctx, NULL, &result));
	EXPECT_EQ(-EFAULT, be_cancel(ctx, (struct iocb *)bad, &result));
	EXPECT_EQ(-EFAULT, be_cancel(0, NULL, &result));
}

/* Whose event is in the ring is no request any more; the event stays. */
TEST(completed)
{
	aio_context_t ctx = new_context(8);
	struct io_event event;
	struct iocb iocb;
	char buf[4];

	prep(&iocb, IOCB_CMD_PREAD, new_file(4), buf, 4, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, &result));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, NULL));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(4, (long long)event.res);
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, &result));
}

/* Another context's request is not this context's. */
TEST(other_context)
{
	aio_context_t ctx = new_context(8), other = new_context(8);
	struct io_event event;
	struct iocb iocb;
	char buf[4];

	prep(&iocb, IOCB_CMD_PREAD, new_file(4), buf, 4, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(-EINVAL, be_cancel(other, &iocb, &result));
	EXPECT_EQ(1, events_wait(ctx, &event, 1));
}

/* A driver has it: it can't be taken back, and its event comes. */
TEST(in_flight)
{
	struct nullb nullb;
	uint8_t *buf = aligned_buffer(DIRECT_ALIGN);
	aio_context_t ctx = new_context(8);
	struct io_event event;
	struct iocb iocb, copy;
	int fd;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 3000000000UL });
	fd = nullb_open(&nullb, false);
	memset(&result, 0xee, sizeof(result));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, DIRECT_ALIGN, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	/* native's list of what can be cancelled does not have it */
	EXPECT_EQ(is_native() ? -EINVAL : -EAGAIN, be_cancel(ctx, &iocb, &result));
	EXPECT_TRUE(result.obj == 0xeeeeeeeeeeeeeeeeULL);
	/* the same bytes at another address are another iocb */
	copy = iocb;
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &copy, &result));

	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	EXPECT_EQ(DIRECT_ALIGN, (long long)event.res);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, &result));
}

/* The keys of requests that are over do not name the next one in their place. */
TEST_RAIO(old_keys, "all of its keys are the same")
{
	uint8_t *buf = aligned_buffer(DIRECT_ALIGN);
	aio_context_t ctx = new_context(1);
	struct nullb nullb;
	uint32_t old[200], key;
	struct io_event event;
	struct iocb iocb;
	unsigned int i;

	/* more of them than a context of this size has places for requests */
	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	for (i = 0; i < ARRAY_SIZE(old); i++) {
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		old[i] = iocb.aio_key;
	}

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 2000000000UL });
	prep(&iocb, IOCB_CMD_PREAD, nullb_open(&nullb, false), buf, DIRECT_ALIGN, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	key = iocb.aio_key;
	for (i = 0; i < ARRAY_SIZE(old); i++) {
		EXPECT_NE(old[i], key);
		iocb.aio_key = old[i];
		EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, &result));
	}
	iocb.aio_key = key;
	EXPECT_EQ(-EAGAIN, be_cancel(ctx, &iocb, &result));
	EXPECT_EQ(1, events_wait(ctx, &event, 1));
}
