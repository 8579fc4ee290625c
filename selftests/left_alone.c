// SPDX-License-Identifier: GPL-2.0
/*
 * Description: requests that no call waits for are over all the same while the existing
 * threads block for ever; and a task that wakes a request and runs it takes nothing from a
 * file that could be lost then.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "pairs.h"
#include "workers.h"

#define WHY	"io_submit blocks"
#define PAGE	4096
#define MANY	100	/* more than an interrupted task runs at once */

static char buf[2 * PAGE];
static struct io_event events[2];

/* There is one thread, and it waits for input that never arrives. */
static aio_context_t with_busy_thread(struct iocb *read)
{
	aio_context_t ctx = new_context(4);
	int fds[2];

	pair_open(PAIR_TTY, fds);
	prep(read, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, read));
	return ctx;
}

static void wait_for_one_thread(void)
{
	while (worker_threads(getpid(), NULL, 0) != 1)
		usleep(1000);
}

/* A thread polls it, since not all its wakes go through the queues. */
static void check_tty_poll(bool watched)
{
	int fds[2], fd = eventfd(0, EFD_CLOEXEC);
	struct iocb first, poll;
	aio_context_t ctx;
	uint64_t count;

	ctx = with_busy_thread(&first);
	pair_open(PAIR_TTY, fds);
	prep_poll(&poll, fds[0], POLLIN);
	if (watched) {
		poll.aio_flags = IOCB_FLAG_RESFD;
		poll.aio_resfd = fd;
	}
	ASSERT_EQ(1, submit_one(ctx, &poll));
	wait_for_one_thread();
	ASSERT_EQ(1, write(fds[1], "x", 1));
	if (watched)
		ASSERT_EQ(sizeof(count), read(fd, &count, sizeof(count)));
	else
		wait_for_ring(ctx, 1);
	ASSERT_EQ(1, events_now(ctx, events, 1));
	EXPECT_TRUE(events[0].res & POLLIN);
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST_RAIO(tty_poll, WHY)
{
	check_tty_poll(false);
}

TEST_RAIO(tty_poll_watched, WHY)
{
	check_tty_poll(true);
}

/* Another read that blocks, while the only thread does. */
TEST_RAIO(tty_reads, WHY)
{
	int fds[2];
	struct iocb first, second;
	aio_context_t ctx = with_busy_thread(&first);

	pair_open(PAIR_TTY, fds);
	wait_for_one_thread();
	prep(&second, IOCB_CMD_PREAD, fds[0], buf + 1, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &second));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	wait_for_ring(ctx, 1);
	ASSERT_EQ(1, events_now(ctx, events, 1));
	EXPECT_EQ((uintptr_t)&second, events[0].obj);
	EXPECT_EQ(0, be_destroy(ctx));
}

/*
 * The task that wakes the second request would run both, but leaves the first to another one,
 * since its memory is not there.
 */
static void check_not_lost(int from, int to, const void *data, size_t size)
{
	aio_context_t ctx = new_context(4);
	struct iocb first, second;
	int fds[2];
	char *absent;

	absent = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(absent != MAP_FAILED);
	ASSERT_EQ(0, pipe(fds));
	prep(&first, IOCB_CMD_PREAD, from, absent, size, 0);
	prep(&second, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &first));
	ASSERT_EQ(1, submit_one(ctx, &second));
	ASSERT_EQ(size, write(to, data, size));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	wait_for_ring(ctx, 2);
	ASSERT_EQ(2, events_now(ctx, events, 2));
	EXPECT_EQ(size + 1, events[0].res + events[1].res);
	EXPECT_EQ(0, memcmp(absent, data, size));
	EXPECT_EQ(0, be_destroy(ctx));
	munmap(absent, PAGE);
}

TEST_RAIO(counts, WHY)
{
	uint64_t one = 1;
	int fd = eventfd(0, EFD_CLOEXEC), i;

	for (i = 0; i < 50; i++)
		check_not_lost(fd, fd, &one, sizeof(one));
}

TEST_RAIO(datagrams, WHY)
{
	int fds[2], i;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	for (i = 0; i < 50; i++)
		check_not_lost(fds[0], fds[1], "datagram", 8);
}

/* Each read of a pipe in packet mode is one of them. */
TEST_RAIO(packets, WHY)
{
	aio_context_t ctx = new_context(4);
	static char data[PAGE + 1000];
	struct iocb iocb;
	int fds[2], i;

	ASSERT_EQ(0, pipe2(fds, O_DIRECT));
	for (i = 0; i < 50; i++) {
		prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(sizeof(data), write(fds[1], data, sizeof(data)));
		ASSERT_EQ(1, events_wait(ctx, events, 1));
		EXPECT_EQ(PAGE, (long long)events[0].res);
		EXPECT_EQ(1000, run_one(ctx, &iocb));
	}
}

static void wait_stopped(pid_t pid)
{
	char path[64], state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	do {
		file = fopen(path, "re");
		ASSERT_TRUE(file);
		ASSERT_EQ(1, fscanf(file, "%*d (%*[^)]) %c", &state));
		fclose(file);
	} while (state != 'T');
}

/* A task is interrupted once for all events that are there by then. */
TEST_RAIO(many_at_once, WHY)
{
	aio_context_t ctx = new_context_flags(MANY, RAIO_SETUP_NO_THREADS);
	static struct iocb iocbs[MANY];
	int fds[MANY][2], i, fd = eventfd(0, EFD_CLOEXEC);
	uint64_t count, sum = 0;
	pid_t parent = getpid(), pid;

	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, pipe2(fds[i], O_CLOEXEC));
		prep(&iocbs[i], IOCB_CMD_PREAD, fds[i][0], buf, 1, 0);
		iocbs[i].aio_flags = IOCB_FLAG_RESFD;
		iocbs[i].aio_resfd = fd;
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	pid = test_fork();
	if (!pid) {
		ASSERT_EQ(0, kill(parent, SIGSTOP));
		wait_stopped(parent);
		for (i = 0; i < MANY; i++)
			ASSERT_EQ(1, write(fds[i][1], "x", 1));
		ASSERT_EQ(0, kill(parent, SIGCONT));
		_exit(0);
	}
	for (; sum < MANY; sum += count)
		ASSERT_EQ(sizeof(count), read(fd, &count, sizeof(count)));
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_EQ(0, be_destroy(ctx));
}

/*
 * When the parent sleeps a child writes to first, of another context; and when the eventfd
 * counted tells of that one's event, to second.
 */
static pid_t write_one_by_one(int first, int counted, int second)
{
	pid_t parent = getpid(), pid = test_fork();
	uint64_t count;

	if (!pid) {
		wait_asleep(parent);
		ASSERT_EQ(1, write(first, "x", 1));
		ASSERT_EQ(sizeof(count), read(counted, &count, sizeof(count)));
		ASSERT_EQ(1, write(second, "y", 1));
		_exit(0);
	}
	return pid;
}

/* Work of another context is no signal: a call that blocks in submit goes on. */
TEST_RAIO(told_in_submit, WHY)
{
	aio_context_t ctx = new_context_flags(4, RAIO_SETUP_NO_THREADS);
	aio_context_t other = new_context_flags(4, RAIO_SETUP_NO_THREADS);
	struct timeval limit = { .tv_sec = 20 };
	struct iocb first, second;
	int fds[2], sockets[2], fd = eventfd(0, EFD_CLOEXEC);
	pid_t pid;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	prep(&first, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	first.aio_flags = IOCB_FLAG_RESFD;
	first.aio_resfd = fd;
	ASSERT_EQ(1, submit_one(other, &first));
	pid = write_one_by_one(fds[1], fd, sockets[1]);
	prep(&second, IOCB_CMD_PREAD, sockets[0], buf + 1, 1, 0);
	EXPECT_EQ(1, run_one(ctx, &second));
	EXPECT_EQ(0, test_wait(pid));
	ASSERT_EQ(1, events_now(other, events, 1));
	EXPECT_EQ(1, (long long)events[0].res);
}

/* Nor does ENTER return EINTR for it, when it has submitted something. */
TEST_RAIO(told_in_enter, WHY)
{
	aio_context_t ctx = new_context_flags(4, RAIO_SETUP_NO_THREADS);
	aio_context_t other = new_context_flags(4, RAIO_SETUP_NO_THREADS);
	struct iocb first, second, *list = &second;
	struct raio_enter enter = { .ctx_id = ctx, .nr = 1, .iocbpp = (uintptr_t)&list,
				    .min_events = 1, .nr_events = 1,
				    .events = (uintptr_t)events };
	int fds[2], more[2], fd = eventfd(0, EFD_CLOEXEC), ret;
	pid_t pid;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(more, O_CLOEXEC));
	prep(&first, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	first.aio_flags = IOCB_FLAG_RESFD;
	first.aio_resfd = fd;
	ASSERT_EQ(1, submit_one(other, &first));
	prep(&second, IOCB_CMD_PREAD, more[0], buf + 1, 1, 0);
	pid = write_one_by_one(fds[1], fd, more[1]);
	ret = raio_ioctl(RAIO_IOC_ENTER, &enter);
	EXPECT_LE(0, ret);
	EXPECT_EQ(1, enter.submitted);
	if (ret == 0)
		EXPECT_EQ(1, events_wait(ctx, events, 1));
	EXPECT_EQ(0, test_wait(pid));
}

/* A call that has got some of its events so far goes on to wait for the others. */
TEST_RAIO(told_in_getevents, WHY)
{
	aio_context_t ctx = new_context_flags(4, RAIO_SETUP_NO_THREADS);
	aio_context_t other = new_context_flags(4, RAIO_SETUP_NO_THREADS);
	struct iocb first, second, there;
	int fds[2], more[2], fd = eventfd(0, EFD_CLOEXEC);
	pid_t pid;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(more, O_CLOEXEC));
	prep(&first, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	first.aio_flags = IOCB_FLAG_RESFD;
	first.aio_resfd = fd;
	ASSERT_EQ(1, submit_one(other, &first));
	prep_poll(&there, more[1], POLLOUT);
	ASSERT_EQ(1, submit_one(ctx, &there));
	prep(&second, IOCB_CMD_PREAD, more[0], buf + 1, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &second));
	pid = write_one_by_one(fds[1], fd, more[1]);
	EXPECT_EQ(2, events_wait(ctx, events, 2));
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_EQ(1, events_now(other, events, 1));
}
