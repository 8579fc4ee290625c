// SPDX-License-Identifier: GPL-2.0
/*
 * Description: submit does not wait for a counter, a timer or a signal, and what
 * never waits is done at once.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "harness.h"
#include "switches.h"

static uint64_t value;

TEST_RAIO(eventfd, "native: blocks until it counts")
{
	aio_context_t ctx = new_context(4);
	int fd = eventfd(0, EFD_CLOEXEC);
	struct iocb iocb;

	ASSERT_LE(0, fd);
	prep(&iocb, IOCB_CMD_PREAD, fd, &value, 8, 0);
	submit_unfinished(ctx, &iocb);
	ASSERT_EQ(0, eventfd_write(fd, 7));
	EXPECT_EQ(8, finish_one(ctx, &iocb));
	EXPECT_EQ(7, value);
}

TEST_RAIO(eventfd_semaphore, "native: blocks until it counts")
{
	aio_context_t ctx = new_context(4);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE), i;
	struct io_event events[3];
	struct iocb iocbs[3];
	uint64_t values[3] = { 0 };

	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, &values[i], 8, 0);
		submit_unfinished(ctx, &iocbs[i]);
	}
	ASSERT_EQ(0, eventfd_write(fd, 3));
	ASSERT_EQ(3, events_wait(ctx, events, 3));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(8, (long long)events[i].res);
		EXPECT_EQ(1, values[i]);
	}
}

TEST_RAIO(timerfd, "native: blocks until it expires")
{
	struct itimerspec never = { .it_value.tv_sec = 1000000 }, now = { .it_value.tv_nsec = 1 };
	aio_context_t ctx = new_context(4);
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct iocb iocb;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, timerfd_settime(fd, 0, &never, NULL));
	prep(&iocb, IOCB_CMD_PREAD, fd, &value, 8, 0);
	submit_unfinished(ctx, &iocb);
	ASSERT_EQ(0, timerfd_settime(fd, 0, &now, NULL));
	EXPECT_EQ(8, finish_one(ctx, &iocb));
	EXPECT_EQ(1, value);
}

static int new_signalfd(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	ASSERT_LE(0, fd);
	return fd;
}

TEST_RAIO(signalfd, "native: blocks until there is a signal")
{
	static struct signalfd_siginfo info;
	aio_context_t ctx = new_context(4);
	int fd = new_signalfd();
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, &info, sizeof(info), 0);
	submit_unfinished(ctx, &iocb);
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_EQ(sizeof(info), finish_one(ctx, &iocb));
	EXPECT_EQ(SIGUSR1, info.ssi_signo);
	EXPECT_EQ(getpid(), info.ssi_pid);
}

/* One of the submitting thread alone, which no other thread could take. */
TEST(signalfd_ready)
{
	static struct signalfd_siginfo info;
	aio_context_t ctx = new_context(4);
	int fd = new_signalfd();
	struct iocb iocb;

	ASSERT_EQ(0, tgkill(getpid(), thread_id(), SIGUSR2));
	prep(&iocb, IOCB_CMD_PREAD, fd, &info, sizeof(info), 0);
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(sizeof(info), finish_one(ctx, &iocb));
	EXPECT_EQ(SIGUSR2, info.ssi_signo);
}

/* These have no read by iterator: native aio refuses them, and so does raio. */
TEST(inotify)
{
	aio_context_t ctx = new_context(4);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, inotify_init1(IN_CLOEXEC), &value, sizeof(value), 0);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
}

TEST(eventfd_write)
{
	aio_context_t ctx = new_context(4);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PWRITE, eventfd(0, EFD_CLOEXEC), &value, 8, 0);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
}

static char buf[4096];

static void run(const char *path, unsigned int opcode, int64_t expected)
{
	int fd = open(path, (opcode == IOCB_CMD_PREAD ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
	aio_context_t ctx = new_context(4);
	struct iocb iocb;

	ASSERT_LE(0, fd);
	memset(buf, 0xee, sizeof(buf));
	prep(&iocb, opcode, fd, buf, sizeof(buf), 0);
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(expected, finish_one(ctx, &iocb));
}

TEST(dev_zero)
{
	run("/dev/zero", IOCB_CMD_PREAD, 4096);
	EXPECT_EQ(0, buf[4095]);
	run("/dev/zero", IOCB_CMD_PWRITE, 4096);
}

TEST(dev_null)
{
	run("/dev/null", IOCB_CMD_PREAD, 0);
	run("/dev/null", IOCB_CMD_PWRITE, 4096);
}

TEST(dev_urandom)
{
	run("/dev/urandom", IOCB_CMD_PREAD, 4096);
	run("/dev/urandom", IOCB_CMD_PWRITE, 4096);
}
