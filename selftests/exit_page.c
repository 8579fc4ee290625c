// SPDX-License-Identifier: GPL-2.0
/*
 * Description: reads that wait for pages of a slow device keep nobody from exit,
 * exec, munmap or destroy, and reach no memory after it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "slowfile.h"

#define NATIVE	"native: blocks"
#define COUNT	8
#define ROUNDS	3
#define BLOCK	4096
/* Longer than the slowest guest needs to start all of them. */
#define NSEC	2000000000UL

static struct slowfile file;
static struct iocb iocbs[COUNT];
static uint8_t *bufs;

static void make_file(void)
{
	slowfile_make(&file, NULL, NSEC);
	bufs = aligned_buffer(COUNT * BLOCK);
}

/* All are armed: each waits for a page that is to come. */
static aio_context_t submit_reads(unsigned int round)
{
	aio_context_t ctx = new_context(COUNT);
	int i;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, file.fd, bufs + i * BLOCK, BLOCK,
		     (round * COUNT + i) * BLOCK);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	wait_armed_count(ctx, COUNT);
	return ctx;
}

static void wait_for_pages(void)
{
	nullb_wait_idle(&file.nullb);
}

static void run_child(void (*child)(void), int status)
{
	unsigned long before = be_nr();
	pid_t pid;

	make_file();
	pid = test_fork();
	if (!pid) {
		child();
		_exit(0);
	}
	EXPECT_EQ(status, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	wait_for_pages();
	expect_works(new_context(1));
}

static void submit(void)
{
	submit_reads(0);
}

TEST_RAIO(exit, NATIVE)
{
	run_child(submit, 0);
}

/* They have their events, but the pages still know them. */
static void submit_and_cancel(void)
{
	aio_context_t ctx = submit_reads(0);
	struct io_event result;
	int i;

	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(0, be_cancel(ctx, &iocbs[i], &result));
}

TEST_RAIO(exit_cancelled, NATIVE)
{
	run_child(submit_and_cancel, 0);
}

static void be_killed(void)
{
	submit();
	kill(getpid(), SIGKILL);
	pause();
}

TEST_RAIO(killed, NATIVE)
{
	run_child(be_killed, 128 + SIGKILL);
}

static void be_killed_cancelled(void)
{
	submit_and_cancel();
	kill(getpid(), SIGKILL);
	pause();
}

TEST_RAIO(killed_cancelled, NATIVE)
{
	run_child(be_killed_cancelled, 128 + SIGKILL);
}

int test_helper(int argc, char **argv)
{
	ASSERT_EQ(1, argc);
	EXPECT_EQ(strtoul(argv[0], NULL, 10), be_nr());
	return 0;
}

static void execute(void)
{
	char count[24];

	snprintf(count, sizeof(count), "%lu", be_nr());
	submit();
	test_exec_helper((char *[]){ count, NULL });
}

TEST_RAIO(exec, NATIVE)
{
	run_child(execute, 0);
}

static void destroy_context(aio_context_t ctx)
{
	EXPECT_EQ(0, be_destroy(ctx));
}

static void unmap_context(aio_context_t ctx)
{
	EXPECT_EQ(0, munmap((void *)ctx, mapping_size(ctx)));
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
}

/* The pages come, but nobody copies them to the program. */
static void expect_untouched(void)
{
	int i;

	for (i = 0; i < COUNT * BLOCK; i++)
		ASSERT_EQ(0, bufs[i]);
}

static void run_here(void (*end)(aio_context_t ctx))
{
	unsigned long before = be_nr();
	unsigned int round;

	make_file();
	for (round = 0; round < ROUNDS; round++) {
		end(submit_reads(round));
		EXPECT_EQ(before, be_nr());
	}
	wait_for_pages();
	expect_untouched();
	expect_works(new_context(1));
}

TEST_RAIO(destroy, NATIVE)
{
	run_here(destroy_context);
}

TEST_RAIO(munmap, NATIVE)
{
	run_here(unmap_context);
}
