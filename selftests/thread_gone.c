// SPDX-License-Identifier: GPL-2.0
/*
 * Description: when destroy has returned the context's threads have exited, also for the
 * calls that count threads: the process may do what only a single-threaded one may.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "pairs.h"
#include "workers.h"

#define WHY	"it has no such threads"
#define ROUNDS	test_rounds(100)

/* A request that a thread runs, or has run, or will. */

static struct iocb iocb;
static char buf[4096];

/* One that has had its event: the thread is idle. */
static void idle(aio_context_t ctx)
{
	static int fd;

	if (!fd)
		fd = new_file(4096);
	prep(&iocb, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	ASSERT_EQ(0, run_one(ctx, &iocb));
}

/* One that waits for data, and may need a thread then. */
static void armed(aio_context_t ctx)
{
	static int fds[2];

	if (!fds[1])
		pair_open(PAIR_UNIX_STREAM, fds);
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
}

/* One that is about to be run. */
static void busy(aio_context_t ctx)
{
	static int fd;

	if (!fd)
		fd = new_file(4096);
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
}

static struct fuse fuse;

/* One that sleeps in a file system, which gives it up. */
static void asleep(aio_context_t ctx)
{
	static int fd;

	if (!fd)
		fd = fuse_open(&fuse, O_RDONLY);
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	fuse_wait_held(&fuse, 1);
}

static void (*const requests[])(aio_context_t ctx) = { idle, armed, busy, asleep };

static void start(void)
{
	fuse_start(&fuse, FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
}

/* None is left in /proc. */
TEST_RAIO(tasks, WHY)
{
	unsigned int i, round, left;
	aio_context_t ctx;

	start();
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		left = 0;
		for (round = 0; round < ROUNDS; round++) {
			ctx = new_context(4);
			requests[i](ctx);
			ASSERT_EQ(0, be_destroy(ctx));
			left += all_threads(getpid()) != 1;
		}
		EXPECT_EQ(0, left);
	}
}

/* Each round has a child of its own: the nesting of namespaces is limited. */
static void run_in_child(int (*single)(void))
{
	unsigned int i, round, failed;
	aio_context_t ctx;
	pid_t pid;

	start();
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		failed = 0;
		for (round = 0; round < ROUNDS / 4; round++) {
			pid = test_fork();
			if (!pid) {
				ctx = new_context(4);
				requests[i](ctx);
				ASSERT_EQ(0, be_destroy(ctx));
				_exit(single() ? errno : 0);
			}
			failed += test_wait(pid) != 0;
		}
		EXPECT_EQ(0, failed);
	}
}

static int unshare_user(void)
{
	return unshare(CLONE_NEWUSER);
}

TEST_RAIO(unshare_user, WHY)
{
	pid_t pid = test_fork();

	if (!pid)
		_exit(unshare(CLONE_NEWUSER) ? 1 : 0);
	if (test_wait(pid))
		SKIP("no user namespaces");
	run_in_child(unshare_user);
}

static int user_namespace;

static int set_user(void)
{
	return setns(user_namespace, CLONE_NEWUSER);
}

/* That of another process, which stays. */
TEST_RAIO(setns_user, WHY)
{
	char path[40], byte;
	int ready[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = test_fork();
	if (!pid) {
		if (unshare(CLONE_NEWUSER))
			_exit(1);
		ASSERT_EQ(1, write(ready[1], "x", 1));
		pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		SKIP("no user namespaces");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	user_namespace = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, user_namespace);
	run_in_child(set_user);
}

/* setns() to a mount namespace fails for a task that shares its fs_struct with a thread. */
static int mount_namespace;

static int set_mount(void)
{
	return setns(mount_namespace, CLONE_NEWNS);
}

TEST_RAIO(setns_mount, WHY)
{
	mount_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (geteuid())
		SKIP("needs root");
	ASSERT_LE(0, mount_namespace);
	run_in_child(set_mount);
}

/* A thread has the last reference to a socket that waits for its peer: that is not waited for. */
TEST_RAIO(lingering_socket, WHY)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 3600 };
	aio_context_t ctx = new_context(1);
	struct timeval limit = { .tv_sec = 3600 };
	pid_t tid;
	int fds[2];

	pair_open(PAIR_TCP, fds);
	ASSERT_LT(0, pair_fill(fds[0]));
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	while (worker_threads(getpid(), &tid, 1) != 1)
		usleep(1000);
	wait_asleep(tid);
	close(fds[0]);
	EXPECT_EQ(0, be_destroy(ctx));
}
