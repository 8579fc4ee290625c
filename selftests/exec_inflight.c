// SPDX-License-Identifier: GPL-2.0
/*
 * Description: when a new program starts by exec, no request of the old one can
 * write any more.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "medium.h"

static struct medium medium;
static int ready[2];

/* The new program: what it finds is at rest from its first instruction on. */
int test_helper(int argc, char **argv)
{
	ASSERT_EQ(4, argc);
	EXPECT_EQ(strtoul(argv[3], NULL, 10), be_nr());
	medium.fd = atoi(argv[0]);
	medium.delay_ms = atoi(argv[1]);
	medium.is_nullb = strcmp(argv[2], "-");
	snprintf(medium.nullb.name, sizeof(medium.nullb.name), "%s", argv[2]);
	medium_expect_rest(&medium);
	return 0;
}

static void exec_helper(unsigned long nr)
{
	char fd[16], delay[16], count[24];
	char *name = medium.is_nullb ? medium.nullb.name : "-";

	snprintf(fd, sizeof(fd), "%d", medium.fd);
	snprintf(delay, sizeof(delay), "%u", medium.delay_ms);
	snprintf(count, sizeof(count), "%lu", nr);
	test_exec_helper((char *[]){ fd, delay, name, count, NULL });
}

static void run_exec(void (*make)(struct medium *))
{
	unsigned long before = be_nr();
	pid_t pid;

	make(&medium);
	ASSERT_EQ(0, pipe(ready));
	pid = test_fork();
	if (pid == 0) {
		medium_write(&medium, ready[1], 5);
		exec_helper(before);
	}
	EXPECT_EQ(0, test_wait(pid));
}

TEST(exec)
{
	run_exec(medium_nullb);
}

TEST(exec_buffered)
{
	run_exec(medium_file);
}

/* One thread executes while others submit and wait. */
TEST(exec_with_threads)
{
	unsigned long before = be_nr();
	char byte;
	pid_t pid;

	medium_nullb(&medium);
	ASSERT_EQ(0, pipe(ready));
	pid = test_fork();
	if (pid == 0) {
		medium_write_in_threads(&medium, ready[1], 3);
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		exec_helper(before);
	}
	EXPECT_EQ(0, test_wait(pid));
}
