// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the arguments of submit itself, and the order in which they are
 * looked at.
 */
#include <limits.h>
#include <unistd.h>

#include "harness.h"

static void *bad_pointer(void)
{
	return (char *)guarded_buffer(getpagesize()) + getpagesize();
}

TEST(bad_context)
{
	struct iocb iocb, *list = &iocb;
	aio_context_t ctx = new_context(1024);
	void *page = guarded_buffer(getpagesize());
	char buf[1];

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	EXPECT_EQ(-EINVAL, be_submit(0, 1, &list));
	EXPECT_EQ(-EINVAL, be_submit(-1, 1, &list));
	EXPECT_EQ(-EINVAL, be_submit((aio_context_t)page, 1, &list));
	EXPECT_EQ(-EINVAL, be_submit(ctx + 8, 1, &list));
	EXPECT_EQ(-EINVAL, be_submit(ctx + getpagesize(), 1, &list));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(-EINVAL, be_submit(ctx, 1, &list));
}

TEST(bad_context_is_seen_first)
{
	EXPECT_EQ(-EINVAL, be_submit(0, 0, NULL));
	EXPECT_EQ(-EINVAL, be_submit(0, 1, NULL));
	EXPECT_EQ(-EINVAL, be_submit(0, -1, NULL));
}

TEST(nr)
{
	struct iocb iocb, *list = &iocb;
	aio_context_t ctx = new_context(1);
	char buf[1];

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	EXPECT_EQ(-EINVAL, be_submit(ctx, -1, &list));
	EXPECT_EQ(-EINVAL, be_submit(ctx, LONG_MIN, &list));
	EXPECT_EQ(0, be_submit(ctx, 0, &list));
	EXPECT_EQ(0, be_submit(ctx, 0, NULL));
	EXPECT_EQ(0, be_submit(ctx, 0, bad_pointer()));
	EXPECT_EQ(1, be_submit(ctx, 1, &list));
}

TEST(bad_array)
{
	aio_context_t ctx = new_context(1);

	EXPECT_EQ(-EFAULT, be_submit(ctx, 1, NULL));
	EXPECT_EQ(-EFAULT, be_submit(ctx, 1, bad_pointer()));
	EXPECT_EQ(-EFAULT, be_submit(ctx, LONG_MAX, bad_pointer()));
}

TEST(bad_iocb)
{
	struct iocb *list[] = { NULL, bad_pointer(), (void *)-1L };
	aio_context_t ctx = new_context(1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(list); i++)
		EXPECT_EQ(-EFAULT, be_submit(ctx, 1, &list[i]));
}

/* An iocb that begins in good memory and ends in bad. */
TEST(half_iocb)
{
	struct iocb *iocb = guarded_buffer(sizeof(*iocb) / 2);
	aio_context_t ctx = new_context(1);

	EXPECT_EQ(-EFAULT, submit_one(ctx, iocb));
}

/* An nr beyond the ring is no error: what fits is taken. */
TEST(nr_beyond_ring)
{
	aio_context_t ctx = new_context(4);
	unsigned int nr = ring_of(ctx)->nr, i;
	struct iocb iocb, *list[4096];
	struct io_event events[4096];
	char buf[1];
	int ret;

	ASSERT_LE(nr * 2, ARRAY_SIZE(list));
	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	for (i = 0; i < nr * 2; i++)
		list[i] = &iocb;
	ret = be_submit(ctx, nr * 2, list);
	EXPECT_LE(4, ret);
	EXPECT_LT(ret, (int)nr);
	EXPECT_EQ(ret, events_wait(ctx, events, ret));
	EXPECT_EQ(0, events_now(ctx, events, 1));
	/* the ring's size limits nr before the array is read */
	EXPECT_LT(0, be_submit(ctx, LONG_MAX, list));
}
