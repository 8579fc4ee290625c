// SPDX-License-Identifier: GPL-2.0
/*
 * Description: requests whose memory is not there cost next to nothing while they wait for
 * it: no CPU time outside of processes, and little of the process that waits.  The same
 * holds for those that can't be armed, since too many wait for the same file, and for those
 * whose file is locked.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"
#include "pairs.h"

#define WHY	"native: blocks"

#define CONTEXTS	200
#define EACH		100	/* where many of each context wait */
#define SECONDS		3

/* A fiftieth is the aim; a slow guest needs more. */
#define PERCENT		20

static struct absent absent;
static aio_context_t ctxs[CONTEXTS];
static struct iocb iocbs[CONTEXTS];
static int fds[CONTEXTS][2];

/* Of all CPUs, in ms: user, nice, system, interrupts. */
static unsigned long busy_ms(void)
{
	unsigned long long user, nice, system, irq, softirq;
	FILE *file = fopen("/proc/stat", "re");

	ASSERT_TRUE(file);
	ASSERT_EQ(5, fscanf(file, "cpu %llu %llu %llu %*u %*u %llu %llu", &user, &nice,
			    &system, &irq, &softirq));
	fclose(file);
	return (user + nice + system + irq + softirq) * 1000 / sysconf(_SC_CLK_TCK);
}

static void raise_limits(void)
{
	struct rlimit memlock = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit files = { 4 * CONTEXTS, 4 * CONTEXTS };

	if (setrlimit(RLIMIT_MEMLOCK, &memlock) || setrlimit(RLIMIT_NOFILE, &files))
		SKIP("needs root, for so many contexts");
}

static void arm(enum pair pair)
{
	int i;

	raise_limits();
	absent_open_page(&absent);
	/* it is there when they are submitted, and then no more */
	absent_serve(&absent);
	for (i = 0; i < CONTEXTS; i++) {
		pair_open(pair, fds[i]);
		ctxs[i] = new_context(1);
		prep(&iocbs[i], IOCB_CMD_PREAD, fds[i][0], absent.pages, 64, 0);
		ASSERT_EQ(1, submit_one(ctxs[i], &iocbs[i]));
	}
	ASSERT_EQ(0, madvise(absent.pages, absent.size, MADV_DONTNEED));
}

/*
 * Percent of a CPU, while this process sleeps.  What a busy host takes may count as well, but not
 * each time.
 */
static unsigned long cost(const char *when)
{
	unsigned long before, percent;
	int tries = 4;

	do {
		before = busy_ms();
		sleep(SECONDS);
		percent = (busy_ms() - before) / (SECONDS * 10);
		test_note("%s: %lu %% of a CPU", when, percent);
	} while (percent > PERCENT && --tries);
	return percent;
}

/* Another process writes, which is not charged for what has to be done then. */
static void make_ready(void)
{
	pid_t pid = test_fork();
	int i;

	if (!pid) {
		for (i = 0; i < CONTEXTS; i++)
			ASSERT_EQ(1, write(fds[i][1], "x", 1));
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
}

static void run(enum pair pair)
{
	struct __kernel_timespec limit = { .tv_sec = 10 };
	unsigned long idle, waiting;
	struct io_event event;
	int i;

	arm(pair);
	idle = cost("armed");
	EXPECT_LE(idle, PERCENT);
	make_ready();
	/* what is done at once is not what is measured */
	sleep(1);
	waiting = cost("waiting for memory");
	EXPECT_LE(waiting, PERCENT);
	absent_serve(&absent);
	for (i = 0; i < CONTEXTS; i++) {
		ASSERT_EQ(1, be_getevents(ctxs[i], 1, 1, &event, &limit));
		EXPECT_EQ(1, (long long)event.res);
	}
}

TEST_RAIO(pipes, WHY)
{
	run(PAIR_PIPE);
}

TEST_RAIO(unix_sockets, WHY)
{
	run(PAIR_UNIX_STREAM);
}

/* For most of them the queue is full. */
TEST_RAIO(held, WHY)
{
	static struct iocb polls[EACH];
	struct io_event events[EACH];
	struct iocb *list[EACH];
	int pair[2], count = test_rounds(test_rounds(CONTEXTS)), i;

	raise_limits();
	pair_open(PAIR_PIPE, pair);
	for (i = 0; i < EACH; i++) {
		list[i] = &polls[i];
		prep_poll(list[i], pair[0], POLLIN);
	}
	for (i = 0; i < count; i++) {
		ctxs[i] = new_context(EACH);
		ASSERT_EQ(EACH, be_submit(ctxs[i], EACH, list));
	}
	/* what is done at first is not what is measured */
	sleep(1);
	EXPECT_LE(cost("held"), PERCENT);
	ASSERT_EQ(1, write(pair[1], "x", 1));
	for (i = 0; i < count; i++)
		ASSERT_EQ(EACH, events_wait(ctxs[i], events, EACH));
}

/* Of all contexts. */
static unsigned long count_retries(void)
{
	char path[64], line[512];
	unsigned long sum = 0, one;
	const char *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", raio_fd());
	file = fopen(path, "re");
	ASSERT_TRUE(file);
	while (fgets(line, sizeof(line), file)) {
		at = strstr(line, "retries=");
		if (at && sscanf(at, "retries=%lu", &one) == 1)
			sum += one;
	}
	fclose(file);
	return sum;
}

static int locked[2];

static void *read_absent(void *unused)
{
	(void)unused;
	EXPECT_EQ(1, read(locked[0], absent.pages, 1));
	return NULL;
}

/* Its lock is tried from time to time, also where a thread reads. */
static void run_locked(bool timeout)
{
	struct timeval limit = { .tv_sec = 1000 };
	aio_context_t ctx = new_context(1);
	struct io_event event;
	unsigned long before;
	pthread_t thread;
	struct iocb iocb;
	char byte;

	absent_open_page(&absent);
	pair_open(PAIR_UNIX_STREAM, locked);
	if (timeout)
		ASSERT_EQ(0, setsockopt(locked[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	ASSERT_EQ(2, write(locked[1], "xy", 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_absent, NULL));
	absent_wait(&absent);
	prep(&iocb, IOCB_CMD_PREAD, locked[0], &byte, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	/* what is done at first is not what is counted */
	sleep(1);
	before = count_retries();
	sleep(SECONDS);
	EXPECT_LE(count_retries() - before, 100);
	absent_serve(&absent);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(1, (long long)event.res);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_RAIO(locked_socket, WHY)
{
	run_locked(false);
}

TEST_RAIO(locked_socket_with_timeout, WHY)
{
	run_locked(true);
}
