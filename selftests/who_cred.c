// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the credentials at submit count: not those that the process gets
 * later, nor those of the task that runs the request.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "workers.h"

#define USER	65533

/* Written by root only, and that is asked for at each write. */
#define SYSCTL	"/proc/sys/kernel/dmesg_restrict"

static struct fuse fuse;

static int64_t write_sysctl(aio_context_t ctx, int fd, const char *value)
{
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PWRITE, fd, (void *)value, 1, 0);
	return run_one(ctx, &iocb);
}

/* A request of root before does not help, nor does a file that root has opened. */
TEST(privilege_dropped)
{
	int fd = open(SYSCTL, O_RDWR | O_CLOEXEC);
	aio_context_t ctx = new_context(4);
	char value;

	if (fd < 0 || geteuid())
		SKIP("needs root, and " SYSCTL);
	ASSERT_EQ(1, pread(fd, &value, 1, 0));
	EXPECT_EQ(1, write_sysctl(ctx, fd, &value));
	ASSERT_EQ(0, seteuid(USER));
	EXPECT_EQ(-EPERM, write_sysctl(ctx, fd, &value));
	ASSERT_EQ(0, seteuid(0));
	EXPECT_EQ(1, write_sysctl(ctx, fd, &value));
}

/* Submitted as another user, while requests before it keep it waiting. */
static void run_queued(unsigned int count, unsigned int opcode, unsigned int fuse_opcode,
		       void (*become)(uid_t))
{
	static char bufs[16][512];
	struct io_event events[16];
	struct iocb iocbs[16];
	aio_context_t ctx = new_context(16);
	unsigned int i;
	int fd;

	fuse_start(&fuse, FUSE_DIRECT_IO);
	fd = fuse_open(&fuse, O_RDWR);
	fuse_hold(&fuse, FUSE_OP(fuse_opcode));
	for (i = 0; i < count; i++) {
		prep(&iocbs[i], opcode, fd, bufs[i], 512, i * 512);
		if (opcode == IOCB_CMD_FSYNC)
			prep(&iocbs[i], opcode, fd, NULL, 0, 0);
		if (i == count - 1)
			become(USER);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	become(0);
	fuse_wait_held(&fuse, 1);
	fuse_release(&fuse);
	ASSERT_EQ(count, events_wait(ctx, events, count));
	for (i = 0; i < count; i++)
		EXPECT_EQ(opcode == IOCB_CMD_FSYNC ? 0 : 512, (long long)events[i].res);
	EXPECT_EQ(count, fuse.shared->seen[fuse_opcode]);
	EXPECT_EQ(1, fuse.shared->not_root[fuse_opcode]);
}

static void set_fsuid(uid_t uid)
{
	setfsuid(uid);
	ASSERT_EQ(uid, setfsuid(-1));
}

static void set_euid(uid_t uid)
{
	ASSERT_EQ(0, seteuid(uid));
}

/* One more than there are threads: it is run after the user has changed back. */
TEST_RAIO(read_setfsuid, "native: blocks")
{
	run_queued(MAX_WORKERS + 1, IOCB_CMD_PREAD, FUSE_READ, set_fsuid);
}

TEST_RAIO(read_seteuid, "native: blocks")
{
	run_queued(MAX_WORKERS + 1, IOCB_CMD_PREAD, FUSE_READ, set_euid);
}

TEST_RAIO(write_setfsuid, "native: blocks")
{
	run_queued(2, IOCB_CMD_PWRITE, FUSE_WRITE, set_fsuid);
}

/* fsyncs of one file are one after the other. */
TEST_RAIO(fsync_setfsuid, "its fsyncs do not wait for each other")
{
	run_queued(2, IOCB_CMD_FSYNC, FUSE_FSYNC, set_fsuid);
}
