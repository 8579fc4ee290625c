// SPDX-License-Identifier: GPL-2.0
/*
 * Description: requests that wait for something that never comes keep nobody
 * from exit, exec, munmap or destroy, and leave nothing behind: their files are closed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

#define PAIRS	4	/* pipes and sockets */
#define DEPTH	4	/* requests for each of their ends that are read */
#define COUNT	(PAIRS * DEPTH)

static int fds[PAIRS][2];
static struct iocb iocbs[COUNT];
static struct io_event events[COUNT];
static char bufs[COUNT];

static void make_pairs(void)
{
	int i;

	for (i = 0; i < PAIRS; i++)
		ASSERT_EQ(0, i % 2 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds[i]) :
				     pipe2(fds[i], O_CLOEXEC));
}

static void close_side(int side)
{
	int i;

	for (i = 0; i < PAIRS; i++)
		close(fds[i][side]);
}

/* All that native can wait with is a poll. */
static aio_context_t submit_all(void)
{
	aio_context_t ctx = new_context(COUNT);
	int i;

	for (i = 0; i < COUNT; i++) {
		if (is_native() || i % 3 == 0)
			prep_poll(&iocbs[i], fds[i % PAIRS][0], POLLIN);
		else
			prep(&iocbs[i], IOCB_CMD_PREAD, fds[i % PAIRS][0], &bufs[i], 1, 0);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	EXPECT_EQ(0, events_now(ctx, events, 1));
	return ctx;
}

/* Nobody has the other side open; its last fput may come a moment later. */
static void expect_closed(void)
{
	int i;

	for (i = 0; i < PAIRS; i++) {
		while (write(fds[i][1], "x", 1) == 1)
			usleep(1000);
		EXPECT_EQ(EPIPE, errno);
	}
}

static void run_child(void (*child)(void), int status)
{
	unsigned long before = be_nr();
	pid_t pid;

	make_pairs();
	pid = test_fork();
	if (!pid) {
		close_side(1);
		child();
		_exit(0);
	}
	close_side(0);
	EXPECT_EQ(status, test_wait(pid));
	if (!is_native())
		EXPECT_EQ(before, be_nr());
	expect_closed();
}

/* The files are still open: the requests alone can have them. */
static void submit_and_close(void)
{
	submit_all();
	close_side(0);
}

TEST(exit)
{
	run_child(submit_and_close, 0);
}

static void be_killed(void)
{
	submit_and_close();
	kill(getpid(), SIGKILL);
	pause();
}

TEST(killed)
{
	run_child(be_killed, 128 + SIGKILL);
}

static void be_killed_waiting(void)
{
	aio_context_t ctx = submit_all();
	pid_t parent = getpid();

	if (!test_fork()) {
		wait_asleep(parent);
		kill(parent, SIGKILL);
		_exit(0);
	}
	events_wait(ctx, events, 1);
}

TEST(killed_waiting)
{
	run_child(be_killed_waiting, 128 + SIGKILL);
}

int test_helper(int argc, char **argv)
{
	ASSERT_EQ(1, argc);
	if (strtoul(argv[0], NULL, 10) != be_nr() && !is_native())
		FAIL("fs.raio-nr was %s and is %lu", argv[0], be_nr());
	return 0;
}

static void execute(void)
{
	char count[24];

	snprintf(count, sizeof(count), "%lu", be_nr());
	submit_all();
	test_exec_helper((char *[]){ count, NULL });
}

TEST(exec)
{
	run_child(execute, 0);
}

/* None of them has an event then, nor can one reach the memory. */
static void expect_untouched(void)
{
	int i;

	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(0, bufs[i]);
}

TEST(destroy)
{
	unsigned long before = be_nr();
	aio_context_t ctx;
	int i;

	make_pairs();
	for (i = 0; i < 100; i++) {
		ctx = submit_all();
		EXPECT_EQ(0, be_destroy(ctx));
		if (!is_native())
			EXPECT_EQ(before, be_nr());
	}
	/* what comes is for the next reader, all of it */
	ctx = new_context(1);
	for (i = 0; i < PAIRS; i++)
		ASSERT_EQ(1, write(fds[i][1], "x", 1));
	for (i = 0; i < PAIRS; i++)
		EXPECT_EQ(1, read(fds[i][0], &(char){ 0 }, 1));
	expect_untouched();
	close_side(0);
	expect_closed();
}

TEST_RAIO(munmap, "its context is no mapping")
{
	unsigned long before = be_nr();
	aio_context_t ctx;
	int i;

	make_pairs();
	for (i = 0; i < 100; i++) {
		ctx = submit_all();
		ASSERT_EQ(0, munmap((void *)ctx, mapping_size(ctx)));
		EXPECT_EQ(before, be_nr());
		EXPECT_EQ(-EINVAL, be_destroy(ctx));
	}
	for (i = 0; i < PAIRS; i++)
		ASSERT_EQ(1, write(fds[i][1], "x", 1));
	for (i = 0; i < PAIRS; i++)
		EXPECT_EQ(1, read(fds[i][0], &(char){ 0 }, 1));
	expect_untouched();
	close_side(0);
	expect_closed();
}

/* Events that came before are there to be taken until the end. */
TEST(events_before)
{
	aio_context_t ctx;
	int i;

	make_pairs();
	ctx = submit_all();
	for (i = 0; i < PAIRS; i++)
		ASSERT_EQ(4, write(fds[i][1], "abcd", 4));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(1, (long long)events[i].res & 1);
	EXPECT_EQ(0, be_destroy(ctx));
}
