// SPDX-License-Identifier: GPL-2.0
/*
 * Description: vectored requests take from no segment to IOV_MAX of them, in
 * their order, and have their own copy of the array.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

#define SIZE	(100 * 1024)

static uint8_t bytes[SIZE], back[SIZE];

static void prep_vec(struct iocb *iocb, unsigned int opcode, int fd, const struct iovec *iov,
		     size_t count, int64_t offset)
{
	prep(iocb, opcode, fd, (void *)iov, count, offset);
}

static int64_t run_vec(aio_context_t ctx, unsigned int opcode, int fd, const struct iovec *iov,
		       size_t count, int64_t offset)
{
	struct iocb iocb;

	prep_vec(&iocb, opcode, fd, iov, count, offset);
	return run_one(ctx, &iocb);
}

/* Divides memory into segments of different sizes, some of them empty. */
static size_t divide(struct iovec *iov, unsigned int count, uint8_t *memory)
{
	unsigned int random = count;
	size_t total = 0;
	unsigned int i;

	for (i = 0; i < count; i++) {
		iov[i].iov_base = memory + total;
		iov[i].iov_len = i % 5 == 3 ? 0 : 1 + random_number(&random) % 90;
		total += iov[i].iov_len;
	}
	ASSERT_LE(total, SIZE);
	return total;
}

static const unsigned int counts[] = { 1, 2, 7, 8, 9, 100, IOV_MAX - 1, IOV_MAX };

TEST(file)
{
	aio_context_t ctx = new_context(1);
	static struct iovec iov[IOV_MAX];
	int fd = new_file(0);
	unsigned int i;
	size_t total;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		total = divide(iov, counts[i], bytes);
		fill_pattern(bytes, total, 0, i);
		ASSERT_EQ(total, run_vec(ctx, IOCB_CMD_PWRITEV, fd, iov, counts[i], 1000));
		ASSERT_EQ(total, pread(fd, back, total, 1000));
		EXPECT_TRUE(is_pattern(back, total, 0, i));
		memset(bytes, 0, total);
		ASSERT_EQ(total, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, counts[i], 1000));
		EXPECT_TRUE(is_pattern(bytes, total, 0, i));
		/* the end of the file in the middle of them */
		memset(bytes, 0xee, total);
		ASSERT_EQ(0, ftruncate(fd, 1000 + total / 2));
		EXPECT_EQ(total / 2, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, counts[i], 1000));
		EXPECT_TRUE(is_pattern(bytes, total / 2, 0, i));
		EXPECT_EQ(0xee, bytes[total / 2]);
	}
}

TEST(cold_file)
{
	aio_context_t ctx = new_context(1);
	static struct iovec iov[IOV_MAX];
	size_t total = divide(iov, IOV_MAX, bytes);
	int fd = new_file(SIZE);

	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(total, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, IOV_MAX, 100));
	EXPECT_TRUE(is_pattern(bytes, total, 100, 0));
}

TEST(direct)
{
	aio_context_t ctx = new_context(1);
	uint8_t *memory = aligned_buffer(4 * DIRECT_ALIGN);
	struct iovec iov[3] = {
		{ memory, DIRECT_ALIGN }, { memory + 2 * DIRECT_ALIGN, 0 },
		{ memory + 2 * DIRECT_ALIGN, 2 * DIRECT_ALIGN },
	};
	int fd = reopen(new_file(16 * DIRECT_ALIGN), O_RDWR | O_DIRECT);

	if (fd < 0)
		SKIP("RAIO_TEST_DIR has no O_DIRECT");
	ASSERT_EQ(3 * DIRECT_ALIGN, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 3, DIRECT_ALIGN));
	EXPECT_TRUE(is_pattern(memory, DIRECT_ALIGN, DIRECT_ALIGN, 0));
	EXPECT_TRUE(is_pattern(memory + 2 * DIRECT_ALIGN, 2 * DIRECT_ALIGN, 2 * DIRECT_ALIGN, 0));
}

TEST(pipe)
{
	aio_context_t ctx = new_context(1);
	static struct iovec iov[IOV_MAX];
	unsigned int i;
	size_t total;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		total = divide(iov, counts[i], bytes);
		fill_pattern(bytes, total, 0, i);
		ASSERT_EQ(total, run_vec(ctx, IOCB_CMD_PWRITEV, fds[1], iov, counts[i], 0));
		memset(bytes, 0xee, total);
		ASSERT_EQ(total, run_vec(ctx, IOCB_CMD_PREADV, fds[0], iov, counts[i], 0));
		EXPECT_TRUE(is_pattern(bytes, total, 0, i));
		/* less than they have room for */
		ASSERT_EQ(total, write(fds[1], bytes, total));
		memset(back, 0xee, SIZE);
		divide(iov, counts[i], back);
		iov[counts[i] - 1].iov_len++;
		EXPECT_EQ(total, run_vec(ctx, IOCB_CMD_PREADV, fds[0], iov, counts[i], 0));
		EXPECT_TRUE(is_pattern(back, total, 0, i));
		EXPECT_EQ(0xee, back[total]);
	}
}

TEST(too_many)
{
	aio_context_t ctx = new_context(1);
	static struct iovec iov[IOV_MAX + 1];
	int fd = new_file(100);

	EXPECT_EQ(-EINVAL, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, IOV_MAX + 1, 0));
	EXPECT_EQ(-EINVAL, run_vec(ctx, IOCB_CMD_PWRITEV, fd, iov, IOV_MAX + 1, 0));
	EXPECT_EQ(-EINVAL, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, -1, 0));
	EXPECT_EQ(-EINVAL, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, LONG_MAX, 0));
}

TEST(none)
{
	aio_context_t ctx = new_context(1);
	struct iovec iov[3] = { { bytes, 0 }, { NULL, 0 }, { bytes, 0 } };
	int fd = new_file(100), fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(0, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 0, 0));
	EXPECT_EQ(0, run_vec(ctx, IOCB_CMD_PREADV, fd, NULL, 0, 0));
	EXPECT_EQ(0, run_vec(ctx, IOCB_CMD_PWRITEV, fd, NULL, 0, 0));
	EXPECT_EQ(0, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 1, 0));
	EXPECT_EQ(0, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 3, 0));
	EXPECT_EQ(0, run_vec(ctx, IOCB_CMD_PWRITEV, fd, iov, 3, 0));
	EXPECT_EQ(0, run_vec(ctx, IOCB_CMD_PREADV, fds[0], iov, 3, 0));
	EXPECT_EQ(0, run_vec(ctx, IOCB_CMD_PWRITEV, fds[1], iov, 3, 0));
	EXPECT_EQ(0, run_vec(ctx, IOCB_CMD_PREADV, fds[0], NULL, 0, 0));
}

/* The array itself can't be read: told by submit. */
TEST(bad_array)
{
	aio_context_t ctx = new_context(1);
	struct iovec *iov = guarded_buffer(3 * sizeof(*iov));
	int fd = new_file(100), i;

	for (i = 0; i < 3; i++)
		iov[i] = (struct iovec){ bytes + i, 1 };
	EXPECT_EQ(3, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 3, 0));
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 4, 0));
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 100, 0));
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PREADV, fd, iov + 3, 1, 0));
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PWRITEV, fd, NULL, 1, 0));
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PWRITEV, fd, NULL, IOV_MAX, 0));
}

/* A segment of memory that is not there ends the transfer. */
TEST(bad_segment)
{
	aio_context_t ctx = new_context(1);
	uint8_t *good = guarded_buffer(4096);
	struct iovec iov[3] = {
		{ bytes, 5000 }, { good + 4096, 1000 }, { bytes + 5000, 5000 },
	};
	int fd = new_file(SIZE), fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(5000, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 3, 0));
	EXPECT_TRUE(is_pattern(bytes, 5000, 0, 0));
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PREADV, fd, iov + 1, 2, 0));
	fill_pattern(bytes, 5000, 0, 1);
	EXPECT_EQ(5000, run_vec(ctx, IOCB_CMD_PWRITEV, fd, iov, 3, 0));
	ASSERT_EQ(5000, pread(fd, back, 5000, 0));
	EXPECT_TRUE(is_pattern(back, 5000, 0, 1));

	/* in the middle of one */
	iov[1] = (struct iovec){ good, 8192 };
	EXPECT_EQ(9096, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 3, 0));

	ASSERT_EQ(12000, write(fds[1], back, 12000));
	iov[1].iov_base = good + 4096;
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PREADV, fds[0], iov + 1, 2, 0));
}

/* Not user memory at all: which of the two tells it is the same as in native aio. */
TEST(kernel_segment)
{
	aio_context_t ctx = new_context(1);
	struct iovec iov[2] = { { bytes, 100 }, { (void *)0x8000000000000000UL, 100 } };
	int fd = new_file(SIZE);

	if (sizeof(long) == 4)
		SKIP("a 32-bit program can't name memory of the kernel");
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 2, 0));
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PREADV, fd, iov + 1, 1, 0));
	EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PWRITEV, fd, iov, 2, 0));
}

TEST(lengths)
{
	aio_context_t ctx = new_context(1);
	struct iovec iov[3] = { { bytes, 100 }, { bytes, -1 }, { bytes, 100 } };
	int fd = new_file(1000), i;

	EXPECT_EQ(-EINVAL, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 3, 0));
	iov[1].iov_len = (size_t)LONG_MAX + 1;
	EXPECT_EQ(-EINVAL, run_vec(ctx, IOCB_CMD_PWRITEV, fd, iov, 3, 0));
	/* each is possible, their sum is not: cut to what one call may move */
	for (i = 0; i < 3; i++)
		iov[i] = (struct iovec){ bytes, 1U << 30 };
	EXPECT_EQ(1000, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 3, 0));
	/* more than the address space has is no user memory */
	iov[2].iov_len = LONG_MAX;
	if (sizeof(long) == 8)
		EXPECT_EQ(-EFAULT, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 3, 0));
	/* the offset plus the sum */
	iov[0].iov_len = 100;
	EXPECT_EQ(-EINVAL, run_vec(ctx, IOCB_CMD_PREADV, fd, iov, 1, LLONG_MAX - 50));
}

/* While it waits the program may do with the array what it likes. */
static void check_array_is_copied(unsigned int count)
{
	aio_context_t ctx = new_context(1);
	struct iovec *iov = calloc(count, sizeof(*iov));
	struct io_event event;
	struct iocb iocb;
	size_t total;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	total = divide(iov, count, bytes);
	prep_vec(&iocb, IOCB_CMD_PREADV, fds[0], iov, count, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	memset(iov, 0xee, count * sizeof(*iov));
	free(iov);
	ASSERT_EQ(0, events_now(ctx, &event, 1));
	fill_pattern(back, total, 0, 3);
	ASSERT_EQ(total, write(fds[1], back, total));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(total, (long long)event.res);
	EXPECT_TRUE(is_pattern(bytes, total, 0, 3));
}

TEST_RAIO(array_is_copied, "native: blocks until there is data")
{
	check_array_is_copied(1);
	check_array_is_copied(3);
	check_array_is_copied(100);
	check_array_is_copied(IOV_MAX);
}

/* Pieces that end in the middle of segments. */
TEST_RAIO(write_goes_on, "native: blocks until there is space")
{
	aio_context_t ctx = new_context(1);
	static struct iovec iov[IOV_MAX];
	struct io_event event;
	struct iocb iocb;
	size_t total, done;
	ssize_t ret;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(4096, fcntl(fds[1], F_SETPIPE_SZ, 4096));
	total = divide(iov, IOV_MAX, bytes);
	fill_pattern(bytes, total, 0, 0);
	prep_vec(&iocb, IOCB_CMD_PWRITEV, fds[1], iov, IOV_MAX, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	memset(iov, 0xee, sizeof(iov));
	for (done = 0; done < total; done += ret) {
		ret = read(fds[0], back, 1 + done % 3000);
		ASSERT_LT(0, ret);
		ASSERT_TRUE(is_pattern(back, ret, done, 0));
	}
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(total, (long long)event.res);
}
