// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a child has none of its parent's contexts, opens the device
 * itself, and disturbs nothing; one that shares the memory shares the contexts.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "libraio.h"

static const struct __kernel_timespec zero;
static aio_context_t ctx, its_own;

static void submit(aio_context_t to, uint64_t data)
{
	struct iocb iocb, *list[] = { &iocb };

	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	iocb.aio_data = data;
	ASSERT_EQ(1, io_submit(to, 1, list));
}

static void expect_one(aio_context_t from, uint64_t data)
{
	struct io_event event = { 0 };

	EXPECT_EQ(1, io_getevents(from, 1, 1, &event, NULL));
	EXPECT_EQ(data, event.data);
}

/* All that a child can do that has nothing. */
static void in_child(void)
{
	struct io_event event;
	struct iocb iocb, *list[] = { &iocb };
	aio_context_t own = 0;

	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	EXPECT_EQ(-EINVAL, io_getevents(ctx, 1, 1, &event, &zero));
	EXPECT_EQ(-EINVAL, io_getevents(ctx, 1, 1, &event, NULL));
	EXPECT_EQ(-EINVAL, io_submit(ctx, 1, list));
	EXPECT_EQ(-EINVAL, io_cancel(ctx, &iocb, &event));
	EXPECT_EQ(-EINVAL, raio_register(ctx, RAIO_UNREGISTER_FILES, NULL, 0));
	EXPECT_EQ(-EINVAL, io_destroy(ctx));
	EXPECT_EQ(0, io_setup(8, &own));
	submit(own, 7);
	expect_one(own, 7);
	EXPECT_EQ(0, io_destroy(own));
	EXPECT_EQ(0, raio_is_native());
}

static void start(void)
{
	ASSERT_EQ(0, io_setup(8, &ctx));
	submit(ctx, 1);
	submit(ctx, 2);
	expect_one(ctx, 1);
}

static void expect_untouched(void)
{
	expect_one(ctx, 2);
	submit(ctx, 3);
	expect_one(ctx, 3);
	EXPECT_EQ(0, io_destroy(ctx));
}

TEST_RAIO(forked, "libraio's")
{
	pid_t pid;

	start();
	pid = test_fork();
	if (!pid) {
		in_child();
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	expect_untouched();
}

/* No function of the C library is told of it. */
TEST_RAIO(raw_clone, "libraio's")
{
	pid_t pid;

	start();
	pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid) {
		in_child();
		_exit(0);
	}
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, test_wait(pid));
	expect_untouched();
}

/* It can't open the device, and has its parent's. */
TEST_RAIO(elsewhere, "libraio's")
{
	pid_t pid;

	start();
	pid = test_fork();
	if (!pid) {
		ASSERT_EQ(0, chroot("/sys"));
		ASSERT_EQ(0, chdir("/"));
		in_child();
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	expect_untouched();
}

TEST_RAIO(no_number_left, "libraio's")
{
	const struct rlimit none = { 0 };
	pid_t pid;

	start();
	pid = test_fork();
	if (!pid) {
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
		in_child();
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	expect_untouched();
}

TEST_RAIO(generations, "libraio's")
{
	pid_t pid;
	int i;

	start();
	pid = test_fork();
	for (i = 0; !pid && i < 5; i++) {
		in_child();
		pid = test_fork();
	}
	if (pid) {
		EXPECT_EQ(0, test_wait(pid));
		if (!i)
			expect_untouched();
	}
}

/* The memory is shared, and the files are not. */
static int sharing_child(void *arg)
{
	(void)arg;
	ASSERT_EQ(0, io_setup(8, &its_own));
	submit(its_own, 5);
	submit(ctx ? ctx : its_own, 6);
	return 0;
}

static void share(int flags)
{
	char *stack = aligned_buffer(65536);
	pid_t pid = clone(sharing_child, stack + 65536, CLONE_VM | flags | SIGCHLD, NULL);

	ASSERT_LT(0, pid);
	EXPECT_EQ(0, test_wait(pid));
}

TEST_RAIO(vforked, "libraio's")
{
	start();
	share(CLONE_VFORK);
	expect_one(ctx, 2);
	expect_one(ctx, 6);
	expect_one(its_own, 5);
	EXPECT_EQ(0, io_destroy(its_own));
	EXPECT_EQ(0, io_destroy(ctx));
}

/* It is the child that opens the device: the number means nothing to the parent. */
TEST_RAIO(vfork_is_first, "libraio's")
{
	share(CLONE_VFORK);
	expect_one(its_own, 5);
	expect_one(its_own, 6);
	ASSERT_EQ(0, io_setup(8, &ctx));
	submit(ctx, 2);
	expect_untouched();
	EXPECT_EQ(0, io_destroy(its_own));
}

TEST_RAIO(shared_memory, "libraio's")
{
	start();
	share(0);
	expect_one(ctx, 2);
	expect_one(ctx, 6);
	expect_one(its_own, 5);
}

/* A new program. */
int test_helper(int argc, char **argv)
{
	(void)argc;
	ctx = strtoul(argv[0], NULL, 0);
	in_child();
	return 0;
}

TEST_RAIO(new_program, "libraio's")
{
	char id[32];
	pid_t pid;

	start();
	pid = test_fork();
	if (!pid) {
		snprintf(id, sizeof(id), "%#llx", (unsigned long long)ctx);
		test_exec_helper((char *[]){ id, NULL });
	}
	EXPECT_EQ(0, test_wait(pid));
	expect_untouched();
}
