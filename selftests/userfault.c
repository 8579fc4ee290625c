// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a retry whose memory is served by a userfaultfd waits for its
 * server alone: others go on, SIGKILL works, and the data comes when it is served.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"
#include "workers.h"

#define DATA "for a page that is not there"

/* A page that a fault waits for. */
static struct absent page;

/* A page that a fault waits for. */
static struct absent page;

/* Reads and writes that have nothing to do with the fault. */
static void work(void)
{
	aio_context_t ctx = new_context(2);
	struct io_event event;
	struct iocb iocb;
	int fds[2], i;
	char byte;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 100; i++) {
		prep(&iocb, IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(1, write(fds[1], "x", 1));
		if (i % 2)
			wait_for_ring(ctx, 1);
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_EQ(1, (long long)event.res);
	}
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

static aio_context_t submit_faulting(struct iocb *iocb, int fds[2], char *buf)
{
	aio_context_t ctx = new_context(2);
	struct io_event event;

	prep(iocb, IOCB_CMD_PREAD, fds[0], buf, page.size, 0);
	ASSERT_EQ(1, submit_one(ctx, iocb));
	ASSERT_EQ(0, events_now(ctx, &event, 1));
	ASSERT_EQ(strlen(DATA), write(fds[1], DATA, strlen(DATA)));
	return ctx;
}

static void run(int fds[2])
{
	char *buf = absent_open_page(&page);
	struct io_event event;
	struct iocb iocb;
	aio_context_t ctx;
	pid_t pid;

	ctx = submit_faulting(&iocb, fds, buf);
	absent_wait(&page);
	work();
	pid = test_fork();
	if (!pid) {
		work();
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_EQ(0, events_in_ring(ctx));
	absent_serve(&page);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(strlen(DATA), (long long)event.res);
	EXPECT_EQ(0, memcmp(buf, DATA, strlen(DATA)));
	EXPECT_EQ(0, events_now(ctx, &event, 1));
}

TEST_RAIO(pipe, "native: blocks")
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	run(fds);
}

TEST_RAIO(unix_socket, "native: blocks")
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	run(fds);
}

/* Someone else has the userfaultfd as well: it does not end with the process. */
static void keep_elsewhere(void)
{
	pid_t pid = test_fork();

	if (!pid) {
		pause();
		_exit(0);
	}
}

static void read_self(int fds[2], char *buf)
{
	ASSERT_EQ(strlen(DATA), write(fds[1], DATA, strlen(DATA)));
	EXPECT_EQ(0, read(fds[0], buf, page.size));
}

/* Nobody serves it, and the process is killed: by a thread of it, once it waits. */
static void run_killed(int fds[2], bool by_request)
{
	unsigned long before = be_nr();
	struct iocb iocb;
	char *buf, byte;
	int told[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(told));
	pid = test_fork();
	if (!pid) {
		buf = absent_open_page(&page);
		keep_elsewhere();
		if (by_request) {
			submit_faulting(&iocb, fds, buf);
			absent_wait(&page);
			ASSERT_EQ(1, write(told[1], "", 1));
			pause();
		}
		if (!test_fork()) {
			wait_asleep(getppid());
			ASSERT_EQ(1, write(told[1], "", 1));
			_exit(0);
		}
		read_self(fds, buf);
		_exit(1);
	}
	close(told[1]);
	/* it was skipped, or has failed and said why */
	if (read(told[0], &byte, 1) != 1)
		_exit(test_wait(pid));
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	work();
}

TEST_RAIO(plain_read_killed, "it has no part in this")
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	run_killed(fds, false);
}

TEST_RAIO(pipe_killed, "native: blocks")
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	run_killed(fds, true);
}

TEST_RAIO(unix_socket_killed, "native: blocks")
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	run_killed(fds, true);
}

/* More than a work queue has workers, 2048: none of them runs a request. */
#define MANY 2200

static void raise_limit(int resource)
{
	struct rlimit limit = { .rlim_cur = 2 * MANY, .rlim_max = 2 * MANY };

	if (resource == RLIMIT_MEMLOCK)
		limit = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	if (setrlimit(resource, &limit))
		SKIP("needs root, for so many contexts");
}

static void set_max_nr(unsigned long value)
{
	FILE *file = fopen("/proc/sys/fs/raio-max-nr", "we");

	if (!file)
		SKIP("needs root, for so many contexts");
	fprintf(file, "%lu\n", value);
	ASSERT_EQ(0, fclose(file));
}

/* Each with a retry that faults. */
TEST_RAIO(many, "native: blocks")
{
	static struct iocb iocbs[MANY];
	static aio_context_t ctx[MANY];
	unsigned long max = be_max_nr(), wanted = 2 * MANY * be_share(1);
	char *buf = absent_open_page(&page);
	struct io_event event;
	uint64_t one = 1;
	pid_t pid;
	int fd, i;

	raise_limit(RLIMIT_MEMLOCK);
	raise_limit(RLIMIT_NOFILE);
	if (max < wanted)
		set_max_nr(wanted);
	for (i = 0; i < MANY; i++) {
		ctx[i] = new_context(1);
		fd = eventfd(0, EFD_CLOEXEC);
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf, sizeof(one), 0);
		ASSERT_EQ(1, submit_one(ctx[i], &iocbs[i]));
		ASSERT_EQ(sizeof(one), write(fd, &one, sizeof(one)));
	}
	absent_wait(&page);
	pid = test_fork();
	if (!pid) {
		work();
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	set_max_nr(max);
	absent_serve(&page);
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, events_wait(ctx[i], &event, 1));
		EXPECT_EQ(sizeof(one), (long long)event.res);
	}
}

static int reading[2];

static void *read_missing(void *buf)
{
	EXPECT_EQ(1, read(reading[0], buf, 1));
	return NULL;
}

/* Who reads keeps out those who read, and nobody else. */
TEST(unix_write_beside_a_read)
{
	aio_context_t ctx = new_context(1);
	char *buf = absent_open_page(&page);
	pthread_t thread;
	struct iocb iocb;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, reading));
	ASSERT_EQ(1, write(reading[1], "x", 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_missing, buf));
	absent_wait(&page);
	prep(&iocb, IOCB_CMD_PWRITE, reading[0], "y", 1, 0);
	EXPECT_EQ(1, run_one(ctx, &iocb));
	absent_serve(&page);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}
