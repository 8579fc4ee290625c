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

/* The child is killed when it writes, or ends by itself; then all is at rest. */
static void run(void (*make)(struct medium *), void (*child)(void), bool killed, int status)
{
	unsigned long before = be_nr();
	char byte;
	pid_t pid;

	make(&medium);
	ASSERT_EQ(0, pipe(ready));
	pid = test_fork();
	if (pid == 0) {
		child();
		_exit(0);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	if (killed)
		kill(pid, SIGKILL);
	EXPECT_EQ(status, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	medium_expect_rest(&medium);
}

static void write_on(void)
{
	medium_write(&medium, ready[1], 0);
}

static void write_and_return(void)
{
	medium_write(&medium, ready[1], 5);
}

static void write_and_crash(void)
{
	medium_write(&medium, ready[1], 5);
	abort();
}

static void write_in_threads(void)
{
	medium_write_in_threads(&medium, ready[1], 3);
	pause();
}

static void leave_it_to_a_thread(void)
{
	medium_write_in_threads(&medium, ready[1], 1);
	pthread_exit(NULL);
}

TEST(killed)
{
	run(medium_nullb, write_on, true, 128 + SIGKILL);
}

TEST(killed_buffered)
{
	run(medium_file, write_on, true, 128 + SIGKILL);
}

TEST(exits)
{
	run(medium_nullb, write_and_return, false, 0);
}

TEST(exits_buffered)
{
	run(medium_file, write_and_return, false, 0);
}

/* The thread that submits is killed with all others, in whatever it is doing. */
TEST(killed_with_threads)
{
	run(medium_nullb, write_in_threads, true, 128 + SIGKILL);
}

/* The first thread ends on its own and is a zombie while the other works. */
TEST(leader_ends_first)
{
	run(medium_nullb, leave_it_to_a_thread, true, 128 + SIGKILL);
}

/* A crash is an exit too, with a core dump in between. */
TEST(crashes)
{
	run(medium_nullb, write_and_crash, false, 128 + SIGABRT);
}
