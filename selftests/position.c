// SPDX-License-Identifier: GPL-2.0
/*
 * Description: on request a transfer is at the position of the file, and moves it;
 * requests at it are served one after the other.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "special.h"

#define WHY	"it has no such flag"
#define SIZE	4096

static char buf[64 * SIZE], back[64 * SIZE];

static void prep_at_position(struct iocb *iocb, unsigned int opcode, int fd, void *at, size_t size)
{
	prep(iocb, opcode, fd, at, size, -1);
	iocb->aio_flags |= RAIO_IOCB_FLAG_CUR_POS;
}

static int64_t at_position(aio_context_t ctx, unsigned int opcode, int fd, void *at, size_t size)
{
	struct iocb iocb;

	prep_at_position(&iocb, opcode, fd, at, size);
	return run_one(ctx, &iocb);
}

TEST_RAIO(moves, WHY)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(0);

	fill_pattern(buf, sizeof(buf), 0, 1);
	EXPECT_EQ(SIZE, at_position(ctx, IOCB_CMD_PWRITE, fd, buf, SIZE));
	EXPECT_EQ(SIZE, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(100, at_position(ctx, IOCB_CMD_PWRITE, fd, buf + SIZE, 100));
	EXPECT_EQ(SIZE + 100, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_SET));
	EXPECT_EQ(SIZE, at_position(ctx, IOCB_CMD_PREAD, fd, back, SIZE));
	EXPECT_EQ(100, at_position(ctx, IOCB_CMD_PREAD, fd, back + SIZE, SIZE));
	EXPECT_EQ(0, at_position(ctx, IOCB_CMD_PREAD, fd, back, SIZE));
	EXPECT_EQ(SIZE + 100, lseek(fd, 0, SEEK_CUR));
	EXPECT_TRUE(is_pattern(back, SIZE + 100, 0, 1));
	/* What has a place of its own does not move it. */
	{
		struct iocb iocb;

		prep(&iocb, IOCB_CMD_PREAD, fd, back, 10, 5);
		EXPECT_EQ(10, run_one(ctx, &iocb));
		EXPECT_EQ(SIZE + 100, lseek(fd, 0, SEEK_CUR));
	}
}

/* A batch: each begins where the one before has ended. */
static void batch(int fd, char *from, char *to)
{
	struct iocb iocbs[16], *list[16];
	aio_context_t ctx = new_context(16);
	struct io_event events[16];
	unsigned int round;
	int i;

	for (round = 0; round < test_rounds(20); round++) {
		fill_pattern(from, 16 * SIZE, 0, round);
		ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
		for (i = 0; i < 16; i++) {
			prep_at_position(&iocbs[i], IOCB_CMD_PWRITE, fd, from + i * SIZE, SIZE);
			list[i] = &iocbs[i];
		}
		ASSERT_EQ(16, be_submit(ctx, 16, list));
		ASSERT_EQ(16, events_wait(ctx, events, 16));
		ASSERT_EQ(16 * SIZE, lseek(fd, 0, SEEK_CUR));
		ASSERT_EQ(16 * SIZE, pread(fd, to, 16 * SIZE, 0));
		ASSERT_TRUE(is_pattern(to, 16 * SIZE, 0, round));
		memset(to, 0, 16 * SIZE);
		ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
		for (i = 0; i < 16; i++)
			prep_at_position(&iocbs[i], IOCB_CMD_PREAD, fd, to + i * SIZE, SIZE);
		ASSERT_EQ(16, be_submit(ctx, 16, list));
		ASSERT_EQ(16, events_wait(ctx, events, 16));
		ASSERT_TRUE(is_pattern(to, 16 * SIZE, 0, round));
	}
}

TEST_RAIO(batch_buffered, WHY)
{
	batch(new_file(0), buf, back);
}

TEST_RAIO(batch_direct, WHY)
{
	int fd = reopen(new_file(0), O_RDWR | O_DIRECT);

	ASSERT_LE(0, fd);
	batch(fd, aligned_buffer(16 * SIZE), aligned_buffer(16 * SIZE));
}

TEST_RAIO(append, WHY)
{
	aio_context_t ctx = new_context(1);
	int fd = reopen(new_file(SIZE), O_RDWR | O_APPEND);

	ASSERT_LE(0, fd);
	EXPECT_EQ(10, at_position(ctx, IOCB_CMD_PWRITE, fd, buf, 10));
	EXPECT_EQ(SIZE + 10, lseek(fd, 0, SEEK_CUR));
}

TEST_RAIO(vectored, WHY)
{
	struct iovec iov[2] = { { back, 10 }, { back + 10, 20 } };
	aio_context_t ctx = new_context(1);
	int fd = new_file(SIZE);

	EXPECT_EQ(7, lseek(fd, 7, SEEK_SET));
	EXPECT_EQ(30, at_position(ctx, IOCB_CMD_PREADV, fd, iov, 2));
	EXPECT_EQ(37, lseek(fd, 0, SEEK_CUR));
}

/* A stream has none, and does not mind. */
TEST_RAIO(stream, WHY)
{
	aio_context_t ctx = new_context(1);
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(10, at_position(ctx, IOCB_CMD_PWRITE, fds[1], buf, 10));
	EXPECT_EQ(10, at_position(ctx, IOCB_CMD_PREAD, fds[0], back, SIZE));
}

/* A file that blocks in submit. */
TEST_RAIO(procfs, WHY)
{
	int fd = open("/proc/version", O_RDONLY), i;
	aio_context_t ctx = new_context(1);
	char c[2][8], plain[16];

	ASSERT_LE(0, fd);
	ASSERT_LE(16, pread(fd, plain, 16, 0));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(8, at_position(ctx, IOCB_CMD_PREAD, fd, c[i], 8));
	EXPECT_EQ(0, memcmp(plain, c, 16));
}

/* Without the flag, as ever. */
TEST(without_the_flag)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(SIZE);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, back, 10, -1);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PWRITE, fd, back, 10, -1);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PREAD, fd, back, 10, -2);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PREAD, fd, back, 10, INT64_MIN);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
}

/* Each begins where the one before has ended, whoever runs them. */
static void in_a_row(unsigned int flags, int file_flags)
{
	struct raio_setup arg = { .nr_events = 16, .flags = flags };
	static const struct nullb_options options = {
		.size_mb = 64, .completion_nsec = 2000000, .memory_backed = true,
	};
	struct iocb iocbs[16], *list[16];
	char *to = aligned_buffer(16 * SIZE), *from = aligned_buffer(16 * SIZE);
	struct io_event events[16];
	struct nullb nullb;
	int fd, i;

	nullb_create(&nullb, &options);
	fd = open(nullb.dev, O_RDWR | O_CLOEXEC | file_flags);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_SETUP, &arg));
	fill_pattern(from, 16 * SIZE, 0, 9);
	for (i = 0; i < 16; i++) {
		prep_at_position(&iocbs[i], IOCB_CMD_PWRITE, fd, from + i * SIZE, SIZE);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(16, be_submit(arg.ctx_id, 16, list));
	ASSERT_EQ(16, events_wait(arg.ctx_id, events, 16));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(SIZE, events[i].res);
	EXPECT_EQ(16 * SIZE, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(16 * SIZE, pread(fd, to, 16 * SIZE, 0));
	EXPECT_TRUE(is_pattern(to, 16 * SIZE, 0, 9));
	ASSERT_EQ(0, be_destroy(arg.ctx_id));
	close(fd);
	nullb_remove(&nullb);
}

TEST_RAIO(device_direct, WHY)
{
	in_a_row(0, O_DIRECT);
}

TEST_RAIO(device_buffered, WHY)
{
	in_a_row(0, 0);
}

TEST_RAIO(device_direct_without_threads, WHY)
{
	in_a_row(RAIO_SETUP_NO_THREADS, O_DIRECT);
}

TEST_RAIO(device_buffered_without_threads, WHY)
{
	in_a_row(RAIO_SETUP_NO_THREADS, 0);
}

TEST_RAIO(device_sync_writes, WHY)
{
	in_a_row(RAIO_SETUP_SYNC_WRITES, 0);
}

/* With the flag, there is no other place. */
TEST_RAIO(refused, WHY)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(SIZE);
	struct iocb iocb;

	prep_at_position(&iocb, IOCB_CMD_PREAD, fd, back, 10);
	iocb.aio_offset = 0;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	prep_at_position(&iocb, IOCB_CMD_FSYNC, fd, NULL, 0);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
}

/* What was taken of a process that is killed is where it belongs. */
TEST_RAIO(killed, WHY)
{
	static const struct nullb_options options = {
		.size_mb = 64, .completion_nsec = 100000000, .memory_backed = true,
	};
	struct nullb nullb;
	int fd, i, ready[2];
	pid_t pid;
	char c;

	nullb_create(&nullb, &options);
	fd = open(nullb.dev, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pipe(ready));
	fill_pattern(buf, 4 * SIZE, 0, 10);
	pid = test_fork();
	if (!pid) {
		struct iocb iocbs[5], *list[5];
		aio_context_t ctx;

		raio_close();
		ctx = new_context(8);
		prep_at_position(&iocbs[0], IOCB_CMD_PWRITE, fd, buf, SIZE);
		prep(&iocbs[1], IOCB_CMD_FSYNC, fd, NULL, 0, 0);
		for (i = 2; i < 5; i++)
			prep_at_position(&iocbs[i], IOCB_CMD_PWRITE, fd, buf + (i - 1) * SIZE,
					 SIZE);
		for (i = 0; i < 5; i++)
			list[i] = &iocbs[i];
		if (be_submit(ctx, 5, list) != 5 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(128 + SIGKILL, test_wait(pid));
	EXPECT_EQ(4 * SIZE, pread(fd, back, 4 * SIZE, 0));
	EXPECT_TRUE(is_pattern(back, 4 * SIZE, 0, 10));
	close(fd);
	nullb_remove(&nullb);
}

/* What has no position is not held up by others that have none. */
TEST_RAIO(no_position, WHY)
{
	int a = eventfd(0, 0), b = eventfd(1, 0), c = eventfd(1, EFD_NONBLOCK);
	aio_context_t ctx = new_context(4);
	uint64_t counts[3];
	struct io_event event;
	struct iocb iocb;

	prep_at_position(&iocb, IOCB_CMD_PREAD, a, &counts[0], 8);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(8, at_position(ctx, IOCB_CMD_PREAD, b, &counts[1], 8));
	EXPECT_EQ(8, at_position(ctx, IOCB_CMD_PREAD, c, &counts[2], 8));
	ASSERT_EQ(8, write(a, &counts[1], 8));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(8, event.res);
}
