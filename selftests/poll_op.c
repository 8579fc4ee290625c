// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a poll request has its event when the file is ready, once, and
 * tells for what.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static aio_context_t ctx;

static int64_t run_poll(int fd, uint64_t mask)
{
	struct iocb iocb;

	prep_poll(&iocb, fd, mask);
	return run_one(ctx, &iocb);
}

static void arm(struct iocb *iocb, int fd, uint64_t mask)
{
	struct io_event event;

	prep_poll(iocb, fd, mask);
	ASSERT_EQ(1, submit_one(ctx, iocb));
	ASSERT_EQ(0, events_now(ctx, &event, 1));
}

static int64_t fired(struct iocb *iocb)
{
	struct io_event event, more;

	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)iocb, event.obj);
	EXPECT_EQ(0, event.res2);
	EXPECT_EQ(0, events_now(ctx, &more, 1));
	return event.res;
}

TEST(ready_at_once)
{
	int fds[2];

	ctx = new_context(1);
	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(POLLOUT, run_poll(fds[1], POLLIN | POLLOUT));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_EQ(POLLIN, run_poll(fds[0], POLLIN));
	EXPECT_EQ(POLLIN | POLLRDNORM, run_poll(fds[0], POLLIN | POLLRDNORM | POLLOUT));
	/* it has looked only */
	EXPECT_EQ(POLLIN, run_poll(fds[0], POLLIN | POLLPRI));
}

TEST(pipe_data)
{
	struct iocb iocb;
	int fds[2];

	ctx = new_context(1);
	ASSERT_EQ(0, pipe(fds));
	arm(&iocb, fds[0], POLLIN);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_TRUE(fired(&iocb) & POLLIN);
	/* once */
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_EQ(0, events_now(ctx, &(struct io_event){ 0 }, 1));
}

TEST(pipe_space)
{
	static char buf[65536];
	struct iocb iocb;
	int fds[2], size;

	ctx = new_context(1);
	ASSERT_EQ(0, pipe(fds));
	size = fcntl(fds[1], F_GETPIPE_SZ);
	ASSERT_LE(size, (int)sizeof(buf));
	ASSERT_EQ(size, write(fds[1], buf, size));
	arm(&iocb, fds[1], POLLOUT);
	ASSERT_EQ(size, read(fds[0], buf, size));
	EXPECT_TRUE(fired(&iocb) & POLLOUT);
}

/* Nobody asks for them, and they come. */
TEST(hang_up_and_error)
{
	struct iocb iocb;
	int fds[2];

	ctx = new_context(1);
	ASSERT_EQ(0, pipe(fds));
	arm(&iocb, fds[0], 0);
	close(fds[1]);
	EXPECT_TRUE(fired(&iocb) & POLLHUP);
	EXPECT_EQ(POLLHUP, run_poll(fds[0], POLLIN));

	ASSERT_EQ(0, pipe(fds));
	close(fds[0]);
	EXPECT_EQ(POLLERR, run_poll(fds[1], POLLIN));
	EXPECT_EQ(POLLERR | POLLOUT, run_poll(fds[1], POLLOUT));
}

TEST(read_end_closes)
{
	static char buf[65536];
	struct iocb iocb;
	int fds[2], size;

	ctx = new_context(1);
	ASSERT_EQ(0, pipe(fds));
	size = fcntl(fds[1], F_GETPIPE_SZ);
	ASSERT_EQ(size, write(fds[1], buf, size));
	arm(&iocb, fds[1], POLLOUT);
	close(fds[0]);
	EXPECT_TRUE(fired(&iocb) & POLLERR);
}

/* What was not asked for does not end it. */
TEST(other_events)
{
	struct iocb iocb;
	int fds[2];
	char byte;

	ctx = new_context(1);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	arm(&iocb, fds[0], POLLIN);
	/* space, which is told to those who wait for it */
	ASSERT_EQ(1, write(fds[0], "x", 1));
	ASSERT_EQ(1, read(fds[1], &byte, 1));
	EXPECT_EQ(0, events_now(ctx, &(struct io_event){ 0 }, 1));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_TRUE(fired(&iocb) & POLLIN);
}

TEST(socket_shutdown)
{
	struct iocb iocb;
	int fds[2];

	ctx = new_context(1);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	arm(&iocb, fds[0], POLLRDHUP);
	ASSERT_EQ(0, shutdown(fds[1], SHUT_WR));
	EXPECT_TRUE(fired(&iocb) & POLLRDHUP);
	EXPECT_EQ(POLLIN | POLLRDHUP, run_poll(fds[0], POLLIN | POLLRDHUP));
}

TEST(listening_socket)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	struct iocb iocb;

	ctx = new_context(1);
	ASSERT_EQ(0, bind(server, (struct sockaddr *)&address, len));
	ASSERT_EQ(0, getsockname(server, (struct sockaddr *)&address, &len));
	ASSERT_EQ(0, listen(server, 1));
	arm(&iocb, server, POLLIN);
	ASSERT_EQ(0, connect(client, (struct sockaddr *)&address, len));
	EXPECT_TRUE(fired(&iocb) & POLLIN);
}

TEST(eventfd)
{
	int fd = eventfd(0, 0);
	struct iocb iocb;

	ctx = new_context(1);
	EXPECT_EQ(POLLOUT, run_poll(fd, POLLIN | POLLOUT));
	arm(&iocb, fd, POLLIN);
	ASSERT_EQ(0, eventfd_write(fd, 1));
	EXPECT_TRUE(fired(&iocb) & POLLIN);
}

TEST(timerfd)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct iocb iocb;

	ctx = new_context(1);
	arm(&iocb, fd, POLLIN);
	ASSERT_EQ(0, timerfd_settime(fd, 0, &soon, NULL));
	EXPECT_TRUE(fired(&iocb) & POLLIN);
}

static int new_signalfd(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	fd = signalfd(-1, &set, 0);
	ASSERT_LE(0, fd);
	return fd;
}

TEST_RAIO(signalfd, "native: looks for the signals of a kernel thread, and never fires")
{
	int fd = new_signalfd();
	struct iocb iocb;

	ctx = new_context(1);
	arm(&iocb, fd, POLLIN);
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_TRUE(fired(&iocb) & POLLIN);
}

static struct iocb clone_iocb;

static int arm_in_clone(void *arg)
{
	struct iocb *list = &clone_iocb;

	(void)arg;
	/* no errno, no library: it shares the memory of its parent */
	return be_submit(ctx, 1, &list) != 1;
}

/* The queue on which it waits is freed with the task that it belongs to. */
TEST(queue_is_freed)
{
	static uint8_t stack[65536] __attribute__((aligned(16)));
	int fd = new_signalfd();
	pid_t pid;

	ctx = new_context(1);
	prep_poll(&clone_iocb, fd, POLLIN);
	pid = clone(arm_in_clone, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, test_wait(pid));
	EXPECT_TRUE(fired(&clone_iocb) & POLLHUP);
}

/* No poll method: it is always ready. */
TEST(regular_file)
{
	int fd = new_file(0);

	ctx = new_context(1);
	EXPECT_EQ(POLLIN, run_poll(fd, POLLIN));
	EXPECT_EQ(POLLIN | POLLOUT, run_poll(fd, POLLIN | POLLOUT));
	EXPECT_EQ(POLLIN, run_poll(open("/", O_RDONLY | O_DIRECTORY), POLLIN));
	/* for what it can't be waited for: never ready, and no queue to wait on */
	EXPECT_EQ(-EINVAL, run_poll(fd, POLLPRI));
	EXPECT_EQ(-EINVAL, run_poll(fd, 0));
}

TEST(bad_fields)
{
	struct iocb good, iocb;
	int fd = new_file(0);

	ctx = new_context(1);
	prep_poll(&good, fd, POLLIN);
	iocb = good;
	iocb.aio_buf = POLLIN | 1 << 16;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	iocb.aio_buf = POLLIN | 1ULL << 63;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	iocb = good;
	iocb.aio_offset = 1;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	iocb = good;
	iocb.aio_nbytes = 1;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	iocb = good;
	iocb.aio_rw_flags = 1;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	iocb = good;
	iocb.aio_reserved2 = 1;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	iocb = good;
	iocb.aio_fildes = 9999;
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocb));
	iocb.aio_fildes = open("/", O_PATH);
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocb));
	EXPECT_EQ(POLLIN, run_one(ctx, &good));
}

/* A wake tells what is ready, asked for or not; a look tells what was asked for. */
static void wake_tells(int fd, int other, int resfd, int64_t told)
{
	struct iocb iocb;

	prep_poll(&iocb, fd, POLLIN);
	if (resfd >= 0) {
		iocb.aio_flags = IOCB_FLAG_RESFD;
		iocb.aio_resfd = resfd;
	}
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(1, write(other, "x", 1));
	EXPECT_EQ(told, fired(&iocb));
	EXPECT_EQ(POLLIN, run_poll(fd, POLLIN));
}

TEST(wake_tells_all)
{
	int resfds[] = { -1, eventfd(0, 0) };
	unsigned int i;

	ctx = new_context(1);
	for (i = 0; i < ARRAY_SIZE(resfds); i++) {
		int fds[2];

		ASSERT_EQ(0, pipe(fds));
		wake_tells(fds[0], fds[1], resfds[i], POLLIN | POLLRDNORM);
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
		wake_tells(fds[0], fds[1], resfds[i],
			   POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND);
	}
}

/* All bits of the 16 may be asked for. */
TEST(all_bits)
{
	int fds[2];

	ctx = new_context(1);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_EQ(POLLIN | POLLRDNORM, run_poll(fds[0], 0xffff));
}

TEST(many_of_one_pipe)
{
	enum { COUNT = 64 };
	static struct iocb iocbs[COUNT];
	struct io_event events[COUNT];
	uint64_t seen = 0;
	int fds[2], i;

	ctx = new_context(COUNT);
	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < COUNT; i++)
		arm(&iocbs[i], fds[0], POLLIN);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++) {
		EXPECT_TRUE(events[i].res & POLLIN);
		seen |= 1ULL << ((struct iocb *)(uintptr_t)events[i].obj - iocbs);
	}
	EXPECT_TRUE(seen == ~0ULL);
}

/* It does not stand in a stream's line: a read that waits does not hold it up. */
TEST_RAIO(beside_a_read, "native: the read blocks until there is data")
{
	struct iocb read, poll;
	struct io_event events[2];
	static char buf[100];
	int fds[2];

	ctx = new_context(2);
	ASSERT_EQ(0, pipe(fds));
	prep(&read, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &read));
	arm(&poll, fds[0], POLLHUP);
	close(fds[1]);
	ASSERT_EQ(2, events_wait(ctx, events, 2));
}

/* The request owns the file. */
TEST(fd_closed)
{
	struct pollfd pollfd = { 0 };
	struct iocb iocb;
	int fds[2];

	ctx = new_context(1);
	ASSERT_EQ(0, pipe(fds));
	arm(&iocb, fds[0], POLLIN);
	close(fds[0]);
	/* the pipe still has its reader */
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_TRUE(fired(&iocb) & POLLIN);
	/* and soon after the event it has none */
	pollfd.fd = fds[1];
	EXPECT_EQ(1, poll(&pollfd, 1, -1));
	EXPECT_EQ(POLLERR, pollfd.revents);
}

TEST_RAIO(two_queues, "native: EINVAL, as the file has two wait queues")
{
	static char buf[65536];
	const char *dir = getenv("RAIO_TEST_DIR");
	struct iocb iocb;
	char path[200];
	int fd;

	ctx = new_context(1);
	snprintf(path, sizeof(path), "%s/raio-fifo-%d", dir ? dir : "/tmp", getpid());
	ASSERT_EQ(0, mkfifo(path, 0600));
	fd = open(path, O_RDWR);
	unlink(path);
	ASSERT_LE(0, fd);
	arm(&iocb, fd, POLLIN);
	ASSERT_EQ(sizeof(buf), write(fd, buf, sizeof(buf)));
	EXPECT_TRUE(fired(&iocb) & POLLIN);
	arm(&iocb, fd, POLLOUT);
	ASSERT_EQ(sizeof(buf), read(fd, buf, sizeof(buf)));
	EXPECT_TRUE(fired(&iocb) & POLLOUT);
}

static int race_fd;

static void *write_many(void *arg)
{
	unsigned long i;

	(void)arg;
	for (i = 0; i < stress_count(3000); i++)
		ASSERT_EQ(0, eventfd_write(race_fd, 1));
	return NULL;
}

/* No wake is lost between the look and the wait. */
TEST(race)
{
	unsigned long left = stress_count(3000);
	pthread_t thread;
	eventfd_t value;

	ctx = new_context(1);
	race_fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_many, NULL));
	while (left) {
		EXPECT_TRUE(run_poll(race_fd, POLLIN) & POLLIN);
		/* an event may be older than the last read */
		if (!eventfd_read(race_fd, &value))
			left -= value;
	}
	pthread_join(thread, NULL);
}
