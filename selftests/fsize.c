// SPDX-License-Identifier: GPL-2.0
/*
 * Description: RLIMIT_FSIZE of the process that submits holds for its writes:
 * SIGXFSZ and EFBIG beyond it, a short write across it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define LIMIT 10000

static int signals;

static void count_signal(int signal)
{
	(void)signal;
	__atomic_add_fetch(&signals, 1, __ATOMIC_RELAXED);
}

static void limit_size(void)
{
	struct rlimit limit = { .rlim_cur = LIMIT, .rlim_max = LIMIT };

	ASSERT_TRUE(signal(SIGXFSZ, count_signal) != SIG_ERR);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
}

static int64_t write_at(aio_context_t ctx, int fd, size_t size, int64_t offset)
{
	static char buf[LIMIT];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, size, offset);
	return run_one(ctx, &iocb);
}

static void expect_size(int fd, long size)
{
	struct stat stat;

	EXPECT_EQ(0, fstat(fd, &stat));
	EXPECT_EQ(size, stat.st_size);
}

TEST(below)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(0);

	limit_size();
	EXPECT_EQ(LIMIT, write_at(ctx, fd, LIMIT, 0));
	EXPECT_EQ(0, signals);
	expect_size(fd, LIMIT);
}

TEST(beyond)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(0);

	limit_size();
	EXPECT_EQ(-EFBIG, write_at(ctx, fd, 1, LIMIT));
	EXPECT_EQ(1, signals);
	expect_size(fd, 0);
}

/* The part below the limit is written; the rest of it is told by the count. */
TEST(across)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(0);

	limit_size();
	EXPECT_EQ(100, write_at(ctx, fd, 1000, LIMIT - 100));
	EXPECT_EQ(0, signals);
	expect_size(fd, LIMIT);
}

/* In memory: the copy itself gets to the limit, not the check before it. */
TEST(across_memfd)
{
	aio_context_t ctx = new_context(1);
	int fd = memfd_create("raio", MFD_CLOEXEC);

	if (fd < 0)
		SKIP("memfd_create: %m");
	limit_size();
	EXPECT_EQ(100, write_at(ctx, fd, 1000, LIMIT - 100));
	EXPECT_EQ(0, signals);
	expect_size(fd, LIMIT);
	EXPECT_EQ(-EFBIG, write_at(ctx, fd, 1, LIMIT));
	EXPECT_EQ(1, signals);
	expect_size(fd, LIMIT);
}
