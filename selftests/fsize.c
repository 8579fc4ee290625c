// SPDX-License-Identifier: GPL-2.0
/*
 * Description: RLIMIT_FSIZE of the process that submits holds for its writes:
 * SIGXFSZ and EFBIG beyond it, a short write across it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "workers.h"

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND	0x20
#endif

#define LIMIT 8192
#define PART 512

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

/* All of it is done by who submits. */
TEST_RAIO(across_without_threads, "it has no such threads")
{
	aio_context_t ctx = new_context_flags(2, RAIO_SETUP_NO_THREADS);
	int fd = new_file(0), memory = memfd_create("raio", MFD_CLOEXEC);

	limit_size();
	EXPECT_EQ(100, write_at(ctx, fd, 1000, LIMIT - 100));
	EXPECT_EQ(0, signals);
	expect_size(fd, LIMIT);
	if (memory < 0)
		SKIP("memfd_create: %m");
	EXPECT_EQ(100, write_at(ctx, memory, 1000, LIMIT - 100));
	EXPECT_EQ(0, signals);
	EXPECT_EQ(-EFBIG, write_at(ctx, memory, 1, LIMIT));
	EXPECT_EQ(1, signals);
}

static int64_t write_flags(aio_context_t ctx, int fd, size_t size, int64_t offset, int rw_flags)
{
	static char buf[LIMIT];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, size, offset);
	iocb.aio_rw_flags = rw_flags;
	return run_one(ctx, &iocb);
}

/* Nothing is written, so nothing of it is beyond. */
TEST(nothing)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(0);
	struct iocb iocb;

	limit_size();
	EXPECT_EQ(0, write_at(ctx, fd, 0, LIMIT));
	EXPECT_EQ(0, write_at(ctx, fd, 0, 8 * LIMIT));
	prep(&iocb, IOCB_CMD_PWRITEV, fd, NULL, 0, LIMIT);
	EXPECT_EQ(0, run_one(ctx, &iocb));
	EXPECT_EQ(0, signals);
	expect_size(fd, 0);
}

static int new_append(size_t size)
{
	int fd = new_file(size);

	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_APPEND));
	return fd;
}

/* It goes to the end of the file, whatever its offset says. */
TEST(append_below)
{
	aio_context_t ctx = new_context(1);
	int fd = new_append(0), plain = new_file(0);

	limit_size();
	EXPECT_EQ(PART, write_at(ctx, fd, PART, LIMIT));
	EXPECT_EQ(PART, write_at(ctx, fd, PART, 8 * LIMIT));
	expect_size(fd, 2 * PART);
	EXPECT_EQ(PART, write_flags(ctx, plain, PART, LIMIT, RWF_APPEND));
	expect_size(plain, PART);
	EXPECT_EQ(0, signals);
}

TEST(append_across)
{
	aio_context_t ctx = new_context(1);
	int fd = new_append(LIMIT - 100);

	limit_size();
	EXPECT_EQ(100, write_at(ctx, fd, PART, 0));
	EXPECT_EQ(0, signals);
	expect_size(fd, LIMIT);
}

TEST(append_beyond)
{
	aio_context_t ctx = new_context(1);
	int fd = new_append(LIMIT), plain = new_file(LIMIT);

	limit_size();
	EXPECT_EQ(-EFBIG, write_at(ctx, fd, PART, 0));
	EXPECT_EQ(1, signals);
	EXPECT_EQ(-EFBIG, write_flags(ctx, plain, PART, 0, RWF_APPEND));
	EXPECT_EQ(2, signals);
	EXPECT_EQ(0, write_at(ctx, fd, 0, 0));
	EXPECT_EQ(2, signals);
	expect_size(fd, LIMIT);
	expect_size(plain, LIMIT);
}

/* Of a file whose writes are appends: this one is not. */
TEST(no_append)
{
	aio_context_t ctx = new_context(1);
	int fd = new_append(LIMIT);

	limit_size();
	EXPECT_EQ(PART, write_flags(ctx, fd, PART, 0, RWF_NOAPPEND));
	EXPECT_EQ(0, signals);
	EXPECT_EQ(-EFBIG, write_flags(ctx, fd, PART, LIMIT, RWF_NOAPPEND));
	EXPECT_EQ(1, signals);
	expect_size(fd, LIMIT);
}

TEST(direct_beyond)
{
	aio_context_t ctx = new_context(1);
	int fd = reopen(new_file(0), O_RDWR | O_DIRECT);
	struct iocb iocb;

	if (fd < 0)
		SKIP("no O_DIRECT there");
	limit_size();
	prep(&iocb, IOCB_CMD_PWRITE, fd, aligned_buffer(DIRECT_ALIGN), DIRECT_ALIGN, LIMIT);
	EXPECT_EQ(-EFBIG, run_one(ctx, &iocb));
	EXPECT_EQ(1, signals);
	expect_size(fd, 0);
}

/* The first of them fills the file, so that whoever runs the second finds it beyond. */
TEST(append_second_beyond)
{
	aio_context_t ctx = new_context(2);
	struct iocb iocbs[2], *list[2];
	struct timespec none = { 0 };
	struct io_event events[2];
	static char buf[LIMIT];
	int fd = new_append(0), i;
	sigset_t set;

	limit_size();
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	for (i = 0; i < 2; i++) {
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, buf, i ? PART : LIMIT, 0);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(2, be_submit(ctx, 2, list));
	ASSERT_EQ(2, events_wait(ctx, events, 2));
	EXPECT_EQ(LIMIT, (long long)events[0].res);
	EXPECT_EQ(-EFBIG, (long long)events[1].res);
	EXPECT_EQ(SIGXFSZ, sigtimedwait(&set, NULL, &none));
	EXPECT_EQ(-1, sigtimedwait(&set, NULL, &none));
	expect_size(fd, LIMIT);
}

/* That of a sysctl does not ask for the limit. */
TEST(no_file_data)
{
	int fd = open("/proc/sys/fs/aio-max-nr", O_RDWR | O_CLOEXEC);
	struct rlimit none = { 0, 0 };
	aio_context_t ctx;
	struct iocb iocb;
	char text[32];
	ssize_t size;

	if (fd < 0)
		SKIP("/proc/sys/fs/aio-max-nr: %m");
	ctx = new_context(1);
	size = pread(fd, text, sizeof(text), 0);
	ASSERT_LT(0, size);
	ASSERT_TRUE(signal(SIGXFSZ, count_signal) != SIG_ERR);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
	prep(&iocb, IOCB_CMD_PWRITE, fd, text, size, 0);
	EXPECT_EQ(size, run_one(ctx, &iocb));
	EXPECT_EQ(0, signals);
}
