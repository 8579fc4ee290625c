// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a write holds off the freezing of its file system until it is
 * over, and no longer: after any number of writes it can be frozen.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness.h"

#define COUNT 32

static void freeze_and_thaw(int fd)
{
	if (ioctl(fd, FIFREEZE, 0)) {
		if (errno == EOPNOTSUPP || errno == EPERM)
			SKIP("RAIO_TEST_DIR can't be frozen");
		ASSERT_EQ(0, errno);
	}
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));
}

static void write_and_freeze(int fd)
{
	struct iocb iocbs[COUNT], *list[COUNT];
	aio_context_t ctx = new_context(COUNT);
	void *buf = aligned_buffer(DIRECT_ALIGN);
	struct io_event events[COUNT];
	int i;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, buf, DIRECT_ALIGN, i * DIRECT_ALIGN);
		/* some fail in the event */
		if (i % 4 == 3)
			iocbs[i].aio_buf = 8;
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	freeze_and_thaw(fd);
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST(buffered)
{
	write_and_freeze(new_file(0));
}

TEST(direct)
{
	int fd = reopen(new_file(COUNT * DIRECT_ALIGN), O_RDWR | O_DIRECT);

	if (fd < 0)
		SKIP("RAIO_TEST_DIR has no O_DIRECT");
	write_and_freeze(fd);
}

/* What is written while it is frozen waits for the thaw, and io_submit does not. */
TEST_RAIO(while_frozen, "io_submit waits")
{
	int fd = reopen(new_file(2 * DIRECT_ALIGN), O_RDWR | O_DIRECT);
	void *buf = aligned_buffer(DIRECT_ALIGN);
	aio_context_t ctx = new_context(8);
	struct io_event event = {};
	struct iocb iocb, other;
	int64_t submitted = 0;
	long early = 0, nowait;

	if (fd < 0)
		SKIP("RAIO_TEST_DIR has no O_DIRECT");
	/* From here on the file system is known to have direct writes. */
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, DIRECT_ALIGN, 0);
	ASSERT_EQ(DIRECT_ALIGN, run_one(ctx, &iocb));
	freeze_and_thaw(fd);
	ASSERT_EQ(0, ioctl(fd, FIFREEZE, 0));
	/* No check may end the test before it is thawed. */
	submitted = submit_one(ctx, &iocb);
	early = events_now(ctx, &event, 1);
	prep(&other, IOCB_CMD_PWRITE, fd, buf, DIRECT_ALIGN, DIRECT_ALIGN);
	other.aio_rw_flags = RWF_NOWAIT;
	nowait = submit_one(ctx, &other) == 1 ? events_wait(ctx, &event, 1) : -1;
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));
	EXPECT_EQ(1, nowait);
	EXPECT_EQ(-EAGAIN, event.res);
	ASSERT_EQ(1, submitted);
	EXPECT_EQ(0, early);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(DIRECT_ALIGN, event.res);
}
