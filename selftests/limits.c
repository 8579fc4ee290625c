// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the limits of setup: fs.raio-max-nr and RLIMIT_MEMLOCK hold, and
 * what a context was charged for is given back when it goes.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"

#define NOBODY 65534

TEST(nr_counts)
{
	unsigned long before = be_nr();
	aio_context_t first, second;

	first = new_context(100);
	EXPECT_EQ(before + be_share(100), be_nr());
	second = new_context(200);
	EXPECT_EQ(before + be_share(100) + be_share(200), be_nr());
	EXPECT_EQ(0, be_destroy(first));
	EXPECT_EQ(before + be_share(200), be_nr());
	EXPECT_EQ(0, be_destroy(second));
	EXPECT_EQ(before, be_nr());
}

static unsigned long long sysctl(const char *path)
{
	unsigned long long value = 0;
	FILE *file = fopen(path, "re");

	ASSERT_TRUE(file);
	ASSERT_EQ(1, fscanf(file, "%llu", &value));
	fclose(file);
	return value;
}

/* A request for each 16 KiB, from 1 GiB on, and half of it for a user. */
TEST_RAIO(defaults, "its limit does not know the machine")
{
	unsigned long long kib = 0, expected, max = sysctl("/proc/sys/fs/raio-max-nr");
	FILE *file = fopen("/proc/meminfo", "re");

	ASSERT_TRUE(file);
	ASSERT_EQ(1, fscanf(file, "MemTotal: %llu", &kib));
	fclose(file);
	expected = kib / 16;
	if (expected < 131072)
		expected = 131072;
	if (expected > 16777216)
		expected = 16777216;
	/* some memory may have come or gone since */
	EXPECT_LE(expected - expected / 64, max);
	EXPECT_LE(max, expected + expected / 64);
	EXPECT_EQ(max / 2, sysctl("/proc/sys/fs/raio-max-user-nr"));
}

/* Not what was asked for, but what it takes. */
TEST_RAIO(nr_counts_what_it_takes, "it counts what was asked for")
{
	static const unsigned int sizes[] = { 1, 125, 126, 4096 };
	unsigned long before = be_nr();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		aio_context_t ctx = new_context(sizes[i]);
		unsigned int takes = ring_of(ctx)->nr - 1;

		EXPECT_LE(sizes[i], takes);
		EXPECT_EQ(takes, be_nr() - before);
		EXPECT_EQ(takes, be_share(sizes[i]));
		EXPECT_EQ(0, be_destroy(ctx));
	}
}

TEST(failed_setup_counts_nothing)
{
	unsigned long before = be_nr();
	aio_context_t ctx = 0;

	EXPECT_EQ(-EINVAL, be_setup(0, &ctx));
	EXPECT_EQ(-EAGAIN, be_setup(be_max_nr() + 1, &ctx));
	EXPECT_EQ(before, be_nr());
}

TEST(max_nr)
{
	unsigned long before = be_nr(), max = be_max_nr();
	unsigned int count = 0, part, last = 0;
	aio_context_t ctx[64] = { 0 };

	if (max > 1 << 20)
		SKIP("the limit is too high to be reached: %lu", max);
	if (geteuid() && !is_native())
		SKIP("needs root: the share of one user is less");
	while ((part = be_fitting(max - be_nr()))) {
		ASSERT_LT(count, ARRAY_SIZE(ctx) - 1);
		ctx[count++] = new_context(part);
		last = part;
	}
	/* not even the smallest */
	EXPECT_LT(max - be_nr(), be_share(1));
	EXPECT_EQ(-EAGAIN, be_setup(1, &ctx[count]));
	EXPECT_EQ(0, be_destroy(ctx[--count]));
	ctx[count] = 0;
	EXPECT_EQ(0, be_setup(last, &ctx[count]));
	for (part = 0; part <= count; part++)
		EXPECT_EQ(0, be_destroy(ctx[part]));
	EXPECT_EQ(before, be_nr());
}

static long pinned(void)
{
	return status_kib("VmPin") + status_kib("VmLck");
}

TEST_RAIO(ring_is_accounted, "its ring is page cache that counts for nothing")
{
	long before = pinned(), charged;
	aio_context_t ctx = new_context(4096);

	charged = pinned() - before;
	EXPECT_LE(4096 * sizeof(struct io_event) / 1024, charged);
	EXPECT_EQ(mapping_size(ctx) / 1024, charged);
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(before, pinned());
}

TEST_RAIO(memlock, "its ring is not charged to RLIMIT_MEMLOCK")
{
	struct rlimit limit = { .rlim_cur = 128 << 10, .rlim_max = 128 << 10 };
	aio_context_t big = 0, small = 0, other = 0;
	long before = pinned();

	need_root("to give up CAP_IPC_LOCK");
	ASSERT_LE(0, raio_fd());
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));

	EXPECT_EQ(-ENOMEM, be_setup(16384, &big));
	EXPECT_EQ(before, pinned());
	EXPECT_EQ(0, be_setup(2048, &small));
	EXPECT_EQ(-ENOMEM, be_setup(2048, &other));
	EXPECT_EQ(0, be_destroy(small));
	EXPECT_EQ(0, be_setup(2048, &other));
	EXPECT_EQ(0, be_destroy(other));
	EXPECT_EQ(before, pinned());
}
