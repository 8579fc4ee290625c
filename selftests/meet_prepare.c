// SPDX-License-Identifier: GPL-2.0
/* Meetings: what is there before a task gets to the window. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "meet_run.h"
#include "special.h"
#include "workers.h"

bool meet_is_message(const struct row *of, enum action with)
{
	return of->subject == PIPE_READ && of->context == ALIVE &&
	       (with == ACT_SETUID || with == ACT_CAPSET || with == ACT_REUSE_SETUID) &&
	       (of->come == COME_SUBMIT || of->come == COME_FEED || of->come == COME_MREMAP);
}

/* The message has the user id of its submit, also if that was changed since. */
static void receive(const struct row *row)
{
	char data[4096], control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr msg;
	struct ucred cred;
	ssize_t size;

	do {
		msg = (struct msghdr){
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};
		size = recvmsg(meet_files.socket[0], &msg, 0);
		if (size < 0 && errno == EINTR)
			continue;
		ASSERT_LE(1, size);
	} while (size < 0 || !memchr(data, MEET_DATA[0], size));
	ASSERT_TRUE(CMSG_FIRSTHDR(&msg));
	memcpy(&cred, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(cred));
	EXPECT_TRUE(cred.uid == 0 || (row->anew && cred.uid == OTHER_UID));
	EXPECT_EQ(getpid(), cred.pid);
}

void meet_feed(const struct row *of, enum action with)
{
	if (meet_is_message(of, with)) {
		receive(of);
	} else {
		ASSERT_EQ(MEET_SIZE, write(meet_files.pipe[1], MEET_DATA, MEET_SIZE));
		run.written += MEET_SIZE;
	}
}

static void fill_socket(void)
{
	static const char zeroes[1024];
	int size = 4096;

	ASSERT_EQ(0, setsockopt(meet_files.socket[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	while (send(meet_files.socket[1], zeroes, sizeof(zeroes), MSG_DONTWAIT) > 0)
		;
	ASSERT_EQ(EAGAIN, errno);
}

static void prepare_iocb(void)
{
	bool message = meet_is_message(run.row, run.action);
	struct iocb *iocb = &run.iocbs[REQUEST];

	run.reader = meet_files.pipe[0];
	switch (run.row->subject) {
	case PIPE_POLL:
		prep_poll(iocb, run.reader, POLLIN);
		return;
	case DRIVER_READ:
		run.reader = meet_files.driver;
		break;
	case PAGE_READ:
		run.reader = meet_files.page;
		break;
	case PIPE_READ:
		if (!message)
			break;
		fill_socket();
		run.reader = meet_files.socket[1];
		memcpy(run.bufs[REQUEST], MEET_DATA, MEET_SIZE);
	}
	prep(iocb, message ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD, run.reader, run.bufs[REQUEST],
	     MEET_SIZE, 0);
	iocb->aio_flags = IOCB_FLAG_RESFD;
	iocb->aio_resfd = meet_files.counter;
	if (run.row->come == COME_LATE)
		set_deadline(iocb, &run.deadlines[REQUEST], 0);
}

static void *reserve(void)
{
	void *at = mmap(NULL, run.ring_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(at != MAP_FAILED);
	return at;
}

void meet_prepare(void)
{
	snprintf(run.before, sizeof(run.before), "%lu", be_nr());
	run.ctx = new_context(8);
	run.place = run.ctx;
	run.ring_size = mapping_size(run.ctx);
	run.places[0] = reserve();
	run.places[1] = reserve();
	prepare_iocb();
	if (run.row->come == COME_GETEVENTS)
		meet_feed(run.row, run.action);
	if (run.row->come != COME_SUBMIT && run.row->come != COME_LATE) {
		ASSERT_EQ(1, meet_submit(REQUEST));
		if (run.row->come == COME_GETEVENTS)
			wait_for_ring(run.ctx, 1);
		else
			wait_armed(run.ctx);
	}
	if (run.action == ACT_COMPLETE) {
		prep(&run.iocbs[BESIDE], IOCB_CMD_PREAD, meet_files.held, run.bufs[BESIDE],
		     MEET_SIZE, 0);
		ASSERT_EQ(1, meet_submit(BESIDE));
	} else if (run.action == ACT_KICK && run.row->subject == DRIVER_READ) {
		prep(&run.iocbs[BESIDE], IOCB_CMD_PREAD, meet_files.other[0], run.bufs[BESIDE],
		     MEET_SIZE, 0);
		ASSERT_EQ(1, meet_submit(BESIDE));
	} else {
		ASSERT_EQ(MEET_SIZE, write(meet_files.other[1], OTHER_DATA, MEET_SIZE));
	}
	/* a page fault may have to wait until the mapping was moved */
	if (run.row->come == COME_MREMAP)
		ASSERT_EQ(0, mlockall(MCL_CURRENT));
}
