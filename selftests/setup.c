// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the arguments of setup: programs rely on each errno of
 * io_setup(2), and a setup that fails must leave nothing behind.
 */
#include "harness.h"

/* One more than native's 256 MiB of events allow. */
#define TOO_MANY	(0x10000000U / sizeof(struct io_event) + 1)

TEST(no_events)
{
	aio_context_t ctx = 0;

	EXPECT_EQ(-EINVAL, be_setup(0, &ctx));
	EXPECT_EQ(0, ctx);
}

TEST(id_not_zero)
{
	aio_context_t ctx = 1;

	EXPECT_EQ(-EINVAL, be_setup(1, &ctx));
	EXPECT_EQ(1, ctx);
}

TEST(too_many_events)
{
	aio_context_t ctx = 0;

	EXPECT_EQ(-EINVAL, be_setup(TOO_MANY, &ctx));
	EXPECT_EQ(-EINVAL, be_setup(0x7fffffff, &ctx));
	EXPECT_EQ(-EINVAL, be_setup(0xffffffff, &ctx));
	EXPECT_EQ(0, ctx);
}

TEST(bad_pointer)
{
	if (is_native())
		EXPECT_EQ(-EFAULT, be_setup(1, NULL));
	else
		EXPECT_EQ(-EFAULT, raio_ioctl(RAIO_IOC_SETUP, NULL));
}

/* The id can't be told: the context must not stay. */
TEST(read_only_pointer)
{
	struct raio_setup arg = { .nr_events = 8 };
	unsigned long before = be_nr();
	void *copy = read_only_copy(&arg, sizeof(arg));

	if (is_native())
		EXPECT_EQ(-EFAULT, be_setup(8, (aio_context_t *)((char *)copy + 8)));
	else
		EXPECT_EQ(-EFAULT, raio_ioctl(RAIO_IOC_SETUP, copy));
	EXPECT_EQ(before, be_nr());
}

TEST(ids_differ)
{
	aio_context_t first = new_context(1), second = new_context(1);

	EXPECT_NE(first, second);
	EXPECT_EQ(0, be_destroy(first));
	EXPECT_EQ(0, be_destroy(second));
}

/* The id is the address of a ring with at least that many slots. */
TEST(ring_header)
{
	static const unsigned int sizes[] = { 1, 2, 63, 64, 65, 127, 128, 1000, 4096 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		aio_context_t ctx = new_context(sizes[i]);
		struct raio_ring *ring = ring_of(ctx);

		EXPECT_EQ(RAIO_RING_MAGIC, ring->magic);
		EXPECT_EQ(RAIO_RING_COMPAT_FEATURES, ring->compat_features);
		EXPECT_EQ(RAIO_RING_INCOMPAT_FEATURES, ring->incompat_features);
		EXPECT_EQ(sizeof(*ring), ring->header_length);
		EXPECT_EQ(0, ring->head);
		EXPECT_EQ(0, ring->tail);
		EXPECT_LT(sizes[i], ring->nr);
		EXPECT_LE(sizeof(*ring) + ring->nr * sizeof(struct io_event), mapping_size(ctx));
		/* native's id is an index of its own */
		if (!is_native())
			EXPECT_EQ((uint32_t)ctx, ring->id);
		EXPECT_EQ(0, be_destroy(ctx));
	}
}
