// SPDX-License-Identifier: GPL-2.0
/*
 * Description: what RAIO_IOC_REGISTER takes and refuses, what it counts against the
 * process's limits and gives back, and what requests must not name.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "registered.h"

#define WHY "it registers nothing"
#define NOBODY 65534
#define BUFFER RAIO_IOCB_FLAG_FIXED_BUFFER
#define FILE_ RAIO_IOCB_FLAG_FIXED_FILE

static uint8_t *page;

static aio_context_t context_and_page(void)
{
	page = aligned_buffer(2 * DIRECT_ALIGN);
	return new_context(8);
}

TEST_RAIO(once_each, WHY)
{
	aio_context_t ctx = context_and_page();
	struct iovec iovec = { page, DIRECT_ALIGN };
	int32_t fd = new_file(10);

	EXPECT_EQ(-ENXIO, unregister_buffers(ctx));
	EXPECT_EQ(-ENXIO, unregister_files(ctx));
	EXPECT_EQ(0, register_buffers(ctx, &iovec, 1));
	EXPECT_EQ(0, register_files(ctx, &fd, 1));
	EXPECT_EQ(-EBUSY, register_buffers(ctx, &iovec, 1));
	EXPECT_EQ(-EBUSY, register_files(ctx, &fd, 1));
	EXPECT_EQ(0, unregister_buffers(ctx));
	EXPECT_EQ(-ENXIO, unregister_buffers(ctx));
	EXPECT_EQ(0, register_buffers(ctx, &iovec, 1));
	EXPECT_EQ(0, unregister_files(ctx));
	EXPECT_EQ(-ENXIO, unregister_files(ctx));
	EXPECT_EQ(0, register_files(ctx, &fd, 1));
	expect_works(ctx);
}

TEST_RAIO(arguments, WHY)
{
	aio_context_t ctx = context_and_page();
	struct iovec iovec = { page, DIRECT_ALIGN };
	struct raio_register arg = { .ctx_id = ctx, .nr = 1, .array = (uintptr_t)&iovec };

	arg.flags = 1;
	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_REGISTER, &arg));
	arg.flags = 0;
	arg.opcode = 4;
	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_REGISTER, &arg));
	arg.opcode = RAIO_REGISTER_BUFFERS;
	arg.ctx_id = ctx + DIRECT_ALIGN;
	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_REGISTER, &arg));
	arg.ctx_id = ctx;
	arg.nr = 0;
	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_REGISTER, &arg));
	arg.opcode = RAIO_UNREGISTER_BUFFERS;
	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_REGISTER, &arg));
	arg.nr = 1;
	arg.array = 0;
	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_REGISTER, &arg));
	EXPECT_EQ(-EINVAL, register_buffers(ctx, &iovec, UINT_MAX));
	EXPECT_EQ(-EMFILE, register_files(ctx, &(int32_t){ 0 }, UINT_MAX));
	EXPECT_EQ(-EFAULT, register_buffers(ctx, NULL, 1));
	EXPECT_EQ(-EFAULT, register_files(ctx, NULL, 1));
	EXPECT_EQ(-ENXIO, unregister_buffers(ctx));
	EXPECT_EQ(-ENXIO, unregister_files(ctx));
}

/* It must be there, and be written to, for as long as it takes. */
TEST_RAIO(memory, WHY)
{
	aio_context_t ctx = context_and_page();
	long before = status_kib("VmPin");
	uint8_t *file = mmap(NULL, DIRECT_ALIGN, PROT_READ | PROT_WRITE, MAP_SHARED,
			     new_file(DIRECT_ALIGN), 0);
	const struct iovec bad[] = {
		{ NULL, DIRECT_ALIGN },
		{ page, 0 },
		{ (void *)-DIRECT_ALIGN, DIRECT_ALIGN },
		{ (void *)-1L, 2 },
		{ page, SIZE_MAX },
		{ page, (1UL << 30) + 1 },
		{ guarded_buffer(100), 101 },
		{ read_only_copy(page, 100), 100 },
		{ (void *)ctx, 1 << 20 },
		{ file, DIRECT_ALIGN },
	};
	struct iovec both[2] = { { page, DIRECT_ALIGN } };
	unsigned int i;

	ASSERT_TRUE(file != MAP_FAILED);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		both[1] = bad[i];
		if (!EXPECT_EQ(-EFAULT, register_buffers(ctx, both, 2)))
			test_note("case %u", i);
		EXPECT_EQ(before, status_kib("VmPin"));
	}
	EXPECT_EQ(-ENXIO, unregister_buffers(ctx));
}

TEST_RAIO(descriptors, WHY)
{
	aio_context_t ctx = context_and_page();
	int32_t fds[2] = { new_file(10) };

	fds[1] = INT_MAX;
	EXPECT_EQ(-EBADF, register_files(ctx, fds, 2));
	fds[1] = -2;
	EXPECT_EQ(-EBADF, register_files(ctx, fds, 2));
	fds[1] = open("/", O_PATH);
	EXPECT_EQ(-EBADF, register_files(ctx, fds, 2));
	fds[1] = raio_fd();
	EXPECT_EQ(-EINVAL, register_files(ctx, fds, 2));
	EXPECT_EQ(-ENXIO, unregister_files(ctx));
}

TEST_RAIO(file_limit, WHY)
{
	aio_context_t ctx = context_and_page();
	struct rlimit limit;
	int32_t fds[65];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = -1;
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 64;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, register_files(ctx, fds, 65));
	EXPECT_EQ(0, register_files(ctx, fds, 64));
}

/* As VmPin says, until it is unregistered, or the context ends. */
TEST_RAIO(is_accounted, WHY)
{
	long before = status_kib("VmPin"), ring;
	aio_context_t ctx = context_and_page();
	struct iovec iovecs[3] = {
		{ page + 1, 1 },			/* a page */
		{ NULL, 0 },				/* none */
		{ page + DIRECT_ALIGN - 1, 2 },		/* two */
	};

	ring = status_kib("VmPin") - before;
	ASSERT_EQ(0, register_buffers(ctx, iovecs, 3));
	EXPECT_EQ(ring + 3 * 4, status_kib("VmPin") - before);
	EXPECT_EQ(0, unregister_buffers(ctx));
	EXPECT_EQ(ring, status_kib("VmPin") - before);
	ASSERT_EQ(0, register_buffers(ctx, iovecs, 3));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(before, status_kib("VmPin"));
}

TEST_RAIO(memlock, WHY)
{
	struct rlimit limit = { 0, 0 };
	aio_context_t ctx = context_and_page();
	struct iovec iovec = { page, DIRECT_ALIGN };
	long before = status_kib("VmPin");

	need_root("who gives it up");
	limit.rlim_max = before * 1024 + DIRECT_ALIGN - 1;
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	EXPECT_EQ(-ENOMEM, register_buffers(ctx, &iovec, 1));
	EXPECT_EQ(before, status_kib("VmPin"));
	expect_works(ctx);
}

/* What a request may not say of them. */
TEST_RAIO(refused, WHY)
{
	aio_context_t ctx = context_and_page();
	int32_t fds[2] = { new_file(DIRECT_ALIGN), -1 };
	struct iovec iovecs[2] = { { page, 100 } };
	const struct {
		unsigned int opcode;
		uint32_t flags, file;
		uint64_t buffer;
		void *buf;
		size_t size;
		int error;
	} cases[] = {
		/* no such buffer, a gap, and what is not all inside */
		{ IOCB_CMD_PREAD, BUFFER, fds[0], 1, page, 1, -EFAULT },
		{ IOCB_CMD_PREAD, BUFFER, fds[0], 2, page, 1, -EFAULT },
		{ IOCB_CMD_PREAD, BUFFER, fds[0], 1ULL << 32, page, 1, -EFAULT },
		{ IOCB_CMD_PREAD, BUFFER, fds[0], 0, page, 101, -EFAULT },
		{ IOCB_CMD_PREAD, BUFFER, fds[0], 0, page + 99, 2, -EFAULT },
		{ IOCB_CMD_PREAD, BUFFER, fds[0], 0, page - 1, 2, -EFAULT },
		{ IOCB_CMD_PREAD, BUFFER, fds[0], 0, NULL, 1, -EFAULT },
		{ IOCB_CMD_PWRITE, BUFFER, fds[0], 0, page, LONG_MAX, -EFAULT },
		/* no such file, a gap, and a descriptor where an index is wanted */
		{ IOCB_CMD_PREAD, FILE_, 1, 0, page, 1, -EBADF },
		{ IOCB_CMD_PREAD, FILE_, 2, 0, page, 1, -EBADF },
		{ IOCB_CMD_FSYNC, FILE_, -1U, 0, NULL, 0, -EBADF },
		/* what has neither */
		{ IOCB_CMD_NOOP, FILE_, 0, 0, NULL, 0, -EINVAL },
		{ IOCB_CMD_NOOP, BUFFER, 0, 0, NULL, 0, -EINVAL },
		{ IOCB_CMD_FSYNC, BUFFER, fds[0], 0, NULL, 0, -EINVAL },
		{ IOCB_CMD_POLL, BUFFER, fds[0], 0, NULL, 0, -EINVAL },
		{ IOCB_CMD_PREAD, FILE_, 0, 1, page, 1, -EINVAL },
		{ IOCB_CMD_PREAD, 0, fds[0], 1, page, 1, -EINVAL },
	};
	struct iocb iocb;
	unsigned int i;

	ASSERT_EQ(0, register_buffers(ctx, iovecs, 2));
	ASSERT_EQ(0, register_files(ctx, fds, 2));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		prep(&iocb, cases[i].opcode, cases[i].file, cases[i].buf, cases[i].size, 0);
		iocb.aio_flags = cases[i].flags;
		iocb.aio_reserved2 = cases[i].buffer;
		if (!EXPECT_EQ(cases[i].error, submit_one(ctx, &iocb)))
			test_note("case %u", i);
	}
	expect_works(ctx);
}

/* With nothing registered no index is one. */
TEST_RAIO(nothing_registered, WHY)
{
	aio_context_t ctx = context_and_page();
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), page, 1, 0);
	fix_buffer(&iocb, 0);
	EXPECT_EQ(-EFAULT, submit_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PREAD, -1, page, 1, 0);
	fix_file(&iocb, 0);
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocb));
}
