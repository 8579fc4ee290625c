// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "harness.h"
#include "pairs.h"

static const char *const names[PAIR_ALL] = {
	[PAIR_PIPE] = "pipe",
	[PAIR_FIFO] = "FIFO",
	[PAIR_TCP] = "TCP",
	[PAIR_TCP6] = "TCP over IPv6",
	[PAIR_UDP] = "UDP",
	[PAIR_UDP6] = "UDP over IPv6",
	[PAIR_UNIX_STREAM] = "unix stream",
	[PAIR_UNIX_DGRAM] = "unix datagram",
	[PAIR_UNIX_SEQPACKET] = "unix seqpacket",
	[PAIR_TTY] = "tty",
	[PAIR_PTY] = "pty",
	[PAIR_NETLINK] = "netlink",
	[PAIR_MPTCP] = "MPTCP",
};

const char *pair_name(enum pair pair)
{
	return names[pair];
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static union address loopback(int family)
{
	union address address = { .any.sa_family = family };

	if (family == AF_INET)
		address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address.in6.sin6_addr = in6addr_loopback;
	return address;
}

/* A socket with a port of its own. */
static int bound(int family, int type, int protocol, union address *address)
{
	socklen_t size = family == AF_INET ? sizeof(address->in) : sizeof(address->in6);
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	*address = loopback(family);
	if (fd < 0)
		return -1;
	if (bind(fd, &address->any, size) || getsockname(fd, &address->any, &size)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool to(int fd, const union address *address)
{
	return connect(fd, &address->any, address->any.sa_family == AF_INET ?
		       sizeof(address->in) : sizeof(address->in6)) == 0;
}

static bool datagrams(int family, int fds[2])
{
	union address first, second;

	fds[0] = bound(family, SOCK_DGRAM, 0, &first);
	fds[1] = bound(family, SOCK_DGRAM, 0, &second);
	return fds[0] >= 0 && fds[1] >= 0 && to(fds[0], &second) && to(fds[1], &first);
}

static bool streams(int family, int protocol, int fds[2])
{
	union address address;
	int listener = bound(family, SOCK_STREAM, protocol, &address);

	if (listener < 0 || listen(listener, 1))
		return false;
	fds[1] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	if (fds[1] < 0 || !to(fds[1], &address))
		return false;
	fds[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return fds[0] >= 0;
}

/* Between programs: no kernel listens. */
static bool netlink(int fds[2])
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	socklen_t size = sizeof(to);

	fds[0] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);
	fds[1] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);
	return fds[0] >= 0 && fds[1] >= 0 && !bind(fds[0], (struct sockaddr *)&to, size) &&
	       !getsockname(fds[0], (struct sockaddr *)&to, &size) &&
	       !connect(fds[1], (struct sockaddr *)&to, size);
}

static bool named_pipe(int fds[2])
{
	char path[] = "/tmp/raio-fifo-XXXXXX";

	if (!mkdtemp(path) || rmdir(path) || mkfifo(path, 0600))
		return false;
	fds[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	fds[1] = open(path, O_WRONLY | O_CLOEXEC);
	unlink(path);
	return fds[0] >= 0 && fds[1] >= 0 && fcntl(fds[0], F_SETFL, 0) == 0;
}

static bool terminal(int *master, int *slave)
{
	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || grantpt(*master) || unlockpt(*master))
		return false;
	*slave = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *slave >= 0;
}

void terminal_open(int *master, int *slave)
{
	if (!terminal(master, slave))
		SKIP("no tty: %m");
}

static bool raw_terminal(int *master, int *slave)
{
	struct termios termios;

	if (!terminal(master, slave) || tcgetattr(*slave, &termios))
		return false;
	cfmakeraw(&termios);
	return tcsetattr(*slave, TCSANOW, &termios) == 0;
}

void terminal_set_min_time(int slave, unsigned int min, unsigned int time)
{
	struct termios termios;

	ASSERT_EQ(0, tcgetattr(slave, &termios));
	termios.c_cc[VMIN] = min;
	termios.c_cc[VTIME] = time;
	ASSERT_EQ(0, tcsetattr(slave, TCSANOW, &termios));
}

bool pair_try(enum pair pair, int fds[2])
{
	switch (pair) {
	case PAIR_PIPE:
		return pipe2(fds, O_CLOEXEC) == 0;
	case PAIR_FIFO:
		return named_pipe(fds);
	case PAIR_TCP:
		return streams(AF_INET, 0, fds);
	case PAIR_TCP6:
		return streams(AF_INET6, 0, fds);
	case PAIR_UDP:
		return datagrams(AF_INET, fds);
	case PAIR_UDP6:
		return datagrams(AF_INET6, fds);
	case PAIR_UNIX_STREAM:
		return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0;
	case PAIR_UNIX_DGRAM:
		return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0;
	case PAIR_UNIX_SEQPACKET:
		return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0;
	case PAIR_TTY:
		return raw_terminal(&fds[1], &fds[0]);
	case PAIR_PTY:
		return raw_terminal(&fds[0], &fds[1]);
	case PAIR_NETLINK:
		return netlink(fds);
	case PAIR_MPTCP:
		return streams(AF_INET, IPPROTO_MPTCP, fds);
	default:
		return false;
	}
}

void pair_open(enum pair pair, int fds[2])
{
	if (!pair_try(pair, fds))
		SKIP("no %s: %m", names[pair]);
}

bool pair_fills(enum pair pair)
{
	return pair != PAIR_UDP && pair != PAIR_UDP6;
}

/* In parts of that size at most, until it would wait. */
static size_t move(int fd, bool out, size_t part)
{
	static char page[4096];
	int flags = fcntl(fd, F_GETFL);
	size_t size = 0;
	ssize_t ret;

	ASSERT_LE(0, flags);
	ASSERT_EQ(0, fcntl(fd, F_SETFL, flags | O_NONBLOCK));
	while ((ret = out ? write(fd, page, part) : read(fd, page, part)) > 0)
		size += ret;
	if (ret < 0)
		EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(fd, F_SETFL, flags));
	return size;
}

size_t pair_fill(int fd)
{
	size_t size = move(fd, true, 4096);

	return size + move(fd, true, 1);
}

size_t pair_drain(int fd)
{
	return move(fd, false, 4096);
}
