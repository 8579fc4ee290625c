// SPDX-License-Identifier: GPL-2.0
/*
 * Description: an open /dev/raio is readable for poll and epoll while a context
 * that was set up through it has events, and nobody is woken for the contexts of others.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "harness.h"

#define WHY "its contexts have no file"

static void submit_noop(aio_context_t ctx)
{
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
}

static void take_one(aio_context_t ctx)
{
	struct io_event event;

	EXPECT_EQ(1, events_now(ctx, &event, 1));
}

static int polled(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLRDNORM | POLLOUT | POLLPRI };

	ASSERT_LE(0, poll(&pfd, 1, 0));
	return pfd.revents;
}

TEST_RAIO(readable, WHY)
{
	aio_context_t ctx = new_context(8);

	EXPECT_EQ(0, polled(raio_fd()));
	submit_noop(ctx);
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(raio_fd()));
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(raio_fd()));
	take_one(ctx);
	EXPECT_EQ(0, polled(raio_fd()));
}

/* Events may be taken without a call. */
TEST_RAIO(taken_from_ring, WHY)
{
	aio_context_t ctx = new_context(8);
	struct io_event event;

	submit_noop(ctx);
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(raio_fd()));
	EXPECT_EQ(1, ring_reap(ring_of(ctx), &event, 1));
	EXPECT_EQ(0, polled(raio_fd()));
}

TEST_RAIO(any_context, WHY)
{
	aio_context_t first = new_context(8), second = new_context(8);

	submit_noop(first);
	submit_noop(second);
	take_one(first);
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(raio_fd()));
	take_one(second);
	EXPECT_EQ(0, polled(raio_fd()));
}

/* What nobody can take any more does not count. */
TEST_RAIO(destroyed, WHY)
{
	aio_context_t ctx = new_context(8);

	submit_noop(ctx);
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(raio_fd()));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, polled(raio_fd()));
}

static pid_t main_tid;

static void *submit_when_main_sleeps(void *arg)
{
	wait_asleep(main_tid);
	submit_noop((uintptr_t)arg);
	return NULL;
}

static void submit_later(aio_context_t ctx)
{
	pthread_t thread;

	main_tid = thread_id();
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_when_main_sleeps, (void *)ctx));
}

TEST_RAIO(poll_wakes, WHY)
{
	struct pollfd pfd = { .fd = raio_fd(), .events = POLLIN };

	submit_later(new_context(8));
	EXPECT_EQ(1, poll(&pfd, 1, -1));
	EXPECT_EQ(POLLIN, pfd.revents);
}

static void *write_when_main_sleeps(void *arg)
{
	wait_asleep(main_tid);
	ASSERT_EQ(1, write(*(int *)arg, "x", 1));
	return NULL;
}

/* The event is written where the pipe is woken, under the lock of its wait queue. */
TEST_RAIO(poll_wakes_for_poll, WHY)
{
	struct pollfd pfd = { .fd = raio_fd(), .events = POLLIN };
	aio_context_t ctx = new_context(8);
	struct io_event event;
	pthread_t thread;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep_poll(&iocb, fds[0], 0);
	iocb.aio_buf = POLLIN;
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(0, polled(raio_fd()));
	main_tid = thread_id();
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_when_main_sleeps, &fds[1]));
	EXPECT_EQ(1, poll(&pfd, 1, -1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(1, events_now(ctx, &event, 1));
	EXPECT_EQ(POLLIN, event.res & POLLIN);
}

/* The event comes from a device's interrupt, or from wherever a write ends. */
TEST_RAIO(poll_wakes_for_io, WHY)
{
	struct pollfd pfd = { .fd = raio_fd(), .events = POLLIN };
	aio_context_t ctx = new_context(8);
	char *buf = aligned_buffer(DIRECT_ALIGN);
	struct io_event event;
	struct iocb iocb;
	int fd = reopen(new_file(DIRECT_ALIGN), O_RDWR | O_DIRECT), i;

	if (fd < 0)
		SKIP("no O_DIRECT here");
	for (i = 0; i < 200; i++) {
		prep(&iocb, IOCB_CMD_PWRITE, fd, buf, DIRECT_ALIGN, 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(1, poll(&pfd, 1, 10000));
		ASSERT_EQ(1, events_now(ctx, &event, 1));
		EXPECT_EQ(DIRECT_ALIGN, event.res);
	}
}

static int new_epoll(int fd, unsigned int events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	return epoll;
}

TEST_RAIO(epoll_wakes, WHY)
{
	int epoll = new_epoll(raio_fd(), EPOLLIN);
	aio_context_t ctx = new_context(8);
	struct epoll_event event;

	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	submit_later(ctx);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
	EXPECT_EQ(EPOLLIN, event.events);
	EXPECT_EQ(raio_fd(), event.data.fd);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	take_one(ctx);
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
}

/* Once for each event that comes, whatever is there already. */
TEST_RAIO(epoll_edge, WHY)
{
	int epoll = new_epoll(raio_fd(), EPOLLIN | EPOLLET), i;
	aio_context_t ctx = new_context(8);
	struct epoll_event event;

	for (i = 0; i < 3; i++) {
		submit_noop(ctx);
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	}
}

/* Who waits for something else is not woken. */
TEST_RAIO(other_condition, WHY)
{
	int epoll = new_epoll(raio_fd(), EPOLLPRI | EPOLLOUT | EPOLLET);
	aio_context_t ctx = new_context(8);
	struct epoll_event event;

	submit_noop(ctx);
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
}

/* Two libraries in one process, each with an open file of its own. */
TEST_RAIO(other_open_file, WHY)
{
	int other = open("/dev/raio", O_RDWR | O_CLOEXEC), epoll;
	struct raio_setup setup = { .nr_events = 8 };
	aio_context_t ctx = new_context(8);
	struct epoll_event event;

	ASSERT_LE(0, other);
	epoll = new_epoll(other, EPOLLIN | EPOLLET);
	submit_noop(ctx);
	EXPECT_EQ(0, polled(other));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));

	/* the file that a call comes by makes no difference, but for setup */
	take_one(ctx);
	raio_close();
	ASSERT_LE(0, raio_fd());
	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_SETUP, &setup));
	submit_noop(ctx);
	EXPECT_EQ(0, polled(other));
	EXPECT_EQ(0, polled(raio_fd()));
	submit_noop(setup.ctx_id);
	EXPECT_EQ(0, polled(other));
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(raio_fd()));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
}

/* A duplicate is the same open file. */
TEST_RAIO(duplicate, WHY)
{
	int copy = dup(raio_fd());
	aio_context_t ctx = new_context(8);

	ASSERT_LE(0, copy);
	submit_noop(ctx);
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(copy));
}

/* The file goes while epoll has it, and the context stays. */
TEST_RAIO(closed_while_polled, WHY)
{
	int epoll = new_epoll(raio_fd(), EPOLLIN), i;
	aio_context_t ctx = new_context(64);
	struct epoll_event event;

	submit_noop(ctx);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	raio_close();
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	for (i = 0; i < 50; i++)
		submit_noop(ctx);
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(0, polled(raio_fd()));
	take_one(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}
