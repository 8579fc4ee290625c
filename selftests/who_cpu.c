// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the time that buffered writes take is accounted to the cgroup of
 * the process that submitted them: nobody works at the cost of others.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "cgroup.h"
#include "harness.h"

#define BLOCK	(1024 * 1024)
#define COUNT	8
#define ROUNDS	25
#define TRIES	5

static struct cgroup group, other;
static struct iocb iocbs[COUNT], *list[COUNT];
static struct io_event events[COUNT];

static long long usage(const struct cgroup *where)
{
	return cgroup_figure(where, "cpu.stat", "usage_usec");
}

static long long write_self(int fd, const char *buf)
{
	long long before = usage(&group);
	int round, i;

	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < COUNT; i++)
			ASSERT_EQ(BLOCK, pwrite(fd, buf, BLOCK, (off_t)i * BLOCK));
	return usage(&group) - before;
}

static long long write_by_requests(aio_context_t ctx)
{
	long long before = usage(&group);
	int round;

	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
		ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	}
	return usage(&group) - before;
}

/*
 * The same work costs about the same; all but the copying is a small part of it.
 * A guest that stumbles may tell otherwise once.
 */
static void run(void)
{
	aio_context_t ctx = new_context(COUNT);
	char *buf = aligned_buffer(BLOCK);
	long long self = 0, requests = 0;
	int fd = new_file(0), i;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, buf, BLOCK, (int64_t)i * BLOCK);
		list[i] = &iocbs[i];
	}
	/* the file has its blocks and pages then */
	write_self(fd, buf);
	for (i = 0; i < TRIES; i++) {
		self = write_self(fd, buf);
		requests = write_by_requests(ctx);
		if (requests >= self / 2)
			break;
	}
	test_note("us of CPU time: %lld by write, %lld by requests", self, requests);
	EXPECT_LE(self / 2, requests);
}

TEST(buffered_writes)
{
	pid_t pid;
	int ret;

	cgroup_make(&group, NULL);
	cgroup_make(&other, NULL);
	pid = test_fork();
	if (!pid) {
		cgroup_enter(&group);
		run();
		_exit(0);
	}
	ret = test_wait(pid);
	EXPECT_EQ(0, usage(&other));
	cgroup_remove(&group);
	cgroup_remove(&other);
	if (ret)
		_exit(ret);
}
