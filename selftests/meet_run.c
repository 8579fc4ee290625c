// SPDX-License-Identifier: GPL-2.0
/* Meetings: their process. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "meet_run.h"
#include "provider/provider.h"
#include "window.h"
#include "workers.h"

/* After that an event counts as lost. */
#define EVENT_SECONDS	20
#define STACK_SIZE	(64 * 1024)

struct run run;

static void wait_flag(const int *flag)
{
	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		usleep(200);
}

static void set_flag(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

int meet_submit(int which)
{
	int ret = submit_one(run.ctx, &run.iocbs[which]);

	run.taken[which] = ret == 1;
	if (which == REQUEST)
		meeting->taken = run.taken[which];
	return ret;
}

static bool is_pipe_read(void)
{
	return run.row->subject == PIPE_READ && !meet_is_message(run.row, run.action);
}

void meet_note(const struct io_event *event)
{
	int which = (struct iocb *)(uintptr_t)event->obj - run.iocbs;
	bool first = which == REQUEST, file = first && run.row->subject == PAGE_READ;
	bool driver = first ? run.row->subject == DRIVER_READ : run.action == ACT_COMPLETE;
	bool late = first ? run.row->come == COME_LATE : run.action == ACT_DEADLINE;
	const char *data = which == BESIDE ? OTHER_DATA : MEET_DATA;
	int i;

	ASSERT_TRUE(which >= 0 && which < IOCBS);
	EXPECT_EQ(run.iocbs[which].aio_data, event->data);
	EXPECT_TRUE(!run.over[which]);
	run.over[which] = true;
	if (which == LAST) {
		EXPECT_EQ(0, (long long)event->res);
	} else if ((int64_t)event->res == -ECANCELED) {
		EXPECT_TRUE(first && meeting->busy);
	} else if ((int64_t)event->res == -ETIME) {
		EXPECT_TRUE(late);
	} else if (first && run.row->subject == PIPE_POLL) {
		EXPECT_EQ(POLLIN, event->res & POLLIN);
	} else {
		EXPECT_EQ(MEET_SIZE, (long long)event->res);
		for (i = 0; driver && i < MEET_SIZE; i++)
			EXPECT_EQ(PROVIDER_BYTE(i), (unsigned char)run.bufs[which][i]);
		if (file)
			EXPECT_TRUE(is_pattern(run.bufs[which], MEET_SIZE, 0, 0));
		else if (!driver)
			EXPECT_EQ(0, memcmp(run.bufs[which], data, MEET_SIZE));
		if (first && is_pipe_read())
			run.written -= MEET_SIZE;
	}
}

int meet_cancel(struct io_event *result)
{
	int ret = be_cancel(run.ctx, &run.iocbs[REQUEST], result);

	if (ret == 0) {
		EXPECT_EQ((uintptr_t)&run.iocbs[REQUEST], result->obj);
		EXPECT_EQ(-ECANCELED, (long long)result->res);
		EXPECT_TRUE(!meeting->cancelled);
		meeting->cancelled = true;
	}
	meeting->busy |= ret == -EAGAIN || ret == -EINPROGRESS;
	return ret;
}

int meet_wait_event(void)
{
	struct __kernel_timespec timeout = { .tv_sec = EVENT_SECONDS };
	struct io_event event;
	int ret;

	do {
		ret = be_getevents(run.ctx, 1, 1, &event, &timeout);
	} while (ret == -EINTR);
	if (ret == 1)
		meet_note(&event);
	return ret;
}

void meet_execute(void)
{
	test_exec_helper((char *[]){ "met", run.before, NULL });
}

int meet_executed(int argc, char **argv)
{
	int i;

	ASSERT_EQ(2, argc);
	/* a reader of /proc, as the parent, may be the last to hold the old address space */
	for (i = 0; strtoul(argv[1], NULL, 0) != be_nr() && i < 10000; i++)
		usleep(1000);
	EXPECT_EQ(strtoul(argv[1], NULL, 0), be_nr());
	EXPECT_EQ(0, status_kib("VmPin"));
	EXPECT_EQ(0, worker_threads(getpid(), NULL, 0));
	return 0;
}

static void *act_thread(void *arg)
{
	(void)arg;
	meeting->actor = thread_id();
	meet_prepare();
	set_flag(&meeting->ready);
	wait_flag(&meeting->come);
	if (run.action == ACT_KILL || run.action == ACT_RMMOD || run.row->come >= COME_EXIT)
		return NULL;
	meeting->met = window_wait_held(run.row->window);
	set_flag(&meeting->begun);
	meeting->act_result = meet_act();
	set_flag(&meeting->done);
	return NULL;
}

static void come(void)
{
	struct io_event event;
	void *at;
	int ret;

	switch (run.row->come) {
	case COME_SUBMIT:
	case COME_LATE:
		EXPECT_EQ(1, meet_submit(REQUEST));
		return;
	case COME_FEED:
		meet_feed(run.row, run.action);
		return;
	case COME_CANCEL:
		ret = meet_cancel(&event);
		EXPECT_TRUE(ret == 0 || ret == -EINVAL || ret == -EAGAIN || ret == -EINPROGRESS);
		return;
	case COME_DESTROY:
		EXPECT_EQ(0, be_destroy(run.ctx));
		return;
	case COME_MUNMAP:
		EXPECT_EQ(0, munmap((void *)run.place, run.ring_size));
		return;
	case COME_MREMAP:
		/* the acting thread needs to know where it goes */
		run.place = (uintptr_t)run.places[0];
		at = mremap((void *)run.ctx, run.ring_size, run.ring_size,
			    MREMAP_MAYMOVE | MREMAP_FIXED, run.places[0]);
		EXPECT_TRUE(at == run.places[0]);
		return;
	case COME_GETEVENTS:
		EXPECT_EQ(1, meet_wait_event());
		return;
	case COME_EXIT:
		_exit(0);
	case COME_EXEC:
		meet_execute();
	}
}

static bool is_alive(void)
{
	return run.row->context == ALIVE && run.action != ACT_DESTROY && run.action != ACT_MUNMAP;
}

/* Provides what is still missing, and another event for a task that waits for one. */
static void bring_rest(void)
{
	if (!is_alive())
		return;
	if (run.row->subject <= PIPE_POLL && run.row->come != COME_FEED &&
	    run.row->come != COME_GETEVENTS && run.action != ACT_KICK) {
		if (meet_is_message(run.row, run.action))
			meet_feed(run.row, run.action);
		else if (write(meet_files.pipe[1], MEET_DATA, MEET_SIZE) == MEET_SIZE)
			run.written += MEET_SIZE;
	}
	if (run.action == ACT_GETEVENTS) {
		prep(&run.iocbs[LAST], IOCB_CMD_NOOP, -1, NULL, 0, 0);
		EXPECT_EQ(1, meet_submit(LAST));
	}
}

static void collect(void)
{
	int which, missing = -meeting->cancelled;
	struct io_event event;

	for (which = 0; which < IOCBS; which++) {
		EXPECT_LE(run.over[which], run.taken[which]);
		missing += run.taken[which] - run.over[which];
	}
	while (missing-- > 0)
		ASSERT_EQ(1, meet_wait_event());
	EXPECT_EQ(0, events_now(run.ctx, &event, 1));
}

/* Nothing was lost of what was written, nor taken from a file that the request is not for. */
static void check_files(void)
{
	bool reused = run.action == ACT_REUSE || run.action == ACT_REUSE_SETUID;
	char data[64];
	ssize_t size;

	if (reused) {
		EXPECT_EQ(MEET_SIZE, read(run.reader, data, sizeof(data)));
		EXPECT_EQ(0, memcmp(data, OTHER_DATA, MEET_SIZE));
	}
	if (run.row->subject > PIPE_POLL || reused)
		return;
	ASSERT_EQ(0, fcntl(meet_files.pipe[0], F_SETFL, O_NONBLOCK));
	size = read(meet_files.pipe[0], data, sizeof(data));
	EXPECT_EQ(run.written, size < 0 ? 0 : size);
}

/* A timer or a work item may have the last reference for a moment. */
static void wait_unpinned(void)
{
	uint64_t limit = now_ns() + EVENT_SECONDS * 1000000000ULL;

	while (status_kib("VmPin") && now_ns() < limit)
		usleep(1000);
	EXPECT_EQ(0, status_kib("VmPin"));
}

static void finish(pthread_t actor)
{
	wait_flag(&meeting->released);
	run.ctx = run.place;
	bring_rest();
	pthread_join(actor, NULL);
	/* a request that can't be cancelled is run by a thread, or not */
	if (run.action == ACT_CANCEL && meeting->act_result == -EINPROGRESS)
		meeting->act_result = -EAGAIN;
	if (run.action != ACT_KILL && run.action != ACT_RMMOD)
		EXPECT_EQ(meet_expected(), meeting->act_result);
	run.ctx = run.place;
	if (is_alive()) {
		collect();
		check_files();
		EXPECT_EQ(0, be_destroy(run.ctx));
	}
	wait_unpinned();
	wait_worker_threads(getpid(), false);
}

void meet_run(const struct row *row, enum action action)
{
	cpu_set_t first;
	pthread_attr_t attr;
	pthread_t actor;

	run.row = row;
	run.action = action;
	ASSERT_EQ(0, pthread_attr_init(&attr));
	ASSERT_EQ(0, pthread_attr_setstacksize(&attr, STACK_SIZE));
	ASSERT_EQ(0, pthread_create(&actor, &attr, act_thread, NULL));
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(first), &first));
	wait_flag(&meeting->come);
	come();
	finish(actor);
	_exit(0);
}
