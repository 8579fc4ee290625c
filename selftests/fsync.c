// SPDX-License-Identifier: GPL-2.0
/*
 * Description: fsync and fdsync complete on whatever can be synced, cover the
 * writes that were taken before them, and report what fsync(2) would.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

static const unsigned int opcodes[] = { IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC };

static int64_t sync_fd(aio_context_t ctx, unsigned int opcode, int fd)
{
	struct iocb iocb;

	prep(&iocb, opcode, fd, NULL, 0, 0);
	return run_one(ctx, &iocb);
}

TEST(files)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(10000);
	int fds[] = {
		fd, reopen(fd, O_RDONLY), reopen(fd, O_WRONLY), open(".", O_RDONLY | O_DIRECTORY),
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(opcodes); i++)
		for (j = 0; j < ARRAY_SIZE(fds); j++)
			EXPECT_EQ(0, sync_fd(ctx, opcodes[i], fds[j]));
}

/* No fsync operation: told by submit. */
TEST(not_syncable)
{
	aio_context_t ctx = new_context(1);
	int pipes[2], sockets[2];
	unsigned int i;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		EXPECT_EQ(-EINVAL, sync_fd(ctx, opcodes[i], pipes[0]));
		EXPECT_EQ(-EINVAL, sync_fd(ctx, opcodes[i], sockets[0]));
		EXPECT_EQ(-EINVAL, sync_fd(ctx, opcodes[i], open("/dev/null", O_RDWR)));
		EXPECT_EQ(-EBADF, sync_fd(ctx, opcodes[i], open("/", O_PATH)));
	}
}

/* One batch: a write and a sync of it; both complete, whatever the order of events. */
TEST(write_then_sync)
{
	struct iocb iocbs[2], *list[2] = { &iocbs[0], &iocbs[1] };
	aio_context_t ctx = new_context(2);
	static char buf[8192], back[8192];
	struct io_event events[2];
	int fd = new_file(0), i;

	fill_pattern(buf, sizeof(buf), 0, 3);
	prep(&iocbs[0], IOCB_CMD_PWRITE, fd, buf, sizeof(buf), 0);
	prep(&iocbs[1], IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
	ASSERT_EQ(2, be_submit(ctx, 2, list));
	ASSERT_EQ(2, events_wait(ctx, events, 2));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(events[i].obj == (uintptr_t)&iocbs[0] ? (long long)sizeof(buf) : 0LL,
			  (long long)events[i].res);
	EXPECT_EQ(sizeof(back), pread(fd, back, sizeof(back), 0));
	EXPECT_TRUE(is_pattern(back, sizeof(back), 0, 3));
}

TEST(many_at_once)
{
	enum { COUNT = 64 };
	struct iocb iocbs[COUNT], *list[COUNT];
	struct io_event events[COUNT];
	aio_context_t ctx = new_context(COUNT);
	int fd = new_file(4096), i;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], opcodes[i % 2], fd, NULL, 0, 0);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	close(fd);
	ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(0, (long long)events[i].res);
}
