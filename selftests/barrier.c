// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a request with the barrier flag begins when all before it are over, and
 * what comes after it begins when it is over.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "special.h"

#define WHY	"it has no barriers"
#define SIZE	4096

static char buf[16 * SIZE], back[16 * SIZE];

static void barrier(struct iocb *iocb)
{
	iocb->aio_flags |= RAIO_IOCB_FLAG_BARRIER;
}

static void noop(struct iocb *iocb)
{
	prep(iocb, IOCB_CMD_NOOP, 0, NULL, 0, 0);
}

/* With nothing before it, it is as any other. */
TEST_RAIO(alone, WHY)
{
	aio_context_t ctx = new_context(4);
	int fd = new_file(SIZE);
	struct iocb iocb;
	int fds[2], i;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 100; i++) {
		noop(&iocb);
		barrier(&iocb);
		ASSERT_EQ(0, run_one(ctx, &iocb));
		prep(&iocb, IOCB_CMD_PREAD, fd, back, SIZE, 0);
		barrier(&iocb);
		ASSERT_EQ(SIZE, run_one(ctx, &iocb));
		prep(&iocb, IOCB_CMD_PWRITE, fd, buf, SIZE, 0);
		barrier(&iocb);
		ASSERT_EQ(SIZE, run_one(ctx, &iocb));
		prep(&iocb, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
		barrier(&iocb);
		ASSERT_EQ(0, run_one(ctx, &iocb));
		prep(&iocb, IOCB_CMD_PWRITE, fds[1], buf, 10, 0);
		barrier(&iocb);
		ASSERT_EQ(10, run_one(ctx, &iocb));
		prep_poll(&iocb, fds[0], POLLIN);
		barrier(&iocb);
		ASSERT_EQ(POLLIN, run_one(ctx, &iocb));
		prep(&iocb, IOCB_CMD_PREAD, fds[0], back, 10, 0);
		barrier(&iocb);
		ASSERT_EQ(10, run_one(ctx, &iocb));
		expect_works(ctx);
	}
}

/* It waits for what waits, and what is behind waits for it. */
TEST_RAIO(waits, WHY)
{
	struct iocb read, bar, after[3], *list[] = { &read, &bar, &after[0], &after[1], &after[2] };
	aio_context_t ctx = new_context(8);
	struct io_event events[8];
	int fds[2], fd = new_file(SIZE), i;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 50; i++) {
		prep(&read, IOCB_CMD_PREAD, fds[0], back, 10, 0);
		noop(&bar);
		barrier(&bar);
		noop(&after[0]);
		prep(&after[1], IOCB_CMD_PREAD, fd, back + SIZE, SIZE, 0);
		prep(&after[2], IOCB_CMD_PWRITE, fd, buf, SIZE, 0);
		ASSERT_EQ(5, be_submit(ctx, 5, list));
		ASSERT_EQ(0, events_now(ctx, events, 8));
		ASSERT_EQ(2, write(fds[1], "ab", 2));
		ASSERT_EQ(5, events_wait(ctx, events, 5));
		ASSERT_EQ((uintptr_t)&read, events[0].obj);
		ASSERT_EQ((uintptr_t)&bar, events[1].obj);
		expect_works(ctx);
	}
}

/* A barrier that waits keeps back the rest until it is over, also of later calls. */
TEST_RAIO(keeps_back, WHY)
{
	aio_context_t ctx = new_context(8);
	struct io_event events[8];
	struct iocb bar, after;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&bar, IOCB_CMD_PREAD, fds[0], back, 10, 0);
	barrier(&bar);
	ASSERT_EQ(1, submit_one(ctx, &bar));
	noop(&after);
	ASSERT_EQ(1, submit_one(ctx, &after));
	ASSERT_EQ(0, events_now(ctx, events, 8));
	ASSERT_EQ(1, write(fds[1], "a", 1));
	ASSERT_EQ(2, events_wait(ctx, events, 2));
	EXPECT_EQ((uintptr_t)&bar, events[0].obj);
	EXPECT_EQ((uintptr_t)&after, events[1].obj);
}

/* Write, sync, write: each when the one before is over. */
TEST_RAIO(write_sync_write, WHY)
{
	struct iocb iocbs[6], *list[6];
	aio_context_t ctx = new_context(8);
	unsigned int round, rounds = test_rounds(100);
	int fd = new_file(0), direct = reopen(fd, O_RDWR | O_DIRECT), i;
	char *aligned = aligned_buffer(SIZE);

	for (round = 0; round < rounds; round++) {
		struct io_event events[6];

		prep(&iocbs[0], IOCB_CMD_PWRITE, direct, aligned, SIZE, 0);
		prep(&iocbs[1], IOCB_CMD_PWRITE, fd, buf, SIZE, SIZE);
		prep(&iocbs[2], IOCB_CMD_FSYNC, fd, NULL, 0, 0);
		prep(&iocbs[3], IOCB_CMD_PWRITE, direct, aligned, SIZE, 2 * SIZE);
		prep(&iocbs[4], IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
		prep(&iocbs[5], IOCB_CMD_PREAD, fd, back, 3 * SIZE, 0);
		for (i = 0; i < 6; i++)
			list[i] = &iocbs[i];
		for (i = 2; i < 6; i++)
			barrier(&iocbs[i]);
		ASSERT_EQ(6, be_submit(ctx, 6, list));
		ASSERT_EQ(6, events_wait(ctx, events, 6));
		for (i = 2; i < 6; i++)
			ASSERT_EQ((uintptr_t)&iocbs[i], events[i].obj);
		ASSERT_EQ(3 * SIZE, events[5].res);
	}
}

/* More than are started at once when the barrier is over, and of all kinds. */
TEST_RAIO(many_behind, WHY)
{
	aio_context_t ctx = new_context(1000);
	static struct io_event events[1000];
	static struct iocb iocbs[1000], *list[1000];
	int fds[2], fd = new_file(sizeof(buf)), i;
	struct iocb iocb;

	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], back, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	for (i = 0; i < 998; i++) {
		switch (i % 4) {
		case 0:
			noop(&iocbs[i]);
			break;
		case 1:
			prep(&iocbs[i], IOCB_CMD_PREAD, fd, back, SIZE, 0);
			break;
		case 2:
			prep(&iocbs[i], IOCB_CMD_PWRITE, fd, buf, SIZE, 0);
			break;
		default:
			prep_poll(&iocbs[i], fds[1], POLLOUT);
		}
		if (i % 100 == 0)
			barrier(&iocbs[i]);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(998, be_submit(ctx, 998, list));
	ASSERT_EQ(0, events_now(ctx, events, 1000));
	ASSERT_EQ(1, write(fds[1], "a", 1));
	ASSERT_EQ(999, events_wait(ctx, events, 999));
	EXPECT_EQ((uintptr_t)&iocb, events[0].obj);
	/* The order of barriers and what is between them. */
	for (i = 0; i < 998; i++) {
		int seen = (struct iocb *)(uintptr_t)events[i + 1].obj - iocbs;

		if (seen / 100 != i / 100)
			FAIL("event %d is of request %d", i, seen);
		if (i % 100 == 0)
			EXPECT_EQ(i, seen);
	}
	expect_works(ctx);
}

/* What is held back can be cancelled, and so can the barrier itself. */
TEST_RAIO(cancel, WHY)
{
	aio_context_t ctx = new_context(8);
	struct iocb read, bar, after;
	struct io_event events[4], event;
	int fds[2], got;

	ASSERT_EQ(0, pipe(fds));
	prep(&read, IOCB_CMD_PREAD, fds[0], back, 10, 0);
	noop(&bar);
	barrier(&bar);
	noop(&after);
	ASSERT_EQ(1, submit_one(ctx, &read));
	ASSERT_EQ(1, submit_one(ctx, &bar));
	ASSERT_EQ(1, submit_one(ctx, &after));
	ASSERT_EQ(0, events_now(ctx, events, 4));
	got = be_cancel(ctx, &bar, &event);
	EXPECT_EQ(cancels_into_ring() ? -EINPROGRESS : 0, got);
	/* What was behind it goes on; it can't wait for the read. */
	ASSERT_EQ(1 + cancels_into_ring(), events_wait(ctx, events, 1 + cancels_into_ring()));
	EXPECT_EQ((uintptr_t)&after, events[cancels_into_ring()].obj);
	/* One more, of which the read is cancelled. */
	ASSERT_EQ(1, submit_one(ctx, &bar));
	ASSERT_EQ(0, events_now(ctx, events, 4));
	got = be_cancel(ctx, &read, &event);
	EXPECT_EQ(cancels_into_ring() ? -EINPROGRESS : 0, got);
	ASSERT_EQ(1 + cancels_into_ring(), events_wait(ctx, events, 1 + cancels_into_ring()));
	EXPECT_EQ((uintptr_t)&bar, events[cancels_into_ring()].obj);
	expect_works(ctx);
}

/* A deadline counts while it is held back. */
TEST_RAIO(deadline, WHY)
{
	aio_context_t ctx = new_context(8);
	struct raio_deadline deadline;
	struct iocb read, bar;
	struct io_event event;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&read, IOCB_CMD_PREAD, fds[0], back, 10, 0);
	ASSERT_EQ(1, submit_one(ctx, &read));
	noop(&bar);
	barrier(&bar);
	set_deadline(&bar, &deadline, 10);
	ASSERT_EQ(1, submit_one(ctx, &bar));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&bar, event.obj);
	EXPECT_EQ(-ETIME, event.res);
	/* Whoever comes now is not held back. */
	expect_works(ctx);
}

/* The end of a context does not wait for a barrier; writes behind one are done. */
TEST_RAIO(destroy, WHY)
{
	int fds[2], fd = new_file(0), i;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 50; i++) {
		aio_context_t ctx = new_context(8);
		struct iocb read, bar, write;

		prep(&read, IOCB_CMD_PREAD, fds[0], back, 10, 0);
		prep(&bar, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
		barrier(&bar);
		fill_pattern(buf, SIZE, 0, i);
		prep(&write, IOCB_CMD_PWRITE, fd, buf, SIZE, 0);
		ASSERT_EQ(1, submit_one(ctx, &read));
		ASSERT_EQ(1, submit_one(ctx, &bar));
		ASSERT_EQ(1, submit_one(ctx, &write));
		ASSERT_EQ(0, be_destroy(ctx));
		ASSERT_EQ(SIZE, pread(fd, back, SIZE, 0));
		ASSERT_TRUE(is_pattern(back, SIZE, 0, i));
	}
}

TEST_RAIO(killed, WHY)
{
	int fds[2], i;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 10; i++) {
		pid_t pid = test_fork();

		if (!pid) {
			aio_context_t ctx;
			struct iocb iocbs[3];

			raio_close();
			ctx = new_context(8);
			prep(&iocbs[0], IOCB_CMD_PREAD, fds[0], back, 10, 0);
			noop(&iocbs[1]);
			barrier(&iocbs[1]);
			prep(&iocbs[2], IOCB_CMD_PREAD, fds[0], back, 10, 0);
			if (submit_one(ctx, &iocbs[0]) != 1 || submit_one(ctx, &iocbs[1]) != 1 ||
			    submit_one(ctx, &iocbs[2]) != 1)
				_exit(1);
			raise(SIGKILL);
		}
		ASSERT_EQ(128 + SIGKILL, test_wait(pid));
	}
}

static aio_context_t shared_ctx;

static void *submit_noops(void *arg)
{
	struct iocb iocbs[8], *list[8];
	unsigned int i, round, rounds = test_rounds(500);

	(void)arg;
	for (round = 0; round < rounds; round++) {
		int done = 0, ret;

		for (i = 0; i < 8; i++) {
			noop(&iocbs[i]);
			list[i] = &iocbs[i];
		}
		barrier(&iocbs[round % 8]);
		while (done < 8) {
			ret = be_submit(shared_ctx, 8 - done, list + done);
			if (ret > 0)
				done += ret;
			else if (ret != -EAGAIN)
				return arg;
		}
	}
	return NULL;
}

/* Several submit barriers at once, while another takes the events: none is lost. */
TEST_RAIO(several_submit, WHY)
{
	unsigned long left = 2UL * 8 * test_rounds(500);
	pthread_t threads[2];
	struct io_event events[16];
	unsigned int i;

	shared_ctx = new_context(64);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, submit_noops, NULL));
	while (left) {
		int got = be_getevents(shared_ctx, 1, 16, events, NULL);

		ASSERT_LT(0, got);
		left -= got;
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
}
