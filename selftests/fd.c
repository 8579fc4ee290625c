// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a context belongs to the memory of its process; an open /dev/raio is only
 * used to make calls: it can be closed, opened again and passed on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

#define WHY "it has no fd"

TEST_RAIO(closed_and_opened_again, WHY)
{
	aio_context_t ctx = new_context(8);
	unsigned long nr = be_nr();

	raio_close();
	EXPECT_EQ(nr, be_nr());
	EXPECT_EQ(RAIO_RING_MAGIC, ring_of(ctx)->magic);
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

/* What was submitted before the close still comes. */
TEST_RAIO(events_after_close, WHY)
{
	aio_context_t ctx = new_context(8);
	struct io_event event;
	struct iocb iocb;
	char buf[1];

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	raio_close();
	EXPECT_EQ(1, events_wait(ctx, &event, 1));
}

TEST_RAIO(two_doors, WHY)
{
	aio_context_t ctx = new_context(8);
	int other = open("/dev/raio", O_RDWR | O_CLOEXEC);
	struct raio_destroy arg = { .ctx_id = ctx };

	ASSERT_LE(0, other);
	expect_works(ctx);
	EXPECT_EQ(0, ioctl(other, RAIO_IOC_DESTROY, &arg));
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
}

static void send_fd(int socket, int fd)
{
	char data = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = &data, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	ASSERT_EQ(1, sendmsg(socket, &msg, 0));
}

static int receive_fd(int socket)
{
	char data, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &data, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	ASSERT_EQ(1, recvmsg(socket, &msg, 0));
	ASSERT_TRUE(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Who gets the fd gets no context with it, and may set up its own by it. */
TEST_RAIO(passed_on, WHY)
{
	int sockets[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pid = test_fork();
	if (pid == 0) {
		struct raio_setup setup = { .nr_events = 8 };
		struct raio_destroy destroy = { 0 };
		aio_context_t foreign;
		int fd = receive_fd(sockets[1]);

		ASSERT_EQ(sizeof(foreign), read(sockets[1], &foreign, sizeof(foreign)));
		destroy.ctx_id = foreign;
		EXPECT_EQ(-1, ioctl(fd, RAIO_IOC_DESTROY, &destroy));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(0, ioctl(fd, RAIO_IOC_SETUP, &setup));
		expect_works(setup.ctx_id);
		destroy.ctx_id = setup.ctx_id;
		EXPECT_EQ(0, ioctl(fd, RAIO_IOC_DESTROY, &destroy));
		_exit(0);
	}
	{
		aio_context_t ctx = new_context(8);

		send_fd(sockets[0], raio_fd());
		ASSERT_EQ(sizeof(ctx), write(sockets[0], &ctx, sizeof(ctx)));
		EXPECT_EQ(0, test_wait(pid));
		expect_works(ctx);
	}
}

/* The device itself is no file to read, write or map, by aio or otherwise. */
TEST_RAIO(not_a_file, WHY)
{
	aio_context_t ctx = new_context(8);
	struct iocb iocb;
	char buf[8];

	EXPECT_EQ(-1, read(raio_fd(), buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(raio_fd(), buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(mmap(NULL, 4096, PROT_READ, MAP_SHARED, raio_fd(), 0) == MAP_FAILED);
	prep(&iocb, IOCB_CMD_PREAD, raio_fd(), buf, sizeof(buf), 0);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PWRITE, raio_fd(), buf, sizeof(buf), 0);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_FSYNC, raio_fd(), NULL, 0, 0);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
}
