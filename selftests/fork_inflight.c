// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a fork while requests are in flight changes nothing for them: the
 * parent gets its events and data, the child keeps its own copy of memory.
 */
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"

#define COUNT 16

TEST(fork_in_flight)
{
	struct iocb iocbs[COUNT], *list[COUNT];
	struct io_event events[COUNT];
	aio_context_t ctx = new_context(COUNT);
	uint8_t *bufs = aligned_buffer(COUNT * DIRECT_ALIGN);
	struct nullb nullb;
	int fd, i;
	pid_t pid;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 2000000000UL, .memory_backed = true });
	fd = nullb_open(&nullb, true);
	for (i = 0; i < COUNT; i++) {
		fill_pattern(bufs + i * DIRECT_ALIGN, DIRECT_ALIGN, i, 5);
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs + i * DIRECT_ALIGN, DIRECT_ALIGN,
		     2L * i * DIRECT_ALIGN);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	pid = test_fork();
	if (pid == 0) {
		EXPECT_EQ(-EINVAL, events_now(ctx, events, 1));
		/* it exits while its parent's requests are under way */
		for (i = 0; i < COUNT; i++)
			EXPECT_TRUE(is_pattern(bufs + i * DIRECT_ALIGN, DIRECT_ALIGN, i, 5));
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(DIRECT_ALIGN, (long long)events[i].res);

	/* reads into memory that the fork has made copy-on-write */
	memset(bufs, 0, COUNT * DIRECT_ALIGN);
	for (i = 0; i < COUNT; i++)
		iocbs[i].aio_lio_opcode = IOCB_CMD_PREAD;
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	pid = test_fork();
	if (pid == 0)
		_exit(0);
	EXPECT_EQ(0, test_wait(pid));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_TRUE(is_pattern(bufs + i * DIRECT_ALIGN, DIRECT_ALIGN, i, 5));
}
