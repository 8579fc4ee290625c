// SPDX-License-Identifier: GPL-2.0
/*
 * Description: an event carries the program's data and the iocb's address
 * untouched: they are how it finds its request again.
 */
#include <string.h>

#include "harness.h"

TEST(fields)
{
	static const uint64_t data[] = { 0, 1, 0xffffffffULL, 0x123456789abcdef0ULL, -1ULL };
	aio_context_t ctx = new_context(1);
	int fd = new_file(10);
	struct io_event event;
	struct iocb iocb;
	char buf[10];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(data); i++) {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 10, 0);
		iocb.aio_data = data[i];
		memset(&event, 0xee, sizeof(event));
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_TRUE(data[i] == event.data);
		EXPECT_EQ((uintptr_t)&iocb, event.obj);
		EXPECT_EQ(10, (long long)event.res);
		EXPECT_EQ(0, event.res2);
	}
}

/* An error is a negative 64-bit number. */
TEST(error)
{
	aio_context_t ctx = new_context(1);
	struct io_event event;
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, new_file(10), NULL, 10, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(-14, (int64_t)event.res);
	EXPECT_EQ(0, event.res2);
}

/* Nothing behind the events that were asked for is written. */
TEST(buffer_is_not_overrun)
{
	aio_context_t ctx = new_context(4);
	struct io_event events[3];
	struct iocb iocb;
	char buf[1];
	int i;

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, submit_one(ctx, &iocb));
	memset(events, 0xee, sizeof(events));
	EXPECT_EQ(2, be_getevents(ctx, 1, 2, events, NULL));
	EXPECT_EQ(0xeeeeeeeeeeeeeeeeULL, events[2].obj);
}
