// SPDX-License-Identifier: GPL-2.0
/*
 * Description: what makes a request wrong is told by the errno of submit or by
 * the event, as native aio does; a program that checks for one of them relies on it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

enum file { FILE_RDWR, FILE_RDONLY, FILE_WRONLY, FILE_PATH, FILE_NONE, FILE_DIR, FILE_INOTIFY,
	    FILE_PIPE, FILE_NR };
enum memory { MEM_GOOD, MEM_NULL, MEM_NONE, MEM_READ_ONLY, MEM_KERNEL, MEM_NR };

/* newer than some C libraries' headers */
#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND	0x20
#endif
#ifndef RWF_ATOMIC
#define RWF_ATOMIC	0x40
#endif

#define NO_EVENT INT_MIN
#define SIZE 512

/* A request, what submit says (1 if it was taken), and its event. */
static const struct row {
	const char *name;
	enum file file;
	enum memory memory;
	struct iocb iocb;
	int submit;
	int event;
} rows[] = {
#define READ_(...)	{ .aio_lio_opcode = IOCB_CMD_PREAD, .aio_nbytes = SIZE, ##__VA_ARGS__ }
#define WRITE_(...)	{ .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_nbytes = SIZE, ##__VA_ARGS__ }
#define OP_(_op, ...)	{ .aio_lio_opcode = _op, ##__VA_ARGS__ }
	{ "read", 0, 0, READ_(), 1, SIZE },
	{ "write", 0, 0, WRITE_(), 1, SIZE },
	{ "read, no such fd", FILE_NONE, 0, READ_(), -EBADF, NO_EVENT },
	{ "read, O_PATH", FILE_PATH, 0, READ_(), -EBADF, NO_EVENT },
	{ "read, O_WRONLY", FILE_WRONLY, 0, READ_(), -EBADF, NO_EVENT },
	{ "write, O_RDONLY", FILE_RDONLY, 0, WRITE_(), -EBADF, NO_EVENT },
	{ "read, directory", FILE_DIR, 0, READ_(), -EINVAL, NO_EVENT },
	{ "write, directory", FILE_DIR, 0, WRITE_(), -EBADF, NO_EVENT },
	{ "read, inotify", FILE_INOTIFY, 0, READ_(), -EINVAL, NO_EVENT },
	{ "aio_reserved2", 0, 0, READ_(.aio_reserved2 = 1), -EINVAL, NO_EVENT },
	{ "unknown rw flags, read", 0, 0, READ_(.aio_rw_flags = 1 << 30), -EOPNOTSUPP, NO_EVENT },
	{ "unknown rw flags, write", 0, 0, WRITE_(.aio_rw_flags = 1 << 30), -EOPNOTSUPP, NO_EVENT },
	{ "RWF_APPEND and RWF_NOAPPEND", 0, 0, WRITE_(.aio_rw_flags = RWF_APPEND | RWF_NOAPPEND),
	  -EINVAL, NO_EVENT },
	{ "RWF_HIPRI is nothing", 0, 0, READ_(.aio_rw_flags = RWF_HIPRI), 1, SIZE },
	{ "RWF_ATOMIC read", 0, 0, READ_(.aio_rw_flags = RWF_ATOMIC), -EOPNOTSUPP, NO_EVENT },
	{ "unknown aio_flags", 0, 0, READ_(.aio_flags = 1U << 15), 1, SIZE },
	{ "unknown aio_flags, fsync", 0, MEM_NULL, OP_(IOCB_CMD_FSYNC, .aio_flags = 4), 1, 0 },
	{ "aio_reqprio without its flag", 0, 0, READ_(.aio_reqprio = 0x7fff), 1, SIZE },
	{ "aio_resfd without its flag", 0, 0, READ_(.aio_resfd = 12345), 1, SIZE },
	{ "aio_key of the user", 0, 0, READ_(.aio_key = 77), 1, SIZE },
	{ "nbytes negative", 0, 0, OP_(IOCB_CMD_PREAD, .aio_nbytes = -1), -EINVAL, NO_EVENT },
	{ "nbytes LONG_MIN", 0, 0, OP_(IOCB_CMD_PWRITE, .aio_nbytes = 1ULL << 63), -EINVAL,
	  NO_EVENT },
	{ "nbytes beyond user space", 0, 0, OP_(IOCB_CMD_PREAD, .aio_nbytes = LONG_MAX), 1, 4096 },
	{ "offset negative, read", 0, 0, READ_(.aio_offset = -1), -EINVAL, NO_EVENT },
	{ "offset negative, write", 0, 0, WRITE_(.aio_offset = LLONG_MIN), -EINVAL, NO_EVENT },
	{ "offset negative, pipe", FILE_PIPE, 0, READ_(.aio_offset = -1), -EINVAL, NO_EVENT },
	{ "offset overflows, read", 0, 0, READ_(.aio_offset = LLONG_MAX - 1), -EINVAL, NO_EVENT },
	{ "offset overflows, write", 0, 0, WRITE_(.aio_offset = LLONG_MAX - 1), -EINVAL, NO_EVENT },
	{ "offset at the end, nothing to read", 0, 0,
	  OP_(IOCB_CMD_PREAD, .aio_offset = LLONG_MAX), 1, 0 },
	{ "offset of a pipe is nothing", FILE_PIPE, 0, READ_(.aio_offset = 1 << 20), 1, 8 },
	{ "buffer NULL, read", 0, MEM_NULL, READ_(), 1, -EFAULT },
	{ "buffer NULL, write", 0, MEM_NULL, WRITE_(), 1, -EFAULT },
	{ "buffer PROT_NONE, read", 0, MEM_NONE, READ_(), 1, -EFAULT },
	{ "buffer PROT_NONE, write", 0, MEM_NONE, WRITE_(), 1, -EFAULT },
	{ "buffer PROT_READ, read", 0, MEM_READ_ONLY, READ_(), 1, -EFAULT },
	{ "buffer PROT_READ, write", 0, MEM_READ_ONLY, WRITE_(), 1, SIZE },
	{ "buffer of the kernel, read", 0, MEM_KERNEL, READ_(), -EFAULT, NO_EVENT },
	{ "buffer of the kernel, write", 0, MEM_KERNEL, WRITE_(), -EFAULT, NO_EVENT },
	{ "buffer of the kernel, no bytes", 0, MEM_KERNEL, OP_(IOCB_CMD_PREAD), -EFAULT, NO_EVENT },
	{ "opcode 4", 0, MEM_NULL, OP_(4), -EINVAL, NO_EVENT },
	{ "opcode 9", 0, MEM_NULL, OP_(9), -EINVAL, NO_EVENT },
	{ "opcode 0xffff", 0, MEM_NULL, OP_(0xffff), -EINVAL, NO_EVENT },
	{ "fsync", 0, MEM_NULL, OP_(IOCB_CMD_FSYNC), 1, 0 },
	{ "fdsync", 0, MEM_NULL, OP_(IOCB_CMD_FDSYNC), 1, 0 },
	{ "fsync, O_RDONLY", FILE_RDONLY, MEM_NULL, OP_(IOCB_CMD_FSYNC), 1, 0 },
	{ "fsync, directory", FILE_DIR, MEM_NULL, OP_(IOCB_CMD_FSYNC), 1, 0 },
	{ "fsync, no such fd", FILE_NONE, MEM_NULL, OP_(IOCB_CMD_FSYNC), -EBADF, NO_EVENT },
	{ "fsync, pipe", FILE_PIPE, MEM_NULL, OP_(IOCB_CMD_FSYNC), -EINVAL, NO_EVENT },
	{ "fdsync, pipe", FILE_PIPE, MEM_NULL, OP_(IOCB_CMD_FDSYNC), -EINVAL, NO_EVENT },
	{ "fsync, buf", 0, 0, OP_(IOCB_CMD_FSYNC), -EINVAL, NO_EVENT },
	{ "fsync, nbytes", 0, MEM_NULL, OP_(IOCB_CMD_FSYNC, .aio_nbytes = 1), -EINVAL, NO_EVENT },
	{ "fsync, offset", 0, MEM_NULL, OP_(IOCB_CMD_FSYNC, .aio_offset = 1), -EINVAL, NO_EVENT },
	{ "fsync, rw_flags", 0, MEM_NULL, OP_(IOCB_CMD_FSYNC, .aio_rw_flags = RWF_HIPRI), -EINVAL,
	  NO_EVENT },
	{ "fdsync, rw_flags", 0, MEM_NULL, OP_(IOCB_CMD_FDSYNC, .aio_rw_flags = 1 << 30), -EINVAL,
	  NO_EVENT },
	{ "fsync, reqprio", 0, MEM_NULL, OP_(IOCB_CMD_FSYNC, .aio_reqprio = 5), 1, 0 },
};

static int fds[FILE_NR];
static void *buffers[MEM_NR];
/* not canonical, so never user memory on any 64-bit machine; more than a 32-bit pointer holds */
#define KERNEL_ADDRESS	0x8000000000000000ULL

static void open_files(void)
{
	int base = new_file(4096), pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	fds[FILE_RDWR] = base;
	fds[FILE_RDONLY] = reopen(base, O_RDONLY);
	fds[FILE_WRONLY] = reopen(base, O_WRONLY);
	fds[FILE_PATH] = open("/", O_PATH);
	fds[FILE_NONE] = 9999;
	fds[FILE_DIR] = open("/", O_RDONLY | O_DIRECTORY);
	fds[FILE_INOTIFY] = inotify_init();
	fds[FILE_PIPE] = pipes[0];
	ASSERT_EQ(8, write(pipes[1], "ready...", 8));

	buffers[MEM_GOOD] = guarded_buffer(4096);
	buffers[MEM_NONE] = (char *)guarded_buffer(4096) + 4096;
	buffers[MEM_READ_ONLY] = read_only_copy("", 1);
}

TEST(each)
{
	aio_context_t ctx = new_context(4);
	struct io_event event;
	unsigned int i;

	open_files();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct iocb iocb = row->iocb;
		bool ok;
		int ret;

		iocb.aio_fildes = fds[row->file];
		iocb.aio_buf = row->memory == MEM_KERNEL ? KERNEL_ADDRESS :
			       (uintptr_t)buffers[row->memory];
		memset(&event, 0, sizeof(event));
		ret = submit_one(ctx, &iocb);
		ok = EXPECT_EQ(row->submit, ret);
		if (ret == 1) {
			ASSERT_EQ(1, events_wait(ctx, &event, 1));
			ok &= EXPECT_EQ(row->event, (long long)event.res);
			ok &= EXPECT_EQ(0, event.res2);
			ok &= EXPECT_EQ((uintptr_t)&iocb, event.obj);
		} else {
			ok &= EXPECT_EQ(0, events_now(ctx, &event, 1));
		}
		if (!ok)
			test_note("in \"%s\"", row->name);
	}
	EXPECT_EQ(0, be_destroy(ctx));
}

/* What depends on the file system: the system call is the measure. */
TEST(as_the_system_call)
{
	aio_context_t ctx = new_context(4);
	struct iovec iov = { .iov_len = SIZE };
	struct iocb iocb;
	ssize_t expected;

	open_files();
	iov.iov_base = buffers[MEM_GOOD];
	prep(&iocb, IOCB_CMD_PREAD, fds[FILE_RDWR], buffers[MEM_GOOD], SIZE, 0);
	iocb.aio_rw_flags = RWF_NOWAIT;
	expected = preadv2(fds[FILE_RDWR], &iov, 1, 0, RWF_NOWAIT);
	EXPECT_EQ(expected < 0 ? -errno : expected, run_one(ctx, &iocb));

	/* no FMODE_NOWAIT: told by submit */
	iocb.aio_fildes = open("/proc/uptime", O_RDONLY);
	EXPECT_EQ(-EOPNOTSUPP, submit_one(ctx, &iocb));

	/* beyond what the file system can hold */
	prep(&iocb, IOCB_CMD_PWRITE, fds[FILE_RDWR], buffers[MEM_GOOD], SIZE, LLONG_MAX - SIZE);
	expected = pwrite(fds[FILE_RDWR], buffers[MEM_GOOD], SIZE, LLONG_MAX - SIZE);
	EXPECT_EQ(expected < 0 ? -errno : expected, run_one(ctx, &iocb));
}
