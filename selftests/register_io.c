// SPDX-License-Identifier: GPL-2.0
/*
 * Description: requests with registered buffers and files do what others do, and keep
 * what they use when it is closed, unmapped and unregistered meanwhile.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "registered.h"

#define WHY "it registers nothing"
#define SIZE (5 * DIRECT_ALIGN)

/* Reads, writes and reads back, at odd places of an odd buffer. */
static void transfer_all(int fd, unsigned int align)
{
	aio_context_t ctx = new_context(8);
	uint8_t *memory = aligned_buffer(SIZE + DIRECT_ALIGN), *base = memory + 100 / align * align;
	static const unsigned int places[][2] = {
		{ 0, SIZE }, { 0, 4096 }, { 512, 512 }, { 4096, 8192 }, { 3584, 1024 },
		{ SIZE - 512, 512 }, { 4608, 12288 },
	};
	struct iocb iocb;
	unsigned int i;

	register_buffer(ctx, base, SIZE);
	register_file(ctx, fd);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		unsigned int at = places[i][0], size = places[i][1];

		fill_pattern(base + at, size, at, i);
		prep(&iocb, IOCB_CMD_PWRITE, -1, base + at, size, at);
		fix_buffer(&iocb, 0);
		fix_file(&iocb, 0);
		EXPECT_EQ(size, run_one(ctx, &iocb));
		memset(memory, 0xee, SIZE + DIRECT_ALIGN);
		iocb.aio_lio_opcode = IOCB_CMD_PREAD;
		EXPECT_EQ(size, run_one(ctx, &iocb));
		EXPECT_TRUE(is_pattern(base + at, size, at, i));
		EXPECT_TRUE((base + at == memory || base[(int)at - 1] == 0xee) &&
			    base[at + size] == 0xee);
	}
}

TEST_RAIO(buffered, WHY)
{
	transfer_all(new_file(SIZE), 1);
}

TEST_RAIO(direct, WHY)
{
	int fd = reopen(new_file(SIZE), O_RDWR | O_DIRECT);

	if (fd < 0)
		SKIP("no O_DIRECT there");
	transfer_all(fd, 512);
}

TEST_RAIO(tmpfs, WHY)
{
	int fd = memfd_create("raio", 0);

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	transfer_all(fd, 1);
}

TEST_RAIO(block_device, WHY)
{
	struct nullb nullb;
	int fd;

	nullb_create(&nullb, &(struct nullb_options){ .size_mb = 1, .memory_backed = true });
	fd = nullb_open(&nullb, true);
	transfer_all(fd, 512);
	close(fd);
	nullb_remove(&nullb);
}

/* As far as the file goes. */
TEST_RAIO(end_of_file, WHY)
{
	aio_context_t ctx = new_context(8);
	uint8_t *buf = aligned_buffer(SIZE);
	struct iocb iocb;

	register_buffer(ctx, buf, SIZE);
	register_file(ctx, new_file(1000));
	prep(&iocb, IOCB_CMD_PREAD, -1, buf, SIZE, 100);
	fix_buffer(&iocb, 0);
	fix_file(&iocb, 0);
	EXPECT_EQ(900, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 900, 100, 0));
	prep(&iocb, IOCB_CMD_PREAD, -1, buf + SIZE, 0, 0);
	fix_buffer(&iocb, 0);
	fix_file(&iocb, 0);
	EXPECT_EQ(0, run_one(ctx, &iocb));
}

static bool has_huge_pages(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "AnonHugePages: %ld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib >= 4096;
}

/* Pages of 2 MiB, where the machine has some to give. */
TEST_RAIO(huge_pages, WHY)
{
	size_t size = 4UL << 20, at;
	uint8_t *buf = mmap(NULL, size + (2UL << 20), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	aio_context_t ctx = new_context(8);
	int fd = new_file(size);
	struct iocb iocb;

	ASSERT_TRUE(buf != MAP_FAILED);
	buf = (uint8_t *)(((uintptr_t)buf | ((2UL << 20) - 1)) + 1);
	if (madvise(buf, size, MADV_HUGEPAGE))
		SKIP("no huge pages");
	memset(buf, 0, size);
	if (!has_huge_pages())
		SKIP("no huge pages to be had");
	register_buffer(ctx, buf + 4096 + 8, size - 8192);
	for (at = 4096 + 8; at + 300000 < size - 4096; at += 700001) {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf + at, 300000, at);
		fix_buffer(&iocb, 0);
		EXPECT_EQ(300000, run_one(ctx, &iocb));
		EXPECT_TRUE(is_pattern(buf + at, 300000, at, 0));
	}
}

TEST_RAIO(vectored, WHY)
{
	aio_context_t ctx = new_context(8);
	uint8_t *buf = aligned_buffer(SIZE), *other = aligned_buffer(DIRECT_ALIGN);
	struct iovec iovecs[7] = {
		{ buf + 10, 1 }, { buf + 4000, 200 }, { buf, 0 }, { buf + 8192, 8192 },
		{ buf + 100, 100 }, { buf + SIZE - 1, 1 }, { buf + 300, 6 },
	};
	struct iocb iocb;
	size_t i, at = 0;

	register_buffer(ctx, buf, SIZE);
	prep(&iocb, IOCB_CMD_PREADV, new_file(8500), iovecs, 7, 0);
	fix_buffer(&iocb, 0);
	EXPECT_EQ(8500, run_one(ctx, &iocb));
	for (i = 0; i < 7; at += iovecs[i].iov_len, i++)
		EXPECT_TRUE(is_pattern(iovecs[i].iov_base, iovecs[i].iov_len, at, 0));
	iocb.aio_lio_opcode = IOCB_CMD_PWRITEV;
	EXPECT_EQ(8500, run_one(ctx, &iocb));
	/* one in place, and one that is elsewhere */
	iocb.aio_nbytes = 1;
	EXPECT_EQ(1, run_one(ctx, &iocb));
	iovecs[6].iov_base = other;
	iocb.aio_nbytes = 7;
	EXPECT_EQ(-EFAULT, submit_one(ctx, &iocb));
	iovecs[6].iov_base = buf + SIZE - 5;
	EXPECT_EQ(-EFAULT, submit_one(ctx, &iocb));
	iocb.aio_nbytes = 0;
	EXPECT_EQ(0, run_one(ctx, &iocb));
	iocb.aio_nbytes = 1025;
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
}

/* What waits is retried with them, by whoever runs it. */
static void wait_and_go(int in, int out)
{
	aio_context_t ctx = new_context(8);
	uint8_t *buf = aligned_buffer(SIZE), bytes[100];
	struct io_event event;
	struct iocb iocb;

	fill_pattern(bytes, sizeof(bytes), 7, 1);
	register_buffer(ctx, buf, SIZE);
	register_file(ctx, in);
	prep(&iocb, IOCB_CMD_PREAD, -1, buf + 4090, sizeof(bytes), 0);
	fix_buffer(&iocb, 0);
	fix_file(&iocb, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	wait_armed(ctx);
	EXPECT_EQ(sizeof(bytes), write(out, bytes, sizeof(bytes)));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(sizeof(bytes), event.res);
	EXPECT_TRUE(is_pattern(buf + 4090, sizeof(bytes), 7, 1));
	/* and the other way */
	prep(&iocb, IOCB_CMD_PWRITE, out, buf + 4090, sizeof(bytes), 0);
	fix_buffer(&iocb, 0);
	EXPECT_EQ(sizeof(bytes), run_one(ctx, &iocb));
	EXPECT_EQ(sizeof(bytes), read(in, bytes, sizeof(bytes)));
	EXPECT_TRUE(is_pattern(bytes, sizeof(bytes), 7, 1));
}

TEST_RAIO(pipe, WHY)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	wait_and_go(fds[0], fds[1]);
}

TEST_RAIO(sockets, WHY)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	wait_and_go(fds[0], fds[1]);
}

TEST_RAIO(poll_and_fsync, WHY)
{
	aio_context_t ctx = new_context(8);
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, register_files(ctx, (int32_t []){ fds[1], new_file(1) }, 2));
	prep_poll(&iocb, -1, POLLOUT);
	fix_file(&iocb, 0);
	EXPECT_EQ(POLLOUT, run_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_FSYNC, -1, NULL, 0, 0);
	fix_file(&iocb, 1);
	EXPECT_EQ(0, run_one(ctx, &iocb));
}

/* An armed request keeps the file, and the pages, that were registered. */
TEST_RAIO(unregistered_while_armed, WHY)
{
	long before = status_kib("VmPin"), with;
	aio_context_t ctx = new_context(8);
	uint8_t *buf = aligned_buffer(SIZE);
	struct pollfd writer = { 0 };
	struct io_event event;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	register_buffer(ctx, buf, SIZE);
	register_file(ctx, fds[0]);
	with = status_kib("VmPin");
	prep(&iocb, IOCB_CMD_PREAD, -1, buf, 3, 0);
	fix_buffer(&iocb, 0);
	fix_file(&iocb, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	wait_armed(ctx);
	EXPECT_EQ(0, close(fds[0]));
	EXPECT_EQ(0, unregister_buffers(ctx));
	EXPECT_EQ(0, unregister_files(ctx));
	EXPECT_EQ(with, status_kib("VmPin"));
	writer.fd = fds[1];
	EXPECT_EQ(3, write(fds[1], "abc", 3));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(3, event.res);
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
	/* if a worker ran it, it releases both a moment later */
	ASSERT_EQ(1, poll(&writer, 1, -1));
	EXPECT_TRUE(writer.revents & POLLERR);
	EXPECT_EQ(0, be_destroy(ctx));
	while (status_kib("VmPin") != before)
		sched_yield();
}

/* So does one that a device has; what is unmapped is not reused. */
TEST_RAIO(unregistered_in_flight, WHY)
{
	aio_context_t ctx = new_context(8);
	uint8_t *buf = aligned_buffer(DIRECT_ALIGN);
	struct io_event event;
	struct nullb nullb;
	struct iocb iocb;
	int fd;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 1000000000, .memory_backed = true });
	fd = nullb_open(&nullb, false);
	register_buffer(ctx, buf, DIRECT_ALIGN);
	register_file(ctx, fd);
	prep(&iocb, IOCB_CMD_PREAD, -1, buf, DIRECT_ALIGN, 0);
	fix_buffer(&iocb, 0);
	fix_file(&iocb, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(1, nullb_inflight(&nullb));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, unregister_buffers(ctx));
	EXPECT_EQ(0, unregister_files(ctx));
	EXPECT_EQ(0, munmap(buf, DIRECT_ALIGN));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(DIRECT_ALIGN, event.res);
	nullb_remove(&nullb);
}

/* The index counts, not what became of the descriptor. */
TEST_RAIO(closed_file, WHY)
{
	aio_context_t ctx = new_context(8);
	uint8_t buf[10];
	struct iocb iocb;
	int fd = new_file(10);

	register_file(ctx, fd);
	EXPECT_EQ(0, close(fd));
	ASSERT_EQ(fd, open("/dev/null", O_RDWR));
	prep(&iocb, IOCB_CMD_PREAD, -1, buf, 10, 0);
	fix_file(&iocb, 0);
	EXPECT_EQ(10, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 10, 0, 0));
}

/* A file is released when the context ends. */
TEST_RAIO(destroyed, WHY)
{
	aio_context_t ctx = new_context(8);
	int fds[2];
	char byte;

	ASSERT_EQ(0, pipe(fds));
	register_file(ctx, fds[1]);
	EXPECT_EQ(0, close(fds[1]));
	EXPECT_EQ(0, be_destroy(ctx));
	/* no writer is left */
	EXPECT_EQ(0, read(fds[0], &byte, 1));
}

/* Nothing is reached that another context, or a child, has registered. */
TEST_RAIO(own_only, WHY)
{
	aio_context_t ctx = new_context(8), other = new_context(8);
	uint8_t *buf = aligned_buffer(DIRECT_ALIGN);
	struct iocb iocb;

	register_buffer(ctx, buf, DIRECT_ALIGN);
	register_file(ctx, new_file(10));
	prep(&iocb, IOCB_CMD_PREAD, -1, buf, 10, 0);
	fix_file(&iocb, 0);
	EXPECT_EQ(-EBADF, submit_one(other, &iocb));
	prep(&iocb, IOCB_CMD_PREAD, new_file(10), buf, 10, 0);
	fix_buffer(&iocb, 0);
	EXPECT_EQ(-EFAULT, submit_one(other, &iocb));
	EXPECT_EQ(10, run_one(ctx, &iocb));
}
