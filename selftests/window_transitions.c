// SPDX-License-Identifier: GPL-2.0
/*
 * Description: each transition of src/pure/state.rs is taken, and the kernel has seen it.
 *
 * One can't be taken: Running, Fire.  A wake fires what is armed by its only entry, under the
 * lock of that entry's queue; and a task that runs the request again removes the entry first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"
#include "provider_open.h"
#include "slowfile.h"
#include "window.h"
#include "workers.h"

#define FILE_NAME	"/sys/kernel/debug/raio/transitions"
#define BLOCK		4096
/* How long the read of a page takes. */
#define PAGE_NS		50000000
/* Tries until a timer that expires at once has fired inside of a call. */
#define TRIES		1000
/* Tries until a read is cancelled before its page is there. */
#define PAGE_TRIES	100

/* Bit n is a word with the flags n: any, none, and those that have one of them. */
#define ANY		0xffffU
#define PLAIN		0x0001U
#define KICKED		0xaaaaU
#define PEER_DONE	0xccccU
#define CANCELLED	0xf0f0U
#define ENDED		0xff00U
#define REFUSED(_words)	((_words) << 16)

static const struct transition {
	const char *phase, *step;
	uint32_t words;		/* one of them is enough */
} transitions[] = {
	{ "Free", "Take", ANY },
	{ "Prep", "Queue", ANY },
	{ "Prep", "Issue", ANY },
	{ "Prep", "Free", ANY },
	{ "Queued", "Issue", ANY },
	{ "Queued", "Cancel", ANY },
	{ "Running", "Finish", ANY },
	{ "Running", "Arm", PLAIN },
	{ "Running", "Arm", CANCELLED },
	{ "Running", "Arm", KICKED },
	{ "Running", "Wait", PLAIN },
	{ "Running", "Wait", KICKED },
	{ "Running", "Kick", ANY },
	{ "Running", "Leave", PLAIN },
	{ "Running", "Leave", PEER_DONE },
	{ "Running", "Complete", ANY },
	{ "Running", "Cancel", ANY },
	{ "Armed", "Kick", ANY },
	{ "Armed", "Fire", ANY },
	{ "Armed", "Cancel", ANY },
	{ "PageArmed", "Kick", PLAIN },
	{ "PageArmed", "Kick", ENDED },
	{ "PageArmed", "Cancel", ANY },
	{ "InFlight", "Complete", PLAIN },
	{ "InFlight", "Complete", CANCELLED },
	{ "InFlight", "Cancel", ANY },
	{ "Done", "Queue", ANY },
	{ "Done", "Queue", REFUSED(CANCELLED) },
	{ "Done", "Issue", ANY },
	{ "Done", "Free", ANY },
};

/* The words from which the kernel has taken that step; from bit 16 on, those that refused it. */
static uint32_t words_of(const char *phase, const char *step)
{
	FILE *file = fopen(FILE_NAME, "re");
	char a[16], b[16];
	uint32_t words, found = 0;

	ASSERT_TRUE(file);
	while (fscanf(file, "%15s %15s %x", a, b, &words) == 3)
		if (!strcmp(a, phase) && !strcmp(b, step))
			found = words;
	fclose(file);
	return found;
}

static bool is_taken(const struct transition *transition)
{
	return words_of(transition->phase, transition->step) & transition->words;
}

static aio_context_t ctx;
static struct iocb iocbs[2];
static struct io_event event;
static char bufs[2][BLOCK] __attribute__((aligned(BLOCK)));
static int fds[2];

static int64_t next_event(void)
{
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	return event.res;
}

static void new_pipe(void)
{
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
}

static void prep_read(int which, int fd)
{
	prep(&iocbs[which], IOCB_CMD_PREAD, fd, bufs[which], 1, 0);
}

static void *submit_thread(void *arg)
{
	(void)arg;
	EXPECT_EQ(1, submit_one(ctx, &iocbs[0]));
	return NULL;
}

/* The first request, by another thread that is held. */
static pthread_t submit_held(const char *window)
{
	pthread_t thread;

	window_hold(window);
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_thread, NULL));
	ASSERT_TRUE(window_wait_held(window));
	return thread;
}

static void release(pthread_t thread)
{
	window_release();
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/* Two reads of a pipe: the second waits for its turn. */
static void streams(void)
{
	pthread_t thread;
	int i;

	new_pipe();
	for (i = 0; i < 2; i++) {
		prep_read(i, fds[0]);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	EXPECT_EQ(0, be_cancel(ctx, &iocbs[1], &event));
	EXPECT_EQ(0, be_cancel(ctx, &iocbs[0], &event));
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_EQ(1, next_event());
	prep_poll(&iocbs[0], fds[0], POLLIN);
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_EQ(POLLIN, next_event() & POLLIN);
	ASSERT_EQ(1, read(fds[0], bufs[0], 1));
	prep_read(0, -1);
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocbs[0]));

	prep_read(0, fds[0]);
	thread = submit_held("arm");
	ASSERT_EQ(1, write(fds[1], "x", 1));
	release(thread);
	EXPECT_EQ(1, next_event());
	thread = submit_held("arm");
	EXPECT_EQ(-EAGAIN, be_cancel(ctx, &iocbs[0], &event));
	release(thread);
	EXPECT_EQ(-ECANCELED, next_event());
}

/* A driver that completes the request early or late, and one that refuses it. */
static void drivers(void)
{
	static const struct transition done_issue = { "Done", "Issue", ANY };
	int fd = provider_open(PROVIDER_PATH, PROVIDER_EARLY), i;

	prep_read(0, fd);
	EXPECT_EQ(1, run_one(ctx, &iocbs[0]));
	ASSERT_EQ(0, ioctl(fd, PROVIDER_SET_MODE, PROVIDER_HELD));
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	ASSERT_EQ(1, ioctl(fd, PROVIDER_ANSWER));
	EXPECT_EQ(1, next_event());
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	EXPECT_EQ(-EAGAIN, be_cancel(ctx, &iocbs[0], &event));
	ASSERT_EQ(1, ioctl(fd, PROVIDER_ANSWER));
	EXPECT_EQ(1, next_event());
	ASSERT_EQ(0, ioctl(fd, PROVIDER_SET_MODE, PROVIDER_LATE_EAGAIN));
	EXPECT_EQ(1, run_one(ctx, &iocbs[0]));
	ASSERT_EQ(0, ioctl(fd, PROVIDER_SET_DELAY, 0));
	for (i = 0; i < TRIES && !is_taken(&done_issue); i++)
		EXPECT_EQ(1, run_one(ctx, &iocbs[0]));
	close(fd);
}

/* A page that is read, one that is read too early, and one for which no request waits any more. */
static void pages(void)
{
	bool cancelled = false;
	struct slowfile file;
	pthread_t thread;
	int block, ret;

	slowfile_make(&file, NULL, PAGE_NS);
	prep(&iocbs[0], IOCB_CMD_PREAD, file.fd, bufs[0], BLOCK, 0);
	EXPECT_EQ(BLOCK, run_one(ctx, &iocbs[0]));

	prep(&iocbs[0], IOCB_CMD_PREAD, file.fd, bufs[0], BLOCK, BLOCK);
	thread = submit_held("wait");
	while (nullb_inflight(&file.nullb))
		;
	release(thread);
	EXPECT_EQ(BLOCK, next_event());

	/* if it is there at once, the next one is tried */
	for (block = 2; block < PAGE_TRIES && !cancelled; block++) {
		prep(&iocbs[0], IOCB_CMD_PREAD, file.fd, bufs[0], BLOCK, block * BLOCK);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
		while (!nullb_inflight(&file.nullb) && !events_in_ring(ctx))
			;
		do {
			ret = be_cancel(ctx, &iocbs[0], &event);
		} while (ret == -EAGAIN || ret == -EINPROGRESS);
		cancelled = !ret;
		if (!cancelled)
			EXPECT_EQ(BLOCK, next_event());
	}
	EXPECT_TRUE(cancelled);
	while (nullb_inflight(&file.nullb))
		;
	close(file.fd);
}

static struct absent absent;
static int locked[2];
static pid_t waiter;

static void *read_absent(void *arg)
{
	(void)arg;
	EXPECT_EQ(1, read(locked[0], absent.pages, 1));
	return NULL;
}

static void *wait_cancelled(void *arg)
{
	(void)arg;
	__atomic_store_n(&waiter, thread_id(), __ATOMIC_RELEASE);
	EXPECT_EQ(-ECANCELED, next_event());
	return NULL;
}

/*
 * A request on the list Held, since another thread has the pipe locked, is cancelled when it is
 * tried again, just before it would be put there once more.  The thread that submits it or the
 * one that waits tries it again: not this one, which looks for the held thread.
 */
static void held(void)
{
	pthread_t reader, waits, submits;
	pid_t tid;
	int ret;

	ASSERT_EQ(0, pipe2(locked, O_CLOEXEC));
	ASSERT_EQ(1, write(locked[1], "x", 1));
	absent_open_page(&absent);
	ASSERT_EQ(0, pthread_create(&reader, NULL, read_absent, NULL));
	absent_wait(&absent);
	ASSERT_EQ(0, pthread_create(&waits, NULL, wait_cancelled, NULL));
	do {
		usleep(1000);
		tid = __atomic_load_n(&waiter, __ATOMIC_ACQUIRE);
	} while (!tid || thread_state(getpid(), tid) != 'S');
	prep(&iocbs[0], IOCB_CMD_PWRITE, locked[1], bufs[0], 1, 0);
	submits = submit_held("retry");
	ret = be_cancel(ctx, &iocbs[0], &event);
	EXPECT_TRUE(ret == -EAGAIN || ret == -EINPROGRESS);
	release(submits);
	ASSERT_EQ(0, pthread_join(waits, NULL));
	absent_serve(&absent);
	ASSERT_EQ(0, pthread_join(reader, NULL));
}

TEST_RAIO(all, "it has no such states")
{
	unsigned int i;

	window_need();
	ctx = new_context(8);
	streams();
	drivers();
	held();
	/* at last: the request that is cancelled there goes through "retry" when it likes */
	pages();
	EXPECT_EQ(0, be_destroy(ctx));
	for (i = 0; i < ARRAY_SIZE(transitions); i++)
		if (!is_taken(&transitions[i]))
			FAIL("%s, %s was not taken from any of %#x", transitions[i].phase,
			     transitions[i].step, transitions[i].words);
}
