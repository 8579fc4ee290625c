// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a NOOP is one event with result 0; it measures and tests the way
 * of a request without a file system below it.
 */
#include "harness.h"

#define COUNT 64

/* Native has the number and not the operation. */
TEST(native_has_none)
{
	aio_context_t ctx = new_context(1);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_NOOP, new_file(0), NULL, 0, 0);
	if (is_native())
		EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	else
		EXPECT_EQ(0, run_one(ctx, &iocb));
}

TEST_RAIO(batch, "NOOP is EINVAL")
{
	struct iocb iocbs[COUNT], *list[COUNT];
	struct io_event events[COUNT];
	aio_context_t ctx = new_context(COUNT);
	int fd = new_file(0), i;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_NOOP, fd, NULL, 0, 0);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++) {
		EXPECT_EQ((uintptr_t)&iocbs[i], events[i].obj);
		EXPECT_EQ(0, (long long)events[i].res);
	}
}
