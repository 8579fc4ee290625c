// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a context's memory is charged to the memory cgroup of the process
 * that sets it up; at the limit setup says ENOMEM, and nobody is killed.
 */
#include "cgroup.h"
#include "harness.h"

#define EVENTS	49152	/* a ring of 1.5 MiB */

static struct cgroup group;

static void enter(const char *max)
{
	cgroup_make(&group, "memory");
	ASSERT_LE(0, raio_fd());
	cgroup_set(&group, "memory.max", max);
	cgroup_enter(&group);
}

static void leave(void)
{
	cgroup_leave();
	cgroup_remove(&group);
}

TEST_RAIO(charged, "its ring is charged as page cache, at the first use")
{
	long long before, with;
	aio_context_t ctx;

	enter("64M");
	before = cgroup_figure(&group, "memory.current", NULL);
	ctx = new_context(EVENTS);
	with = cgroup_figure(&group, "memory.current", NULL);
	/* what the cgroup charges ahead may hide some pages */
	EXPECT_LE(EVENTS * sizeof(struct io_event) - (512 << 10), with - before);
	EXPECT_EQ(0, be_destroy(ctx));
	leave();
}

TEST_RAIO(limit, "its ring is charged as page cache, at the first use")
{
	unsigned long nr;
	aio_context_t ctx = 0;

	enter("1M");
	nr = be_nr();
	EXPECT_EQ(-ENOMEM, be_setup(EVENTS, &ctx));
	EXPECT_EQ(nr, be_nr());
	EXPECT_EQ(0, cgroup_figure(&group, "memory.events", "oom_kill"));
	EXPECT_EQ(0, be_setup(16, &ctx));
	EXPECT_EQ(0, be_destroy(ctx));
	leave();
}
