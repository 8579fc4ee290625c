// SPDX-License-Identifier: GPL-2.0
/*
 * Description: lseek of the device does what RAIO_IOC_SUBMIT and RAIO_IOC_ENTER do, for
 * 64-bit programs; nothing for others, and nothing that a program could take for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

#define WHY "it has no device"

/* The result, or a negative errno; the offset has all bits of the address. */
static long long seek(int fd, const void *arg, unsigned int whence)
{
	long ret = syscall(SYS_lseek, fd, arg, whence);

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
	EXPECT_EQ(RAIO_SEEK_DONE + 3, seek(raio_fd(), &arg, RAIO_SEEK_SUBMIT));
	EXPECT_EQ(3, events_wait(ctx, events, 3));
	arg.nr = 0;
	EXPECT_EQ(RAIO_SEEK_DONE, seek(raio_fd(), &arg, RAIO_SEEK_SUBMIT));
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
	EXPECT_EQ(RAIO_SEEK_DONE + 3, seek(raio_fd(), &arg, RAIO_SEEK_ENTER));
	EXPECT_EQ(3, (long long)arg.submitted);
	EXPECT_EQ((uintptr_t)&iocbs[2], events[2].obj);
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

/* The same errors, whatever the way. */
TEST_RAIO(errors, WHY)
{
	aio_context_t ctx = new_context(1);
	struct iocb iocb, *list[] = { &iocb };
	struct raio_submit arg = { .ctx_id = ctx, .nr = 1, .iocbpp = (uintptr_t)list };
	struct raio_enter enter = { .ctx_id = ctx, .submitted = 1 };

	prep_noops(&iocb, list, 1);
	EXPECT_EQ(-EFAULT, seek(raio_fd(), NULL, RAIO_SEEK_SUBMIT));
	EXPECT_EQ(-EFAULT, seek(raio_fd(), (void *)-8L, RAIO_SEEK_SUBMIT));
	EXPECT_EQ(-EFAULT, seek(raio_fd(), (void *)(1L << 62), RAIO_SEEK_ENTER));
	EXPECT_EQ(-EINVAL, seek(raio_fd(), &enter, RAIO_SEEK_ENTER));
	arg.flags = 1;
	EXPECT_EQ(-EINVAL, seek(raio_fd(), &arg, RAIO_SEEK_SUBMIT));
	arg.flags = 0;
	arg.ctx_id += 4096;
	EXPECT_EQ(-EINVAL, seek(raio_fd(), &arg, RAIO_SEEK_SUBMIT));
	arg.ctx_id = ctx;
	arg.nr = -1;
	EXPECT_EQ(-EINVAL, seek(raio_fd(), &arg, RAIO_SEEK_SUBMIT));
	arg.nr = 1;
	iocb.aio_lio_opcode = IOCB_CMD_PREAD;
	EXPECT_EQ(-EBADF, seek(raio_fd(), &arg, RAIO_SEEK_SUBMIT));
	EXPECT_EQ(-EINVAL, seek(raio_fd(), &arg, 5));
	EXPECT_EQ(-EINVAL, seek(raio_fd(), &arg, -1));
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
	EXPECT_EQ(-EINVAL, seek(raio_fd(), &arg, RAIO_SEEK_SUBMIT));
	EXPECT_EQ(-EINVAL, seek(raio_fd(), &arg, RAIO_SEEK_ENTER));
	EXPECT_EQ(0, events_now(ctx, events, 1));
}
#endif

/* What other programs ask of any file. */
TEST_RAIO(position, WHY)
{
	EXPECT_EQ(0, seek(raio_fd(), (void *)0, SEEK_SET));
	EXPECT_EQ(0, seek(raio_fd(), (void *)100, SEEK_SET));
	EXPECT_EQ(0, seek(raio_fd(), (void *)0, SEEK_CUR));
	EXPECT_EQ(0, seek(raio_fd(), (void *)0, SEEK_END));
	EXPECT_EQ(0, seek(raio_fd(), (void *)100, SEEK_END));
}
