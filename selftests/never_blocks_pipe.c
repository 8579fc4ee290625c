// SPDX-License-Identifier: GPL-2.0
/*
 * Description: submit does not wait for data in an empty pipe or named FIFO, nor
 * for space in a full one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "switches.h"

#define SIZE 4096

static uint8_t buf[SIZE];

/* Until there is no space for one more page; the bytes are those of a pattern. */
static size_t fill(int fd)
{
	uint8_t page[SIZE];
	size_t done = 0;
	ssize_t ret;

	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	for (;;) {
		fill_pattern(page, SIZE, done, 0);
		ret = write(fd, page, SIZE);
		if (ret < 0)
			break;
		done += ret;
	}
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(fd, F_SETFL, 0));
	return done;
}

static void expect_bytes(int fd, size_t size)
{
	uint8_t page[SIZE];
	size_t done, part;

	for (done = 0; done < size; done += part) {
		part = size - done < SIZE ? size - done : SIZE;
		part = read(fd, page, part);
		ASSERT_LT(0, (ssize_t)part);
		EXPECT_TRUE(is_pattern(page, part, done, 0));
	}
}

static void check_full(int in, int out)
{
	aio_context_t ctx = new_context(4);
	size_t size = fill(out);
	struct iocb iocb;

	fill_pattern(buf, SIZE, size, 0);
	prep(&iocb, IOCB_CMD_PWRITE, out, buf, SIZE, 0);
	submit_unfinished(ctx, &iocb);
	expect_bytes(in, size);
	EXPECT_EQ(SIZE, finish_one(ctx, &iocb));
	/* the rest of the same pattern */
	ASSERT_EQ(SIZE, read(in, buf, SIZE));
	EXPECT_TRUE(is_pattern(buf, SIZE, size, 0));
}

/* One that has room for a part is waited for as well. */
static void check_nearly_full(int in, int out)
{
	aio_context_t ctx = new_context(4);
	size_t size = fill(out);
	struct iocb iocb;
	uint8_t page[SIZE];

	ASSERT_EQ(SIZE, read(in, page, SIZE));
	prep(&iocb, IOCB_CMD_PWRITE, out, buf, SIZE, 0);
	iocb.aio_nbytes = SIZE;
	submit_without_wait(ctx, &iocb);
	EXPECT_EQ(SIZE, finish_one(ctx, &iocb));
	submit_unfinished(ctx, &iocb);
	while (size) {
		ASSERT_EQ(SIZE, read(in, page, SIZE));
		size -= SIZE;
	}
	EXPECT_EQ(SIZE, finish_one(ctx, &iocb));
}

static void check(int in, int out)
{
	read_unfinished(in, out);
	check_full(in, out);
	check_nearly_full(in, out);
}

TEST_RAIO(anonymous, "native: blocks until there is data or space")
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	check(fds[0], fds[1]);
}

/*
 * Its pages are those of files, for which a reader may have to wait: after
 * splice(2) at either end nobody may rely on a try that does not.
 */
TEST_RAIO(spliced, "native: blocks until there is data or space")
{
	int fds[2], from = new_file(SIZE), to = new_file(0);

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(SIZE, splice(from, &(loff_t){ 0 }, fds[1], NULL, SIZE, 0));
	ASSERT_EQ(SIZE, splice(fds[0], NULL, to, &(loff_t){ 0 }, SIZE, 0));
	check(fds[0], fds[1]);
}

/* Another process splices a page that does not come, and has the pipe locked. */
TEST_RAIO(locked_by_splice, "native: blocks until there is data or space")
{
	aio_context_t ctx = new_context(4);
	struct fuse fuse;
	struct iocb iocb;
	int fds[2], fd;
	pid_t pid;

	ASSERT_EQ(0, pipe(fds));
	memset(buf, 0, SIZE);
	fuse_start(&fuse, 0);
	fd = fuse_open(&fuse, O_RDONLY);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	pid = test_fork();
	if (!pid)
		_exit(splice(fd, NULL, fds[1], NULL, SIZE, 0) != SIZE);
	fuse_wait_held(&fuse, 1);
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, SIZE, 0);
	submit_unfinished(ctx, &iocb);
	fuse_release(&fuse);
	EXPECT_EQ(SIZE, finish_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, SIZE, 0, 0));
	EXPECT_EQ(0, test_wait(pid));
}

static void make_fifo(char *path, size_t size)
{
	const char *dir = getenv("RAIO_TEST_DIR");

	snprintf(path, size, "%s/raio-fifo-%d", dir ? dir : "/tmp", getpid());
	ASSERT_EQ(0, mkfifo(path, 0600));
}

TEST_RAIO(named, "native: blocks until there is data or space")
{
	int in, out;
	char path[200];

	make_fifo(path, sizeof(path));
	in = open(path, O_RDONLY | O_NONBLOCK);
	out = open(path, O_WRONLY);
	unlink(path);
	ASSERT_LE(0, in);
	ASSERT_LE(0, out);
	ASSERT_EQ(0, fcntl(in, F_SETFL, 0));
	check(in, out);
}

/* One open file that waits on two queues. */
TEST_RAIO(named_rdwr, "native: blocks until there is data or space")
{
	char path[200];
	int fd;

	make_fifo(path, sizeof(path));
	fd = open(path, O_RDWR);
	unlink(path);
	ASSERT_LE(0, fd);
	check(fd, fd);
}
