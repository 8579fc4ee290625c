// SPDX-License-Identifier: GPL-2.0
/*
 * Description: where writes are done in submit, as with native aio, nobody sees
 * the file without them afterwards; O_DIRECT is as it was.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define SIZE	4096

static char buf[64 * SIZE], back[64 * SIZE];

static aio_context_t sync_context(unsigned int nr_events)
{
	struct raio_setup arg = { .nr_events = nr_events, .flags = RAIO_SETUP_SYNC_WRITES };

	/* libaio's users expect no less: it is the library's default. */
	if (is_native() || is_libraio())
		return new_context(nr_events);
	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_SETUP, &arg));
	return arg.ctx_id;
}

/* The events are there, without a wait. */
TEST(events_after_submit)
{
	struct iocb iocbs[16], *list[16];
	aio_context_t ctx = sync_context(16);
	struct io_event events[16];
	int fd = new_file(0), i;

	fill_pattern(buf, sizeof(buf), 0, 3);
	for (i = 0; i < 16; i++) {
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, buf + i * SIZE, SIZE, i * SIZE);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(16, be_submit(ctx, 16, list));
	ASSERT_EQ(16, events_now(ctx, events, 16));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(SIZE, (int)events[i].res);
	ASSERT_EQ(16 * SIZE, pread(fd, back, 16 * SIZE, 0));
	EXPECT_TRUE(is_pattern(back, 16 * SIZE, 0, 3));
}

/* What is read in the same batch is what was written before. */
TEST(read_in_the_batch)
{
	unsigned int i, rounds = test_rounds(200);
	aio_context_t ctx = sync_context(2);
	int fd = new_file(SIZE);

	for (i = 0; i < rounds; i++) {
		struct iocb write, read, *list[] = { &write, &read };
		struct io_event events[2];

		fill_pattern(buf, SIZE, 0, 4 + i);
		prep(&write, IOCB_CMD_PWRITE, fd, buf, SIZE, 0);
		prep(&read, IOCB_CMD_PREAD, fd, back, SIZE, 0);
		ASSERT_EQ(2, be_submit(ctx, 2, list));
		ASSERT_EQ(2, events_wait(ctx, events, 2));
		ASSERT_TRUE(is_pattern(back, SIZE, 0, 4 + i));
	}
}

TEST(truncate_after_submit)
{
	unsigned int i, rounds = test_rounds(100);
	aio_context_t ctx = sync_context(1);
	int fd = new_file(0);

	for (i = 0; i < rounds; i++) {
		struct io_event event;
		struct iocb iocb;
		struct stat stat;

		prep(&iocb, IOCB_CMD_PWRITE, fd, buf, sizeof(buf), 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(0, ftruncate(fd, SIZE));
		ASSERT_EQ(0, fstat(fd, &stat));
		ASSERT_EQ(SIZE, stat.st_size);
		ASSERT_EQ(1, events_now(ctx, &event, 1));
		ASSERT_EQ((int)sizeof(buf), (int)event.res);
	}
}

/* A process that ends at once. */
TEST(exit_after_submit)
{
	unsigned int i, rounds = test_rounds(50);
	int fd = new_file(0);

	fill_pattern(buf, sizeof(buf), 0, 5);
	for (i = 0; i < rounds; i++) {
		pid_t pid;

		ASSERT_EQ(0, ftruncate(fd, 0));
		pid = test_fork();
		if (!pid) {
			aio_context_t ctx;
			struct iocb iocb;

			raio_close();
			ctx = sync_context(1);
			prep(&iocb, IOCB_CMD_PWRITE, fd, buf, sizeof(buf), 0);
			_exit(submit_one(ctx, &iocb) != 1);
		}
		ASSERT_EQ(0, test_wait(pid));
		ASSERT_EQ((int)sizeof(back), (int)pread(fd, back, sizeof(back), 0));
		ASSERT_TRUE(is_pattern(back, sizeof(back), 0, 5));
	}
}

/* Behind an fsync, which threads run, as well. */
TEST(behind_an_fsync)
{
	unsigned int i, rounds = test_rounds(50);
	aio_context_t ctx = sync_context(2);
	int fd = new_file(0);

	for (i = 0; i < rounds; i++) {
		struct iocb sync, write, *list[] = { &sync, &write };
		struct io_event events[2];

		fill_pattern(buf, SIZE, 0, 6 + i);
		prep(&sync, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
		prep(&write, IOCB_CMD_PWRITE, fd, buf, SIZE, 0);
		ASSERT_EQ(2, be_submit(ctx, 2, list));
		ASSERT_EQ(SIZE, (int)pread(fd, back, SIZE, 0));
		ASSERT_TRUE(is_pattern(back, SIZE, 0, 6 + i));
		ASSERT_EQ(2, events_wait(ctx, events, 2));
	}
}

TEST(vectored_and_appended)
{
	struct iovec iov[3] = {
		{ buf, SIZE }, { buf + SIZE, 100 }, { buf + SIZE + 100, 2 * SIZE },
	};
	aio_context_t ctx = sync_context(2);
	struct iocb iocbs[2], *list[] = { &iocbs[0], &iocbs[1] };
	struct io_event events[2];
	int fd = new_file(0), append = reopen(fd, O_WRONLY | O_APPEND);

	ASSERT_LE(0, append);
	fill_pattern(buf, sizeof(buf), 0, 7);
	prep(&iocbs[0], IOCB_CMD_PWRITEV, fd, iov, 3, 0);
	prep(&iocbs[1], IOCB_CMD_PWRITE, append, buf + 3 * SIZE + 100, SIZE, 0);
	ASSERT_EQ(2, be_submit(ctx, 2, list));
	ASSERT_EQ(2, events_now(ctx, events, 2));
	EXPECT_EQ(4 * SIZE + 100, (int)pread(fd, back, sizeof(back), 0));
	EXPECT_TRUE(is_pattern(back, 4 * SIZE + 100, 0, 7));
}

/* Behind a write that a barrier has held back: it must not be overtaken. */
TEST_RAIO(behind_a_barrier, "it has none")
{
	unsigned int i, rounds = test_rounds(20);
	static char old[16 << 20], new[SIZE];
	aio_context_t ctx = sync_context(8);
	int fd = new_file(0), fds[2];

	ASSERT_EQ(0, pipe(fds));
	memset(old, 'o', sizeof(old));
	memset(new, 'n', sizeof(new));
	for (i = 0; i < rounds; i++) {
		struct iocb read, bar, first, second, third;
		struct iocb *list[] = { &read, &bar, &first, &second };
		struct io_event events[5];

		prep(&read, IOCB_CMD_PREAD, fds[0], back, 1, 0);
		prep(&bar, IOCB_CMD_NOOP, 0, NULL, 0, 0);
		bar.aio_flags |= RAIO_IOCB_FLAG_BARRIER;
		prep(&first, IOCB_CMD_PWRITE, fd, old, sizeof(old), 0);
		prep(&second, IOCB_CMD_PWRITE, fd, old, SIZE, 0);
		prep(&third, IOCB_CMD_PWRITE, fd, new, SIZE, 0);
		ASSERT_EQ(4, be_submit(ctx, 4, list));
		ASSERT_EQ(1, write(fds[1], "x", 1));
		ASSERT_EQ(2, events_wait(ctx, events, 2));
		ASSERT_EQ(1, submit_one(ctx, &third));
		ASSERT_EQ(3, events_wait(ctx, events, 3));
		ASSERT_EQ(SIZE, (int)pread(fd, back, SIZE, 0));
		ASSERT_EQ('n', back[0]);
	}
}

/* RWF_NOWAIT is one try all the same: as without the flag, and as native aio's. */
TEST(nowait)
{
	aio_context_t contexts[] = { new_context(1), sync_context(1) };
	int fd = new_file(SIZE);
	int64_t res[2];
	int i;

	for (i = 0; i < 2; i++) {
		struct iocb iocb;

		prep(&iocb, IOCB_CMD_PWRITE, fd, buf, SIZE, 0);
		iocb.aio_rw_flags = RWF_NOWAIT;
		res[i] = run_one(contexts[i], &iocb);
	}
	EXPECT_EQ(res[0], res[1]);
}

/* A pipe is not written in submit, if that would wait. */
TEST_RAIO(streams_do_not_wait, "submit blocks")
{
	aio_context_t ctx = sync_context(1);
	struct io_event event;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(SIZE, fcntl(fds[1], F_SETPIPE_SZ, SIZE));
	prep(&iocb, IOCB_CMD_PWRITE, fds[1], buf, 2 * SIZE, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	EXPECT_EQ(SIZE, (int)read(fds[0], back, SIZE));
	EXPECT_EQ(SIZE, (int)read(fds[0], back, SIZE));
	EXPECT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(2 * SIZE, (int)event.res);
}
