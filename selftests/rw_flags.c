// SPDX-License-Identifier: GPL-2.0
/*
 * Description: aio_rw_flags mean what they mean for preadv2 and pwritev2.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"

/* newer than some C libraries' headers */
#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND	0x20
#endif

static uint8_t buf[65536];
static aio_context_t ctx;

static int64_t run_flags(unsigned int opcode, int fd, size_t size, int64_t offset, int flags)
{
	struct iocb iocb;

	prep(&iocb, opcode, fd, buf, size, offset);
	iocb.aio_rw_flags = flags;
	return run_one(ctx, &iocb);
}

static int64_t run_read(int fd, size_t size, int flags)
{
	return run_flags(IOCB_CMD_PREAD, fd, size, 0, flags);
}

static int64_t run_write(int fd, size_t size, int flags)
{
	return run_flags(IOCB_CMD_PWRITE, fd, size, 0, flags);
}

/* It asks not to wait: the event says so, and nothing is armed. */
static void check_nowait(int in, int out)
{
	ctx = new_context(1);
	EXPECT_EQ(-EAGAIN, run_read(in, 100, RWF_NOWAIT));
	EXPECT_EQ(100, run_write(out, 100, RWF_NOWAIT));
	EXPECT_EQ(100, run_read(in, 200, RWF_NOWAIT));
	ASSERT_EQ(0, fcntl(out, F_SETFL, O_NONBLOCK));
	while (write(out, buf, sizeof(buf)) > 0)
		;
	ASSERT_EQ(0, fcntl(out, F_SETFL, 0));
	EXPECT_EQ(-EAGAIN, run_write(out, sizeof(buf), RWF_NOWAIT));
}

TEST(nowait_pipe)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	check_nowait(fds[0], fds[1]);
}

TEST(nowait_socket)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	check_nowait(fds[0], fds[1]);
}

/* What there is room for is written. */
TEST(nowait_part)
{
	int fds[2], size;

	ASSERT_EQ(0, pipe(fds));
	ctx = new_context(1);
	size = fcntl(fds[1], F_GETPIPE_SZ);
	ASSERT_LE(size, (int)sizeof(buf));
	ASSERT_EQ(size - 4096, write(fds[1], buf, size - 4096));
	EXPECT_EQ(4096, run_write(fds[1], sizeof(buf), RWF_NOWAIT));
}

/* So does a program that has made its file so. */
TEST(nonblocking_file)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	ctx = new_context(1);
	EXPECT_EQ(-EAGAIN, run_read(fds[0], 100, 0));
	EXPECT_EQ(65536, run_write(fds[1], 65536, 0));
	EXPECT_EQ(-EAGAIN, run_write(fds[1], 1, 0));

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
	EXPECT_EQ(-EAGAIN, run_read(fds[0], 100, 0));
}

/* Files that know no such thing: told by submit. */
TEST(nowait_unknown)
{
	const char *dir = getenv("RAIO_TEST_DIR");
	char path[200];
	int master;

	ctx = new_context(1);
	EXPECT_EQ(-EOPNOTSUPP, run_read(open("/proc/uptime", O_RDONLY), 100, RWF_NOWAIT));
	EXPECT_EQ(-EOPNOTSUPP, run_read(open("/dev/shm", O_TMPFILE | O_RDWR, 0600), 100,
					RWF_NOWAIT));
	snprintf(path, sizeof(path), "%s/raio-fifo-%d", dir ? dir : "/tmp", getpid());
	ASSERT_EQ(0, mkfifo(path, 0600));
	EXPECT_EQ(-EOPNOTSUPP, run_read(open(path, O_RDWR), 100, RWF_NOWAIT));
	unlink(path);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master >= 0)
		EXPECT_EQ(-EOPNOTSUPP, run_write(master, 100, RWF_NOWAIT));
}

/* A page that is not there: nothing waits for it, but somebody else may read it. */
TEST(nowait_cold)
{
	struct nullb nullb;
	int fd;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 2000000000 });
	ctx = new_context(1);
	fd = open(nullb.dev, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(-EAGAIN, run_flags(IOCB_CMD_PREAD, fd, 4096, 65536, RWF_NOWAIT));
	ASSERT_EQ(4096, pread(fd, buf, 4096, 65536));
	EXPECT_EQ(4096, run_flags(IOCB_CMD_PREAD, fd, 4096, 65536, RWF_NOWAIT));
	/* what is there before it */
	EXPECT_EQ(4096, run_flags(IOCB_CMD_PREAD, fd, 16384, 65536, RWF_NOWAIT));
}

TEST(nowait_cached)
{
	int fd = new_file(12288);

	ctx = new_context(1);
	EXPECT_EQ(12288, run_read(fd, sizeof(buf), RWF_NOWAIT));
	EXPECT_TRUE(is_pattern(buf, 12288, 0, 0));
}

TEST(append)
{
	int fd = new_file(1000);
	struct stat stat;

	ctx = new_context(1);
	fill_pattern(buf, 100, 1000, 0);
	EXPECT_EQ(100, run_write(fd, 100, RWF_APPEND));
	EXPECT_EQ(100, run_flags(IOCB_CMD_PWRITE, fd, 100, 1 << 20, RWF_APPEND));
	ASSERT_EQ(0, fstat(fd, &stat));
	EXPECT_EQ(1200, stat.st_size);
	ASSERT_EQ(1100, pread(fd, buf, 1100, 0));
	EXPECT_TRUE(is_pattern(buf, 1100, 0, 0));
}

TEST(noappend)
{
	int fd = reopen(new_file(1000), O_RDWR | O_APPEND);
	struct stat stat;

	ctx = new_context(1);
	fill_pattern(buf, 100, 50, 3);
	EXPECT_EQ(100, run_flags(IOCB_CMD_PWRITE, fd, 100, 50, RWF_NOAPPEND));
	ASSERT_EQ(0, fstat(fd, &stat));
	EXPECT_EQ(1000, stat.st_size);
	ASSERT_EQ(100, pread(fd, buf, 100, 50));
	EXPECT_TRUE(is_pattern(buf, 100, 50, 3));
}

/* With the event it is on the device. */
static void check_sync(int flags)
{
	struct nullb nullb;
	unsigned long before;
	int fd;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 100000000, .memory_backed = true });
	ctx = new_context(1);
	fd = open(nullb.dev, O_RDWR);
	ASSERT_LE(0, fd);
	before = nullb_sectors_written(&nullb);
	EXPECT_EQ(100, run_flags(IOCB_CMD_PWRITE, fd, 100, 65536 + 10, flags));
	EXPECT_LE(8, nullb_sectors_written(&nullb) - before);
	EXPECT_EQ(65536, run_flags(IOCB_CMD_PWRITE, fd, 65536, 0, flags));
	EXPECT_LE(8 + 128, nullb_sectors_written(&nullb) - before);
}

TEST(dsync)
{
	check_sync(RWF_DSYNC);
}

TEST(sync)
{
	check_sync(RWF_SYNC);
}

/* On files that have no medium they are nothing. */
TEST(sync_pipe)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ctx = new_context(1);
	EXPECT_EQ(100, run_write(fds[1], 100, RWF_DSYNC | RWF_SYNC));
	EXPECT_EQ(100, run_read(fds[0], 100, RWF_HIPRI));
}

TEST(unknown)
{
	int fd = new_file(100), bit;

	ctx = new_context(1);
	for (bit = 16; bit < 32; bit++) {
		EXPECT_EQ(-EOPNOTSUPP, run_read(fd, 10, 1U << bit));
		EXPECT_EQ(-EOPNOTSUPP, run_write(fd, 10, RWF_DSYNC | 1U << bit));
	}
}

/* They outlive the time for which a request waits. */
TEST_RAIO(append_waits_its_turn, "native: the first one blocks for its page")
{
	struct iocb iocbs[3], *list[3] = { &iocbs[0], &iocbs[1], &iocbs[2] };
	static uint8_t bufs[3][5000];
	struct io_event events[3];
	int fd = new_file(20000), i;

	ctx = new_context(3);
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	for (i = 0; i < 3; i++) {
		fill_pattern(bufs[i], 5000, 15000 + i * 5000, 0);
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, bufs[i], 5000, i ? 0 : 15000);
		iocbs[i].aio_rw_flags = i ? RWF_APPEND : 0;
	}
	ASSERT_EQ(3, be_submit(ctx, 3, list));
	ASSERT_EQ(3, events_wait(ctx, events, 3));
	ASSERT_EQ(30000, pread(fd, buf, sizeof(buf), 0));
	EXPECT_TRUE(is_pattern(buf, 30000, 0, 0));
}
