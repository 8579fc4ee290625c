// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the receiver of a message with SO_PASSCRED sees the pid and the
 * user that the sender had when it submitted, whichever task has sent it in the end.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "workers.h"

#define MESSAGE		"it is me"
#define OTHER_UID	65533

/* The parent sends, its child receives. */
static int fds[2], told[2];

/* Receives up to the message; what fills the buffer before it has zeroes only. */
static struct ucred receive_message(void)
{
	char data[4096], control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr msg;
	struct cmsghdr *cmsg;
	struct ucred cred;
	ssize_t size;

	do {
		msg = (struct msghdr){
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};
		size = recvmsg(fds[0], &msg, 0);
		ASSERT_LE(1, size);
	} while (!memchr(data, MESSAGE[0], size));

	cmsg = CMSG_FIRSTHDR(&msg);
	ASSERT_TRUE(cmsg);
	ASSERT_EQ(SCM_CREDENTIALS, cmsg->cmsg_type);
	memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
	return cred;
}

static void receive_in_child(pid_t sender, uid_t uid)
{
	struct ucred cred;
	char byte;

	ASSERT_EQ(1, read(told[0], &byte, 1));
	cred = receive_message();
	EXPECT_EQ(sender, cred.pid);
	EXPECT_EQ(uid, cred.uid);
	_exit(0);
}

static pid_t start(int type)
{
	pid_t sender = getpid(), pid;
	uid_t uid = getuid();
	int on = 1;

	ASSERT_EQ(0, socketpair(AF_UNIX, type, 0, fds));
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	ASSERT_EQ(0, pipe(told));
	pid = test_fork();
	if (!pid)
		receive_in_child(sender, uid);
	return pid;
}

static void fill(void)
{
	static const char zeroes[1024];

	while (send(fds[1], zeroes, sizeof(zeroes), MSG_DONTWAIT) > 0)
		;
	ASSERT_EQ(EAGAIN, errno);
}

static void prep_message(struct iocb *iocb)
{
	prep(iocb, IOCB_CMD_PWRITE, fds[1], (void *)MESSAGE, strlen(MESSAGE), 0);
}

/* Room from the start: the message goes out in submit. */
static void run_ready(int type)
{
	pid_t pid = start(type);
	aio_context_t ctx = new_context(1);
	struct iocb iocb;

	prep_message(&iocb);
	EXPECT_EQ(strlen(MESSAGE), run_one(ctx, &iocb));
	ASSERT_EQ(1, write(told[1], "", 1));
	EXPECT_EQ(0, test_wait(pid));
}

TEST(ready_stream)
{
	run_ready(SOCK_STREAM);
}

TEST(ready_datagram)
{
	run_ready(SOCK_DGRAM);
}

/* No room: it is sent later, by the sender, which waits, or by something else. */
static void run_full(int type, bool wait, bool change_user)
{
	pid_t pid = start(type);
	aio_context_t ctx = new_context(1);
	struct io_event event;
	struct iocb iocb;

	fill();
	prep_message(&iocb);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(0, events_now(ctx, &event, 1));
	if (change_user && setresuid(OTHER_UID, OTHER_UID, OTHER_UID))
		SKIP("can't become another user: %m");
	ASSERT_EQ(1, write(told[1], "", 1));
	if (!wait)
		wait_for_ring(ctx, 1);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(strlen(MESSAGE), (long long)event.res);
	EXPECT_EQ(0, test_wait(pid));
}

TEST_RAIO(full_stream, "native: blocks")
{
	run_full(SOCK_STREAM, false, false);
}

TEST_RAIO(full_stream_waiting, "native: blocks")
{
	run_full(SOCK_STREAM, true, false);
}

TEST_RAIO(full_datagram, "native: blocks")
{
	run_full(SOCK_DGRAM, false, false);
}

TEST_RAIO(full_datagram_waiting, "native: blocks")
{
	run_full(SOCK_DGRAM, true, false);
}

/* The sender has another user id when there is room. */
TEST_RAIO(user_changed, "native: blocks")
{
	run_full(SOCK_STREAM, false, true);
}

TEST_RAIO(user_changed_waiting, "native: blocks")
{
	run_full(SOCK_STREAM, true, true);
}
