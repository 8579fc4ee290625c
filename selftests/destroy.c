// SPDX-License-Identifier: GPL-2.0
/*
 * Description: destroy takes a live context once, and knows every other id for
 * what it is.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

TEST(twice)
{
	aio_context_t ctx = new_context(1);

	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
}

TEST(bad_ids)
{
	aio_context_t ctx = new_context(1024);
	void *other = guarded_buffer(getpagesize());

	EXPECT_EQ(-EINVAL, be_destroy(0));
	EXPECT_EQ(-EINVAL, be_destroy(1));
	EXPECT_EQ(-EINVAL, be_destroy(-1));
	EXPECT_EQ(-EINVAL, be_destroy((aio_context_t)other));
	EXPECT_EQ(-EINVAL, be_destroy(ctx + 1));
	EXPECT_EQ(-EINVAL, be_destroy(ctx + getpagesize()));
	EXPECT_EQ(0, be_destroy(ctx));
}

/* A copy of the ring elsewhere is no context. */
TEST(copied_ring)
{
	aio_context_t ctx = new_context(1);
	void *copy = read_only_copy(ring_of(ctx), getpagesize());

	EXPECT_EQ(-EINVAL, be_destroy((aio_context_t)copy));
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST(ring_is_unmapped)
{
	aio_context_t ctx = new_context(1);

	EXPECT_NE(0, mapping_size(ctx));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, mapping_size(ctx));
}

/* Events that nobody took go with the context. */
TEST(unread_events)
{
	char buf[16];
	aio_context_t ctx = new_context(4);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, new_file(16), buf, 16, 0);
	EXPECT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_TRUE(is_pattern(buf, 16, 0, 0));
}
