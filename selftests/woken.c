// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a task that makes a pipe ready for a request of its own process runs it
 * on its way back to user space; if another one makes the file ready, or if the task does
 * not return there, the request has its event, too.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "harness.h"
#include "workers.h"

#define WHY	"io_submit blocks"
#define ROUNDS	test_rounds(500)
#define MANY	64
#define BIG	(1 << 20)

static struct iocb iocbs[MANY], *list[MANY];
static struct io_event events[MANY];
static uint64_t bufs[MANY];
static int fds[2];

static aio_context_t begin(void)
{
	ASSERT_EQ(0, pipe(fds));
	return new_context(MANY);
}

static void submit(aio_context_t ctx, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		list[i] = &iocbs[i];
	ASSERT_EQ(count, be_submit(ctx, count, list));
	EXPECT_EQ(0, events_in_ring(ctx));
}

/* It comes though no call asks for it. */
static int64_t result_in_ring(aio_context_t ctx)
{
	wait_for_ring(ctx, 1);
	ASSERT_EQ(1, events_now(ctx, events, 1));
	return events[0].res;
}

/*
 * After a write of that size count requests are over.  A thread may come
 * before, should the write be kept from its return for long.
 */
static void expect_at_once(aio_context_t ctx, unsigned int count, int fd, size_t size)
{
	unsigned int i, round, at_once = 0;
	uint64_t value[MANY];

	memset(value, 1, sizeof(value));
	for (round = 0; round < ROUNDS; round++) {
		submit(ctx, count);
		ASSERT_EQ(size, write(fd, value, size));
		at_once += events_in_ring(ctx) == count;
		ASSERT_EQ(count, events_wait(ctx, events, count));
		for (i = 0; i < count; i++)
			EXPECT_LT(0, (long long)events[i].res);
		if (iocbs[0].aio_lio_opcode == IOCB_CMD_POLL)
			ASSERT_EQ(size, read(fds[0], value, size));
	}
	EXPECT_LE(ROUNDS * 9 / 10, at_once);
}

TEST_RAIO(pipe_read, WHY)
{
	aio_context_t ctx = begin();

	prep(&iocbs[0], IOCB_CMD_PREAD, fds[0], &bufs[0], 1, 0);
	expect_at_once(ctx, 1, fds[1], 1);
}

TEST_RAIO(eventfd_read, WHY)
{
	aio_context_t ctx = new_context(MANY);
	static uint64_t untouched[8192];
	uint64_t value = 1;
	int fd = eventfd(0, 0);
	unsigned int i;

	/* a count that could not be stored would be lost */
	for (i = 0; i < ARRAY_SIZE(untouched); i += 512) {
		prep(&iocbs[0], IOCB_CMD_PREAD, fd, &untouched[i], sizeof(*untouched), 0);
		submit(ctx, 1);
		ASSERT_EQ(sizeof(value), write(fd, &value, sizeof(value)));
		EXPECT_EQ(sizeof(value), result_in_ring(ctx));
		EXPECT_EQ(1, untouched[i]);
	}
}

/* Each starts the next one. */
TEST_RAIO(reads_in_order, WHY)
{
	aio_context_t ctx = begin();
	unsigned int i;

	for (i = 0; i < 4; i++)
		prep(&iocbs[i], IOCB_CMD_PREAD, fds[0], &bufs[i], 2, 0);
	expect_at_once(ctx, 4, fds[1], 8);
}

TEST_RAIO(polls, WHY)
{
	aio_context_t ctx = begin();
	unsigned int i;

	for (i = 0; i < 4; i++)
		prep_poll(&iocbs[i], fds[0], POLLIN);
	expect_at_once(ctx, 4, fds[1], 1);
}

/* More than the writer has time for. */
TEST_RAIO(many, WHY)
{
	aio_context_t ctx = begin();
	unsigned int i;

	for (i = 0; i < MANY; i++)
		prep_poll(&iocbs[i], fds[0], POLLIN);
	submit(ctx, MANY);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	wait_for_ring(ctx, MANY);
	ASSERT_EQ(MANY, events_now(ctx, events, MANY));
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(POLLIN | POLLRDNORM, (long long)events[i].res);
}

/* The reader is woken by a writer who sleeps until it has read. */
static void *write_big(void *arg)
{
	static char buf[BIG];

	(void)arg;
	EXPECT_EQ(BIG, write(fds[1], buf, BIG));
	return NULL;
}

TEST_RAIO(writer_sleeps, WHY)
{
	aio_context_t ctx = begin();
	static char buf[BIG];
	pthread_t writer;
	size_t got;

	prep(&iocbs[0], IOCB_CMD_PREAD, fds[0], buf, BIG, 0);
	submit(ctx, 1);
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_big, NULL));
	for (got = result_in_ring(ctx); got < BIG; got += result_in_ring(ctx))
		ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	EXPECT_EQ(BIG, got);
	ASSERT_EQ(0, pthread_join(writer, NULL));
}

TEST_RAIO(other_process, WHY)
{
	aio_context_t ctx = begin();
	unsigned int round;
	pid_t pid;

	prep(&iocbs[0], IOCB_CMD_PREAD, fds[0], &bufs[0], 1, 0);
	for (round = 0; round < 20; round++) {
		submit(ctx, 1);
		pid = test_fork();
		if (!pid)
			_exit(write(fds[1], "x", 1) != 1);
		EXPECT_EQ(1, result_in_ring(ctx));
		EXPECT_EQ(0, test_wait(pid));
	}
}

TEST_RAIO(timer, WHY)
{
	const struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	aio_context_t ctx = new_context(MANY);
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	prep(&iocbs[0], IOCB_CMD_PREAD, fd, &bufs[0], sizeof(bufs[0]), 0);
	submit(ctx, 1);
	ASSERT_EQ(0, timerfd_settime(fd, 0, &soon, NULL));
	EXPECT_EQ((long long)sizeof(bufs[0]), result_in_ring(ctx));
}

/* A task in the same memory, whose exit is what makes the pipe ready. */
static int wait_for_byte(void *arg)
{
	int *go = arg;

	return read(go[0], &(char){ 0 }, 1) != 1;
}

TEST_RAIO(exit, WHY)
{
	static char stack[64 << 10] __attribute__((aligned(16)));
	aio_context_t ctx = begin();
	int go[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	prep(&iocbs[0], IOCB_CMD_PREAD, fds[0], &bufs[0], 1, 0);
	submit(ctx, 1);
	/* With descriptors of its own. */
	pid = clone(wait_for_byte, stack + sizeof(stack), CLONE_VM | SIGCHLD, go);
	ASSERT_LT(0, pid);
	close(fds[1]);
	ASSERT_EQ(1, write(go[1], "x", 1));
	EXPECT_EQ(0, result_in_ring(ctx));
	EXPECT_EQ(0, test_wait(pid));
}

TEST_RAIO(close, WHY)
{
	aio_context_t ctx = begin();

	prep(&iocbs[0], IOCB_CMD_PREAD, fds[0], &bufs[0], 1, 0);
	submit(ctx, 1);
	close(fds[1]);
	EXPECT_EQ(0, result_in_ring(ctx));
}

/* Who runs a write that has waited, here in getevents, has not written. */
static void *close_when_asleep(void *arg)
{
	wait_asleep(*(pid_t *)arg);
	close(fds[0]);
	return NULL;
}

TEST_RAIO(no_signal, WHY)
{
	static char buf[4096];
	aio_context_t ctx = begin();
	pid_t self = thread_id();
	pthread_t thread;

	signal(SIGPIPE, SIG_DFL);
	ASSERT_LT(0, fcntl(fds[1], F_SETPIPE_SZ, sizeof(buf)));
	ASSERT_EQ(sizeof(buf), write(fds[1], buf, sizeof(buf)));
	prep(&iocbs[0], IOCB_CMD_PWRITE, fds[1], buf, sizeof(buf), 0);
	submit(ctx, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_when_asleep, &self));
	ASSERT_EQ(1, events_wait(ctx, events, 1));
	EXPECT_EQ(-EPIPE, (long long)events[0].res);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

static aio_context_t dying;

static void *destroy(void *arg)
{
	(void)arg;
	EXPECT_EQ(0, be_destroy(dying));
	return NULL;
}

TEST_RAIO(destroy_meanwhile, WHY)
{
	unsigned int round;
	pthread_t thread;

	ASSERT_EQ(0, pipe(fds));
	for (round = 0; round < ROUNDS / 5; round++) {
		dying = new_context(MANY);
		prep(&iocbs[0], IOCB_CMD_PREAD, fds[0], &bufs[0], 1, 0);
		submit(dying, 1);
		ASSERT_EQ(0, pthread_create(&thread, NULL, destroy, NULL));
		if (round % 2)
			sched_yield();
		ASSERT_EQ(1, write(fds[1], "x", 1));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		/* It was read, or it is still there. */
		ASSERT_EQ(0, fcntl(fds[0], F_SETFL, O_NONBLOCK));
		EXPECT_LE(-1, (long long)read(fds[0], &(char){ 0 }, 1));
		ASSERT_EQ(0, fcntl(fds[0], F_SETFL, 0));
	}
}
