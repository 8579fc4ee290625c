// SPDX-License-Identifier: GPL-2.0
/*
 * Description: an eventfd named by IOCB_FLAG_RESFD counts one for each event.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "pairs.h"

#define COUNT 32

static struct iocb iocbs[COUNT];
static struct iocb *list[COUNT];
static struct io_event events[COUNT];
static char bufs[COUNT][100];
static aio_context_t ctx;
static int efd;

static void start(void)
{
	ctx = new_context(COUNT);
	efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, efd);
}

static void prep_resfd(int i, unsigned int opcode, int fd, size_t size)
{
	prep(&iocbs[i], opcode, fd, size ? bufs[i] : NULL, size, 0);
	iocbs[i].aio_flags = IOCB_FLAG_RESFD;
	iocbs[i].aio_resfd = efd;
	list[i] = &iocbs[i];
}

/*
 * The counter may lag behind the ring by a moment, but not behind for good:
 * it is waited for.
 */
static void expect_count(uint64_t expected)
{
	struct pollfd pollfd = { .fd = efd, .events = POLLIN };
	eventfd_t value;
	uint64_t count;

	for (count = 0; count < expected; count += value) {
		ASSERT_EQ(1, poll(&pollfd, 1, -1));
		ASSERT_EQ(0, eventfd_read(efd, &value));
	}
	EXPECT_EQ(expected, count);
	EXPECT_EQ(-1, eventfd_read(efd, &value));
}

TEST(one)
{
	start();
	prep_resfd(0, IOCB_CMD_PREAD, new_file(100), 100);
	EXPECT_EQ(100, run_one(ctx, &iocbs[0]));
	expect_count(1);
}

TEST(each_of_a_batch)
{
	int fd, i;

	start();
	fd = new_file(100);
	for (i = 0; i < COUNT; i++)
		prep_resfd(i, i % 2 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE, fd, 100);
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	expect_count(COUNT);
}

/* The count tells that the event is there. */
TEST(event_is_there)
{
	struct pollfd pollfd = { .events = POLLIN };
	struct nullb nullb;
	int i;

	start();
	nullb_create(&nullb, &(struct nullb_options){ .size_mb = 1, .completion_nsec = 1000000 });
	pollfd.fd = efd;
	prep_resfd(0, IOCB_CMD_PREAD, nullb_open(&nullb, false), 100);
	iocbs[0].aio_buf = (uintptr_t)aligned_buffer(DIRECT_ALIGN);
	iocbs[0].aio_nbytes = DIRECT_ALIGN;
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
		ASSERT_EQ(1, poll(&pollfd, 1, -1));
		ASSERT_EQ(1, events_now(ctx, events, 1));
		EXPECT_EQ(DIRECT_ALIGN, (long long)events[0].res);
		expect_count(1);
	}
}

/* A request that fails has an event as well; one that was not taken has none. */
TEST(errors)
{
	int fd;

	start();
	fd = new_file(100);
	prep_resfd(0, IOCB_CMD_PREAD, fd, 100);
	iocbs[0].aio_buf = 0;
	EXPECT_EQ(-EFAULT, run_one(ctx, &iocbs[0]));
	expect_count(1);
	iocbs[0].aio_fildes = 9999;
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocbs[0]));
	expect_count(0);
}

TEST(fsync)
{
	start();
	prep_resfd(0, IOCB_CMD_FSYNC, new_file(100), 0);
	EXPECT_EQ(0, run_one(ctx, &iocbs[0]));
	expect_count(1);
}

TEST(armed_polls)
{
	int fds[2], i;

	start();
	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < COUNT; i++) {
		prep_resfd(i, IOCB_CMD_POLL, fds[0], 0);
		iocbs[i].aio_buf = POLLIN;
	}
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	expect_count(0);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	expect_count(COUNT);
	EXPECT_EQ(COUNT, events_now(ctx, events, COUNT));
}

TEST_RAIO(armed_reads, "native: blocks until there is data")
{
	int fds[2], i;

	start();
	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < COUNT; i++)
		prep_resfd(i, IOCB_CMD_PREAD, fds[0], 1);
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	expect_count(0);
	/* nobody waits in getevents: who looks at the eventfd alone is served too */
	ASSERT_EQ(COUNT, write(fds[1], bufs, COUNT));
	expect_count(COUNT);
	EXPECT_EQ(COUNT, events_now(ctx, events, COUNT));
}

/* The same for a file that is no matter for a workqueue. */
TEST_RAIO(armed_read_of_tty, "native: blocks until there is data")
{
	int master, slave;

	terminal_open(&master, &slave);
	start();
	prep_resfd(0, IOCB_CMD_PREAD, slave, 100);
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	expect_count(0);
	ASSERT_EQ(6, write(master, "hello\n", 6));
	expect_count(1);
	ASSERT_EQ(1, events_now(ctx, events, 1));
	EXPECT_EQ(6, (long long)events[0].res);
}

/* It may be the file that is read, or polled. */
TEST(itself)
{
	start();
	ASSERT_EQ(0, eventfd_write(efd, 5));
	prep_resfd(0, IOCB_CMD_PREAD, efd, 8);
	EXPECT_EQ(8, run_one(ctx, &iocbs[0]));
	EXPECT_EQ(5, *(uint64_t *)bufs[0]);
	expect_count(1);

	prep_resfd(0, IOCB_CMD_POLL, efd, 0);
	iocbs[0].aio_buf = POLLIN;
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	ASSERT_EQ(0, eventfd_write(efd, 1));
	ASSERT_EQ(1, events_wait(ctx, events, 1));
	expect_count(2);
}

/* The request owns it. */
TEST(closed)
{
	int fds[2], copy;

	start();
	ASSERT_EQ(0, pipe(fds));
	prep_resfd(0, IOCB_CMD_POLL, fds[0], 0);
	iocbs[0].aio_buf = POLLIN;
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	copy = dup(efd);
	close(efd);
	efd = copy;
	ASSERT_EQ(1, write(fds[1], "x", 1));
	expect_count(1);
}

TEST(not_an_eventfd)
{
	int fds[2], fd;

	start();
	fd = new_file(100);
	ASSERT_EQ(0, pipe(fds));
	prep_resfd(0, IOCB_CMD_PREAD, fd, 100);
	iocbs[0].aio_resfd = fd;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocbs[0]));
	iocbs[0].aio_resfd = fds[1];
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocbs[0]));
	iocbs[0].aio_resfd = 9999;
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocbs[0]));
	iocbs[0].aio_resfd = -1;
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocbs[0]));
	/* the file is looked at first */
	iocbs[0].aio_fildes = 9999;
	iocbs[0].aio_resfd = fd;
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocbs[0]));
	/* and the opcode last */
	iocbs[0].aio_fildes = fd;
	iocbs[0].aio_resfd = 9999;
	iocbs[0].aio_lio_opcode = 100;
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocbs[0]));
	EXPECT_EQ(0, events_now(ctx, events, 1));
}
