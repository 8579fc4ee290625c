// SPDX-License-Identifier: GPL-2.0
/* One request, in which each operation fails in its turn. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fault_op.h"
#include "harness.h"
#include "registered.h"
#include "special.h"
#include "workers.h"

#define SEGMENTS	4
#define MAX_EVENTS	16
#define HOUR_MS		(3600 * 1000)

int do_enter(aio_context_t ctx, long nr, struct iocb **iocbs, long nr_events,
	     struct io_event *events, int64_t *submitted)
{
	struct raio_enter enter = {
		.ctx_id = ctx, .nr = nr, .iocbpp = (uintptr_t)iocbs, .min_events = nr_events,
		.nr_events = nr_events, .events = (uintptr_t)events,
	};
	int ret = raio_ioctl(RAIO_IOC_ENTER, &enter);

	*submitted = enter.submitted;
	return ret;
}

unsigned int events_until_over(aio_context_t ctx, struct io_event *events, unsigned int max)
{
	struct iocb fence;
	unsigned int got;

	prep(&fence, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	fence.aio_flags = RAIO_IOCB_FLAG_BARRIER;
	ASSERT_EQ(1, submit_one(ctx, &fence));
	for (got = 0; got < max; got++) {
		ASSERT_EQ(1, events_wait(ctx, &events[got], 1));
		if (events[got].obj == (uintptr_t)&fence)
			return got;
	}
	FAIL("%u events, and the last one is not there", got);
	test_abort();
}

static bool is_vectored(unsigned int opcode)
{
	return opcode == IOCB_CMD_PREADV || opcode == IOCB_CMD_PWRITEV;
}

static bool is_read(unsigned int opcode)
{
	return opcode == IOCB_CMD_PREAD || opcode == IOCB_CMD_PREADV;
}

static bool is_write(unsigned int opcode)
{
	return opcode == IOCB_CMD_PWRITE || opcode == IOCB_CMD_PWRITEV;
}

bool fault_op_suits(const struct fault_op *op, const struct target_kind *kind)
{
	unsigned int needs = op->flags & RAIO_IOCB_FLAG_CUR_POS ? TARGET_AT : 0;

	if (is_read(op->opcode))
		needs |= TARGET_READ;
	else if (is_write(op->opcode))
		needs |= TARGET_WRITE;
	else if (op->opcode == IOCB_CMD_POLL)
		needs |= TARGET_POLL;
	else if (op->opcode == RAIO_CMD_SYNC_FILE_RANGE)
		needs |= TARGET_SYNC_RANGE;
	else if (op->opcode != IOCB_CMD_NOOP)
		needs |= TARGET_FSYNC;
	return (kind->can & needs) == needs;
}

/* A request and all that it names. */
struct work {
	const struct fault_op *op;
	struct target *target;
	aio_context_t ctx;
	struct iocb iocb;
	struct iovec iov[SEGMENTS];
	struct raio_deadline deadline;
	uint8_t *buf;
	int eventfd;
	int64_t wanted;		/* the result without a fault */
};

static void fill(struct work *work)
{
	size_t size = work->target->kind->size;

	/* a sysctl is a line */
	if (size == 8)
		snprintf((char *)work->buf, TARGET_MAX, "n%06u\n", fail_nth());
	else
		fill_pattern(work->buf, size, 0, fail_nth() + 1);
}

/* Makes the request anew, and the file ready for it. */
static void get_ready(struct work *work)
{
	const struct fault_op *op = work->op;
	struct target *target = work->target;
	size_t size = target->kind->size, part = size / SEGMENTS;
	bool writes = is_write(op->opcode);
	struct iocb *iocb = &work->iocb;
	int i, fd = target->fds[writes];

	if (is_read(op->opcode) || writes) {
		for (i = 0; i < SEGMENTS; i++)
			work->iov[i] = (struct iovec){ work->buf + i * part, part };
		prep(iocb, op->opcode, fd, work->buf, size, 0);
		if (is_vectored(op->opcode)) {
			iocb->aio_buf = (uintptr_t)work->iov;
			iocb->aio_nbytes = SEGMENTS;
		}
	} else if (op->opcode == IOCB_CMD_POLL) {
		prep(iocb, op->opcode, fd, (void *)POLLIN, 0, 0);
	} else {
		prep(iocb, op->opcode, op->opcode == IOCB_CMD_NOOP ? -1 : fd, NULL, 0, 0);
	}
	if (op->opcode == RAIO_CMD_SYNC_FILE_RANGE || op->flags & RAIO_IOCB_FLAG_RANGE)
		iocb->aio_nbytes = size;
	if (op->opcode == RAIO_CMD_SYNC_FILE_RANGE)
		iocb->aio_rw_flags = 7;	/* write, and wait before and after */

	iocb->aio_flags = op->flags;
	if (op->flags & IOCB_FLAG_RESFD)
		iocb->aio_resfd = work->eventfd;
	if (op->flags & RAIO_IOCB_FLAG_FIXED_FILE)
		fix_file(iocb, writes);
	if (op->flags & RAIO_IOCB_FLAG_CUR_POS) {
		iocb->aio_offset = -1;
		ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	}
	if (op->flags & RAIO_IOCB_FLAG_DEADLINE)
		set_deadline(iocb, &work->deadline, HOUR_MS);

	if (writes) {
		target->kind->drain(target);
		fill(work);
	} else if (op->opcode != IOCB_CMD_NOOP) {
		target->kind->feed(target, fail_nth());
		memset(work->buf, 0, size);
	}
}

static bool may_be_errno(const struct fault_op *op, int error)
{
	/* the list of segments, or of the pages of a buffer */
	if (error == -ENOMEM)
		return is_vectored(op->opcode) || op->flags & RAIO_IOCB_FLAG_FIXED_BUFFER;
	return error == -EFAULT || error == -EAGAIN;
}

static bool may_be_result(const struct work *work, int64_t res)
{
	bool moves = is_read(work->op->opcode) || is_write(work->op->opcode);
	unsigned int can = work->target->kind->can;

	if (moves && res > 0)
		return res <= work->wanted;
	if (res == -ENOMEM || res == -EFAULT)
		return true;
	return (res == -ENOBUFS && can & TARGET_SOCKET) || (res == -EIO && can & TARGET_DEVICE);
}

static const char *describe(const struct work *work)
{
	static char text[120];

	snprintf(text, sizeof(text), "opcode %u, flags %#x, %s of %s", work->op->opcode,
		 work->op->flags, work->op->enter ? "enter" : "submit",
		 target_name(work->target));
	return text;
}

/* The data, the position and the count are those of such an event. */
static void check_event(struct work *work, const struct io_event *event)
{
	const struct fault_op *op = work->op;
	struct target *target = work->target;
	uint64_t count = 0;
	bool ok = true;

	ok &= EXPECT_EQ((uintptr_t)&work->iocb, event->obj);
	ok &= EXPECT_EQ(work->iocb.aio_data, event->data);
	ok &= EXPECT_EQ(0, event->res2);
	if (op->flags & RAIO_IOCB_FLAG_CUR_POS)
		ok &= EXPECT_EQ(event->res > 0 ? event->res : 0,
				lseek(target->fds[0], 0, SEEK_CUR));
	if (is_read(op->opcode) && event->res > 0)
		ok &= EXPECT_TRUE(!memcmp(work->buf, target->expected, event->res));
	/* it is counted when it is in the ring: a moment later */
	if (op->flags & IOCB_FLAG_RESFD) {
		ok &= EXPECT_EQ(sizeof(count), read(work->eventfd, &count, sizeof(count)));
		ok &= EXPECT_EQ(1, count);
	}
	if (!ok)
		test_note("%s, operation %u", describe(work), fail_nth());
}

/* Submits it: its events, at most one, and the error of the call if there was one. */
static unsigned int submit(struct work *work, struct io_event *events, int *error, bool *injected)
{
	struct iocb *iocb = &work->iocb;
	unsigned int got = 0, later;
	int64_t submitted = 0;
	int ret;

	fail_nth_arm();
	if (work->op->enter)
		ret = do_enter(work->ctx, 1, &iocb, 1, events, &submitted);
	else
		ret = submit_one(work->ctx, iocb);
	*injected = fail_nth_disarm();
	*error = ret < 0 ? ret : 0;
	if (work->op->enter && ret > 0)
		got = ret;
	/* else what waits for all others would wait for ever */
	if (ret < 0 && !work->op->enter && !EXPECT_EQ(0, context_figure(work->ctx, "inflight"))) {
		test_note("%s, operation %u", describe(work), fail_nth());
		test_abort();
	}

	later = events_until_over(work->ctx, events + got, MAX_EVENTS - got);
	/* what enter could not say to be taken, or could not write, comes all the same */
	if (ret > 0 || submitted)
		EXPECT_EQ(1, got + later);
	else if (work->op->enter && ret == -EFAULT)
		EXPECT_LE(got + later, 1);
	else
		EXPECT_EQ(0, got + later);
	return got + later;
}

/* Of the events that were not looked at. */
static void expect_count(int fd, uint64_t wanted)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint64_t count = 0;

	if (poll(&pollfd, 1, 0) == 1)
		EXPECT_EQ(sizeof(count), read(fd, &count, sizeof(count)));
	EXPECT_EQ(wanted, count);
}

static void round_of(struct work *work)
{
	const struct fault_op *op = work->op;
	struct io_event events[MAX_EVENTS];
	bool injected, ok = true;
	unsigned int got;
	int error;

	work->ctx = new_context_flags(8, op->setup);
	if (op->flags & RAIO_IOCB_FLAG_FIXED_BUFFER)
		register_buffer(work->ctx, work->buf, TARGET_MAX);
	if (op->flags & RAIO_IOCB_FLAG_FIXED_FILE)
		ASSERT_EQ(0, register_files(work->ctx, work->target->fds, 2));

	get_ready(work);
	got = submit(work, events, &error, &injected);
	if (fail_nth() == 0) {
		ASSERT_EQ(1, got);
		work->wanted = events[0].res;
		ok &= EXPECT_LE(0, work->wanted);
		if (is_read(op->opcode) || is_write(op->opcode))
			ok &= EXPECT_EQ(work->target->kind->size, work->wanted);
	}
	if (!injected) {
		ok &= EXPECT_EQ(0, error);
		if (got)
			ok &= EXPECT_EQ(work->wanted, events[0].res);
	}
	if (error)
		ok &= EXPECT_TRUE(may_be_errno(op, error));
	if (got) {
		if (events[0].res != work->wanted)
			ok &= EXPECT_TRUE(may_be_result(work, events[0].res));
		check_event(work, &events[0]);
	}
	if (is_write(op->opcode))
		work->target->kind->check(work->target, work->buf, got ? events[0].res : 0);
	ok &= EXPECT_EQ(0, context_figure(work->ctx, "inflight"));
	if (!ok)
		test_note("%s, operation %u: error %d, %u events, result %lld", describe(work),
			  fail_nth(), error, got, got ? (long long)events[0].res : 0);

	/* and the next one is none the worse for it */
	if (injected) {
		get_ready(work);
		if (!EXPECT_EQ(work->wanted, run_one(work->ctx, &work->iocb)))
			test_note("%s, after operation %u", describe(work), fail_nth());
	}
	EXPECT_EQ(0, be_destroy(work->ctx));
	if (op->flags & IOCB_FLAG_RESFD)
		expect_count(work->eventfd, injected);
}

int fault_op_run(const struct fault_op *op, const struct target_kind *kind)
{
	struct target target;
	struct work work = { .op = op, .target = &target };
	static uint8_t *buf;
	struct left before;

	buf = buf ?: aligned_buffer(TARGET_MAX);
	work.buf = buf;
	/* what is opened once is there afterwards */
	if (!target_open(&target, kind))
		return -1;
	target_close(&target);

	left_look(&before);
	ASSERT_TRUE(target_open(&target, kind));
	work.eventfd = eventfd(0, EFD_CLOEXEC);
	for (fail_nth_start(); fail_nth_next();)
		round_of(&work);
	close(work.eventfd);
	target_close(&target);
	left_expect(&before, describe(&work));
	test_note("%s: %u operations failed", describe(&work), fail_nth_count());
	EXPECT_LT(0, fail_nth_count());
	return fail_nth_count();
}
