// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whichever operation fails while a request is cancelled, waited for, or
 * run by a thread, it has one event, in one place.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fault_op.h"
#include "fuse.h"
#include "harness.h"
#include "pairs.h"
#include "special.h"
#include "targets.h"
#include "workers.h"

#define WHY		"native: blocks"
#define MAX_EVENTS	8

static char buf[TARGET_MAX];

/* Either the event is in result, or in the ring, or it is not cancelled and can be. */
static void cancels(unsigned int flags, int wanted)
{
	struct io_event result, events[MAX_EVENTS];
	struct left before;
	struct iocb iocb;
	int fds[2], ret;

	pair_open(PAIR_PIPE, fds);
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context_flags(8, flags);
		bool failed;

		prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 8, 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		wait_armed(ctx);
		memset(&result, 0, sizeof(result));
		fail_nth_arm();
		ret = be_cancel(ctx, &iocb, &result);
		failed = fail_nth_disarm();
		EXPECT_TRUE(ret == wanted || (failed && ret == -EFAULT));
		if (ret == -EFAULT && context_figure(ctx, "armed"))
			ret = be_cancel(ctx, &iocb, &result);
		if (ret)
			ASSERT_EQ(1, events_until_over(ctx, events, MAX_EVENTS));
		else
			ASSERT_EQ(0, events_until_over(ctx, events, MAX_EVENTS));
		EXPECT_EQ((uintptr_t)&iocb, ret ? events[0].obj : result.obj);
		EXPECT_EQ(-ECANCELED, ret ? events[0].res : result.res);
		EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocb, &result));
		expect_works(ctx);
		EXPECT_EQ(0, be_destroy(ctx));
	}
	left_expect(&before, "cancel");
	/* the argument and the key; and what it writes */
	EXPECT_EQ(wanted ? 2 : 3, fail_nth_count());
}

TEST_RAIO(cancel, WHY)
{
	cancels(0, 0);
}

TEST_RAIO(cancel_into_ring, WHY)
{
	cancels(RAIO_SETUP_CANCEL_EVENT, -EINPROGRESS);
}

TEST_RAIO(cancel_in_thread, WHY)
{
	struct io_event result, events[MAX_EVENTS];
	struct left before;
	struct fuse fuse;
	struct iocb iocb;
	int fd, ret;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fd = fuse_open(&fuse, 2);
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context(8);
		bool failed;

		fuse_hold(&fuse, FUSE_OP(FUSE_READ));
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 100, 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		fuse_wait_held(&fuse, 1);
		fail_nth_arm();
		ret = be_cancel(ctx, &iocb, &result);
		failed = fail_nth_disarm();
		EXPECT_TRUE(ret == -EINPROGRESS || (failed && ret == -EFAULT));
		if (ret == -EFAULT)
			EXPECT_EQ(-EINPROGRESS, be_cancel(ctx, &iocb, &result));
		fuse_release(&fuse);
		ASSERT_EQ(1, events_until_over(ctx, events, MAX_EVENTS));
		EXPECT_TRUE(events[0].res == -ECANCELED || events[0].res == 100);
		EXPECT_EQ(0, be_destroy(ctx));
	}
	left_expect(&before, "cancel");
	close(fd);
}

#define COUNT	3

/* Those that were not copied are there, and the mask is what it was. */
TEST_RAIO(getevents, "its way of failing is not what is tested")
{
	struct __kernel_timespec second = { .tv_sec = 1 };
	struct io_event events[MAX_EVENTS];
	sigset_t mask, now, wanted;
	struct left before;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	ASSERT_EQ(0, sigprocmask(SIG_SETMASK, NULL, &wanted));
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = context_with_events(COUNT);
		bool failed;
		int ret, i;

		memset(events, 0, sizeof(events));
		fail_nth_arm();
		ret = be_pgetevents(ctx, COUNT, COUNT, events, &second, &mask, 8);
		failed = fail_nth_disarm();
		EXPECT_TRUE(ret == COUNT || failed);
		EXPECT_TRUE(ret == -EFAULT || (ret > 0 && ret <= COUNT));
		ret = ret < 0 ? 0 : ret;
		EXPECT_EQ(COUNT - ret, events_until_over(ctx, events + ret, MAX_EVENTS - ret));
		for (i = 0; i < COUNT; i++)
			EXPECT_EQ(1, events[i].res);
		ASSERT_EQ(0, sigprocmask(SIG_SETMASK, NULL, &now));
		EXPECT_TRUE(!memcmp(&now, &wanted, 8));
		EXPECT_EQ(0, be_destroy(ctx));
	}
	left_expect(&before, "getevents");
	EXPECT_LE(4, fail_nth_count());
}

/*
 * The threads are there before what they are to run: claimed by a read that waits for its
 * socket, and by a request which that keeps back.
 */
static void in_thread(const char *kind, unsigned int opcode)
{
	struct fault_op op = { .opcode = opcode };
	struct io_event events[MAX_EVENTS];
	struct iocb read, iocb;
	struct target target;
	int64_t wanted = 0;
	struct left before;
	int fds[2], counter;
	static void *page;
	char data[8];

	page = page ?: aligned_buffer(TARGET_MAX);
	if (!target_open(&target, target_kind(kind)))
		SKIP("no %s", kind);
	ASSERT_TRUE(fault_op_suits(&op, target.kind));
	pair_open(PAIR_TCP, fds);
	counter = eventfd(0, EFD_CLOEXEC);
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context(8);
		unsigned int i, nr;
		pid_t tids[MAX_WORKERS];
		bool failed;

		prep(&read, IOCB_CMD_PREAD, fds[0], data, sizeof(data), 0);
		if (opcode == IOCB_CMD_FSYNC) {
			/* there is something to be written back */
			ASSERT_EQ(8, pwrite(target.look, data, 8, 0));
			prep(&iocb, opcode, target.fds[0], NULL, 0, 0);
		} else {
			prep(&iocb, opcode, target.fds[opcode == IOCB_CMD_PWRITE],
			     page, target.kind->size, 0);
		}
		read.aio_flags = IOCB_FLAG_RESFD;
		read.aio_resfd = counter;
		iocb.aio_flags = IOCB_FLAG_RESFD | RAIO_IOCB_FLAG_BARRIER;
		iocb.aio_resfd = counter;
		if (opcode == IOCB_CMD_PREAD)
			target.kind->feed(&target, fail_nth());
		else
			target.kind->drain(&target);
		ASSERT_EQ(1, submit_one(ctx, &read));
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		wait_armed(ctx);

		nr = worker_threads(getpid(), tids, ARRAY_SIZE(tids));
		ASSERT_LT(0, nr);
		ASSERT_EQ(nr, fail_nth_arm_threads(tids, nr));
		ASSERT_EQ(sizeof(data), write(fds[1], data, sizeof(data)));
		wait_for_ring(ctx, 2);
		failed = fail_nth_disarm_threads();
		ASSERT_EQ(2, events_until_over(ctx, events, MAX_EVENTS));
		/* the one that was kept back is over later */
		ASSERT_EQ((uintptr_t)&read, events[0].obj);
		ASSERT_EQ((uintptr_t)&iocb, events[1].obj);
		if (fail_nth() == 0)
			wanted = events[1].res;
		for (i = 0; i < 2; i++) {
			int64_t res = events[i].res;

			if (res != (i ? wanted : (int)sizeof(data)))
				EXPECT_TRUE(failed && (res == -ENOMEM || res == -EFAULT ||
						       res == -EIO));
		}
		EXPECT_EQ(events[0].res < 0 ? sizeof(data) : 0, pair_drain(fds[0]));
		if (opcode == IOCB_CMD_PREAD && events[1].res > 0)
			EXPECT_TRUE(!memcmp(page, target.expected, events[1].res));
		EXPECT_LE(0, wanted);
		EXPECT_EQ(0, be_destroy(ctx));
		pair_drain(counter);
	}
	left_expect(&before, kind);
	test_note("opcode %u of %s: %u operations failed", opcode, kind, fail_nth_count());
	close(counter);
	close(fds[0]);
	close(fds[1]);
	target_close(&target);
}

TEST_RAIO(in_threads, WHY)
{
	in_thread("ext4", IOCB_CMD_FSYNC);
	in_thread("cold ext4", IOCB_CMD_PREAD);
	in_thread("ext4", IOCB_CMD_PWRITE);
	in_thread("direct device", IOCB_CMD_PWRITE);
	in_thread("FUSE", IOCB_CMD_PREAD);
	in_thread("tty", IOCB_CMD_PREAD);
}

/* The kernel's workers that have run work of raio: there may be others by the next time. */
static unsigned int kernel_workers(pid_t *tids, unsigned int max)
{
	struct dirent *entry;
	unsigned int nr = 0;
	char path[64], comm[80];
	FILE *file;
	DIR *dir = opendir("/proc");

	ASSERT_TRUE(dir);
	while (nr < max && (entry = readdir(dir))) {
		if (atoi(entry->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/comm", atoi(entry->d_name));
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && !strncmp(comm, "kworker/", 8) &&
		    strstr(comm, "raio"))
			tids[nr++] = atoi(entry->d_name);
		fclose(file);
	}
	closedir(dir);
	return nr;
}

/* What the work queue does needs no memory: the deadline is kept, and somebody comes. */
TEST_RAIO(work_queue, "it has no deadlines")
{
	struct raio_deadline deadline;
	unsigned int nr, most = 0;
	struct io_event event;
	pid_t tids[MAX_EVENTS];
	struct left before;
	struct iocb iocb;
	int fds[2];

	pair_open(PAIR_PIPE, fds);
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context_flags(8, RAIO_SETUP_NO_THREADS);

		prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 8, 0);
		set_deadline(&iocb, &deadline, 20);
		nr = kernel_workers(tids, ARRAY_SIZE(tids));
		most = fail_nth() && nr > most ? nr : most;
		fail_nth_arm_threads(tids, nr);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		wait_for_ring(ctx, 1);
		fail_nth_disarm_threads();
		ASSERT_EQ(1, events_wait(ctx, &event, 1));
		EXPECT_EQ(-ETIME, event.res);
		expect_works(ctx);
		EXPECT_EQ(0, be_destroy(ctx));
	}
	left_expect(&before, "deadlines");
	EXPECT_LT(0, most);
}
