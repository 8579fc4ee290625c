// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a request that waits for its file is cancelled, whatever its
 * opcode: its event is in result, none is in the ring, and the file is as if the
 * request had never been.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "workers.h"

#define NATIVE	"native: blocks"
#define DATA	0x1234567890abcdefULL

static aio_context_t ctx;
static char buf[100];
static struct iovec iov[2] = {
	{ .iov_base = buf, .iov_len = 4 }, { .iov_base = buf + 4, .iov_len = 4 },
};

/* It takes no slot any more either: the context had one for each. */
static void cancel(struct iocb *iocb)
{
	struct io_event result, event;

	memset(&result, 0xee, sizeof(result));
	EXPECT_EQ(0, be_cancel(ctx, iocb, &result));
	EXPECT_EQ(iocb->aio_data, result.data);
	EXPECT_EQ((uintptr_t)iocb, result.obj);
	EXPECT_EQ(-ECANCELED, (long long)result.res);
	EXPECT_EQ(0, (long long)result.res2);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	/* it is no request any more */
	EXPECT_EQ(-EINVAL, be_cancel(ctx, iocb, &result));
}

static void submit_armed(struct iocb *iocb)
{
	struct io_event event;

	iocb->aio_data = DATA;
	ASSERT_EQ(1, submit_one(ctx, iocb));
	ASSERT_EQ(0, events_now(ctx, &event, 1));
}

static void prep_read(struct iocb *iocb, unsigned int opcode, int fd)
{
	if (opcode == IOCB_CMD_PREADV || opcode == IOCB_CMD_PWRITEV)
		prep(iocb, opcode, fd, iov, 2, 0);
	else if (opcode == IOCB_CMD_POLL)
		prep(iocb, opcode, fd, (void *)POLLIN, 0, 0);
	else
		prep(iocb, opcode, fd, buf, 8, 0);
}

/* Nothing is there to be read; what comes later is for the next reader. */
static void cancel_reads(int from, int to)
{
	static const unsigned int opcodes[] = {
		IOCB_CMD_PREAD, IOCB_CMD_PREADV, IOCB_CMD_POLL,
	};
	char data[8];
	struct iocb iocb;
	unsigned int i, round;

	ctx = new_context(1);
	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		/* more often than there are slots */
		for (round = 0; round < 200; round++) {
			prep_read(&iocb, opcodes[i], from);
			submit_armed(&iocb);
			/* a thread does it for a tty */
			wait_armed(ctx);
			cancel(&iocb);
		}
		ASSERT_EQ(8, write(to, "raio\0\0\0\n", 8));
		ASSERT_EQ(8, read(from, data, sizeof(data)));
		EXPECT_EQ(0, memcmp(data, "raio\0\0\0\n", 8));
		EXPECT_EQ(0, events_in_ring(ctx));
	}
}

TEST_RAIO(pipe_read, NATIVE)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	cancel_reads(fds[0], fds[1]);
}

TEST_RAIO(fifo_read, NATIVE)
{
	char path[] = "/tmp/raio-fifo-XXXXXX", name[64];
	int fd;

	ASSERT_TRUE(mkdtemp(path));
	snprintf(name, sizeof(name), "%s/fifo", path);
	ASSERT_EQ(0, mkfifo(name, 0600));
	fd = open(name, O_RDWR | O_CLOEXEC);
	unlink(name);
	rmdir(path);
	ASSERT_LE(0, fd);
	cancel_reads(fd, fd);
}

TEST_RAIO(socket_read, NATIVE)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	cancel_reads(fds[0], fds[1]);
}

/* Fills it, and says how much that is. */
static size_t fill(int fd)
{
	static char zeroes[4096];
	size_t total = 0;
	ssize_t size;

	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	while ((size = write(fd, zeroes, sizeof(zeroes))) > 0)
		total += size;
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(fd, F_SETFL, 0));
	return total;
}

static void drain(int fd, size_t size)
{
	static char data[65536];
	ssize_t ret;

	while (size) {
		ret = read(fd, data, size < sizeof(data) ? size : sizeof(data));
		ASSERT_LE(1, ret);
		size -= ret;
	}
}

static void expect_empty(int fd)
{
	char byte;

	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(fd, &byte, 1));
	EXPECT_EQ(EAGAIN, errno);
}

/* There is no room; when there is, nothing of the request appears. */
static void cancel_writes(int from, int to)
{
	static const unsigned int opcodes[] = {
		IOCB_CMD_PWRITE, IOCB_CMD_PWRITEV, IOCB_CMD_POLL,
	};
	size_t size = fill(to);
	struct iocb iocb;
	unsigned int i;

	ctx = new_context(1);
	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		prep_read(&iocb, opcodes[i], to);
		if (opcodes[i] == IOCB_CMD_POLL)
			iocb.aio_buf = POLLOUT;
		submit_armed(&iocb);
		cancel(&iocb);
	}
	drain(from, size);
	expect_empty(from);
	EXPECT_EQ(0, events_in_ring(ctx));
}

TEST_RAIO(pipe_write, NATIVE)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	cancel_writes(fds[0], fds[1]);
}

TEST_RAIO(socket_write, NATIVE)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	cancel_writes(fds[0], fds[1]);
}

/* A write that has begun: what it has moved is told, and stays. */
TEST_RAIO(write_begun, NATIVE)
{
	size_t size = 100000;
	char *big = calloc(1, size);
	struct io_event result, event;
	struct iocb iocb;
	int fds[2], room;

	ASSERT_EQ(0, pipe(fds));
	room = fcntl(fds[1], F_GETPIPE_SZ);
	ASSERT_LT(room, (long)size);
	ctx = new_context(1);
	prep(&iocb, IOCB_CMD_PWRITE, fds[1], big, size, 0);
	submit_armed(&iocb);
	EXPECT_EQ(0, be_cancel(ctx, &iocb, &result));
	EXPECT_EQ(room, (long long)result.res);
	EXPECT_EQ(DATA, result.data);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	drain(fds[0], room);
	expect_empty(fds[0]);
}

#define QUEUE 5

/* One of a queue, at each place of it: the order of the others stays. */
static void cancel_one_of_reads(int from, int to)
{
	struct io_event event;
	struct iocb iocbs[QUEUE];
	char bytes[QUEUE];
	int i, gone, next;

	ctx = new_context(QUEUE);
	for (gone = 0; gone < QUEUE; gone++) {
		for (i = 0; i < QUEUE; i++) {
			prep(&iocbs[i], IOCB_CMD_PREAD, from, &bytes[i], 1, 0);
			submit_armed(&iocbs[i]);
		}
		cancel(&iocbs[gone]);
		ASSERT_EQ(QUEUE - 1, write(to, "abcd", QUEUE - 1));
		for (i = 1; i < QUEUE; i++)
			ASSERT_EQ(1, events_wait(ctx, &event, 1));
		for (i = 0, next = 'a'; i < QUEUE; i++)
			if (i != gone)
				EXPECT_EQ(next++, bytes[i]);
		EXPECT_EQ(0, events_now(ctx, &event, 1));
	}
}

TEST_RAIO(pipe_read_queue, NATIVE)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	cancel_one_of_reads(fds[0], fds[1]);
}

TEST_RAIO(socket_read_queue, NATIVE)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	cancel_one_of_reads(fds[0], fds[1]);
}

static void cancel_one_of_writes(int from, int to)
{
	struct io_event events[QUEUE];
	struct iocb iocbs[QUEUE];
	char bytes[] = { 'a', 'b', 'c', 'd', 'e' }, seen[QUEUE];
	int i, gone, next;
	size_t size;

	ctx = new_context(QUEUE);
	for (gone = 0; gone < QUEUE; gone++) {
		size = fill(to);
		for (i = 0; i < QUEUE; i++) {
			prep(&iocbs[i], IOCB_CMD_PWRITE, to, &bytes[i], 1, 0);
			submit_armed(&iocbs[i]);
		}
		cancel(&iocbs[gone]);
		drain(from, size);
		ASSERT_EQ(QUEUE - 1, events_wait(ctx, events, QUEUE - 1));
		for (i = 0, next = 0; i < QUEUE; i++) {
			if (i == gone)
				continue;
			ASSERT_EQ(1, read(from, &seen[next], 1));
			EXPECT_EQ(bytes[i], seen[next++]);
		}
		EXPECT_EQ(0, events_now(ctx, events, 1));
	}
	expect_empty(from);
}

TEST_RAIO(pipe_write_queue, NATIVE)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	cancel_one_of_writes(fds[0], fds[1]);
}

TEST_RAIO(socket_write_queue, NATIVE)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	cancel_one_of_writes(fds[0], fds[1]);
}

/* Behind a request of the same file that the server does not answer. */
static void cancel_queued(unsigned int opcode, unsigned int held)
{
	struct io_event event;
	struct iocb first, second;
	struct fuse fuse;
	unsigned int seen;
	int fd;

	ctx = new_context(2);
	fuse_start(&fuse, FUSE_DIRECT_IO);
	fd = fuse_open(&fuse, O_RDWR);
	fuse_hold(&fuse, FUSE_OP(held));
	prep(&first, opcode, fd, opcode == IOCB_CMD_PWRITE ? buf : NULL,
	     opcode == IOCB_CMD_PWRITE ? 8 : 0, 0);
	second = first;
	submit_armed(&first);
	fuse_wait_held(&fuse, 1);
	seen = fuse.shared->seen[held];
	submit_armed(&second);
	cancel(&second);
	fuse_release(&fuse);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&first, event.obj);
	EXPECT_EQ(opcode == IOCB_CMD_PWRITE ? 8 : 0, (long long)event.res);
	/* its server has never heard of the second */
	expect_works(ctx);
	EXPECT_EQ(seen, fuse.shared->seen[held]);
}

TEST_RAIO(queued_fsync, "its fsyncs do not wait for each other")
{
	cancel_queued(IOCB_CMD_FSYNC, FUSE_FSYNC);
}

TEST_RAIO(queued_fdsync, "its fsyncs do not wait for each other")
{
	cancel_queued(IOCB_CMD_FDSYNC, FUSE_FSYNC);
}

TEST_RAIO(queued_write, NATIVE)
{
	cancel_queued(IOCB_CMD_PWRITE, FUSE_WRITE);
}
