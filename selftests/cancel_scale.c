// SPDX-License-Identifier: GPL-2.0
/*
 * Description: cancel finds its request whatever else is in flight: all of 16 and
 * all of 60,000 are cancelled, and what one costs is in the output.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "harness.h"

#define FEW	16
#define MANY	60000
#define SAMPLE	1000
#define BATCH	500

static struct iocb *iocbs, **list;
static char *over;	/* has its event */
static char limit[32];

#define MAX_NR	"/proc/sys/fs/raio-max-nr"

static void write_limit(const char *text)
{
	int fd = open(MAX_NR, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		test_note(MAX_NR ": %m");
	close(fd);
}

static void restore_limit(void)
{
	write_limit(limit);
}

/* Native's default is enough for one context of this size. */
static void raise_limit(void)
{
	FILE *file;

	if (geteuid())
		SKIP("needs root");
	if (is_native() || be_max_nr() >= 2 * MANY)
		return;
	file = fopen(MAX_NR, "re");
	ASSERT_TRUE(file);
	ASSERT_TRUE(fgets(limit, sizeof(limit), file));
	fclose(file);
	write_limit("200000");
}

static uint64_t cpu_time_us(void)
{
	struct rusage usage;

	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &usage));
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000ULL +
	       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void note_event(const struct io_event *event)
{
	unsigned int i = (struct iocb *)(uintptr_t)event->obj - iocbs;

	ASSERT_LT(i, MANY);
	EXPECT_EQ(0, over[i]);
	over[i] = 1;
	EXPECT_EQ(is_native() ? 0 : -ECANCELED, (long long)event->res);
}

/*
 * Whether its event is in the ring.  A read may be tried just now, since it has
 * become the first of its pipe: EAGAIN, or EINPROGRESS if a thread does so, and its
 * event comes.
 */
static bool cancel(aio_context_t ctx, unsigned int i, struct io_event *result)
{
	int ret = be_cancel(ctx, &iocbs[i], result);

	if (cancels_into_ring())
		EXPECT_TRUE(ret == -EINPROGRESS || (ret == -EAGAIN && is_libraio()));
	else
		EXPECT_TRUE(!ret || ret == -EAGAIN || ret == -EINPROGRESS);
	if (!ret)
		note_event(result);
	return ret;
}

/* Some from all over are measured, in CPU time in ns for each; then come the others. */
static unsigned long cancel_all(aio_context_t ctx, unsigned int count)
{
	static struct io_event events[MANY];
	unsigned int step = count > SAMPLE ? count / SAMPLE : 1, in_ring = 0, i;
	uint64_t before = cpu_time_us(), spent;
	struct io_event result;

	for (i = 0; i < count; i += step)
		in_ring += cancel(ctx, i, &result);
	spent = cpu_time_us() - before;
	for (i = 0; i < count; i++)
		if (i % step)
			in_ring += cancel(ctx, i, &result);
	if (in_ring)
		ASSERT_EQ(in_ring, events_wait(ctx, events, in_ring));
	for (i = 0; i < in_ring; i++)
		note_event(&events[i]);
	for (i = 0; i < count; i++)
		EXPECT_EQ(1, over[i]);
	EXPECT_EQ(0, events_now(ctx, events, 1));
	return spent * 1000 * step / count;
}

static void submit_all(aio_context_t ctx, unsigned int count, int fd, bool poll)
{
	static char buf[8];
	unsigned int i, left;
	int ret;

	memset(over, 0, count);
	for (i = 0; i < count; i++) {
		if (poll)
			prep_poll(&iocbs[i], fd, POLLIN);
		else
			prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf, sizeof(buf), 0);
		list[i] = &iocbs[i];
	}
	for (i = 0; i < count; i += ret) {
		left = count - i;
		ret = be_submit(ctx, left < BATCH ? left : BATCH, list + i);
		ASSERT_LE(1, ret);
	}
}

static void run(bool poll)
{
	unsigned long few = 0, many;
	aio_context_t ctx;
	int fds[2], i;

	iocbs = calloc(MANY, sizeof(*iocbs));
	list = calloc(MANY, sizeof(*list));
	over = calloc(MANY, 1);
	ASSERT_TRUE(iocbs && list && over);
	ASSERT_EQ(0, pipe(fds));
	raise_limit();
	ctx = new_context(MANY);
	if (limit[0])
		restore_limit();

	for (i = 0; i < 100; i++) {
		submit_all(ctx, FEW, fds[0], poll);
		few += cancel_all(ctx, FEW);
	}
	submit_all(ctx, MANY, fds[0], poll);
	many = cancel_all(ctx, MANY);
	test_note("ns of CPU time for each: %lu with %u in flight, %lu with %u",
		  few / 100, FEW, many, MANY);
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST(polls)
{
	run(true);
}

TEST_RAIO(reads, "native: blocks")
{
	run(false);
}
