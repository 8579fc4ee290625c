// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a forked child has neither the ring nor the context of its
 * parent, and can't disturb it; what shares the memory shares the context.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

TEST(child_has_no_ring)
{
	aio_context_t ctx = new_context(8);
	pid_t pid = test_fork();
	int status;

	if (pid == 0) {
		test_note("no magic: %#x", __atomic_load_n(&ring_of(ctx)->magic, __ATOMIC_RELAXED));
		_exit(1);
	}
	status = test_wait(pid);
	/* native's ring was inherited, without its context, up to 6.18 at least */
	if (!is_native() || status != 1)
		EXPECT_EQ(128 + SIGSEGV, status);
	expect_works(ctx);
}

TEST(child_has_no_context)
{
	aio_context_t ctx = new_context(8);
	struct io_event event;
	pid_t pid = test_fork();

	if (pid == 0) {
		EXPECT_EQ(-EINVAL, be_submit(ctx, 0, NULL));
		EXPECT_EQ(-EINVAL, events_now(ctx, &event, 1));
		EXPECT_EQ(-EINVAL, be_destroy(ctx));
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

/* A child's own context may well have the same id as its parent's. */
TEST(child_sets_up_its_own)
{
	aio_context_t ctx = new_context(8);
	struct io_event event;
	struct iocb iocb;
	char buf[1];
	pid_t pid;

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	pid = test_fork();
	if (pid == 0) {
		aio_context_t own = new_context(8);

		EXPECT_EQ(0, events_now(own, &event, 1));
		expect_works(own);
		EXPECT_EQ(0, be_destroy(own));
		own = new_context(8);
		expect_works(own);
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	expect_works(ctx);
}

/* The parent's exit is not the child's, nor the other way round. */
TEST(parent_exits_first)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		int ready[2];
		char byte;

		new_context(8);
		ASSERT_EQ(0, pipe(ready));
		if (test_fork() == 0) {
			aio_context_t own = new_context(8);

			close(ready[1]);
			/* EOF: the parent is gone */
			ASSERT_EQ(0, read(ready[0], &byte, 1));
			expect_works(own);
			EXPECT_EQ(0, be_destroy(own));
			_exit(0);
		}
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
}

static void *use_context(void *arg)
{
	expect_works((aio_context_t)arg);
	return NULL;
}

TEST(thread_shares)
{
	aio_context_t ctx = new_context(8);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, use_context, (void *)ctx));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, be_destroy(ctx));
}

static aio_context_t shared_ctx;

static int use_in_clone(void *arg)
{
	(void)arg;
	expect_works(shared_ctx);
	return 0;
}

/* A process of its own, with a pid of its own, in the same memory. */
TEST(clone_vm_shares)
{
	size_t size = 256 << 10;
	char *stack = malloc(size);
	pid_t pid;

	ASSERT_TRUE(stack);
	shared_ctx = new_context(8);
	pid = clone(use_in_clone, stack + size, CLONE_VM | SIGCHLD, NULL);
	ASSERT_NE(-1, pid);
	EXPECT_EQ(0, test_wait(pid));
	/* its exit has not taken the context along */
	expect_works(shared_ctx);
	EXPECT_EQ(0, be_destroy(shared_ctx));
}

/* A vfork child runs in its parent's memory and then leaves it by exec. */
TEST(vfork_and_exec)
{
	aio_context_t ctx = new_context(8);
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/proc/self/exe", "test", "--helper", NULL);
		_exit(3);
	}
	EXPECT_EQ(0, test_wait(pid));
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

int test_helper(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}
