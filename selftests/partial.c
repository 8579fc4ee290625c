// SPDX-License-Identifier: GPL-2.0
/*
 * Description: what a request does that can't be served in one go: a read of a
 * stream ends with the first data, a write and a read of a file go on to the end,
 * and what was moved is told even if the rest fails.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "pairs.h"

#define LARGE (1024 * 1024)

static uint8_t buf[LARGE];
static aio_context_t ctx;

static int64_t wait_one(void)
{
	struct io_event event, more;

	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(0, events_now(ctx, &more, 1));
	return event.res;
}

static int submit_rw(unsigned int opcode, int fd, void *bytes, size_t size)
{
	static struct iocb iocb;

	prep(&iocb, opcode, fd, bytes, size, 0);
	return submit_one(ctx, &iocb);
}

static void start_rw(unsigned int opcode, int fd, void *bytes, size_t size)
{
	struct io_event event;

	ASSERT_EQ(1, submit_rw(opcode, fd, bytes, size));
	ASSERT_EQ(0, events_now(ctx, &event, 1));
}

static const enum pair streams[] = { PAIR_PIPE, PAIR_UNIX_STREAM, PAIR_TCP, PAIR_TTY };

TEST_RAIO(first_data_ends_read, "native: blocks until there is data")
{
	unsigned int i;
	int fds[2];

	for (i = 0; i < ARRAY_SIZE(streams); i++) {
		pair_open(streams[i], fds);
		ctx = new_context(1);
		start_rw(IOCB_CMD_PREAD, fds[0], buf, sizeof(buf));
		ASSERT_EQ(5, write(fds[1], "hello", 5));
		EXPECT_EQ(5, wait_one());
		EXPECT_EQ(0, memcmp(buf, "hello", 5));
		/* and takes no more than it was asked to */
		start_rw(IOCB_CMD_PREAD, fds[0], buf, 2);
		ASSERT_EQ(5, write(fds[1], "world", 5));
		EXPECT_EQ(2, wait_one());
		EXPECT_EQ(3, read(fds[0], buf, sizeof(buf)));
		EXPECT_EQ(0, memcmp(buf, "rld", 3));
	}
}

static void check_large(enum pair pair, int buffer)
{
	static uint8_t part[5000];
	ssize_t done, ret;
	int fds[2];

	pair_open(pair, fds);
	/* of the sender alone: a small window of the receiver makes TCP wait for its timers */
	if (buffer)
		ASSERT_EQ(0, setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)));
	ctx = new_context(1);
	fill_pattern(buf, LARGE, 0, 0);
	/* not all of it can be in the buffers */
	start_rw(IOCB_CMD_PWRITE, fds[1], buf, LARGE);
	for (done = 0; done < LARGE; done += ret) {
		ret = read(fds[0], part, sizeof(part));
		ASSERT_LT(0, ret);
		ASSERT_TRUE(is_pattern(part, ret, done, 0));
	}
	EXPECT_EQ(LARGE, wait_one());
	close(fds[1]);
	EXPECT_EQ(0, read(fds[0], part, 1));
}

TEST_RAIO(pipe_write_goes_on, "native: blocks until there is space")
{
	check_large(PAIR_PIPE, 0);
}

TEST_RAIO(unix_write_goes_on, "native: blocks until there is space")
{
	check_large(PAIR_UNIX_STREAM, 0);
}

TEST_RAIO(tcp_write_goes_on, "native: blocks until there is space")
{
	check_large(PAIR_TCP, 8192);
}

static void check_reader_goes(enum pair pair)
{
	static uint8_t part[10000];
	int64_t moved;
	int fds[2];

	pair_open(pair, fds);
	ctx = new_context(1);
	start_rw(IOCB_CMD_PWRITE, fds[1], buf, LARGE);
	ASSERT_EQ(sizeof(part), read(fds[0], part, sizeof(part)));
	close(fds[0]);
	moved = wait_one();
	EXPECT_LE((int64_t)sizeof(part), moved);
	EXPECT_LT(moved, LARGE);
	/* the next one has only the error to tell */
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PWRITE, fds[1], buf, 1));
	EXPECT_EQ(-EPIPE, wait_one());
}

/* By a task of the process, since no thread may. */
TEST_RAIO(mptcp_write_goes_on, "native: blocks until there is space")
{
	check_large(PAIR_MPTCP, 8192);
}

TEST_RAIO(pipe_reader_goes, "native: blocks until the reader has gone")
{
	check_reader_goes(PAIR_PIPE);
}

TEST_RAIO(unix_reader_goes, "native: blocks until the reader has gone")
{
	check_reader_goes(PAIR_UNIX_STREAM);
}

/* Nothing was moved: the error. */
TEST_RAIO(pipe_full_reader_goes, "native: blocks until the reader has gone")
{
	int fds[2], size;

	ASSERT_EQ(0, pipe(fds));
	ctx = new_context(1);
	size = fcntl(fds[1], F_GETPIPE_SZ);
	ASSERT_LE(size, LARGE);
	ASSERT_EQ(size, write(fds[1], buf, size));
	start_rw(IOCB_CMD_PWRITE, fds[1], buf, 100);
	close(fds[0]);
	EXPECT_EQ(-EPIPE, wait_one());
}

TEST_RAIO(end_of_file, "native: blocks until the writer has gone")
{
	unsigned int i;
	int fds[2];

	for (i = 0; i < 3; i++) {
		pair_open(streams[i], fds);
		ctx = new_context(1);
		start_rw(IOCB_CMD_PREAD, fds[0], buf, 100);
		close(fds[1]);
		EXPECT_EQ(0, wait_one());
	}
}

/* Memory that ends: what was moved before. */
TEST(bad_memory)
{
	uint8_t *bytes = guarded_buffer(4096);
	int fds[2];

	ctx = new_context(1);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PWRITE, fds[1], bytes, 8192));
	EXPECT_EQ(4096, wait_one());
	EXPECT_EQ(4096, read(fds[0], buf, LARGE));
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PWRITE, fds[1], bytes + 4096, 1));
	EXPECT_EQ(-EFAULT, wait_one());

	ASSERT_EQ(8192, write(fds[1], buf, 8192));
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PREAD, fds[0], bytes, 8192));
	EXPECT_EQ(4096, wait_one());
}

static int cold_file(size_t size)
{
	int fd = new_file(size);

	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	return fd;
}

/* Not what happens to be in the cache: all of it. */
TEST(cold_file)
{
	int fd = cold_file(LARGE);

	ctx = new_context(1);
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PREAD, fd, buf, LARGE));
	EXPECT_EQ(LARGE, wait_one());
	EXPECT_TRUE(is_pattern(buf, LARGE, 0, 0));
}

TEST(partly_cold_file)
{
	int fd = cold_file(LARGE);

	ctx = new_context(1);
	/* no read-ahead */
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
	ASSERT_EQ(10000, pread(fd, buf, 10000, 0));
	ASSERT_EQ(10000, pread(fd, buf, 10000, LARGE / 2));
	memset(buf, 0, LARGE);
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PREAD, fd, buf, LARGE));
	EXPECT_EQ(LARGE, wait_one());
	EXPECT_TRUE(is_pattern(buf, LARGE, 0, 0));
}

TEST(across_end_of_file)
{
	int fd = cold_file(100000), direct;

	ctx = new_context(1);
	memset(buf, 0xee, LARGE);
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PREAD, fd, buf, LARGE));
	EXPECT_EQ(100000, wait_one());
	EXPECT_TRUE(is_pattern(buf, 100000, 0, 0));
	EXPECT_EQ(0xee, buf[100000]);

	direct = reopen(fd, O_RDONLY | O_DIRECT);
	if (direct < 0)
		return;
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PREAD, direct, aligned_buffer(LARGE), LARGE));
	EXPECT_EQ(100000, wait_one());
}

/* A message of no bytes is a message, also if it has to wait. */
static void check_empty_message(int in, int out)
{
	ctx = new_context(1);
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PWRITE, out, buf, 0));
	EXPECT_EQ(0, wait_one());
	ASSERT_EQ(1, write(out, "x", 1));
	EXPECT_EQ(0, recv(in, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(1, recv(in, buf, sizeof(buf), MSG_DONTWAIT));
}

TEST(empty_datagram_udp)
{
	int fds[2];

	pair_open(PAIR_UDP, fds);
	check_empty_message(fds[0], fds[1]);
}

TEST(empty_datagram_unix)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	check_empty_message(fds[0], fds[1]);
}

TEST_RAIO(empty_datagram_waits, "native: blocks until there is space")
{
	int fds[2], count = 0;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	ctx = new_context(1);
	while (send(fds[1], "x", 1, MSG_DONTWAIT) == 1)
		count++;
	ASSERT_EQ(EAGAIN, errno);
	start_rw(IOCB_CMD_PWRITE, fds[1], buf, 0);
	while (count--)
		ASSERT_EQ(1, read(fds[0], buf, sizeof(buf)));
	EXPECT_EQ(0, wait_one());
	EXPECT_EQ(0, recv(fds[0], buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(-1, recv(fds[0], buf, sizeof(buf), MSG_DONTWAIT));
}

/* A read of no bytes has them all. */
TEST(empty_read)
{
	unsigned int i;
	int fds[2];

	for (i = 0; i < ARRAY_SIZE(streams); i++) {
		pair_open(streams[i], fds);
		ctx = new_context(1);
		if (streams[i] == PAIR_TTY)
			continue;
		ASSERT_EQ(1, submit_rw(IOCB_CMD_PREAD, fds[0], buf, 0));
		EXPECT_EQ(0, wait_one());
		ASSERT_EQ(1, submit_rw(IOCB_CMD_PWRITE, fds[1], buf, 0));
		EXPECT_EQ(0, wait_one());
	}
}

/* One message is one read, however long the read is; the rest of it is lost. */
TEST_RAIO(datagrams, "native: blocks until there is data")
{
	int fds[2];

	pair_open(PAIR_UDP, fds);
	ctx = new_context(1);
	start_rw(IOCB_CMD_PREAD, fds[0], buf, sizeof(buf));
	ASSERT_EQ(5, write(fds[1], "hello", 5));
	EXPECT_EQ(5, wait_one());
	start_rw(IOCB_CMD_PREAD, fds[0], buf, 3);
	ASSERT_EQ(5, write(fds[1], "world", 5));
	EXPECT_EQ(3, wait_one());
	/* an empty one ends it as well */
	start_rw(IOCB_CMD_PREAD, fds[0], buf, 3);
	ASSERT_EQ(0, write(fds[1], "", 0));
	EXPECT_EQ(0, wait_one());
}

/* What a server says is not asked for again. */
TEST(short_fuse_read)
{
	struct fuse fuse;

	fuse_start(&fuse, FUSE_DIRECT_IO | FUSE_SHORT_READ);
	ctx = new_context(1);
	ASSERT_EQ(1, submit_rw(IOCB_CMD_PREAD, fuse_open(&fuse, O_RDONLY), buf, 4096));
	EXPECT_EQ(FUSE_SHORT_SIZE, wait_one());
	EXPECT_EQ(1, fuse.shared->seen[FUSE_READ]);
}
