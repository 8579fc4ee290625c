// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whichever operation fails while a context ends, by destroy, exec or
 * exit, it ends, and nothing of it is left.
 *
 * With RAIO_QUICK, one of eleven operations of exec.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fuse.h"
#include "harness.h"
#include "pairs.h"
#include "registered.h"
#include "special.h"

#define WHY	"its way of failing is not what is tested"
#define COUNT	6

/* What a context can have: armed, waiting, with a deadline, registered, accepted, held back. */
struct busy {
	aio_context_t ctx;
	int pipe[2], tcp[2], file, eventfd;
	struct iocb iocbs[COUNT];
	struct raio_deadline deadline;
	char buf[COUNT][64];
};

static void *page;

static void open_files(struct busy *busy)
{
	pair_open(PAIR_PIPE, busy->pipe);
	pair_open(PAIR_TCP, busy->tcp);
	busy->file = new_file(64);
	busy->eventfd = eventfd(0, EFD_CLOEXEC);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_TRUE(page != MAP_FAILED);
}

/* accepted_flags: of the write that is done, however it ends */
static void get_busy(struct busy *busy, unsigned int accepted_flags)
{
	struct iocb *list[COUNT], *iocbs = busy->iocbs;
	int32_t fds[] = { busy->pipe[0], busy->file };
	int i;

	busy->ctx = new_context(300);
	register_buffer(busy->ctx, page, 4096);
	ASSERT_EQ(0, register_files(busy->ctx, fds, 2));
	prep(&iocbs[0], IOCB_CMD_PREAD, busy->pipe[0], page, 64, 0);
	fix_buffer(&iocbs[0], 0);
	prep(&iocbs[1], IOCB_CMD_PREAD, 0, busy->buf[1], 64, 0);
	fix_file(&iocbs[1], 0);
	prep(&iocbs[2], IOCB_CMD_PREAD, busy->tcp[0], busy->buf[2], 64, 0);
	set_deadline(&iocbs[2], &busy->deadline, 3600 * 1000);
	prep_poll(&iocbs[3], busy->eventfd, 1);
	prep(&iocbs[4], IOCB_CMD_PWRITE, busy->file, busy->buf[4], 64, 0);
	memset(busy->buf[4], 'x', 64);
	iocbs[4].aio_flags |= accepted_flags;
	prep(&iocbs[5], IOCB_CMD_FSYNC, busy->file, NULL, 0, 0);
	for (i = 0; i < COUNT; i++)
		list[i] = &iocbs[i];
	ASSERT_EQ(1, pwrite(busy->file, "y", 1, 0));
	ASSERT_EQ(COUNT, be_submit(busy->ctx, COUNT, list));
	wait_armed_count(busy->ctx, 3);
}

static void expect_ended(struct busy *busy)
{
	char byte = 0;

	/* what was accepted was done; nobody reads the pipe any more */
	EXPECT_EQ(1, pread(busy->file, &byte, 1, 0));
	EXPECT_EQ('x', byte);
	ASSERT_EQ(1, write(busy->pipe[1], "z", 1));
	EXPECT_EQ(1, pair_drain(busy->pipe[0]));
}

TEST_RAIO(destroy, WHY)
{
	static struct busy busy;
	struct left before;
	int ret;

	open_files(&busy);
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		/* behind all that is cancelled */
		get_busy(&busy, RAIO_IOCB_FLAG_BARRIER);
		fail_nth_arm();
		ret = be_destroy(busy.ctx);
		if (fail_nth_disarm() && ret) {
			/* it could not be read, and nothing was done */
			EXPECT_EQ(-EFAULT, ret);
			EXPECT_LE(3, context_figure(busy.ctx, "armed"));
			ret = be_destroy(busy.ctx);
		}
		EXPECT_EQ(0, ret);
		EXPECT_EQ(0, mapping_size(busy.ctx));
		expect_ended(&busy);
		left_expect(&before, "destroy");
	}
	test_note("%u operations failed", fail_nth_count());
	EXPECT_LE(1, fail_nth_count());
}

/* What a thread has is waited for, until its file can be interrupted. */
TEST_RAIO(destroy_in_thread, WHY)
{
	struct left before;
	struct fuse fuse;
	struct iocb iocb;
	char buf[100];
	int fd, ret;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fd = fuse_open(&fuse, O_RDWR);
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context(8);

		fuse_hold(&fuse, FUSE_OP(FUSE_READ));
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		fuse_wait_held(&fuse, 1);
		fail_nth_arm();
		ret = be_destroy(ctx);
		if (fail_nth_disarm() && ret) {
			EXPECT_EQ(-EFAULT, ret);
			ret = be_destroy(ctx);
		}
		EXPECT_EQ(0, ret);
		EXPECT_EQ(0, mapping_size(ctx));
		fuse_release(&fuse);
		left_expect(&before, "destroy");
	}
	close(fd);
}

/* Waits for it; whether an operation of its end has failed, which it has set itself. */
static bool ended(pid_t pid, int fd, int *status)
{
	siginfo_t info;
	bool failed;

	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	failed = fail_nth_close(fd);
	*status = test_wait(pid);
	return failed;
}

static void expect_left_by_child(struct busy *busy, const struct left *before)
{
	expect_ended(busy);
	left_expect(before, "its end");
}

TEST_RAIO(exit, WHY)
{
	static struct busy busy;
	int go[2], status, fd;
	struct left before;
	pid_t pid;
	char byte;

	open_files(&busy);
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		pid = test_fork();
		if (pid == 0) {
			raio_close();
			get_busy(&busy, 0);
			ASSERT_EQ(1, read(go[0], &byte, 1));
			fail_nth_arm_self();
			syscall(SYS_exit_group, 0);
		}
		fd = fail_nth_open(pid);
		ASSERT_LE(0, fd);
		ASSERT_EQ(1, write(go[1], "g", 1));
		ended(pid, fd, &status);
		EXPECT_EQ(0, status);
		expect_left_by_child(&busy, &before);
	}
	test_note("%u operations failed", fail_nth_count());
}

int test_helper(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* exec fails, and all is as before; or the old program is gone, and maybe the new one. */
TEST_RAIO(exec, WHY)
{
	static char *const args[] = { "exec", "--helper", NULL };
	static struct busy busy;
	int go[2], status, fd, failures = 0;
	struct left before;
	pid_t pid;
	char byte;

	open_files(&busy);
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	left_look(&before);
	/* most are the new program's */
	for (fail_nth_start(), fail_nth_stride(getenv("RAIO_QUICK") ? 11 : 2); fail_nth_next();) {
		pid = test_fork();
		if (pid == 0) {
			raio_close();
			get_busy(&busy, 0);
			ASSERT_EQ(1, read(go[0], &byte, 1));
			fail_nth_arm_self();
			syscall(SYS_execve, "/proc/self/exe", args, NULL);
			EXPECT_LE(3, context_figure(busy.ctx, "armed"));
			EXPECT_EQ(0, be_destroy(busy.ctx));
			_exit(3);
		}
		fd = fail_nth_open(pid);
		ASSERT_LE(0, fd);
		ASSERT_EQ(1, write(go[1], "g", 1));
		if (ended(pid, fd, &status))
			/* 127: it could not be relocated; 1: the harness' first mmap() failed */
			EXPECT_TRUE(status == 0 || status == 1 || status == 3 || status == 127 ||
				    status == 128 + SIGKILL || status == 128 + SIGSEGV);
		else
			EXPECT_EQ(0, status);
		failures += status == 3;
		expect_left_by_child(&busy, &before);
	}
	test_note("%u operations failed, and %d times exec did", fail_nth_count(), failures);
	EXPECT_LT(0, failures);
}
