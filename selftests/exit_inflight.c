// SPDX-License-Identifier: GPL-2.0
/*
 * Description: when wait4() reports a process dead, none of its requests can
 * write any more: a restarted database must not be overwritten by its dead predecessor.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "medium.h"

static struct medium medium;
static int ready[2];

static void wait_ready(void)
{
	char byte;

	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
}

static void run_killed(void (*make)(struct medium *))
{
	unsigned long before = be_nr();
	pid_t pid;

	make(&medium);
	ASSERT_EQ(0, pipe(ready));
	pid = test_fork();
	if (pid == 0)
		medium_write(&medium, ready[1], 0);
	wait_ready();
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	medium_expect_rest(&medium);
}

TEST(killed)
{
	run_killed(medium_nullb);
}

TEST(killed_buffered)
{
	run_killed(medium_file);
}

static void run_exits(void (*make)(struct medium *))
{
	unsigned long before = be_nr();
	pid_t pid;

	make(&medium);
	ASSERT_EQ(0, pipe(ready));
	pid = test_fork();
	if (pid == 0) {
		medium_write(&medium, ready[1], 5);
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	medium_expect_rest(&medium);
}

TEST(exits)
{
	run_exits(medium_nullb);
}

TEST(exits_buffered)
{
	run_exits(medium_file);
}

static void *write_in_thread(void *arg)
{
	(void)arg;
	medium_write(&medium, ready[1], 0);
	return NULL;
}

/* The thread that submits is killed with all others, in whatever it is doing. */
TEST(killed_with_threads)
{
	unsigned long before = be_nr();
	pthread_t thread;
	pid_t pid;
	int i;

	medium_nullb(&medium);
	ASSERT_EQ(0, pipe(ready));
	pid = test_fork();
	if (pid == 0) {
		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, pthread_create(&thread, NULL, write_in_thread, NULL));
		pause();
	}
	wait_ready();
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	medium_expect_rest(&medium);
}

/* The first thread ends on its own and is a zombie while the others work. */
TEST(leader_ends_first)
{
	unsigned long before = be_nr();
	pthread_t thread;
	pid_t pid;

	medium_nullb(&medium);
	ASSERT_EQ(0, pipe(ready));
	pid = test_fork();
	if (pid == 0) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, write_in_thread, NULL));
		pthread_exit(NULL);
	}
	wait_ready();
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	medium_expect_rest(&medium);
}

/* A crash is an exit too, with a core dump in between. */
TEST(crashes)
{
	unsigned long before = be_nr();
	pid_t pid;

	medium_nullb(&medium);
	ASSERT_EQ(0, pipe(ready));
	pid = test_fork();
	if (pid == 0) {
		medium_write(&medium, ready[1], 5);
		abort();
	}
	EXPECT_EQ(128 + SIGABRT, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	medium_expect_rest(&medium);
}
