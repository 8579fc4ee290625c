// SPDX-License-Identifier: GPL-2.0
/*
 * Description: submit does not wait for data from a socket, for space in its
 * buffer, nor for its connection.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "pairs.h"
#include "switches.h"

#define SIZE 4096

static uint8_t buf[SIZE];

static void set_nonblock(int fd, bool on)
{
	ASSERT_EQ(0, fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0));
}

/* Writes until there is no space, and says how many bytes those were. */
static size_t fill(int fd, size_t part)
{
	uint8_t page[SIZE];
	size_t done = 0;
	ssize_t ret;

	set_nonblock(fd, true);
	for (;;) {
		fill_pattern(page, part, done, 0);
		ret = write(fd, page, part);
		if (ret < 0)
			break;
		done += ret;
	}
	EXPECT_EQ(EAGAIN, errno);
	set_nonblock(fd, false);
	return done;
}

static void drain(int fd, size_t size)
{
	uint8_t page[SIZE];
	size_t done;
	ssize_t ret;

	for (done = 0; done < size; done += ret) {
		ret = read(fd, page, SIZE);
		ASSERT_LT(0, ret);
		EXPECT_TRUE(is_pattern(page, ret, done, 0));
	}
	ASSERT_EQ(size, done);
}

static void check_write(int in, int out, size_t part)
{
	aio_context_t ctx = new_context(4);
	size_t size = fill(out, part);
	struct iocb iocb;

	fill_pattern(buf, part, size, 0);
	prep(&iocb, IOCB_CMD_PWRITE, out, buf, part, 0);
	submit_unfinished(ctx, &iocb);
	drain(in, size + part);
	EXPECT_EQ(part, finish_one(ctx, &iocb));
}

TEST_RAIO(unix_stream, "native: blocks until there is data or space")
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	read_unfinished(fds[0], fds[1]);
	check_write(fds[0], fds[1], SIZE);
}

/* It is full when its peer has as many messages as the peer may have. */
TEST_RAIO(unix_datagram, "native: blocks until there is data or space")
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	read_unfinished(fds[0], fds[1]);
	check_write(fds[0], fds[1], 64);
}

static int listener(struct sockaddr_in *address, int backlog)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)address, len));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)address, &len));
	ASSERT_EQ(0, listen(fd, backlog));
	return fd;
}

static int connect_to(const struct sockaddr_in *address, int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	ASSERT_LE(0, fd);
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		ASSERT_EQ(EINPROGRESS, errno);
	return fd;
}

TEST_RAIO(tcp_accepted, "native: blocks until there is data or space")
{
	struct sockaddr_in address;
	int server = listener(&address, 1), client, accepted, small = 4096;

	client = connect_to(&address, 0);
	accepted = accept(server, NULL, NULL);
	ASSERT_LE(0, accepted);
	read_unfinished(accepted, client);
	read_unfinished(client, accepted);
	ASSERT_EQ(0, setsockopt(accepted, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	check_write(client, accepted, SIZE);
}

/* Nobody listens to it as long as the queue of the listener is full. */
static int connecting(int *server)
{
	struct sockaddr_in address;
	int fd;

	*server = listener(&address, 0);
	connect_to(&address, 0);
	fd = connect_to(&address, SOCK_NONBLOCK);
	EXPECT_EQ(-1, connect(fd, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_EQ(EALREADY, errno);
	set_nonblock(fd, false);
	return fd;
}

/* The first one of the queue leaves; the next try of the other succeeds. */
static int accept_second(int server)
{
	int fd;

	ASSERT_LE(0, accept(server, NULL, NULL));
	fd = accept(server, NULL, NULL);
	ASSERT_LE(0, fd);
	return fd;
}

TEST_RAIO(tcp_connecting_read, "native: blocks until it is connected, and there is data")
{
	aio_context_t ctx = new_context(4);
	int server, peer, fd = connecting(&server);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, SIZE, 0);
	submit_unfinished(ctx, &iocb);
	peer = accept_second(server);
	ASSERT_EQ(5, write(peer, "hello", 5));
	EXPECT_EQ(5, finish_one(ctx, &iocb));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
}

TEST_RAIO(tcp_connecting_write, "native: blocks until it is connected")
{
	aio_context_t ctx = new_context(4);
	int server, peer, fd = connecting(&server);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PWRITE, fd, "hello", 5, 0);
	submit_unfinished(ctx, &iocb);
	peer = accept_second(server);
	EXPECT_EQ(5, finish_one(ctx, &iocb));
	EXPECT_EQ(5, read(peer, buf, SIZE));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
}

/* It has no buffer that could be full: what it sends is the receiver's at once. */
TEST_RAIO(udp, "native: blocks until there is data")
{
	aio_context_t ctx = new_context(4);
	struct iocb iocb;
	int fds[2];

	pair_open(PAIR_UDP, fds);
	read_unfinished(fds[0], fds[1]);

	prep(&iocb, IOCB_CMD_PWRITE, fds[1], "hello", 5, 0);
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(5, finish_one(ctx, &iocb));
	EXPECT_EQ(5, read(fds[0], buf, SIZE));
}
