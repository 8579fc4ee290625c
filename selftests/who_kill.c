// SPDX-License-Identifier: GPL-2.0
/*
 * Description: SIGKILL ends a process whose requests wait for a FUSE server that
 * hangs as it ends one that waits in read(2).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "workers.h"

#define COUNT	(2 * MAX_WORKERS)

static struct fuse fuse;

static void read_self(int fd)
{
	char buf[100];

	if (read(fd, buf, sizeof(buf)) < 0)
		FAIL("read: %m");
	_exit(1);
}

static void submit_reads(int fd)
{
	static struct iocb iocbs[COUNT];
	static char bufs[COUNT][100];
	aio_context_t ctx = new_context(COUNT);
	struct io_event event;
	int i;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, bufs[i], sizeof(bufs[i]), i * 4096);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	events_wait(ctx, &event, 1);
	_exit(1);
}

/* When it is dead nothing of it is left; flags say what the server does. */
static void run(unsigned int flags, void (*child)(int fd))
{
	unsigned long before = be_nr();
	pid_t pid;

	fuse_start(&fuse, flags);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	pid = test_fork();
	if (!pid)
		child(fuse_open(&fuse, O_RDONLY));
	fuse_wait_held(&fuse, 1);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	if (flags & FUSE_DEAF)
		EXPECT_LE(1, fuse.shared->held);
	expect_works(new_context(1));
	fuse_release(&fuse);
}

/* The page that is read never comes. */
TEST(plain_read)
{
	run(FUSE_DEAF, read_self);
}

TEST_RAIO(requests, "native: blocks")
{
	run(FUSE_DEAF, submit_reads);
}

/* The server holds the request, and is told that nobody wants it any more. */
TEST(plain_read_direct)
{
	run(FUSE_DIRECT_IO, read_self);
}

TEST_RAIO(requests_direct, "native: blocks")
{
	run(FUSE_DIRECT_IO, submit_reads);
}

/* The server itself ends: that ends the requests, and the process lives on. */
TEST_RAIO(server_killed, "native: blocks")
{
	static struct iocb iocbs[COUNT];
	static char bufs[COUNT][100];
	aio_context_t ctx = new_context(COUNT);
	struct io_event events[COUNT];
	int fd, i;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	fd = fuse_open(&fuse, O_RDONLY);
	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, bufs[i], sizeof(bufs[i]), i * 4096);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	fuse_wait_held(&fuse, 1);
	fuse_kill(&fuse);
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_TRUE((long long)events[i].res == -ECONNABORTED ||
			    (long long)events[i].res == -ENOTCONN);
	expect_works(ctx);
}
