// SPDX-License-Identifier: GPL-2.0
/*
 * Description: faults that native aio, and io_uring, once had when contexts and what they
 * have registered end, one TEST() for each: Documentation/lessons.md lists them all.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"
#include "registered.h"
#include "workers.h"

#define COUNT	32

static struct {
	aio_context_t ctx;
	/* an id is given out again: nobody uses it for the context before */
	pthread_barrier_t start, end;
	struct iocb good, bad, *list[COUNT];
	unsigned long taken;
	bool stop;
} batch;

static void *submit_batches(void *arg)
{
	int ret;

	(void)arg;
	for (;;) {
		pthread_barrier_wait(&batch.start);
		if (batch.stop)
			return NULL;
		do {
			ret = be_submit(batch.ctx, COUNT, batch.list);
			if (ret > 0)
				batch.taken += ret;
		} while (ret > 0 || ret == -EAGAIN);
		EXPECT_EQ(-EINVAL, ret);
		pthread_barrier_wait(&batch.end);
	}
}

static void *wait_for_events(void *arg)
{
	struct io_event events[4];
	int ret;

	(void)arg;
	for (;;) {
		pthread_barrier_wait(&batch.start);
		if (batch.stop)
			return NULL;
		do {
			ret = be_getevents(batch.ctx, 4, 4, events, NULL);
		} while (ret >= 0);
		EXPECT_EQ(-EINVAL, ret);
		pthread_barrier_wait(&batch.end);
	}
}

/*
 * Submit takes requests in batches, and gives back those that it did not use when an iocb
 * is bad.  It woke nobody then, and destroy waited for them for ever.
 */
TEST(fix_880641bb9da2)
{
	/* a destroy of native's takes some RCU grace periods */
	unsigned int i, rounds = is_native() ? 20 : test_rounds(300);
	unsigned long before = be_nr(), seen;
	pthread_t threads[2];
	static char buf[1];

	prep(&batch.good, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	prep(&batch.bad, IOCB_CMD_PREAD, -1, buf, 1, 0);
	ASSERT_EQ(0, pthread_barrier_init(&batch.start, NULL, 3));
	ASSERT_EQ(0, pthread_barrier_init(&batch.end, NULL, 3));
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, submit_batches, NULL));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, wait_for_events, NULL));
	for (i = 0; i < rounds; i++) {
		unsigned int n;

		/* the bad one is another each time: so is the number of those that are left */
		for (n = 0; n < COUNT; n++)
			batch.list[n] = n == 1 + i % (COUNT - 1) ? &batch.bad : &batch.good;
		batch.ctx = new_context(2 * COUNT);
		seen = __atomic_load_n(&batch.taken, __ATOMIC_RELAXED);
		pthread_barrier_wait(&batch.start);
		while (__atomic_load_n(&batch.taken, __ATOMIC_RELAXED) == seen)
			sched_yield();
		EXPECT_EQ(0, be_destroy(batch.ctx));
		pthread_barrier_wait(&batch.end);
		EXPECT_EQ(-EINVAL, be_destroy(batch.ctx));
	}
	batch.stop = true;
	pthread_barrier_wait(&batch.start);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(before, be_nr());
}

static void *submit_faulting(void *arg)
{
	/* what it is told when the vector is there, and then it gives back all of the batch */
	EXPECT_EQ(-EINVAL, be_submit(batch.ctx, COUNT, batch.list));
	return arg;
}

/* The same where it can't be missed: destroy sleeps when they are given back. */
TEST(fix_880641bb9da2_asleep)
{
	struct iovec vector = { .iov_len = SIZE_MAX };
	struct absent absent;
	pid_t parent = getpid(), pid;
	pthread_t thread;
	unsigned int i;

	/* the vector of a request, which waits for its page */
	absent_open_page(&absent);
	prep(&batch.bad, IOCB_CMD_PREADV, new_file(1), absent.pages, 1, 0);
	for (i = 0; i < COUNT; i++)
		batch.list[i] = &batch.bad;
	batch.ctx = new_context(2 * COUNT);
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_faulting, NULL));
	absent_wait(&absent);
	pid = test_fork();
	if (!pid) {
		while (thread_state(parent, parent) != 'D')
			usleep(1000);
		absent_serve_bytes(&absent, &vector, sizeof(vector));
		_exit(0);
	}
	EXPECT_EQ(0, be_destroy(batch.ctx));
	EXPECT_EQ(0, test_wait(pid));
	pthread_join(thread, NULL);
}

/* Sends files through a socket, with one byte. */
static void send_files(int socket, const int *fds, unsigned int n)
{
	union {
		char space[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control = { .space = "" };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	ASSERT_EQ(1, sendmsg(socket, &msg, 0));
}

/*
 * A socket that is in its own queue, with the device and the writing end of a pipe, whose
 * other end is returned: it ends when the socket has gone.
 */
static int make_cycle(int sockets[2])
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, pipe(fds));
	send_files(sockets[0], (int []){ sockets[1], raio_fd(), fds[1] }, 3);
	close(fds[1]);
	return fds[0];
}

/* Returns when the collector of sockets has released that end. */
static void wait_collected(int end)
{
	struct pollfd pollfd = { .fd = end };
	int sockets[2];

	/* it is started by the end of any socket, unless it runs just then */
	while (!poll(&pollfd, 1, 0)) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
		close(sockets[0]);
		close(sockets[1]);
		sched_yield();
	}
	EXPECT_TRUE(pollfd.revents & POLLHUP);
	close(end);
}

/* The collector has been through: it has found this one. */
static void collect(void)
{
	int sockets[2], end = make_cycle(sockets);

	close(sockets[0]);
	close(sockets[1]);
	wait_collected(end);
}

/*
 * The collector of sockets that are only reached through their own queues emptied the
 * queues of those that were registered, and still in use.
 */
TEST_RAIO(cve_2022_2602, "it registers nothing")
{
	aio_context_t ctx = new_context(8);
	struct pollfd pollfd = { 0 };
	int sockets[2];
	struct iocb iocb;
	char byte = 0;

	pollfd.fd = make_cycle(sockets);
	ASSERT_EQ(0, register_files(ctx, sockets, 2));
	close(sockets[0]);
	close(sockets[1]);
	collect();
	/* what is registered is not garbage */
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	prep(&iocb, IOCB_CMD_PWRITE, -1, "y", 1, 0);
	fix_file(&iocb, 0);
	EXPECT_EQ(1, run_one(ctx, &iocb));
	EXPECT_EQ(0, unregister_files(ctx));
	/* now it is */
	wait_collected(pollfd.fd);

	pollfd.fd = make_cycle(sockets);
	ASSERT_EQ(0, register_files(ctx, sockets, 2));
	close(sockets[0]);
	close(sockets[1]);
	prep(&iocb, IOCB_CMD_PREAD, -1, &byte, 1, 0);
	fix_file(&iocb, 1);
	EXPECT_EQ(1, run_one(ctx, &iocb));
	EXPECT_EQ('x', byte);
	/* and the files that come with the byte are released */
	EXPECT_EQ(1, poll(&pollfd, 1, -1));
	EXPECT_TRUE(pollfd.revents & POLLHUP);
	EXPECT_EQ(0, be_destroy(ctx));
}

/* An armed request holds such a socket, and then nothing does. */
TEST_RAIO(cve_2022_2602_request, "it registers nothing")
{
	aio_context_t ctx = new_context(8);
	struct pollfd pollfd = { 0 };
	struct iocb iocb;
	int sockets[2];

	pollfd.fd = make_cycle(sockets);
	ASSERT_EQ(0, register_files(ctx, sockets, 2));
	prep_poll(&iocb, -1, POLLPRI);
	fix_file(&iocb, 1);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(0, unregister_files(ctx));
	close(sockets[1]);
	collect();
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	EXPECT_EQ(0, be_destroy(ctx));
	close(sockets[0]);
	wait_collected(pollfd.fd);
}
