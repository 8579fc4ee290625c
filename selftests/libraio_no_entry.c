// SPDX-License-Identifier: GPL-2.0
/*
 * Description: io_getevents enters the kernel only if there are not enough events.
 * All system calls are refused meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "harness.h"
#include "libraio.h"

#define REFUSED	ENOTUNIQ

static const struct __kernel_timespec zero, moment = { .tv_nsec = 1 }, negative = { .tv_sec = -1 };

static int refused = REFUSED;

#define PAGE	4096

/* But for what a test needs to tell its result. */
static void refuse_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | refused),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	ASSERT_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	ASSERT_EQ(0, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void use(aio_context_t ctx, void *at, const struct __kernel_timespec *timeout)
{
	struct iocb iocb, *list[] = { &iocb };

	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	ASSERT_EQ(1, io_submit(ctx, 1, list));
	ASSERT_EQ(1, io_getevents(ctx, 1, 1, at, timeout));
}

/*
 * The kernel has said before that the times are good, and the pages of the stack, on which the
 * callers have their events, and libraio has its own.
 */
static aio_context_t start(unsigned int nr, struct io_event *events, unsigned int size)
{
	const struct __kernel_timespec *times[] = { &zero, &moment, &negative };
	struct iocb iocb, *list[] = { &iocb };
	char stack[PAGE];
	aio_context_t ctx = 0;
	unsigned int i;

	ASSERT_EQ(0, io_setup(64, &ctx));
	/* It has a time of its own. */
	ASSERT_EQ(0, io_queue_run(ctx));
	use(ctx, stack, NULL);
	use(ctx, stack + sizeof(stack) - sizeof(*events), NULL);
	use(ctx, &events[size - 1], NULL);
	for (i = 0; i < ARRAY_SIZE(times); i++)
		use(ctx, events, times[i]);
	for (i = 0; i < nr; i++) {
		prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
		iocb.aio_data = i;
		ASSERT_EQ(1, io_submit(ctx, 1, list));
	}
	refuse_system_calls();
	return ctx;
}

TEST_RAIO(enough, "libraio's")
{
	struct io_event events[16];
	aio_context_t ctx = start(11, events, ARRAY_SIZE(events));
	unsigned int i, n = 0;

	errno = 4711;
	n += io_getevents(ctx, 1, 1, events + n, NULL);
	n += io_getevents(ctx, 2, 2, events + n, &moment);
	n += io_getevents(ctx, 1, 1, events + n, &negative);
	n += io_getevents(ctx, 0, 1, events + n, NULL);
	n += io_pgetevents(ctx, 1, 1, events + n, NULL, NULL);
	n += raio_syscall(SYS_io_getevents, ctx, 1, 1, events + n, NULL);
	n += raio_syscall(SYS_io_pgetevents, ctx, 1, 1, events + n, NULL, NULL);
	n += io_getevents(ctx, 1, 2, events + n, &zero);
	/* as many as there are */
	n += io_getevents(ctx, 1, 16 - n, events + n, NULL);
	EXPECT_EQ(11, n);
	for (i = 0; i < n; i++)
		EXPECT_EQ(i, events[i].data);
	EXPECT_EQ(4711, errno);
}

/*
 * As the io_getevents of libaio's own: a set on the stack, without a mask.  That the
 * kernel is not asked about the set either, is seen by the error.
 */
TEST_RAIO(set_on_the_stack, "libraio's")
{
	const uint64_t set[] = { 0, 8 };
	struct io_event events[2];
	aio_context_t ctx;

	refused = EFAULT;
	ctx = start(2, events, ARRAY_SIZE(events));
	EXPECT_EQ(2, raio_syscall(SYS_io_pgetevents, ctx, 1, 2, events, NULL, set));
}

/* With a timeout of 0, also if it is too few. */
TEST_RAIO(zero_timeout, "libraio's")
{
	struct io_event events[8];
	aio_context_t ctx = start(2, events, ARRAY_SIZE(events));

	EXPECT_EQ(2, io_getevents(ctx, 5, 8, events, &zero));
	EXPECT_EQ(0, io_getevents(ctx, 1, 8, events, &zero));
	EXPECT_EQ(0, io_getevents(ctx, 0, 8, events, &zero));
	EXPECT_EQ(0, io_queue_run(ctx));
}

/* None are enough. */
TEST_RAIO(none_wanted, "libraio's")
{
	struct io_event events[8];
	aio_context_t ctx = start(1, events, ARRAY_SIZE(events));

	EXPECT_EQ(1, io_getevents(ctx, 0, 8, events, NULL));
	EXPECT_EQ(0, io_getevents(ctx, 0, 8, events, NULL));
	EXPECT_EQ(0, io_getevents(ctx, 0, 8, events, &moment));
	EXPECT_EQ(0, raio_syscall(SYS_io_getevents, ctx, 0, 8, events, NULL));
	EXPECT_EQ(-REFUSED, io_getevents(ctx, 1, 8, events, NULL));
}

/* What is asked of the kernel is asked for all. */
TEST_RAIO(too_few, "libraio's")
{
	struct io_event events[8];
	aio_context_t ctx = start(2, events, ARRAY_SIZE(events));

	errno = 4711;
	EXPECT_EQ(-REFUSED, io_getevents(ctx, 3, 8, events, NULL));
	EXPECT_EQ(-REFUSED, io_getevents(ctx, 3, 8, events, &moment));
	EXPECT_EQ(-REFUSED, io_getevents(ctx, -1, 1, events, &zero));
	EXPECT_EQ(-REFUSED, io_getevents(ctx, 2, 1, events, &zero));
	EXPECT_EQ(-REFUSED, io_getevents(ctx, 1, 1, NULL, &zero));
	EXPECT_EQ(-REFUSED, io_getevents(ctx + 4096, 1, 1, events, &zero));
	EXPECT_EQ(-REFUSED, io_getevents(0, 1, 1, events, &zero));
	EXPECT_EQ(4711, errno);
	EXPECT_EQ(2, io_getevents(ctx, 2, 2, events, NULL));
}
