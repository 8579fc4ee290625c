// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a context that forbids threads: what can wait for a wake does so,
 * and its event comes whether somebody waits for it or not; what may block does
 * so in submit, as with native aio.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "provider_open.h"
#include "switches.h"
#include "workers.h"

#define WHY	"it has no such threads"
#define BIG	(8 << 20)

static struct io_event event;
static struct iocb iocb;

static aio_context_t new_context_alone(void)
{
	return new_context_flags(4, RAIO_SETUP_NO_THREADS);
}

/* It comes though no call asks for it, or while one does. */
static int64_t result_of(aio_context_t ctx, bool wait)
{
	if (!wait)
		wait_for_ring(ctx, 1);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	EXPECT_EQ(0, worker_threads(getpid(), NULL, 0));
	return event.res;
}

static void run_poll(bool wait)
{
	aio_context_t ctx = new_context_alone();
	int fds[2], round;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	for (round = 0; round < 20; round++) {
		prep_poll(&iocb, fds[0], POLLIN);
		submit_unfinished(ctx, &iocb);
		pid = write_when_asleep(fds[1]);
		EXPECT_TRUE(result_of(ctx, wait) & POLLIN);
		EXPECT_EQ(0, test_wait(pid));
		ASSERT_EQ(1, read(fds[0], &(char){ 0 }, 1));
	}
}

TEST_RAIO(poll, WHY)
{
	run_poll(false);
}

TEST_RAIO(poll_waiting, WHY)
{
	run_poll(true);
}

static void run_pipe_read(bool wait)
{
	aio_context_t ctx = new_context_alone();
	int fds[2], round;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(fds));
	for (round = 0; round < 20; round++) {
		byte = 0;
		prep(&iocb, IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
		submit_unfinished(ctx, &iocb);
		pid = write_when_asleep(fds[1]);
		EXPECT_EQ(1, result_of(ctx, wait));
		EXPECT_EQ('x', byte);
		EXPECT_EQ(0, test_wait(pid));
	}
}

TEST_RAIO(pipe_read, WHY)
{
	run_pipe_read(false);
}

TEST_RAIO(pipe_read_waiting, WHY)
{
	run_pipe_read(true);
}

static bool drain(int fd)
{
	static uint8_t buf[65536];
	size_t done = 0;
	ssize_t size;

	while (done < BIG) {
		size = read(fd, buf, sizeof(buf));
		if (size <= 0 || !is_pattern(buf, size, done, 0))
			return false;
		done += size;
	}
	return true;
}

/* Far more than a pipe has room for: many retries, one after the other. */
static void run_pipe_write(bool wait)
{
	aio_context_t ctx = new_context_alone();
	void *buf = malloc(BIG);
	int fds[2], round;
	pid_t pid;

	ASSERT_TRUE(buf);
	fill_pattern(buf, BIG, 0, 0);
	ASSERT_EQ(0, pipe(fds));
	for (round = 0; round < 3; round++) {
		prep(&iocb, IOCB_CMD_PWRITE, fds[1], buf, BIG, 0);
		submit_unfinished(ctx, &iocb);
		pid = test_fork();
		if (!pid)
			_exit(!drain(fds[0]));
		EXPECT_EQ(BIG, result_of(ctx, wait));
		EXPECT_EQ(0, test_wait(pid));
	}
}

TEST_RAIO(big_pipe_write, WHY)
{
	run_pipe_write(false);
}

TEST_RAIO(big_pipe_write_waiting, WHY)
{
	run_pipe_write(true);
}

/* What it would need a thread for is over when submit returns. */
static void submit_and_end(aio_context_t ctx)
{
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(1, events_in_ring(ctx));
}

TEST_RAIO(unix_socket_read, WHY)
{
	aio_context_t ctx = new_context_alone();
	char byte = 0;
	int fds[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
	submit_unfinished(ctx, &iocb);
	pid = write_when_asleep(fds[1]);
	EXPECT_EQ(1, result_of(ctx, false));
	EXPECT_EQ('x', byte);
	EXPECT_EQ(0, test_wait(pid));
}

TEST_RAIO(fuse_read, WHY)
{
	aio_context_t ctx = new_context_alone();
	struct fuse fuse;
	char buf[100];
	pid_t pid;
	int fd;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fd = fuse_open(&fuse, O_RDONLY);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	pid = test_fork();
	if (!pid) {
		fuse_wait_held(&fuse, 1);
		fuse_release(&fuse);
		_exit(0);
	}
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), 0);
	submit_and_end(ctx);
	EXPECT_EQ(sizeof(buf), result_of(ctx, false));
	EXPECT_TRUE(is_pattern(buf, sizeof(buf), 0, 0));
	EXPECT_EQ(0, test_wait(pid));
}

/* A driver that refuses it after submit: nobody is left who could block. */
static void run_late_eagain(bool wait)
{
	aio_context_t ctx = new_context_alone();
	int fd = provider_open(PROVIDER_PATH, PROVIDER_LATE_EAGAIN), round;
	uint8_t byte;

	for (round = 0; round < 20; round++) {
		byte = 0;
		prep(&iocb, IOCB_CMD_PREAD, fd, &byte, 1, round);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		EXPECT_EQ(1, result_of(ctx, wait));
		EXPECT_EQ(PROVIDER_BYTE(round), byte);
	}
}

TEST_RAIO(late_eagain, WHY)
{
	run_late_eagain(false);
}

TEST_RAIO(late_eagain_waiting, WHY)
{
	run_late_eagain(true);
}
