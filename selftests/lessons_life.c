// SPDX-License-Identifier: GPL-2.0
/*
 * Description: faults that native aio once had in how long files and wait queues live, one
 * TEST() for each: Documentation/lessons.md lists them all.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

/* Returns when nobody has the other end of that pipe any more. */
static void wait_other_end_gone(int fd)
{
	struct pollfd pollfd = { .fd = fd };

	ASSERT_EQ(1, poll(&pollfd, 1, -1));
	EXPECT_TRUE(pollfd.revents & (POLLERR | POLLHUP));
}

static struct {
	pthread_barrier_t start, end;
	int fds[2];
	unsigned int after;
	bool stop;
} race;

/* What a thread does, a little after the start of each round. */
static void *act(void *action)
{
	volatile unsigned int spin;

	for (;;) {
		pthread_barrier_wait(&race.start);
		if (race.stop)
			return NULL;
		for (spin = race.after; spin; spin--)
			;
		((void (*)(void))action)();
		pthread_barrier_wait(&race.end);
	}
}

static void close_pipe(void)
{
	close(race.fds[0]);
	close(race.fds[1]);
}

/*
 * A wake that came while submit was still in the file's poll completed the request, and
 * released the file in which submit was.
 */
TEST(cve_2019_10125)
{
	unsigned int i, rounds = test_rounds(3000), polled = 0;
	aio_context_t ctx = new_context(8);
	struct io_event event;
	struct iocb iocb;
	pthread_t thread;
	int ret;

	ASSERT_EQ(0, pthread_barrier_init(&race.start, NULL, 2));
	ASSERT_EQ(0, pthread_barrier_init(&race.end, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, act, close_pipe));
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, pipe(race.fds));
		prep_poll(&iocb, race.fds[0], POLLIN);
		/* later and later, over the time that a submit takes */
		race.after = i * 13 % 2000;
		pthread_barrier_wait(&race.start);
		ret = submit_one(ctx, &iocb);
		pthread_barrier_wait(&race.end);
		if (ret < 0) {
			/* it was closed before */
			ASSERT_EQ(-EBADF, ret);
			continue;
		}
		polled++;
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_EQ((uintptr_t)&iocb, event.obj);
		EXPECT_TRUE(event.res & POLLHUP);
		EXPECT_EQ(0, events_now(ctx, &event, 1));
	}
	race.stop = true;
	pthread_barrier_wait(&race.start);
	pthread_join(thread, NULL);
	EXPECT_LT(0, polled);
	test_note("%u of %u were taken", polled, rounds);
	EXPECT_EQ(0, be_destroy(ctx));
}

#define WATCHED	100

static void write_last(void)
{
	ASSERT_EQ(1, write(race.fds[1], "x", 1));
}

/* The same with a poll that takes its time: epoll's, which looks at all that was ready. */
TEST(cve_2019_10125_epoll)
{
	unsigned int i, round, rounds = test_rounds(300);
	struct epoll_event watch = { .events = EPOLLIN };
	int epoll = epoll_create1(0), fds[WATCHED][2];
	aio_context_t ctx = new_context(8);
	struct io_event event;
	struct iocb iocb;
	pthread_t thread;
	char byte;

	for (i = 0; i < WATCHED; i++) {
		ASSERT_EQ(0, pipe(fds[i]));
		ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i][0], &watch));
	}
	memcpy(race.fds, fds[0], sizeof(race.fds));
	ASSERT_EQ(0, pthread_barrier_init(&race.start, NULL, 2));
	ASSERT_EQ(0, pthread_barrier_init(&race.end, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, act, write_last));
	for (round = 0; round < rounds; round++) {
		/* they are on its list, and not ready any more */
		for (i = 0; i < WATCHED; i++) {
			ASSERT_EQ(1, write(fds[i][1], "x", 1));
			ASSERT_EQ(1, read(fds[i][0], &byte, 1));
		}
		prep_poll(&iocb, epoll, POLLIN);
		race.after = round * 37 % 10000;
		pthread_barrier_wait(&race.start);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_EQ((uintptr_t)&iocb, event.obj);
		EXPECT_TRUE(event.res & POLLIN);
		pthread_barrier_wait(&race.end);
		ASSERT_EQ(1, read(race.fds[0], &byte, 1));
	}
	race.stop = true;
	pthread_barrier_wait(&race.start);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, be_destroy(ctx));
}

/* One way to submit a request that names the file, and what comes of it. */
struct way {
	struct iocb iocb;
	int error;	/* of submit */
	int64_t res;
};

static unsigned int all_ways(struct way *ways, int fd)
{
	static struct iovec iov[1];
	static char buf[1];
	unsigned int n = 0;

#define WAY(_opcode, _size, _field, _value, _error, _res) do {		\
	prep(&ways[n].iocb, _opcode, fd, (_size) ? buf : NULL, _size, 0); \
	ways[n].iocb._field = _value;					\
	ways[n].error = _error;						\
	ways[n++].res = _res;						\
} while (0)
	iov[0] = (struct iovec){ buf, 1 };
	WAY(IOCB_CMD_PREAD, 1, aio_reserved2, 1, -EINVAL, 0);
	WAY(IOCB_CMD_PREAD, 1, aio_rw_flags, 1 << 30, -EOPNOTSUPP, 0);
	WAY(IOCB_CMD_PREAD, 1, aio_buf, 0, 0, -EFAULT);
	WAY(IOCB_CMD_PREADV, 1, aio_buf, 0, -EFAULT, 0);
	WAY(IOCB_CMD_PREADV, 1, aio_nbytes, 2000, -EINVAL, 0);
	WAY(IOCB_CMD_PREADV, 1, aio_buf, (uintptr_t)iov, 0, 1);
	WAY(IOCB_CMD_PWRITE, 1, aio_data, 0, -EBADF, 0);
	WAY(IOCB_CMD_POLL, 0, aio_nbytes, 1, -EINVAL, 0);
	WAY(IOCB_CMD_POLL, 0, aio_buf, POLLIN, 0, POLLIN);
	WAY(IOCB_CMD_FSYNC, 0, aio_rw_flags, 1, -EINVAL, 0);
	WAY(IOCB_CMD_FSYNC, 0, aio_data, 0, -EINVAL, 0);
	WAY(4, 0, aio_data, 0, -EINVAL, 0);
	WAY(99, 0, aio_data, 0, -EINVAL, 0);
#undef WAY
	return n;
}

/*
 * Each opcode released the file in its own way, some twice or not at all on errors.
 * The file is used up as often as it was taken: the pipe's end goes with the last.
 */
TEST(fix_84c4e1f89fef)
{
	aio_context_t ctx = new_context(8);
	struct way ways[16];
	unsigned int i, n, n_ways = 1;
	int fds[2], copy;

	for (i = 0; i < n_ways; i++) {
		ASSERT_EQ(0, pipe(fds));
		n_ways = all_ways(ways, fds[0]);
		ASSERT_EQ(3, write(fds[1], "xyz", 3));
		/* once is seen as a release that was missed, often as one too many */
		copy = dup(fds[0]);
		for (n = 0; n < 2; n++) {
			int64_t res = run_one(ctx, &ways[i].iocb);

			if ((ways[i].error ?: ways[i].res) != res)
				test_note("way %u", i);
			EXPECT_EQ(ways[i].error ?: ways[i].res, res);
		}
		close(fds[0]);
		EXPECT_EQ(1, write(fds[1], "x", 1));
		close(copy);
		wait_other_end_gone(fds[1]);
		close(fds[1]);
	}
	/* the file is closed while the request waits */
	ASSERT_EQ(0, pipe(fds));
	prep_poll(&ways[0].iocb, fds[0], POLLIN);
	ASSERT_EQ(1, submit_one(ctx, &ways[0].iocb));
	close(fds[0]);
	EXPECT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(1, events_wait(ctx, &(struct io_event){ 0 }, 1));
	wait_other_end_gone(fds[1]);
	EXPECT_EQ(0, be_destroy(ctx));
}

#define POLLS	32

static struct {
	aio_context_t ctx;
	struct iocb iocbs[POLLS], *list[POLLS];
	struct io_event events[POLLS];
	int fd;
} gone;

static int poll_in_clone(void *arg)
{
	(void)arg;
	/* no errno, no library: it shares the memory of its parent */
	return be_submit(gone.ctx, POLLS, gone.list) != POLLS;
}

/* Waits on a queue of a process that has ended: signalfd's belongs to who polls. */
static void wait_on_freed_queue(void)
{
	static uint8_t stack[65536] __attribute__((aligned(16)));
	int resfd = eventfd(0, 0);
	sigset_t set;
	unsigned int i;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	gone.fd = signalfd(-1, &set, 0);
	ASSERT_LE(0, gone.fd);
	gone.ctx = new_context(POLLS);
	for (i = 0; i < POLLS; i++) {
		prep_poll(&gone.iocbs[i], gone.fd, POLLIN);
		/* what an eventfd counts is not ended by the wake itself */
		gone.iocbs[i].aio_flags = i % 2 ? IOCB_FLAG_RESFD : 0;
		gone.iocbs[i].aio_resfd = resfd;
		gone.list[i] = &gone.iocbs[i];
	}
	pid = clone(poll_in_clone, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, test_wait(pid));
}

/*
 * A queue that goes before its file says so by POLLFREE, which nobody heard: the entries
 * stayed on memory that was free.
 */
TEST(cve_2021_39698)
{
	unsigned int i;

	wait_on_freed_queue();
	ASSERT_EQ(POLLS, events_wait(gone.ctx, gone.events, POLLS));
	for (i = 0; i < POLLS; i++)
		EXPECT_TRUE(gone.events[i].res & POLLHUP);
	EXPECT_EQ(0, events_now(gone.ctx, gone.events, 1));
	expect_works(gone.ctx);
	EXPECT_EQ(0, be_destroy(gone.ctx));
}

/* Nobody takes the events: destroy finds entries whose queue has gone, or events. */
TEST(cve_2021_39698_destroy)
{
	unsigned long before = be_nr();

	wait_on_freed_queue();
	close(gone.fd);
	EXPECT_EQ(0, be_destroy(gone.ctx));
	EXPECT_EQ(before, be_nr());
}

/* The file of an armed POLL is closed, and then it is cancelled, or destroyed with it. */
TEST(cve_2021_39698_closed)
{
	aio_context_t ctx = new_context(8);
	struct epoll_event event = { .events = EPOLLIN };
	struct io_event result;
	struct iocb iocbs[3];
	int fds[2], watched[2], epoll, i, ret;

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, pipe(watched));
	epoll = epoll_create1(0);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, watched[0], &event));
	prep_poll(&iocbs[0], fds[0], POLLIN);
	prep_poll(&iocbs[1], epoll, POLLIN);
	prep_poll(&iocbs[2], eventfd(0, 0), POLLIN);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
		close(iocbs[i].aio_fildes);
	}
	/* what the epoll set watches wakes it still, if it is there for the request alone */
	ASSERT_EQ(1, write(watched[1], "x", 1));
	ASSERT_EQ(1, events_wait(ctx, &result, 1));
	EXPECT_EQ((uintptr_t)&iocbs[1], result.obj);
	ret = be_cancel(ctx, &iocbs[0], &result);
	EXPECT_EQ(cancels_into_ring() ? -EINPROGRESS : 0, ret);
	if (ret)
		ASSERT_EQ(1, events_wait(ctx, &result, 1));
	EXPECT_EQ((uintptr_t)&iocbs[0], result.obj);
	wait_other_end_gone(fds[1]);
	EXPECT_EQ(0, be_destroy(ctx));
}
