// SPDX-License-Identifier: GPL-2.0
/*
 * Description: faults that native aio once had with requests that a driver has, one TEST()
 * for each: Documentation/lessons.md lists them all.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"
#include "provider_open.h"
#include "workers.h"

#define COUNT	32
#define SIZE	100

static uint8_t bufs[COUNT][SIZE];
static struct iocb iocbs[COUNT], *list[COUNT];
static struct io_event events[COUNT];

static void prep_all(int fd)
{
	int i;

	for (i = 0; i < COUNT; i++) {
		bool write = i % 2;

		prep(&iocbs[i], write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD, fd, bufs[i], SIZE,
		     i * SIZE);
		list[i] = &iocbs[i];
		memset(bufs[i], 0, SIZE);
		if (write)
			provider_fill(bufs[i], SIZE, i * SIZE);
	}
}

static void expect_all(aio_context_t ctx)
{
	uint8_t expected[SIZE];
	int i, got, count = 0;

	/* one at least: a task that is to run something may be told fewer than it waits for */
	for (; count < COUNT; count += got) {
		got = be_getevents(ctx, 1, COUNT - count, events + count, NULL);
		ASSERT_LT(0, got);
	}
	for (i = 0; i < COUNT; i++) {
		EXPECT_EQ(SIZE, (long long)events[i].res);
		provider_fill(expected, SIZE, i * SIZE);
		EXPECT_EQ(0, memcmp(expected, bufs[i], SIZE));
	}
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

static void seem_consumed(struct raio_ring *ring, uint32_t head, uint32_t tail)
{
	__atomic_store_n(&ring->head, head, __ATOMIC_RELAXED);
	__atomic_store_n(&ring->tail, tail, __ATOMIC_RELAXED);
}

/*
 * Destroy counted the free slots of the ring to know that no request was in flight: what a
 * program wrote there had it return while drivers had some.
 */
TEST(fix_8d25f7de755e)
{
	static const uint32_t values[][2] = {
		{ 0, 0 }, { COUNT, COUNT }, { 1, 0 }, { 0, COUNT }, { 0, 0xffffffff },
		{ 0xffffffff, 0 },
	};
	pid_t parent = getpid(), pid;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		aio_context_t ctx = new_context(COUNT);

		fd = provider_open(PROVIDER_PATH, PROVIDER_HELD);
		prep_all(fd);
		ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
		seem_consumed(ring_of(ctx), values[i][0], values[i][1]);
		events_now(ctx, events, COUNT);
		seem_consumed(ring_of(ctx), values[i][0], values[i][1]);
		pid = test_fork();
		if (!pid) {
			/* it waits there until the driver answers */
			while (thread_state(parent, parent) != 'D')
				usleep(1000);
			_exit(ioctl(fd, PROVIDER_ANSWER) == COUNT ? 0 : 1);
		}
		EXPECT_EQ(0, be_destroy(ctx));
		ASSERT_EQ(0, ioctl(fd, PROVIDER_PENDING));
		EXPECT_EQ(0, test_wait(pid));
		close(fd);
	}
}

/*
 * kiocb_set_cancel_fn() took every kiocb for a part of one of io_submit's, and put what
 * lies around it on a list.  raio's kiocb says that it is none.
 */
TEST(cve_2024_26764)
{
	int fd = provider_open(PROVIDER_PATH, PROVIDER_HELD), i;
	aio_context_t ctx = new_context(COUNT);

	ASSERT_EQ(0, ioctl(fd, PROVIDER_SET_CANCEL, 1));
	prep_all(fd);
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(is_native() ? -EINPROGRESS : -EAGAIN,
			  be_cancel(ctx, list[i], events));
	/* native aio's own are what the function is for */
	EXPECT_EQ(is_native() ? 4 : 0, ioctl(fd, PROVIDER_CANCELS));
	EXPECT_EQ(COUNT, ioctl(fd, PROVIDER_ANSWER));
	expect_all(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(is_native() ? 4 : 0, ioctl(fd, PROVIDER_CANCELS));
}

/*
 * The check came after the first use of what was not there.  Here for each way in which a
 * kiocb is made: that of submit's stack, of a request, of a retry and of a thread.
 */
TEST(cve_2024_35815)
{
	static const enum provider_mode modes[] = {
		PROVIDER_AT_ONCE, PROVIDER_TIMER, PROVIDER_WORK, PROVIDER_EARLY,
		PROVIDER_WAKES, PROVIDER_LATE_EAGAIN,
	};
	aio_context_t ctx = new_context(COUNT);
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = provider_open(PROVIDER_PATH, modes[i]);
		ASSERT_EQ(0, ioctl(fd, PROVIDER_SET_CANCEL, 1));
		prep_all(fd);
		ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
		expect_all(ctx);
		EXPECT_EQ(0, ioctl(fd, PROVIDER_CANCELS));
		/* what is no transfer has no kiocb */
		prep_poll(&iocbs[0], fd, 0x4);
		if (modes[i] != PROVIDER_WAKES)
			EXPECT_EQ(0x4, run_one(ctx, &iocbs[0]));
		prep(&iocbs[0], IOCB_CMD_FSYNC, fd, NULL, 0, 0);
		EXPECT_EQ(-EINVAL, run_one(ctx, &iocbs[0]));
		close(fd);
	}
	EXPECT_EQ(0, be_destroy(ctx));
}
