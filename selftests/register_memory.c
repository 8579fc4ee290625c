// SPDX-License-Identifier: GPL-2.0
/*
 * Description: registered memory of large folios in parts and out of order, and after a
 * fork; what is pinned is charged, and unpinned; and what is unregistered while a
 * submission waits for memory is not used by its next request.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"
#include "registered.h"

#define WHY "it registers nothing"
#define HUGE_SIZE (2UL << 20)
#define NOBODY 65534

static void *map(size_t size, int prot)
{
	void *at = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(at != MAP_FAILED);
	return at;
}

/* Of 2 MiB each, where the machine has some to give. */
static uint8_t *huge_pages(unsigned int nr)
{
	uint8_t *at = map((nr + 1) * HUGE_SIZE, PROT_READ | PROT_WRITE);
	unsigned long kib = 0;
	char line[128];
	FILE *file;

	at = (uint8_t *)(((uintptr_t)at | (HUGE_SIZE - 1)) + 1);
	if (madvise(at, nr * HUGE_SIZE, MADV_HUGEPAGE))
		SKIP("no huge pages");
	memset(at, 0, nr * HUGE_SIZE);
	file = fopen("/proc/self/smaps_rollup", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "AnonHugePages: %lu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	if (kib < nr * (HUGE_SIZE >> 10))
		SKIP("no huge pages to be had");
	return at;
}

static void move(uint8_t *from, size_t size, uint8_t *to)
{
	ASSERT_TRUE(mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

/* All of it is read to, in pieces that lie across its parts. */
static void expect_reads(uint8_t *buf, size_t size)
{
	const size_t piece = 3 * 4096 + 100;
	aio_context_t ctx = new_context(2);
	int fd = new_file(size);
	struct iovec iovecs[2];
	struct iocb iocb;
	size_t at;

	register_buffer(ctx, buf, size);
	for (at = 0; at + piece <= size; at += piece) {
		prep(&iocb, IOCB_CMD_PREAD, fd, buf + at, piece, at);
		fix_buffer(&iocb, 0);
		EXPECT_EQ(piece, run_one(ctx, &iocb));
	}
	iovecs[0] = (struct iovec){ buf + at, size - at - 1 };
	iovecs[1] = (struct iovec){ buf + size - 1, 1 };
	prep(&iocb, IOCB_CMD_PREADV, fd, iovecs, 2, at);
	fix_buffer(&iocb, 0);
	EXPECT_EQ(size - at, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, size, 0, 0));
	EXPECT_EQ(0, be_destroy(ctx));
}

/* The end of one, and then the start of it: no part is whole. */
TEST_RAIO(pages_of_one_folio, WHY)
{
	uint8_t *huge = huge_pages(1), *buf = map(20 * 4096, PROT_NONE);

	move(huge + 10 * 4096, 10 * 4096, buf);
	move(huge, 10 * 4096, buf + 10 * 4096);
	expect_reads(buf, 20 * 4096);
}

/* The middle of one where the middle of the other should go on. */
TEST_RAIO(pages_of_two_folios, WHY)
{
	uint8_t *huge = huge_pages(2), *buf = map(20 * 4096, PROT_NONE);

	move(huge + 5 * 4096, 10 * 4096, buf);
	move(huge + HUGE_SIZE + 15 * 4096, 10 * 4096, buf + 10 * 4096);
	expect_reads(buf, 20 * 4096);
}

/* A small page after the large ones, and before. */
TEST_RAIO(folios_of_two_sizes, WHY)
{
	uint8_t *area = map(2 * HUGE_SIZE + 2 * 4096, PROT_READ | PROT_WRITE);
	uint8_t *huge = huge_pages(1);
	uint8_t *to = (uint8_t *)(((uintptr_t)area | (HUGE_SIZE - 1)) + 1);

	ASSERT_EQ(0, madvise(area, 2 * HUGE_SIZE + 2 * 4096, MADV_NOHUGEPAGE));
	if (to - 4096 < area || to + HUGE_SIZE + 4096 > area + 2 * HUGE_SIZE + 2 * 4096)
		to = area + 4096;
	move(huge, HUGE_SIZE, to);
	to[-4096] = 1;
	to[HUGE_SIZE] = 1;
	expect_reads(to - 4096, HUGE_SIZE + 2 * 4096);
}

static long pinned_since(long before)
{
	return status_kib("VmPin") - before;
}

/* All of a huge page stays for a part of it: it is charged whole, and once in a table. */
TEST_RAIO(folio_is_charged_whole, WHY)
{
	uint8_t *huge = huge_pages(2);
	struct iovec iovecs[] = {
		{ huge + 5 * 4096, 1 },
		{ huge, 2 * 4096 },
		/* the end of one, and the start of the other */
		{ huge + HUGE_SIZE - 4096, 2 * 4096 },
		{ huge + 2 * HUGE_SIZE - 4096, 4096 },
	};
	aio_context_t ctx = new_context(2);
	long before = status_kib("VmPin");
	unsigned int i;

	for (i = 1; i <= ARRAY_SIZE(iovecs); i++) {
		ASSERT_EQ(0, register_buffers(ctx, iovecs, i));
		EXPECT_EQ(i < 3 ? 2048 : 4096, pinned_since(before));
		EXPECT_EQ(0, unregister_buffers(ctx));
		EXPECT_EQ(0, pinned_since(before));
	}
	/* the part of another table, and what fails in the end */
	ASSERT_EQ(0, register_buffers(ctx, iovecs, 4));
	iovecs[3].iov_base = NULL;
	EXPECT_EQ(-EFAULT, register_buffers(new_context(1), iovecs, 4));
	EXPECT_EQ(4096 + 4, pinned_since(before));
	register_buffer(new_context(1), huge, 4096);
	EXPECT_EQ(2 * 2048 + 4 + 2048 + 4, pinned_since(before));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(2048 + 4, pinned_since(before));
}

/* The one that pays for it goes before the one that uses it. */
TEST_RAIO(folio_is_charged_in_use, WHY)
{
	long start = status_kib("VmPin"), before;
	uint8_t *huge = huge_pages(2);
	struct iovec iovecs[] = { { huge, HUGE_SIZE + 4096 }, { huge, 4096 }, { huge, 4096 } };
	aio_context_t ctx = new_context(2);
	struct io_event event;
	struct iocb iocb;
	int fds[2];

	before = status_kib("VmPin");
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, register_buffers(ctx, iovecs, 3));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], huge, 1, 0);
	fix_buffer(&iocb, 2);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	wait_armed(ctx);
	EXPECT_EQ(0, unregister_buffers(ctx));
	EXPECT_LE(2048, pinned_since(before));
	EXPECT_EQ(1, write(fds[1], "a", 1));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(0, be_destroy(ctx));
	/* what is left to others comes a moment later */
	while (pinned_since(start))
		usleep(1000);
}

/* A page of each of many huge ones: what stays is beyond the limit. */
TEST_RAIO(folios_are_limited, WHY)
{
	struct rlimit limit = { 8 << 20, 8 << 20 };
	uint8_t *huge = huge_pages(8);
	struct iovec iovecs[400];
	aio_context_t ctx;
	unsigned int i;

	need_root("who gives it up");
	ASSERT_LE(0, raio_fd());
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	ctx = new_context(1);
	for (i = 0; i < 8; i++)
		iovecs[i] = (struct iovec){ huge + i * HUGE_SIZE, 4096 };
	/* with the ring */
	EXPECT_EQ(-ENOMEM, register_buffers(ctx, iovecs, 8));
	EXPECT_EQ(-ENOMEM, register_buffers(ctx, iovecs, 4));
	EXPECT_EQ(4, status_kib("VmPin"));
	ASSERT_EQ(0, register_buffers(ctx, iovecs, 3));
	EXPECT_EQ(0, unregister_buffers(ctx));
	for (i = 0; i < ARRAY_SIZE(iovecs); i++)
		iovecs[i] = (struct iovec){ huge + i * 4096, 4096 };
	ASSERT_EQ(0, register_buffers(ctx, iovecs, ARRAY_SIZE(iovecs)));
	EXPECT_EQ(4 + 2048, status_kib("VmPin"));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, status_kib("VmPin"));
}

/* The file's start, there. */
static void map_at(void *at, size_t size, int fd)
{
	ASSERT_TRUE(mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == at);
}

/* The same page twice. */
TEST_RAIO(one_page_twice, WHY)
{
	aio_context_t ctx = new_context(2);
	int memory = memfd_create("raio", 0);
	uint8_t *buf = map(2 * 4096, PROT_NONE);
	struct iocb iocb;
	unsigned int i;

	ASSERT_EQ(0, ftruncate(memory, 4096));
	for (i = 0; i < 2; i++)
		map_at(buf + i * 4096, 4096, memory);
	register_buffer(ctx, buf, 2 * 4096);
	prep(&iocb, IOCB_CMD_PREAD, new_file(4096), buf + 2048, 4096, 0);
	fix_buffer(&iocb, 0);
	EXPECT_EQ(4096, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 2048, 2048, 0));
	EXPECT_TRUE(is_pattern(buf + 2048, 2048, 0, 0));
}

/* A page that is pinned can't be sealed against writes, as others could still write to it. */
TEST_RAIO(unpinned, WHY)
{
	int memory = memfd_create("raio", MFD_ALLOW_SEALING);
	aio_context_t ctx = new_context(2);
	struct iovec iovecs[2];
	uint8_t *buf = map(5 * 4096, PROT_NONE);

	ASSERT_EQ(0, ftruncate(memory, 4 * 4096));
	map_at(buf, 4 * 4096, memory);
	iovecs[0] = (struct iovec){ buf, 4 * 4096 };
	iovecs[1] = iovecs[0];
	ASSERT_EQ(0, register_buffers(ctx, iovecs, 2));
	EXPECT_EQ(0, unregister_buffers(ctx));
	/* what was pinned when it failed, too */
	iovecs[1].iov_base = NULL;
	EXPECT_EQ(-EFAULT, register_buffers(ctx, iovecs, 2));
	iovecs[0].iov_len += 4096;
	EXPECT_EQ(-EFAULT, register_buffers(ctx, iovecs, 1));
	iovecs[0].iov_len -= 4096;
	ASSERT_EQ(0, register_buffers(ctx, iovecs, 1));
	EXPECT_EQ(0, munmap(buf, 4 * 4096));
	EXPECT_EQ(-1, fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE));
}

/* A child has copies: what is read comes to the parent's pages. */
TEST_RAIO(after_fork, WHY)
{
	aio_context_t ctx = new_context(2);
	uint8_t *buf = aligned_buffer(4096);
	struct iocb iocb;
	pid_t pid;

	memset(buf, 1, 4096);
	register_buffer(ctx, buf, 4096);
	pid = test_fork();
	if (!pid)
		_exit(buf[0] != 1);
	memset(buf, 2, 4096);
	EXPECT_EQ(0, test_wait(pid));
	prep(&iocb, IOCB_CMD_PREAD, new_file(4096), buf, 4096, 0);
	fix_buffer(&iocb, 0);
	EXPECT_EQ(4096, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 4096, 0, 0));
}

static aio_context_t shared;
static struct absent page;
static struct iocb after;

/* By whoever serves the fault of an iocb. */
static void *unregister_and_serve(void *arg)
{
	absent_wait(&page);
	EXPECT_EQ(0, unregister_buffers(shared));
	EXPECT_EQ(0, unregister_files(shared));
	absent_serve_bytes(&page, &after, sizeof(after));
	return arg;
}

/* By whoever serves the fault of the array. */
static void *destroy_and_serve(void *arg)
{
	absent_wait(&page);
	EXPECT_EQ(0, be_destroy(shared));
	absent_serve(&page);
	return arg;
}

static void submit_over_fault(unsigned int flags, int error)
{
	int fd;
	uint8_t *buf = aligned_buffer(4096);
	struct iocb before, *list[2];
	struct io_event event;
	pthread_t thread;

	absent_open_page(&page);
	fd = new_file(100);
	shared = new_context(4);
	register_buffer(shared, buf, 4096);
	register_file(shared, fd);
	prep(&before, IOCB_CMD_PREAD, fd, buf, 100, 0);
	if (flags & RAIO_IOCB_FLAG_FIXED_BUFFER)
		fix_buffer(&before, 0);
	if (flags & RAIO_IOCB_FLAG_FIXED_FILE)
		fix_file(&before, 0);
	after = before;
	list[0] = &before;
	list[1] = (struct iocb *)page.pages;
	ASSERT_EQ(0, pthread_create(&thread, NULL, unregister_and_serve, NULL));
	EXPECT_EQ(1, be_submit(shared, 2, list));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(1, events_wait(shared, &event, 1));
	EXPECT_EQ(100, event.res);
	EXPECT_EQ(error, be_submit(shared, 1, list + 1));
}

TEST_RAIO(buffer_after_the_fault, WHY)
{
	submit_over_fault(RAIO_IOCB_FLAG_FIXED_BUFFER, -EFAULT);
}

TEST_RAIO(file_after_the_fault, WHY)
{
	submit_over_fault(RAIO_IOCB_FLAG_FIXED_FILE, -EBADF);
}

/* Nothing is registered with a context that ends meanwhile. */
TEST_RAIO(destroyed_during_the_fault, WHY)
{
	pthread_t thread;

	absent_open_page(&page);
	shared = new_context(4);
	ASSERT_EQ(0, pthread_create(&thread, NULL, destroy_and_serve, NULL));
	/* descriptor 0 */
	EXPECT_EQ(-EINVAL, register_files(shared, (int32_t *)page.pages, 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}
