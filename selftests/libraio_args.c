// SPDX-License-Identifier: GPL-2.0
/*
 * Description: libraio's functions take and refuse what libaio's do: errors are
 * results and not errno, and negative timeouts are for ever.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "libraio.h"

#define UNTOUCHED	4711

static const struct __kernel_timespec zero;

static aio_context_t start(unsigned int events)
{
	struct iocb iocb, *list[] = { &iocb };
	aio_context_t ctx = 0;

	ASSERT_EQ(0, io_setup(8, &ctx));
	for (unsigned int i = 0; i < events; i++) {
		prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
		iocb.aio_data = i;
		ASSERT_EQ(1, io_submit(ctx, 1, list));
	}
	errno = UNTOUCHED;
	return ctx;
}

TEST_RAIO(setup, "libraio's")
{
	char *bad = (char *)guarded_buffer(getpagesize()) + getpagesize();
	unsigned long before = be_nr();
	aio_context_t ctx = 1, none = 0;

	errno = UNTOUCHED;
	EXPECT_EQ(-EINVAL, io_setup(8, &ctx));
	EXPECT_EQ(1, ctx);
	EXPECT_EQ(-EINVAL, io_setup(0, &none));
	EXPECT_EQ(-EINVAL, io_setup(-1, &none));
	EXPECT_EQ(-EINVAL, io_setup(INT_MAX, &none));
	EXPECT_EQ(0, none);
	EXPECT_EQ(-EFAULT, io_setup(8, NULL));
	EXPECT_EQ(-EFAULT, io_setup(8, (aio_context_t *)bad));
	EXPECT_EQ(-EFAULT, io_setup(8, (aio_context_t *)-8L));
	EXPECT_EQ(-EFAULT, io_setup(8, read_only_copy(&none, sizeof(none))));
	EXPECT_EQ(-EINVAL, io_setup(8, read_only_copy(&ctx, sizeof(ctx))));
	EXPECT_EQ(before, be_nr());
	EXPECT_EQ(-EINVAL, io_queue_init(0, &none));
	EXPECT_EQ(-EINVAL, io_queue_init(-1, &none));
	EXPECT_EQ(0, io_queue_init(8, &ctx));
	EXPECT_EQ(0, io_queue_release(ctx));
	EXPECT_EQ(UNTOUCHED, errno);
	EXPECT_EQ(before, be_nr());
}

/* The id is the address of the ring, for those who look into it. */
TEST_RAIO(ring, "libraio's")
{
	aio_context_t ctx = start(3);
	struct io_event events[8];
	struct raio_ring *ring = ring_of(ctx);

	EXPECT_EQ(RAIO_RING_MAGIC, ring->magic);
	EXPECT_EQ(RAIO_RING_COMPAT_FEATURES, ring->compat_features);
	EXPECT_EQ(1, ring_reap(ring, events, 1));
	EXPECT_EQ(2, io_getevents(ctx, 2, 8, events, NULL));
	EXPECT_EQ(1, events[0].data);
	EXPECT_EQ(2, events[1].data);
	EXPECT_EQ(0, ring_reap(ring, events, 1));
}

/* Of what a program writes to the ring, nothing is believed. */
TEST_RAIO(hostile_ring, "libraio's")
{
	aio_context_t ctx = start(3);
	struct io_event events[300];
	struct raio_ring *ring = ring_of(ctx);
	uint32_t values[] = { 127, 128, 1 << 20, INT_MAX, UINT_MAX };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		uint32_t head = ring->head, tail = ring->tail;

		ring->nr = values[i];
		ring->tail = values[i];
		EXPECT_LE(0, io_getevents(ctx, 0, 300, events, &zero));
		ring->head = values[i];
		ring->tail = tail;
		EXPECT_LE(0, io_getevents(ctx, 0, 300, events, &zero));
		ring->head = head;
	}
	EXPECT_EQ(0, io_destroy(ctx));
}

/* Nothing of a context that has gone is touched. */
TEST_RAIO(stale, "libraio's")
{
	struct iocb iocb = { 0 }, *list[] = { &iocb };
	aio_context_t ctx = start(2);
	struct io_event events[2];

	EXPECT_EQ(0, io_destroy(ctx));
	EXPECT_EQ(0, mapping_size(ctx));
	EXPECT_EQ(-EINVAL, io_getevents(ctx, 1, 2, events, NULL));
	EXPECT_EQ(-EINVAL, io_getevents(ctx, 0, 2, events, &zero));
	EXPECT_EQ(-EINVAL, io_pgetevents(ctx, 0, 2, events, &zero, NULL));
	EXPECT_EQ(-EINVAL, io_submit(ctx, 1, list));
	EXPECT_EQ(-EINVAL, io_cancel(ctx, &iocb, events));
	EXPECT_EQ(-EINVAL, io_queue_run(ctx));
	EXPECT_EQ(-EINVAL, io_queue_wait(ctx, NULL));
	EXPECT_EQ(-EINVAL, io_destroy(ctx));
	EXPECT_EQ(-EINVAL, io_destroy(0));
	EXPECT_EQ(UNTOUCHED, errno);
}

/* The program has taken the ring away; the next one is at its address. */
TEST_RAIO(unmapped, "libraio's")
{
	aio_context_t ctx = start(2), next = 0;
	struct io_event event;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, munmap(ring_of(ctx), mapping_size(ctx)));
		next = start(1);
		EXPECT_EQ(1, io_getevents(next, 1, 1, &event, NULL));
		EXPECT_EQ(0, io_getevents(next, 1, 1, &event, &zero));
		if (next != ctx)
			SKIP("it is not");
	}
	EXPECT_EQ(0, io_destroy(ctx));
	EXPECT_EQ(-EINVAL, io_getevents(ctx, 1, 1, &event, &zero));
}

/* More than the library knows at a time, so that some are the kernel's alone. */
TEST_RAIO(many_contexts, "libraio's")
{
	static aio_context_t ctxs[5000];
	struct iocb iocb, *list[] = { &iocb };
	struct io_event event;
	unsigned int i, n;

	for (n = 0; n < ARRAY_SIZE(ctxs); n++)
		if (io_setup(1, &ctxs[n]))
			break;
	test_note("%u contexts", n);
	for (i = 0; i < n; i++) {
		prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
		iocb.aio_data = i;
		ASSERT_EQ(1, io_submit(ctxs[i], 1, list));
	}
	for (i = 0; i < n; i++) {
		event.data = -1;
		ASSERT_EQ(1, io_getevents(ctxs[i], 1, 1, &event, NULL));
		EXPECT_EQ(i, event.data);
		EXPECT_EQ(0, io_getevents(ctxs[i], 0, 1, &event, &zero));
		EXPECT_EQ(0, io_destroy(ctxs[i]));
		EXPECT_EQ(-EINVAL, io_getevents(ctxs[i], 0, 1, &event, &zero));
	}
}

/* Until the signal. */
static void expect_for_ever(int64_t sec, int64_t nsec)
{
	const struct __kernel_timespec timeout = { .tv_sec = sec, .tv_nsec = nsec };
	const void *set[] = { NULL, NULL };
	struct io_event event;
	aio_context_t ctx = start(0);

	start_interrupter();
	if (!EXPECT_EQ(-EINTR, io_getevents(ctx, 1, 1, &event, &timeout)))
		test_note("%lld s, %lld ns", (long long)sec, (long long)nsec);
	start_interrupter();
	EXPECT_EQ(-EINTR, raio_syscall(SYS_io_pgetevents, ctx, 1, 1, &event, &timeout, set));
	EXPECT_EQ(0, io_getevents(ctx, 0, 1, &event, &timeout));
	EXPECT_EQ(-EINVAL, io_getevents(ctx, 2, 1, &event, &timeout));
	EXPECT_EQ(-EINVAL, io_getevents(0, 1, 1, &event, &timeout));
	EXPECT_EQ(0, io_destroy(ctx));
}

TEST_RAIO(negative_timeouts, "libraio's")
{
	catch_signal(SIGUSR1, 0);
	expect_for_ever(-1, 0);
	expect_for_ever(0, -1);
	expect_for_ever(-1, 999999999);
	expect_for_ever(INT64_MAX, 0);
	expect_for_ever(INT64_MAX / 1000000000, INT64_MAX);
}

/* The sum of the parts, modulo 2^64: native aio's arithmetic. */
TEST_RAIO(odd_timeouts, "libraio's")
{
	const struct __kernel_timespec rows[] = {
		{ .tv_sec = -1, .tv_nsec = 1000000001 },
		{ .tv_sec = 1, .tv_nsec = -999999999 },
		{ .tv_sec = INT64_MIN, .tv_nsec = 0 },
		{ .tv_sec = INT64_MIN, .tv_nsec = 1 },
	};
	aio_context_t ctx = start(0);
	struct io_event event;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT_EQ(0, io_getevents(ctx, 1, 1, &event, &rows[i]));
	EXPECT_EQ(UNTOUCHED, errno);
}

/* A request in flight, cancelled as native aio would. */
TEST_RAIO(cancel, "libraio's")
{
	struct iocb iocb, *list[] = { &iocb };
	aio_context_t ctx = start(0);
	struct io_event event = { 0 };
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep_poll(&iocb, fds[0], POLLIN);
	ASSERT_EQ(1, io_submit(ctx, 1, list));
	EXPECT_EQ(-EINPROGRESS, io_cancel(ctx, &iocb, &event));
	EXPECT_EQ(0, event.obj);
	EXPECT_EQ(1, io_getevents(ctx, 1, 1, &event, NULL));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	EXPECT_EQ(-EFAULT, io_cancel(ctx, NULL, &event));
	EXPECT_EQ(UNTOUCHED, errno);
}

static int called;

static void callback(aio_context_t ctx, struct iocb *iocb, long res, long res2)
{
	EXPECT_NE(0, ctx);
	EXPECT_EQ(called, iocb->aio_reqprio);
	EXPECT_EQ(0, res);
	EXPECT_EQ(0, res2);
	called++;
}

TEST_RAIO(queue, "libraio's")
{
	struct iocb iocbs[3], *list[3];
	aio_context_t ctx = start(0);
	int i;

	EXPECT_EQ(0, io_queue_run(ctx));
	for (i = 0; i < 3; i++) {
		list[i] = &iocbs[i];
		prep(list[i], IOCB_CMD_NOOP, -1, NULL, 0, 0);
		iocbs[i].aio_data = (uintptr_t)callback;
		iocbs[i].aio_reqprio = i;
	}
	EXPECT_EQ(3, io_submit(ctx, 3, list));
	EXPECT_EQ(0, io_queue_wait(ctx, NULL));
	EXPECT_EQ(0, io_queue_wait(ctx, &zero));
	EXPECT_EQ(0, io_queue_run(ctx));
	EXPECT_EQ(3, called);
	EXPECT_EQ(0, io_queue_run(ctx));
	EXPECT_EQ(UNTOUCHED, errno);
}

TEST_RAIO(submit_and_getevents, "libraio's")
{
	const struct __kernel_timespec negative = { .tv_sec = -1 };
	struct iocb iocb, bad = { .aio_lio_opcode = 77 }, *list[] = { &iocb, &bad };
	aio_context_t ctx = start(2);
	struct io_event events[4];
	long submitted = -1;

	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	/* there are enough events, and yet it is submitted */
	EXPECT_EQ(1, raio_submit_and_getevents(ctx, 1, list, &submitted, 1, 1, events, NULL));
	EXPECT_EQ(1, submitted);
	EXPECT_EQ(2, raio_submit_and_getevents(ctx, 0, NULL, &submitted, 2, 4, events, NULL));
	EXPECT_EQ(0, submitted);
	EXPECT_EQ(1, raio_submit_and_getevents(ctx, 2, list, &submitted, 1, 4, events, &negative));
	EXPECT_EQ(1, submitted);
	EXPECT_EQ(-EINVAL, raio_submit_and_getevents(ctx, 1, list + 1, &submitted, 1, 4, events,
						     NULL));
	EXPECT_EQ(0, submitted);
	EXPECT_EQ(-EINVAL, raio_submit_and_getevents(0, 1, list, NULL, 1, 4, events, NULL));
	EXPECT_EQ(0, io_getevents(ctx, 0, 4, events, &zero));
	EXPECT_EQ(UNTOUCHED, errno);
}

/* With events there: none is lost. */
TEST_RAIO(bad_addresses, "libraio's")
{
	char *bad = (char *)guarded_buffer(getpagesize()) + getpagesize();
	struct __kernel_timespec *bad_time = (void *)bad;
	struct iocb iocb, *list[] = { &iocb };
	aio_context_t ctx = start(0);
	struct io_event event, *bad_events = (void *)bad;
	int i;

	for (i = 0; i < 2; i++) {
		prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
		ASSERT_EQ(1, io_submit(ctx, 1, list));
		EXPECT_EQ(-EFAULT, io_getevents(ctx, 1, 1, bad_events, NULL));
		EXPECT_EQ(-EFAULT, io_getevents(ctx, 1, 1, bad_events, &zero));
		EXPECT_EQ(-EFAULT, io_getevents(ctx, 1, 1, NULL, NULL));
		EXPECT_EQ(-EFAULT, io_getevents(ctx, 1, 1, read_only_copy(&event, sizeof(event)),
						NULL));
		EXPECT_EQ(-EFAULT, io_getevents(ctx, 1, 1, &event, bad_time));
		EXPECT_EQ(-EFAULT, io_pgetevents(ctx, 1, 1, &event, bad_time, NULL));
		EXPECT_EQ(-EFAULT, raio_syscall(SYS_io_getevents, ctx, 1, 1, &event, bad));
		EXPECT_EQ(-EFAULT, raio_syscall(SYS_io_pgetevents, ctx, 1, 1, &event, bad, NULL));
		EXPECT_EQ(1, io_getevents(ctx, 1, 1, &event, &zero));
	}
	EXPECT_EQ(0, io_destroy(ctx));
}

/* As system calls: nothing is read that the kernel has not looked at. */
TEST_RAIO(raw, "libraio's")
{
	char *bad = (char *)guarded_buffer(getpagesize()) + getpagesize();
	const uint64_t nothing = 0;
	const void *odd[] = { &nothing, (void *)4 }, *unreadable[] = { bad, (void *)8 };
	aio_context_t ctx = start(0);
	struct io_event event;

	EXPECT_EQ(-EFAULT, raio_syscall(SYS_io_getevents, ctx, 1, 1, &event, bad));
	EXPECT_EQ(-EFAULT, raio_syscall(SYS_io_pgetevents, ctx, 1, 1, &event, bad, NULL));
	EXPECT_EQ(-EFAULT, raio_syscall(SYS_io_pgetevents, ctx, 1, 1, &event, &zero, bad));
	EXPECT_EQ(-EFAULT, raio_syscall(SYS_io_pgetevents, ctx, 1, 1, &event, &zero, bad - 8));
	EXPECT_EQ(-EINVAL, raio_syscall(SYS_io_pgetevents, ctx, 1, 1, &event, &zero, odd));
	EXPECT_EQ(-EFAULT, raio_syscall(SYS_io_pgetevents, ctx, 1, 1, &event, &zero, unreadable));
	EXPECT_EQ(0, raio_syscall(SYS_io_getevents, ctx, 0, 1, NULL, &zero));
	EXPECT_EQ(-ENOSYS, raio_syscall(SYS_getpid));
	EXPECT_EQ(-EINVAL, raio_syscall(SYS_io_submit, ctx, -1L, NULL));
	EXPECT_EQ(0, raio_syscall(SYS_io_destroy, ctx));
	EXPECT_EQ(UNTOUCHED, errno);
}
