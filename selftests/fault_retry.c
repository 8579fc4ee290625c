// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whichever operation fails while an armed request is tried again, by
 * any of those who may do that, it has one event, and the next one is none the worse.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fault_op.h"
#include "harness.h"
#include "pairs.h"
#include "targets.h"
#include "workers.h"

#define WHY		"native: blocks"
#define MAX_EVENTS	8
#define SEGMENTS	4

static struct target target;
static aio_context_t ctx;
static struct iocb iocb;
static struct iovec iov[SEGMENTS];
static uint8_t buf[TARGET_MAX];
static int counter;
static struct io_event events[MAX_EVENTS];

/* What a stream has that is full, since the request is a write; else 0. */
static size_t filled;

/* There is data, or space: the request is tried again. */
static void make_ready(void)
{
	char page[4096];
	ssize_t part;
	size_t done;

	if (!filled)
		target.kind->put(&target, fail_nth());
	/* and no more, as what follows may be there already */
	for (done = 0; done < filled; done += part) {
		part = filled - done < sizeof(page) ? filled - done : sizeof(page);
		part = read(target.fds[0], page, part);
		ASSERT_LT(0, part);
	}
}

/* The main thread waits: it sleeps then, or has returned already. */
static bool returned;

static void *let_sleeper_go_on(void *arg)
{
	pid_t pid = getpid();

	while (!__atomic_load_n(&returned, __ATOMIC_ACQUIRE) && thread_state(pid, pid) != 'S')
		;
	make_ready();
	return arg;
}

static pthread_t start_helper(void)
{
	pthread_t thread;

	returned = false;
	ASSERT_EQ(0, pthread_create(&thread, NULL, let_sleeper_go_on, NULL));
	return thread;
}

static void end_helper(pthread_t thread)
{
	__atomic_store_n(&returned, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/* Each has the request tried again, says how many events it got, and whether something failed. */
typedef bool by_whom(int *got);

static bool by_waiter(int *got)
{
	pthread_t helper = start_helper();
	bool failed;

	fail_nth_arm();
	*got = be_getevents(ctx, 1, 1, events, NULL);
	failed = fail_nth_disarm();
	end_helper(helper);
	if (failed && *got < 0)
		EXPECT_EQ(-EFAULT, *got);
	else
		EXPECT_EQ(1, *got);
	return failed;
}

/* By enter, which submits nothing. */
static bool by_enter(int *got)
{
	pthread_t helper = start_helper();
	int64_t submitted;
	bool failed;

	fail_nth_arm();
	*got = do_enter(ctx, 0, NULL, 1, events, &submitted);
	failed = fail_nth_disarm();
	end_helper(helper);
	if (failed && *got < 0)
		EXPECT_EQ(-EFAULT, *got);
	else
		EXPECT_EQ(1, *got);
	return failed;
}

/* When its write is over, see TWA_RESUME. */
static bool by_waker(int *got)
{
	size_t size = target.kind->size;
	ssize_t written;
	bool failed;

	*got = 0;
	fill_pattern(target.expected, size, 0, fail_nth());
	fail_nth_arm();
	written = syscall(SYS_write, target.fds[1], target.expected, size);
	failed = fail_nth_disarm();
	/* it is the write that has failed */
	if (written < 0) {
		EXPECT_TRUE(failed);
		ASSERT_EQ(size, write(target.fds[1], target.expected, size));
	} else {
		EXPECT_EQ(size, written);
	}
	return failed;
}

static bool by_threads(int *got)
{
	pid_t tids[MAX_WORKERS];
	unsigned int nr = worker_threads(getpid(), tids, ARRAY_SIZE(tids));

	*got = 0;
	ASSERT_LT(0, nr);
	ASSERT_EQ(nr, fail_nth_arm_threads(tids, nr));
	make_ready();
	wait_for_ring(ctx, 1);
	return fail_nth_disarm_threads();
}

/* By this task, interrupted while it sleeps in poll; poll itself may fail, too. */
static bool by_interrupted(int *got)
{
	struct pollfd pollfd = { .fd = counter, .events = POLLIN };
	pthread_t helper = start_helper();
	bool failed;
	int ret;

	*got = 0;
	fail_nth_arm();
	ret = syscall(SYS_ppoll, &pollfd, 1, NULL, NULL, 0);
	failed = fail_nth_disarm();
	if (ret < 0)
		EXPECT_TRUE(errno == EINTR || (failed && (errno == EFAULT || errno == ENOMEM)));
	end_helper(helper);
	return failed;
}

static bool is_watched(by_whom *run)
{
	return run == by_threads || run == by_interrupted;
}

static void submit(unsigned int opcode, bool watched)
{
	size_t part = target.kind->size / SEGMENTS;
	int i;

	target.kind->drain(&target);
	memset(buf, 0, sizeof(buf));
	filled = 0;
	if (opcode == IOCB_CMD_PWRITE) {
		filled = pair_fill(target.fds[1]);
		fill_pattern(buf, target.kind->size, 0, fail_nth());
		prep(&iocb, opcode, target.fds[1], buf, target.kind->size, 0);
	} else if (opcode == IOCB_CMD_POLL) {
		prep(&iocb, opcode, target.fds[0], (void *)POLLIN, 0, 0);
	} else if (opcode == IOCB_CMD_PREADV) {
		for (i = 0; i < SEGMENTS; i++)
			iov[i] = (struct iovec){ buf + i * part, part };
		prep(&iocb, opcode, target.fds[0], iov, SEGMENTS, 0);
	} else {
		prep(&iocb, opcode, target.fds[0], buf, target.kind->size, 0);
	}
	/* somebody has to come at once */
	if (watched) {
		iocb.aio_flags = IOCB_FLAG_RESFD;
		iocb.aio_resfd = counter;
	}
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	wait_armed(ctx);
}

static bool may_be_result(int64_t res, int64_t wanted)
{
	bool in_parts = iocb.aio_lio_opcode == IOCB_CMD_PREADV || filled;

	return res == -EFAULT || res == -ENOMEM || (in_parts && res > 0 && res < wanted) ||
	       (res == -ENOBUFS && target.kind->can & TARGET_SOCKET);
}

static void expect_event(int64_t wanted, bool failed)
{
	int64_t res = events[0].res;
	bool ok = EXPECT_EQ((uintptr_t)&iocb, events[0].obj);

	if (res != wanted)
		ok &= EXPECT_TRUE(failed && may_be_result(res, wanted));
	if (filled)
		target.kind->check(&target, buf, res);
	else if (iocb.aio_lio_opcode != IOCB_CMD_POLL && res > 0)
		ok &= EXPECT_TRUE(!memcmp(buf, target.expected, res));
	if (!ok)
		test_note("opcode %u of %s, operation %u: result %lld", iocb.aio_lio_opcode,
			  target_name(&target), fail_nth(), (long long)res);
}

static void retry_one(unsigned int opcode, by_whom *run, const char *name)
{
	struct left before;
	int64_t wanted = 0;
	int got;

	counter = eventfd(0, EFD_CLOEXEC);
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		bool failed;

		ctx = new_context_flags(8, run == by_interrupted ? RAIO_SETUP_NO_THREADS : 0);
		submit(opcode, is_watched(run));
		failed = run(&got);
		got = got < 0 ? 0 : got;
		ASSERT_EQ(1, got + events_until_over(ctx, events + got, MAX_EVENTS - got));
		if (fail_nth() == 0) {
			wanted = events[0].res;
			EXPECT_LT(0, wanted);
		}
		expect_event(wanted, failed);

		/* and the next one is none the worse for it */
		submit(opcode, false);
		make_ready();
		ASSERT_EQ(1, events_wait(ctx, events, 1));
		expect_event(wanted, false);
		EXPECT_EQ(0, be_destroy(ctx));
		EXPECT_EQ(is_watched(run) ? 8 : 0, pair_drain(counter));
	}
	left_expect(&before, name);
	test_note("opcode %u of %s, %s: %u operations failed", opcode, target_name(&target), name,
		  fail_nth_count());
	EXPECT_LT(0, fail_nth_count());
	close(counter);
}

static void retry(const char *kind, unsigned int opcode, by_whom *run, const char *name)
{
	if (!target_open(&target, target_kind(kind)))
		SKIP("no %s", kind);
	retry_one(opcode, run, name);
	target_close(&target);
}

#define RETRY(_kind, _opcode, _by)	retry(_kind, IOCB_CMD_##_opcode, _by, #_by)

TEST_RAIO(waiters, WHY)
{
	RETRY("pipe", PREAD, by_waiter);
	RETRY("pipe", PREADV, by_enter);
	RETRY("FIFO", PREAD, by_waiter);
	RETRY("unix stream", PREADV, by_waiter);
	RETRY("TCP", PREAD, by_waiter);
	RETRY("UDP", PREAD, by_enter);
	RETRY("netlink", PREADV, by_waiter);
	RETRY("eventfd", PREAD, by_waiter);
	RETRY("eventfd", POLL, by_enter);
	RETRY("timerfd", PREAD, by_waiter);
}

TEST_RAIO(writers, WHY)
{
	RETRY("pipe", PWRITE, by_waiter);
	RETRY("unix stream", PWRITE, by_enter);
	RETRY("unix stream", PWRITE, by_threads);
}

TEST_RAIO(wakers, WHY)
{
	RETRY("pipe", PREAD, by_waker);
	RETRY("pipe", PREADV, by_waker);
	RETRY("FIFO", PREAD, by_waker);
	RETRY("pipe", POLL, by_waker);
}

TEST_RAIO(threads, WHY)
{
	RETRY("unix stream", PREAD, by_threads);
	RETRY("TCP", PREADV, by_threads);
	RETRY("UDP", PREADV, by_threads);
	RETRY("eventfd", PREAD, by_threads);
	RETRY("timerfd", PREADV, by_threads);
}

TEST_RAIO(summoned, WHY)
{
	RETRY("unix stream", PREADV, by_interrupted);
	RETRY("TCP", PREAD, by_interrupted);
	RETRY("netlink", PREAD, by_interrupted);
}
