// SPDX-License-Identifier: GPL-2.0
/*
 * Description: RLIMIT_FSIZE of the process that submits, and of no other, limits
 * its buffered writes, and SIGXFSZ goes to it if to anyone.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define LIMIT	10000
#define COUNT	16

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

static void limit_size(void)
{
	struct rlimit limit = { .rlim_cur = LIMIT, .rlim_max = LIMIT };

	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
}

static int64_t write_at(aio_context_t ctx, int fd, int64_t offset)
{
	static char buf[100];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, sizeof(buf), offset);
	return run_one(ctx, &iocb);
}

/* Each write has its own event and error; the process learns of it by a signal at most. */
TEST(process)
{
	aio_context_t ctx = new_context(COUNT);
	struct stat stat;
	int fd = new_file(0), i;
	pid_t pid;

	ASSERT_TRUE(signal(SIGXFSZ, count_signal) != SIG_ERR);
	pid = test_fork();
	if (!pid) {
		ctx = new_context(COUNT);
		limit_size();
		for (i = 1; i <= COUNT; i++) {
			EXPECT_EQ(-EFBIG, write_at(ctx, fd, LIMIT + 1000 * i));
			EXPECT_LE(signals, i);
		}
		EXPECT_EQ(100, write_at(ctx, fd, LIMIT - 100));
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_EQ(0, signals);
	EXPECT_EQ(0, fstat(fd, &stat));
	EXPECT_EQ(LIMIT, stat.st_size);

	/* the parent has no such limit */
	EXPECT_EQ(100, write_at(ctx, fd, 2 * LIMIT));
	EXPECT_EQ(0, signals);
}

/* Two processes at once, one with a limit: it is never the other's. */
TEST(two_processes)
{
	int fds[2] = { new_file(0), new_file(0) };
	aio_context_t ctx;
	pid_t pid;
	int i;

	ASSERT_TRUE(signal(SIGXFSZ, count_signal) != SIG_ERR);
	pid = test_fork();
	ctx = new_context(COUNT);
	if (!pid)
		limit_size();
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(pid ? 100 : -EFBIG, write_at(ctx, fds[!pid], LIMIT + i));
		EXPECT_EQ(100, write_at(ctx, fds[!pid], i));
	}
	if (!pid)
		_exit(0);
	EXPECT_EQ(0, signals);
	EXPECT_EQ(0, test_wait(pid));
}

/* With the default action it may die of its own write, and nobody else does. */
TEST(default_action)
{
	int fd = new_file(0), ret;
	pid_t pid;

	pid = test_fork();
	if (!pid) {
		ASSERT_TRUE(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
		limit_size();
		_exit(write_at(new_context(1), fd, LIMIT) != -EFBIG);
	}
	ret = test_wait(pid);
	if (ret != 128 + SIGXFSZ)
		EXPECT_EQ(0, ret);
	expect_works(new_context(1));
}
