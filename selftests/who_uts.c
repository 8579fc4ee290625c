// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the namespaces of the process that submits hold for its requests:
 * what a container writes to a sysctl is the container's, and not the host's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness.h"

#define HOSTNAME	"/proc/sys/kernel/hostname"
#define MSGMAX		"/proc/sys/kernel/msgmax"
#define SOMAXCONN	"/proc/sys/net/core/somaxconn"

static void enter_new(int namespace)
{
	if (unshare(namespace))
		SKIP("can't have a namespace of its own: %m");
}

static void submit_write(aio_context_t ctx, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	struct iocb iocb;

	ASSERT_LE(0, fd);
	prep(&iocb, IOCB_CMD_PWRITE, fd, (void *)text, strlen(text), 0);
	EXPECT_EQ(strlen(text), run_one(ctx, &iocb));
	close(fd);
}

/* What a request reads there, without the newline. */
static const char *submit_read(aio_context_t ctx, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	static char buf[100];
	struct iocb iocb;
	int64_t size;

	ASSERT_LE(0, fd);
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf) - 1, 0);
	size = run_one(ctx, &iocb);
	ASSERT_LE(1, size);
	close(fd);
	buf[size] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return buf;
}

static void expect_name(const char *name)
{
	struct utsname uts;

	ASSERT_EQ(0, uname(&uts));
	if (strcmp(name, uts.nodename))
		FAIL("the host's name is %s, and should be %s", uts.nodename, name);
}

static void expect_text(const char *expected, const char *seen)
{
	if (strcmp(expected, seen))
		FAIL("seen %s, and should be %s", seen, expected);
}

/* The child is in a namespace of its own; for its parent nothing changes. */
static void run_child(int namespace, void (*child)(void))
{
	struct utsname before;
	pid_t pid;
	int ret;

	ASSERT_EQ(0, uname(&before));
	pid = test_fork();
	if (!pid) {
		enter_new(namespace);
		child();
		_exit(0);
	}
	ret = test_wait(pid);
	expect_name(before.nodename);
	if (ret)
		_exit(ret);
}

static void change_name(void)
{
	aio_context_t ctx = new_context(4);

	submit_write(ctx, HOSTNAME, "raio-inner");
	expect_name("raio-inner");
	expect_text("raio-inner", submit_read(ctx, HOSTNAME));
}

TEST(uts)
{
	run_child(CLONE_NEWUTS, change_name);
}

/* Requests ran in the old namespace, and what ran them may still be there. */
static void change_name_late(void)
{
	aio_context_t ctx = new_context(4);

	submit_write(ctx, HOSTNAME, "raio-first");
	enter_new(CLONE_NEWUTS);
	submit_write(ctx, HOSTNAME, "raio-second");
	expect_name("raio-second");
	expect_text("raio-second", submit_read(ctx, HOSTNAME));
}

TEST(uts_changed_between)
{
	run_child(CLONE_NEWUTS, change_name_late);
}

static void change_sysctl(const char *path)
{
	aio_context_t ctx = new_context(4);

	submit_write(ctx, path, "4242");
	expect_text("4242", submit_read(ctx, path));
}

static void change_msgmax(void)
{
	change_sysctl(MSGMAX);
}

static void change_somaxconn(void)
{
	change_sysctl(SOMAXCONN);
}

static void run_sysctl(int namespace, const char *path, void (*child)(void))
{
	aio_context_t ctx = new_context(4);
	char before[100];

	if (access(path, R_OK))
		SKIP("there is no %s", path);
	snprintf(before, sizeof(before), "%s", submit_read(ctx, path));
	run_child(namespace, child);
	expect_text(before, submit_read(ctx, path));
}

TEST(ipc)
{
	run_sysctl(CLONE_NEWIPC, MSGMAX, change_msgmax);
}

TEST(net)
{
	run_sysctl(CLONE_NEWNET, SOMAXCONN, change_somaxconn);
}
