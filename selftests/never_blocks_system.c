// SPDX-License-Identifier: GPL-2.0
/*
 * Description: what is asked of files of procfs and sysfs is done in submit, as with
 * native aio, and where nobody holds it up submit does not sleep.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "switches.h"

static char buf[4096], expected[4096];

/* What a read of all of it says, this way and the other. */
static void check_read(const char *path, bool same)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	aio_context_t ctx = new_context(4);
	ssize_t size;
	struct iocb iocb;

	if (fd < 0)
		SKIP("%s: %m", path);
	size = pread(fd, expected, sizeof(expected), 0);
	ASSERT_LT(0, size);
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), 0);
	submit_without_wait(ctx, &iocb);
	if (same) {
		EXPECT_EQ(size, finish_one(ctx, &iocb));
		EXPECT_EQ(0, memcmp(buf, expected, size));
	} else {
		EXPECT_LT(0, finish_one(ctx, &iocb));
	}
	/* and its end */
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), size);
	if (same) {
		submit_without_wait(ctx, &iocb);
		EXPECT_EQ(0, finish_one(ctx, &iocb));
	}
}

TEST(proc_uptime)
{
	check_read("/proc/uptime", false);
}

TEST(proc_mounts)
{
	check_read("/proc/self/mounts", true);
}

TEST(sysctl)
{
	check_read("/proc/sys/kernel/hostname", true);
}

TEST(sysfs)
{
	check_read("/sys/devices/system/cpu/online", true);
}

TEST(sysfs_binary)
{
	check_read("/sys/kernel/notes", true);
}

/* A write that takes a lock others may hold; in a namespace of its own. */
TEST(sysctl_write)
{
	aio_context_t ctx;
	struct iocb iocb;
	char name[65];
	int fd;

	if (unshare(CLONE_NEWUTS))
		SKIP("needs an own UTS namespace: %m");
	ctx = new_context(4);
	fd = open("/proc/sys/kernel/hostname", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	prep(&iocb, IOCB_CMD_PWRITE, fd, "raio-test", 9, 0);
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(9, finish_one(ctx, &iocb));
	ASSERT_EQ(0, gethostname(name, sizeof(name)));
	EXPECT_EQ(0, strcmp("raio-test", name));
}

static void check_memory(int fd)
{
	aio_context_t ctx = new_context(4);
	struct iocb iocb;

	ASSERT_LE(0, fd);
	/* a hole */
	ASSERT_EQ(0, ftruncate(fd, 8 * sizeof(buf)));
	memset(buf, 0xee, sizeof(buf));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), sizeof(buf));
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(sizeof(buf), finish_one(ctx, &iocb));
	EXPECT_EQ(0, buf[0]);
	EXPECT_EQ(0, buf[sizeof(buf) - 1]);

	fill_pattern(buf, sizeof(buf), 100, 0);
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, sizeof(buf), 100);
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(sizeof(buf), finish_one(ctx, &iocb));

	memset(buf, 0xee, sizeof(buf));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), 100);
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(sizeof(buf), finish_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, sizeof(buf), 100, 0));
}

TEST(memfd)
{
	check_memory(memfd_create("raio", MFD_CLOEXEC));
}

TEST(tmpfs)
{
	check_memory(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}
