// SPDX-License-Identifier: GPL-2.0
/*
 * Description: fadvise64 of the device does what RAIO_IOC_SUBMIT, GETEVENTS and ENTER do, for
 * 64-bit programs; nothing for others, and other files refuse it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

#define WHY "it has no device"

/* The result, or a negative errno. */
static long advise(int fd, const void *arg, unsigned int advice)
{
#ifdef __LP64__
	long ret = syscall(SYS_fadvise64, fd, arg, 0, advice);
#elif defined(SYS_arm_fadvise64_64)
	long ret = syscall(SYS_arm_fadvise64_64, fd, advice, arg, 0, 0, 0);
#else
	/* the offset and the length have two words each */
	long ret = syscall(SYS_fadvise64_64, fd, arg, 0, 0, 0, advice);
#endif

	return ret < 0 ? -errno : ret;
}

static struct io_event events[4];

static void prep_noops(struct iocb *iocbs, struct iocb **list, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		prep(&iocbs[i], IOCB_CMD_NOOP, -1, NULL, 0, 0);
		list[i] = &iocbs[i];
	}
}

#ifdef __LP64__
TEST_RAIO(submit, WHY)
{
	aio_context_t ctx = new_context(4);
	struct iocb iocbs[3], *list[3];
	struct raio_submit arg = { .ctx_id = ctx, .nr = 3, .iocbpp = (uintptr_t)list };

	prep_noops(iocbs, list, 3);
	EXPECT_EQ(3, advise(raio_fd(), &arg, RAIO_ADVISE_SUBMIT));
	EXPECT_EQ(3, events_wait(ctx, events, 3));
	arg.nr = 0;
	EXPECT_EQ(0, advise(raio_fd(), &arg, RAIO_ADVISE_SUBMIT));
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

TEST_RAIO(enter, WHY)
{
	aio_context_t ctx = new_context(4);
	struct iocb iocbs[3], *list[3];
	struct raio_enter arg = {
		.ctx_id = ctx, .nr = 3, .iocbpp = (uintptr_t)list,
		.min_events = 3, .nr_events = 4, .events = (uintptr_t)events,
	};

	prep_noops(iocbs, list, 3);
	EXPECT_EQ(3, advise(raio_fd(), &arg, RAIO_ADVISE_ENTER));
	EXPECT_EQ(3, (long long)arg.submitted);
	EXPECT_EQ((uintptr_t)&iocbs[2], events[2].obj);
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

TEST_RAIO(getevents, WHY)
{
	aio_context_t ctx = new_context(4);
	struct iocb iocbs[3], *list[3];
	struct __kernel_timespec zero = { 0 };
	struct raio_getevents arg = {
		.ctx_id = ctx, .min_nr = 1, .nr = 2, .events = (uintptr_t)events,
		.timeout = (uintptr_t)&zero,
	};

	EXPECT_EQ(0, advise(raio_fd(), &arg, RAIO_ADVISE_GETEVENTS));
	prep_noops(iocbs, list, 3);
	ASSERT_EQ(3, be_submit(ctx, 3, list));
	EXPECT_EQ(2, advise(raio_fd(), &arg, RAIO_ADVISE_GETEVENTS));
	EXPECT_EQ(1, advise(raio_fd(), &arg, RAIO_ADVISE_GETEVENTS));
	EXPECT_EQ((uintptr_t)&iocbs[2], events[0].obj);
	arg.min_nr = -1;
	EXPECT_EQ(-EINVAL, advise(raio_fd(), &arg, RAIO_ADVISE_GETEVENTS));
}

/* The same errors, whatever the way. */
TEST_RAIO(errors, WHY)
{
	aio_context_t ctx = new_context(1);
	struct iocb iocb, *list[] = { &iocb };
	struct raio_submit arg = { .ctx_id = ctx, .nr = 1, .iocbpp = (uintptr_t)list };
	struct raio_enter enter = { .ctx_id = ctx, .submitted = 1 };

	prep_noops(&iocb, list, 1);
	EXPECT_EQ(-EFAULT, advise(raio_fd(), NULL, RAIO_ADVISE_SUBMIT));
	EXPECT_EQ(-EFAULT, advise(raio_fd(), (void *)-8L, RAIO_ADVISE_SUBMIT));
	EXPECT_EQ(-EFAULT, advise(raio_fd(), (void *)(1L << 62), RAIO_ADVISE_ENTER));
	EXPECT_EQ(-EINVAL, advise(raio_fd(), &enter, RAIO_ADVISE_ENTER));
	arg.flags = 1;
	EXPECT_EQ(-EINVAL, advise(raio_fd(), &arg, RAIO_ADVISE_SUBMIT));
	arg.flags = 0;
	arg.ctx_id += 4096;
	EXPECT_EQ(-EINVAL, advise(raio_fd(), &arg, RAIO_ADVISE_SUBMIT));
	arg.ctx_id = ctx;
	arg.nr = -1;
	EXPECT_EQ(-EINVAL, advise(raio_fd(), &arg, RAIO_ADVISE_SUBMIT));
	arg.nr = 1;
	iocb.aio_lio_opcode = IOCB_CMD_PREAD;
	EXPECT_EQ(-EBADF, advise(raio_fd(), &arg, RAIO_ADVISE_SUBMIT));
	EXPECT_EQ(-EINVAL, advise(raio_fd(), &arg, 0xa104));
	EXPECT_EQ(-EINVAL, advise(raio_fd(), &arg, -1));
	EXPECT_EQ(-EINVAL, syscall(SYS_fadvise64, raio_fd(), &arg, 1, RAIO_ADVISE_SUBMIT) < 0 ?
			   -errno : 0);
	EXPECT_EQ(0, events_now(ctx, events, 1));
}
#else
/* The offset of a 32-bit program does not hold what is meant. */
TEST_RAIO(refused, WHY)
{
	aio_context_t ctx = new_context(4);
	struct iocb iocbs[1], *list[1];
	struct raio_submit arg = { .ctx_id = ctx, .nr = 1, .iocbpp = (uintptr_t)list };

	prep_noops(iocbs, list, 1);
	EXPECT_EQ(-EINVAL, advise(raio_fd(), &arg, RAIO_ADVISE_SUBMIT));
	EXPECT_EQ(-EINVAL, advise(raio_fd(), &arg, RAIO_ADVISE_ENTER));
	EXPECT_EQ(0, events_now(ctx, events, 1));
}
#endif

/* libraio may use a number that is another file's by now. */
TEST_RAIO(others, WHY)
{
	static const char *const paths[] = { "/", "/dev/null", "/proc/self/maps", "/dev/zero" };
	struct raio_submit arg = { .nr = 1 };
	int fds[2], fd, i;

	for (i = 0; i < (int)ARRAY_SIZE(paths); i++) {
		fd = open(paths[i], O_RDONLY);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-EINVAL, advise(fd, &arg, RAIO_ADVISE_SUBMIT));
		close(fd);
	}
	fd = new_file(100);
	EXPECT_EQ(-EINVAL, advise(fd, &arg, RAIO_ADVISE_SUBMIT));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_CUR));
	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-ESPIPE, advise(fds[0], &arg, RAIO_ADVISE_SUBMIT));
	/* and what advice there is, the device takes as other devices do */
	EXPECT_EQ(0, posix_fadvise(raio_fd(), 0, 0, POSIX_FADV_WILLNEED));
}
