// SPDX-License-Identifier: GPL-2.0
/*
 * Description: where a request is wrong in two ways, the errno is that of
 * native aio's first check; each row pairs a check with the next one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "harness.h"

#define BAD_FLAGS	(1 << 30)
#define KERNEL_BUFFER	0x8000000000000000UL

static int file_fd, write_only_fd, directory_fd;

enum { FD_BAD = -1, FD_FILE, FD_WRITE_ONLY, FD_DIRECTORY };

static const struct row {
	const char *name;
	struct iocb iocb;	/* aio_fildes is one of the above */
	bool read_only;		/* the iocb is in memory that can't be written */
	int expected;
} rows[] = {
	{ "reserved2, then fd", { .aio_reserved2 = 1, .aio_fildes = FD_BAD }, false, -EINVAL },
	{ "overflow, then fd", { .aio_nbytes = -1, .aio_fildes = FD_BAD }, false, -EINVAL },
	{ "fd, then key", { .aio_fildes = FD_BAD }, true, -EBADF },
	{ "fd, then opcode", { .aio_fildes = FD_BAD, .aio_lio_opcode = 99 }, false, -EBADF },
	{ "key, then opcode", { .aio_lio_opcode = 99 }, true, -EFAULT },
	{ "key, then rw flags", { .aio_rw_flags = BAD_FLAGS }, true, -EFAULT },
	{ "key, then fsync", { .aio_lio_opcode = IOCB_CMD_FSYNC, .aio_nbytes = 1 }, true, -EFAULT },
	{ "key, then nothing", { .aio_nbytes = 8 }, true, -EFAULT },
	{ "rw flags, then mode", { .aio_rw_flags = BAD_FLAGS, .aio_fildes = FD_WRITE_ONLY }, false,
	  -EOPNOTSUPP },
	{ "rw flags, then directory", { .aio_rw_flags = BAD_FLAGS, .aio_fildes = FD_DIRECTORY },
	  false, -EOPNOTSUPP },
	{ "mode, then buffer", { .aio_fildes = FD_WRITE_ONLY, .aio_buf = KERNEL_BUFFER }, false,
	  -EBADF },
	{ "mode, then offset", { .aio_fildes = FD_WRITE_ONLY, .aio_offset = -1 }, false, -EBADF },
	{ "mode, then directory", { .aio_fildes = FD_DIRECTORY, .aio_lio_opcode = IOCB_CMD_PWRITE },
	  false, -EBADF },
	{ "directory, then buffer", { .aio_fildes = FD_DIRECTORY, .aio_buf = KERNEL_BUFFER }, false,
	  -EINVAL },
	{ "buffer, then offset", { .aio_buf = KERNEL_BUFFER, .aio_nbytes = 1, .aio_offset = -1 },
	  false, -EFAULT },
	{ "offset, then memory", { .aio_nbytes = 1, .aio_offset = -1 }, false, -EINVAL },
	{ "fsync arguments, then file", { .aio_lio_opcode = IOCB_CMD_FSYNC, .aio_nbytes = 1,
	  .aio_fildes = FD_DIRECTORY }, false, -EINVAL },
};

static void open_files(void)
{
	file_fd = new_file(16);
	write_only_fd = reopen(file_fd, O_WRONLY);
	directory_fd = open("/", O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, write_only_fd);
	ASSERT_LE(0, directory_fd);
}

TEST(each)
{
	aio_context_t ctx = new_context(4);
	struct io_event event;
	unsigned int i;

	open_files();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int fds[] = { file_fd, write_only_fd, directory_fd };
		struct iocb iocb = rows[i].iocb, *iocbp = &iocb;

		/* opcode 0, the default of the rows, is a read */
		iocb.aio_fildes = iocb.aio_fildes == (uint32_t)FD_BAD ? 9999 : fds[iocb.aio_fildes];
		if (rows[i].read_only)
			iocbp = read_only_copy(&iocb, sizeof(iocb));
		if (!EXPECT_EQ(rows[i].expected, submit_one(ctx, iocbp)))
			test_note("in \"%s\"", rows[i].name);
		EXPECT_EQ(0, events_now(ctx, &event, 1));
	}
}

/* A full ring is found before the file is looked at, after the iocb is. */
TEST(full_ring)
{
	aio_context_t ctx = new_context(1);
	struct iocb iocb, bad;
	char buf[1];
	int ret;

	open_files();
	prep(&iocb, IOCB_CMD_PREAD, file_fd, buf, 1, 0);
	do {
		ret = submit_one(ctx, &iocb);
	} while (ret == 1);
	EXPECT_EQ(-EAGAIN, ret);

	prep(&bad, IOCB_CMD_PREAD, 9999, buf, 1, 0);
	EXPECT_EQ(-EAGAIN, submit_one(ctx, &bad));
	prep(&bad, 99, file_fd, buf, 1, 0);
	EXPECT_EQ(-EAGAIN, submit_one(ctx, &bad));
	bad.aio_reserved2 = 1;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &bad));
	EXPECT_EQ(-EFAULT, submit_one(ctx, NULL));
}

/* The key is written by submit, whatever was there; also where the opcode is bad. */
TEST(key_is_written)
{
	aio_context_t ctx = new_context(1);
	struct io_event event;
	struct iocb iocb;
	char buf[1];

	open_files();
	prep(&iocb, IOCB_CMD_PREAD, file_fd, buf, 1, 0);
	iocb.aio_key = 0xdeadbeef;
	EXPECT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_NE(0xdeadbeef, iocb.aio_key);
	EXPECT_EQ(1, events_wait(ctx, &event, 1));

	prep(&iocb, 99, file_fd, buf, 1, 0);
	iocb.aio_key = 0xdeadbeef;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	/* raio has no key for a request that it did not take */
	if (is_native())
		EXPECT_EQ(0, iocb.aio_key);
}
