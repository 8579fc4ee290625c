// SPDX-License-Identifier: GPL-2.0
/*
 * Description: libraio's registered buffers and files, as a program has them that
 * includes <libraio.h> and makes its requests with libaio's functions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

/*
 * libaio has an iocb and an io_event of its own.  What libraio.h defines as
 * <linux/raio.h> does has to be the same, or this does not compile.
 */
#define iocb libaio_iocb
#define io_event libaio_event
#include "../lib/libraio/libraio.h"
#undef iocb
#undef io_event

#define UNTOUCHED	4711
#define SIZE		(2 * DIRECT_ALIGN)

static io_context_t ctx;
static uint8_t *buf;

static void start(void)
{
	buf = aligned_buffer(SIZE);
	ASSERT_EQ(0, io_setup(8, &ctx));
	errno = UNTOUCHED;
}

static void register_buf(void)
{
	struct iovec iovecs[3] = { { NULL, 0 }, { buf, SIZE }, { NULL, 0 } };

	ASSERT_EQ(0, raio_register(ctx, RAIO_REGISTER_BUFFERS, iovecs, 3));
}

/* The file is of index 2, and has no descriptor any more. */
static void register_file(int fd)
{
	int fds[3] = { -1, -1, fd };

	ASSERT_EQ(0, raio_register(ctx, RAIO_REGISTER_FILES, fds, 3));
	close(fd);
}

static long run(struct libaio_iocb *iocb)
{
	struct libaio_iocb *list[] = { iocb };
	struct libaio_event event = { 0 };
	int ret = io_submit(ctx, 1, list);

	if (ret != 1)
		return ret;
	EXPECT_EQ(1, io_getevents(ctx, 1, 1, &event, NULL));
	EXPECT_TRUE(event.obj == iocb);
	return event.res;
}

/* With the memory out of reach for whoever looks at addresses. */
static long run_hidden(struct libaio_iocb *iocb)
{
	long ret;

	ASSERT_EQ(0, mprotect(buf, SIZE, PROT_NONE));
	ret = run(iocb);
	ASSERT_EQ(0, mprotect(buf, SIZE, PROT_READ | PROT_WRITE));
	return ret;
}

TEST_RAIO(fields, "libraio's")
{
	struct libaio_iocb iocb;
	struct iocb kernels;

	io_prep_pwrite(&iocb, 3, buf, 5, 7);
	io_set_eventfd(&iocb, 9);
	raio_set_fixed_buffer(&iocb, UINT_MAX);
	raio_set_fixed_file(&iocb, 13);
	ASSERT_EQ(sizeof(kernels), sizeof(iocb));
	memcpy(&kernels, &iocb, sizeof(kernels));
	EXPECT_EQ(UINT_MAX, kernels.aio_reserved2);
	EXPECT_EQ(13, kernels.aio_fildes);
	EXPECT_EQ(IOCB_FLAG_RESFD | RAIO_IOCB_FLAG_FIXED_BUFFER | RAIO_IOCB_FLAG_FIXED_FILE,
		  kernels.aio_flags);
	EXPECT_EQ(9, kernels.aio_resfd);
	EXPECT_EQ(5, kernels.aio_nbytes);
	EXPECT_EQ(7, kernels.aio_offset);
}

TEST_RAIO(buffers, "libraio's")
{
	struct iovec iovecs[2];
	struct libaio_iocb iocb;
	int fd = new_file(SIZE);

	start();
	register_buf();
	io_prep_pread(&iocb, fd, buf + 100, 5000, 200);
	EXPECT_EQ(-EFAULT, run_hidden(&iocb));
	raio_set_fixed_buffer(&iocb, 1);
	EXPECT_EQ(5000, run_hidden(&iocb));
	EXPECT_TRUE(is_pattern(buf + 100, 5000, 200, 0));
	raio_set_fixed_buffer(&iocb, 2);
	EXPECT_EQ(-EFAULT, run(&iocb));

	iovecs[0] = (struct iovec){ buf + 10, 20 };
	iovecs[1] = (struct iovec){ buf + 5000, 30 };
	io_prep_preadv(&iocb, fd, iovecs, 2, 1000);
	raio_set_fixed_buffer(&iocb, 1);
	EXPECT_EQ(50, run_hidden(&iocb));
	EXPECT_TRUE(is_pattern(buf + 10, 20, 1000, 0));
	EXPECT_TRUE(is_pattern(buf + 5000, 30, 1020, 0));

	EXPECT_EQ(0, raio_register(ctx, RAIO_UNREGISTER_BUFFERS, NULL, 0));
	EXPECT_EQ(-EFAULT, run(&iocb));
	EXPECT_EQ(UNTOUCHED, errno);
}

TEST_RAIO(files, "libraio's")
{
	struct libaio_iocb iocb;

	start();
	register_file(new_file(SIZE));
	io_prep_pread(&iocb, -1, buf, 100, 200);
	raio_set_fixed_file(&iocb, 2);
	EXPECT_EQ(100, run(&iocb));
	EXPECT_TRUE(is_pattern(buf, 100, 200, 0));
	io_prep_fdsync(&iocb, -1);
	raio_set_fixed_file(&iocb, 2);
	EXPECT_EQ(0, run(&iocb));
	raio_set_fixed_file(&iocb, 1);
	EXPECT_EQ(-EBADF, run(&iocb));
	EXPECT_EQ(0, raio_register(ctx, RAIO_UNREGISTER_FILES, NULL, 0));
	raio_set_fixed_file(&iocb, 2);
	EXPECT_EQ(-EBADF, run(&iocb));
	EXPECT_EQ(UNTOUCHED, errno);
}

TEST_RAIO(arguments, "libraio's")
{
	int fd = new_file(1), bad = INT_MAX;
	struct iovec iovec;

	start();
	iovec = (struct iovec){ buf, SIZE };
	EXPECT_EQ(-EINVAL, raio_register(ctx, 4, NULL, 0));
	EXPECT_EQ(-EINVAL, raio_register(ctx, RAIO_REGISTER_BUFFERS, &iovec, 0));
	EXPECT_EQ(-EINVAL, raio_register(NULL, RAIO_REGISTER_FILES, &fd, 1));
	EXPECT_EQ(-EFAULT, raio_register(ctx, RAIO_REGISTER_BUFFERS, NULL, 1));
	EXPECT_EQ(-EBADF, raio_register(ctx, RAIO_REGISTER_FILES, &bad, 1));
	EXPECT_EQ(-ENXIO, raio_register(ctx, RAIO_UNREGISTER_FILES, NULL, 0));
	EXPECT_EQ(0, raio_register(ctx, RAIO_REGISTER_FILES, &fd, 1));
	EXPECT_EQ(-EBUSY, raio_register(ctx, RAIO_REGISTER_FILES, &fd, 1));
	EXPECT_EQ(0, io_destroy(ctx));
	EXPECT_EQ(-EINVAL, raio_register(ctx, RAIO_REGISTER_FILES, &fd, 1));
	EXPECT_EQ(UNTOUCHED, errno);
}

/* The module is older than the library: it says what it says to any ioctl it does not know. */
TEST_RAIO(unknown_to_the_module, "libraio's")
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RAIO_IOC_REGISTER, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };
	struct libaio_iocb iocb;
	int fd = new_file(1);

	start();
	ASSERT_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	ASSERT_EQ(0, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	EXPECT_EQ(-ENOSYS, raio_register(ctx, RAIO_REGISTER_FILES, &fd, 1));
	io_prep_pread(&iocb, fd, buf, 1, 0);
	EXPECT_EQ(1, run(&iocb));
}
