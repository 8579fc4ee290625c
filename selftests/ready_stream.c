// SPDX-License-Identifier: GPL-2.0
/*
 * Description: reads and writes of pipes, sockets and devices that are ready
 * complete at once, with what is there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

static aio_context_t ctx;
static char buf[100];

static int64_t do_read(int fd, size_t size)
{
	struct iocb iocb;

	memset(buf, 0, sizeof(buf));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, size, 0);
	return run_one(ctx, &iocb);
}

static int64_t do_write(int fd, const char *text)
{
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PWRITE, fd, (void *)text, strlen(text), 0);
	return run_one(ctx, &iocb);
}

static void check_stream(int in, int out)
{
	ctx = new_context(4);
	EXPECT_EQ(5, do_write(out, "hello"));
	EXPECT_EQ(5, do_write(out, "world"));
	/* a read ends where the data ends, and may leave some */
	EXPECT_EQ(7, do_read(in, 7));
	EXPECT_EQ(0, memcmp(buf, "hellowo", 7));
	EXPECT_EQ(3, do_read(in, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "rld", 3));
	/* end of file, and a write to nobody */
	EXPECT_EQ(3, do_write(out, "end"));
	close(out);
	EXPECT_EQ(3, do_read(in, sizeof(buf)));
	EXPECT_EQ(0, do_read(in, sizeof(buf)));
}

TEST(pipe)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	check_stream(fds[0], fds[1]);
}

TEST(stream_socket)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	check_stream(fds[0], fds[1]);
}

TEST(broken_pipe)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ctx = new_context(1);
	close(fds[0]);
	EXPECT_EQ(-EPIPE, do_write(fds[1], "x"));
}

/* One read is one message. */
TEST(datagrams)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	ctx = new_context(1);
	EXPECT_EQ(5, do_write(fds[1], "hello"));
	EXPECT_EQ(5, do_write(fds[1], "world"));
	EXPECT_EQ(3, do_read(fds[0], 3));
	EXPECT_EQ(5, do_read(fds[0], sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "world", 5));
	/* a message of no bytes is one too */
	EXPECT_EQ(0, do_write(fds[1], ""));
	EXPECT_EQ(0, do_read(fds[0], sizeof(buf)));
}

TEST(nonblocking)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	ctx = new_context(1);
	EXPECT_EQ(1, do_write(fds[1], "x"));
	EXPECT_EQ(1, do_read(fds[0], 10));
}

TEST(eventfd)
{
	int fd = eventfd(7, 0);
	uint64_t value;

	ASSERT_LE(0, fd);
	ctx = new_context(1);
	EXPECT_EQ(8, do_read(fd, 8));
	memcpy(&value, buf, 8);
	EXPECT_EQ(7, value);
}

TEST(devices)
{
	ctx = new_context(1);
	memset(buf, 1, sizeof(buf));
	EXPECT_EQ(100, do_read(open("/dev/zero", O_RDONLY), 100));
	EXPECT_EQ(0, buf[99]);
	EXPECT_EQ(0, do_read(open("/dev/null", O_RDONLY), 100));
	EXPECT_EQ(4, do_write(open("/dev/null", O_WRONLY), "gone"));
	/* it has the old kind of .write only */
	EXPECT_EQ(-EINVAL, do_write(open("/dev/full", O_WRONLY), "full"));
	EXPECT_EQ(100, do_read(open("/dev/urandom", O_RDONLY), 100));
}

TEST(proc)
{
	ctx = new_context(1);
	/* seq_file by iterator works, the old kind of .read does not */
	EXPECT_LT(0, do_read(open("/proc/uptime", O_RDONLY), 100));
	EXPECT_EQ(-EINVAL, do_read(open("/proc/self/environ", O_RDONLY), 100));
}
