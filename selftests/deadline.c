// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a request with a deadline that is not over by then is cancelled: its
 * event says ETIME, and how much was moved.  One that is over before has its own result.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "pairs.h"
#include "special.h"

#define WHY	"it has no deadlines"
#define SHORT	20	/* ms */
#define LONG	3600000

static char buf[1 << 20];

static void expect_late(aio_context_t ctx, struct iocb *iocb, int64_t moved)
{
	struct io_event event;

	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)iocb, event.obj);
	EXPECT_EQ(-ETIME, event.res);
	EXPECT_EQ(moved, event.res2);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
}

static void late(aio_context_t ctx, struct iocb *iocb)
{
	struct raio_deadline deadline;
	uint64_t begin = now_ns();

	set_deadline(iocb, &deadline, SHORT);
	ASSERT_EQ(1, submit_one(ctx, iocb));
	/* It was read. */
	memset(&deadline, 0xff, sizeof(deadline));
	expect_late(ctx, iocb, 0);
	EXPECT_LE(SHORT * 1000000ULL, now_ns() - begin);
}

TEST_RAIO(pipe_read, WHY)
{
	aio_context_t ctx = new_context(1);
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 10, 0);
	late(ctx, &iocb);
	/* Nothing was lost, and the context is as it was. */
	ASSERT_EQ(3, write(fds[1], "abc", 3));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 10, 0);
	EXPECT_EQ(3, run_one(ctx, &iocb));
}

TEST_RAIO(vectored_socket_read, WHY)
{
	struct iovec iov[3] = { { buf, 1 }, { buf + 1, 2 }, { buf + 3, 100 } };
	aio_context_t ctx = new_context(1);
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	prep(&iocb, IOCB_CMD_PREADV, fds[0], iov, 3, 0);
	late(ctx, &iocb);
}

TEST_RAIO(poll, WHY)
{
	aio_context_t ctx = new_context(1);
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep_poll(&iocb, fds[0], POLLIN);
	late(ctx, &iocb);
}

/* A thread runs it, and waits in the file. */
TEST_RAIO(tty_read, WHY)
{
	aio_context_t ctx = new_context(1);
	struct iocb iocb;
	int master, slave;

	terminal_open(&master, &slave);
	prep(&iocb, IOCB_CMD_PREAD, slave, buf, 10, 0);
	late(ctx, &iocb);
}

/* What was moved is told. */
TEST_RAIO(half_written, WHY)
{
	aio_context_t ctx = new_context(1);
	struct raio_deadline deadline;
	struct iocb iocb;
	int fds[2], size;

	ASSERT_EQ(0, pipe(fds));
	size = fcntl(fds[1], F_GETPIPE_SZ);
	prep(&iocb, IOCB_CMD_PWRITE, fds[1], buf, 2 * size, 0);
	set_deadline(&iocb, &deadline, SHORT);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	expect_late(ctx, &iocb, size);
	EXPECT_EQ(size, read(fds[0], buf, sizeof(buf)));
}

/* Behind another of its file, which has none. */
TEST_RAIO(behind_another, WHY)
{
	aio_context_t ctx = new_context(2);
	struct iocb first, second;
	struct io_event event;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&first, IOCB_CMD_PREAD, fds[0], buf, 10, 0);
	prep(&second, IOCB_CMD_PREAD, fds[0], buf, 10, 0);
	ASSERT_EQ(1, submit_one(ctx, &first));
	late(ctx, &second);
	ASSERT_EQ(3, write(fds[1], "abc", 3));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&first, event.obj);
	EXPECT_EQ(3, event.res);
}

TEST_RAIO(in_time, WHY)
{
	aio_context_t ctx = new_context(1);
	unsigned int i, rounds = test_rounds(200);
	struct raio_deadline deadline;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < rounds; i++) {
		struct io_event event;

		prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 10, 0);
		set_deadline(&iocb, &deadline, LONG);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(3, write(fds[1], "abc", 3));
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		ASSERT_EQ(3, event.res);
		ASSERT_EQ(0, event.res2);
	}
}

/* What needs no wait is done, even if there is no time. */
TEST_RAIO(at_once, WHY)
{
	aio_context_t ctx = new_context(1);
	struct raio_deadline deadline;
	int fd = new_file(4096);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 4096, 0);
	set_deadline(&iocb, &deadline, LONG);
	EXPECT_EQ(4096, run_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_NOOP, 0, NULL, 0, 0);
	set_deadline(&iocb, &deadline, 0);
	EXPECT_EQ(0, run_one(ctx, &iocb));
}

TEST_RAIO(absolute, WHY)
{
	aio_context_t ctx = new_context(1);
	struct raio_deadline deadline = { .flags = RAIO_DEADLINE_ABS };
	struct timespec now;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 10, 0);
	iocb.aio_flags |= RAIO_IOCB_FLAG_DEADLINE;
	iocb.aio_reserved2 = (uintptr_t)&deadline;
	/* Long ago. */
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	expect_late(ctx, &iocb, 0);
	ASSERT_EQ(0, clock_gettime(CLOCK_MONOTONIC, &now));
	deadline.time.tv_sec = now.tv_sec;
	deadline.time.tv_nsec = now.tv_nsec;
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	expect_late(ctx, &iocb, 0);
	/* As far as can be said. */
	deadline.time.tv_sec = INT64_MAX;
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(2, write(fds[1], "ab", 2));
	{
		struct io_event event;

		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_EQ(2, event.res);
	}
}

TEST_RAIO(refused, WHY)
{
	aio_context_t ctx = new_context(1);
	struct raio_deadline good, bad;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 10, 0);
	set_deadline(&iocb, &good, SHORT);
#define REFUSED(_errno, ...) do {			\
	bad = good;					\
	iocb.aio_reserved2 = (uintptr_t)&bad;		\
	__VA_ARGS__;					\
	EXPECT_EQ(-(_errno), submit_one(ctx, &iocb));	\
} while (0)
	REFUSED(EINVAL, bad.flags = 2);
	REFUSED(EINVAL, bad.buffer = 1);
	REFUSED(EINVAL, bad.time.tv_sec = -1);
	REFUSED(EINVAL, bad.time.tv_nsec = -1);
	REFUSED(EINVAL, bad.time.tv_nsec = 1000000000);
	REFUSED(EFAULT, iocb.aio_reserved2 = 0);
	REFUSED(EFAULT, iocb.aio_reserved2 = 16);
	iocb.aio_reserved2 = (uintptr_t)&good;
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	expect_late(ctx, &iocb, 0);
}

/* An eventfd counts it. */
TEST_RAIO(eventfd, WHY)
{
	aio_context_t ctx = new_context(1);
	struct raio_deadline deadline;
	int fds[2], efd = eventfd(0, 0);
	struct iocb iocb;
	uint64_t count;

	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 10, 0);
	set_deadline(&iocb, &deadline, SHORT);
	iocb.aio_flags |= IOCB_FLAG_RESFD;
	iocb.aio_resfd = efd;
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(sizeof(count), read(efd, &count, sizeof(count)));
	EXPECT_EQ(1, count);
	expect_late(ctx, &iocb, 0);
}

/* The context may end with deadlines to come. */
TEST_RAIO(destroy, WHY)
{
	struct raio_deadline deadline;
	struct iocb iocbs[8];
	int fds[2];
	unsigned int i;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 50; i++) {
		aio_context_t ctx = new_context(8);
		unsigned int j;

		for (j = 0; j < 8; j++) {
			prep(&iocbs[j], IOCB_CMD_PREAD, fds[0], buf, 10, 0);
			set_deadline(&iocbs[j], &deadline, j % 2 ? LONG : 1);
			ASSERT_EQ(1, submit_one(ctx, &iocbs[j]));
		}
		ASSERT_EQ(0, be_destroy(ctx));
	}
}

TEST_RAIO(cancelled_before, WHY)
{
	aio_context_t ctx = new_context(1);
	struct raio_deadline deadline;
	struct io_event event;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 10, 0);
	set_deadline(&iocb, &deadline, LONG);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	if (cancels_into_ring()) {
		EXPECT_EQ(-EINPROGRESS, be_cancel(ctx, &iocb, &event));
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
	} else {
		ASSERT_EQ(0, be_cancel(ctx, &iocb, &event));
	}
	EXPECT_EQ(-ECANCELED, event.res);
	expect_works(ctx);
}

static void *write_bytes(void *arg)
{
	int fd = *(int *)arg;
	unsigned int i, rounds = test_rounds(2000);

	for (i = 0; i < rounds; i++)
		if (write(fd, "x", 1) != 1)
			return NULL;
	return NULL;
}

/*
 * Deadline and data at about the same time: each request has one event, and each
 * byte is read once.
 */
TEST_RAIO(race, WHY)
{
	unsigned int i = 0, got = 0, rounds = test_rounds(2000);
	aio_context_t ctx = new_context(1);
	struct raio_deadline deadline;
	unsigned int lates = 0;
	pthread_t thread;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_bytes, &fds[1]));
	while (got < rounds) {
		struct io_event event;
		struct iocb iocb;

		prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
		set_deadline(&iocb, &deadline, 0);
		deadline.time.tv_nsec = i++ % 100 * 1000;
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		if (event.res == 1) {
			ASSERT_EQ(0, event.res2);
			got++;
		} else {
			ASSERT_EQ(-ETIME, event.res);
			ASSERT_EQ(0, event.res2);
			lates++;
		}
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	test_note("%u late of %u", lates, i);
}

/*
 * Reads that wait for a page: late, with the eventfd counted at last; and cancelled
 * before, of which the timer makes nothing.
 */
TEST_RAIO(page, WHY)
{
	static const struct nullb_options options = {
		.size_mb = 64, .completion_nsec = 300000000, .memory_backed = true,
	};
	aio_context_t ctx = new_context(4);
	struct raio_deadline deadline;
	int fd, efd = eventfd(0, 0);
	struct iocb late, cancelled;
	struct io_event event;
	struct nullb nullb;
	uint64_t count;

	nullb_create(&nullb, &options);
	fd = open(nullb.dev, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	prep(&late, IOCB_CMD_PREAD, fd, buf, 4096, 0);
	set_deadline(&late, &deadline, SHORT);
	late.aio_flags |= IOCB_FLAG_RESFD;
	late.aio_resfd = efd;
	ASSERT_EQ(1, submit_one(ctx, &late));
	expect_late(ctx, &late, 0);
	prep(&cancelled, IOCB_CMD_PREAD, fd, buf, 4096, 1 << 20);
	set_deadline(&cancelled, &deadline, LONG);
	ASSERT_EQ(1, submit_one(ctx, &cancelled));
	wait_armed(ctx);
	if (cancels_into_ring()) {
		EXPECT_EQ(-EINPROGRESS, be_cancel(ctx, &cancelled, &event));
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
	} else {
		ASSERT_EQ(0, be_cancel(ctx, &cancelled, &event));
	}
	EXPECT_EQ(-ECANCELED, event.res);
	ASSERT_EQ(sizeof(count), read(efd, &count, sizeof(count)));
	EXPECT_EQ(1, count);
	ASSERT_EQ(0, be_destroy(ctx));
	close(fd);
	nullb_remove(&nullb);
}
