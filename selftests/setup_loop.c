// SPDX-License-Identifier: GPL-2.0
/*
 * Description: setting up and destroying contexts over and over leaves nothing
 * behind: no slots, no pinned memory, no mapping, no fd.
 */
#include "harness.h"

static void expect_nothing_left(bool use)
{
	/* a destroy of native's takes some RCU grace periods */
	unsigned long nr, i, rounds = stress_count(is_native() ? 50 : 1000);
	long pinned, locked, mapped;
	unsigned int fds;
	struct iocb iocb;
	int fd = new_file(1);
	char buf[1];

	/* the first one opens the device and warms the heap up */
	EXPECT_EQ(0, be_destroy(new_context(1)));
	open_fds();
	nr = be_nr();
	fds = open_fds();
	pinned = status_kib("VmPin");
	locked = status_kib("VmLck");
	mapped = status_kib("VmSize");
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	for (i = 0; i < rounds; i++) {
		aio_context_t ctx = new_context(1 + i % 500);

		if (use)
			EXPECT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(0, be_destroy(ctx));
	}
	EXPECT_EQ(nr, be_nr());
	EXPECT_EQ(fds, open_fds());
	EXPECT_EQ(pinned, status_kib("VmPin"));
	EXPECT_EQ(locked, status_kib("VmLck"));
	EXPECT_EQ(mapped, status_kib("VmSize"));
}

TEST(unused)
{
	expect_nothing_left(false);
}

TEST(used)
{
	expect_nothing_left(true);
}
