// SPDX-License-Identifier: GPL-2.0
/*
 * Description: memory that a request needs is charged to the memory cgroup of
 * the process that submitted it, whichever task runs it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "cgroup.h"
#include "harness.h"
#include "workers.h"

#define BLOCK	(256 * 1024)
#define SIZE	(16 * 1024 * 1024)
#define COUNT	(SIZE / BLOCK)

static struct cgroup group, other;
static struct iocb iocbs[COUNT], *list[COUNT];
static struct io_event events[COUNT];

static long long charged(const struct cgroup *where)
{
	return cgroup_figure(where, "memory.current", NULL);
}

static void run_child(void (*child)(void))
{
	pid_t pid;
	int ret;

	cgroup_make(&group, "memory");
	cgroup_make(&other, "memory");
	pid = test_fork();
	if (!pid) {
		cgroup_enter(&group);
		child();
		_exit(0);
	}
	ret = test_wait(pid);
	/* no task is in it */
	EXPECT_EQ(0, charged(&other));
	cgroup_remove(&group);
	cgroup_remove(&other);
	if (ret)
		_exit(ret);
}

static void write_file(void)
{
	aio_context_t ctx = new_context(COUNT);
	char *buf = aligned_buffer(BLOCK);
	int fd = new_file(0), i;
	long long before;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, buf, BLOCK, (int64_t)i * BLOCK);
		list[i] = &iocbs[i];
	}
	before = charged(&group);
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(BLOCK, (long long)events[i].res);
	EXPECT_LE(SIZE * 3 / 4, charged(&group) - before);
}

/* The page cache of buffered writes. */
TEST(file)
{
	run_child(write_file);
}

#define PIPES		4
#define PIPE_SIZE	(1024 * 1024)

static void drain(int fd)
{
	static char buf[65536];
	size_t left = PIPE_SIZE;
	ssize_t size;

	while (left) {
		size = read(fd, buf, left < sizeof(buf) ? left : sizeof(buf));
		ASSERT_LE(1, size);
		left -= size;
	}
}

/* Full pipes are emptied, and filled again by requests for which nobody waits. */
static void write_pipes(void)
{
	aio_context_t ctx = new_context(PIPES);
	char *buf = aligned_buffer(PIPE_SIZE);
	long long empty, full;
	int fds[PIPES][2], i;

	empty = charged(&group);
	for (i = 0; i < PIPES; i++) {
		ASSERT_EQ(0, pipe(fds[i]));
		ASSERT_EQ(PIPE_SIZE, fcntl(fds[i][1], F_SETPIPE_SZ, PIPE_SIZE));
		ASSERT_EQ(PIPE_SIZE, write(fds[i][1], buf, PIPE_SIZE));
		prep(&iocbs[i], IOCB_CMD_PWRITE, fds[i][1], buf, PIPE_SIZE, 0);
		list[i] = &iocbs[i];
	}
	full = charged(&group) - empty;
	if (full < PIPES * PIPE_SIZE / 2)
		SKIP("pipes are not charged here");
	ASSERT_EQ(PIPES, be_submit(ctx, PIPES, list));
	for (i = 0; i < PIPES; i++)
		drain(fds[i][0]);
	wait_for_ring(ctx, PIPES);
	EXPECT_LE(full * 3 / 4, charged(&group) - empty);
	ASSERT_EQ(PIPES, events_wait(ctx, events, PIPES));
	for (i = 0; i < PIPES; i++)
		EXPECT_EQ(PIPE_SIZE, (long long)events[i].res);
}

/* The buffers of pipes. */
TEST_RAIO(pipe, "native: blocks")
{
	run_child(write_pipes);
}
