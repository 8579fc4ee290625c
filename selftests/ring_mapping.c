// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the ring's mapping is the context: it is not executable, can be
 * moved, and takes the context with it when the last of it goes.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "workers.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#define WHY "its ring is an ordinary mapping, beside the context"
#define EVENTS 1000

static size_t page;

static aio_context_t new_ring(char **ring, size_t *size)
{
	aio_context_t ctx = new_context(EVENTS);

	page = getpagesize();
	*ring = (char *)ctx;
	*size = mapping_size(ctx);
	ASSERT_LE(4 * page, *size);
	return ctx;
}

/* Events go where they went; without the first page the context can't be named. */
TEST(partial_munmap)
{
	struct io_event event;
	struct iocb iocb;
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);

	EXPECT_EQ(0, munmap(ring + size - page, page));
	expect_works(ctx);
	EXPECT_EQ(0, munmap(ring + page, page));
	expect_works(ctx);
	EXPECT_EQ(0, munmap(ring, page));
	prep(&iocb, IOCB_CMD_PREAD, new_file(1), &iocb, 1, 0);
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
	EXPECT_EQ(-EINVAL, submit_one(ctx + page, &iocb));
	EXPECT_EQ(-EINVAL, submit_one(ctx + 2 * page, &iocb));
	EXPECT_EQ(-EINVAL, be_getevents(ctx, 0, 1, &event, NULL));
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
}

/* What is left goes with the context, also what else was mapped there. */
TEST(destroy_of_parts)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);

	EXPECT_EQ(0, munmap(ring + page, page));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, mapping_size(ctx));
	EXPECT_EQ(0, mapping_size(ctx + 2 * page));
}

/* The context ends with the last part; raio only. */
TEST_RAIO(munmap_in_parts, WHY)
{
	char *ring;
	size_t size, at;
	unsigned long nr = be_nr();
	aio_context_t ctx = new_ring(&ring, &size);

	EXPECT_LT(nr, be_nr());
	for (at = 0; at < size - page; at += page)
		EXPECT_EQ(0, munmap(ring + at, page));
	EXPECT_LT(nr, be_nr());
	EXPECT_EQ(0, munmap(ring + size - page, page));
	EXPECT_EQ(nr, be_nr());
	(void)ctx;
}

TEST(mprotect)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);

	EXPECT_EQ(0, mprotect(ring + page, page, PROT_NONE));
	expect_works(ctx);
	EXPECT_EQ(0, mprotect(ring, page, PROT_READ));
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, mapping_size(ctx));
}

/* A ring that can't be read names no context, until it can. */
TEST(unreadable)
{
	struct io_event event;
	struct iocb iocb;
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, mprotect(ring, i % 2 ? page : size, PROT_NONE));
		prep(&iocb, IOCB_CMD_PREAD, new_file(1), &iocb, 1, 0);
		EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb));
		EXPECT_EQ(-EINVAL, be_getevents(ctx, 0, 1, &event, NULL));
		EXPECT_EQ(-EINVAL, be_destroy(ctx));
		EXPECT_EQ(0, mprotect(ring, size, PROT_READ | PROT_WRITE));
		expect_works(ctx);
	}
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST_RAIO(not_executable, "its ring may be made executable")
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);

	EXPECT_EQ(-1, mprotect(ring, size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	expect_works(ctx);
}

/* The kernel does not need the program's right to write. */
TEST_RAIO(whole_read_only, WHY)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);

	if (mprotect(ring, size, PROT_READ) == 0)
		expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST(mremap_size)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);

	/* growing is EFAULT for a mapping that must not expand */
	EXPECT_TRUE(mremap(ring, size, size + page, MREMAP_MAYMOVE) == MAP_FAILED);
	EXPECT_TRUE(errno == EINVAL || errno == EFAULT);
	EXPECT_EQ(size, mapping_size(ctx));
	EXPECT_TRUE(mremap(ring, size, size - page, 0) == ring);
	expect_works(ctx);
}

/* The new address is the id, the old one is none. */
TEST(mremap_move)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size), moved;
	void *target = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct io_event event;
	struct iocb iocb;
	char buf[1];

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	moved = (aio_context_t)mremap(ring, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	ASSERT_EQ((uintptr_t)target, moved);
	EXPECT_EQ(-EINVAL, be_submit(ctx, 0, NULL));
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
	ASSERT_EQ(1, events_wait(moved, &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	expect_works(moved);
	EXPECT_EQ(0, be_destroy(moved));
	EXPECT_EQ(0, mapping_size(moved));
}

/* An address that was another ring's before is that of the ring that is there now. */
TEST(mremap_in_turn)
{
	char *rings[2], buf[1];
	size_t size;
	aio_context_t ctx[2] = { new_ring(&rings[0], &size), new_ring(&rings[1], &size) };
	void *targets[2] = {
		mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), rings[0],
	};
	struct io_event event;
	struct iocb iocbs[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
		/* Whatever the kernel remembers of the address is as new as can be. */
		EXPECT_EQ(0, be_submit(ctx[i], 0, NULL));
	}
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(mremap(rings[i], size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
				   targets[i]) == targets[i]);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, submit_one((aio_context_t)targets[i], &iocbs[i]));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, events_wait((aio_context_t)targets[i], &event, 1));
		EXPECT_EQ((uintptr_t)&iocbs[i], event.obj);
		EXPECT_EQ(0, events_now((aio_context_t)targets[i], &event, 1));
	}
	EXPECT_EQ(-EINVAL, be_submit(ctx[1], 0, NULL));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, be_destroy((aio_context_t)targets[i]));
		EXPECT_EQ(-EINVAL, be_submit((aio_context_t)targets[i], 0, NULL));
	}
}

TEST_RAIO(madvise, WHY)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);
	struct iocb iocb;
	char buf[1], *copy = guarded_buffer(size);

	EXPECT_EQ(-1, madvise(ring, size, MADV_DOFORK));
	EXPECT_EQ(EINVAL, errno);

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	EXPECT_EQ(1, run_one(ctx, &iocb));
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	memcpy(copy, ring, size);
	EXPECT_EQ(0, madvise(ring, size, MADV_DONTNEED));
	EXPECT_EQ(0, memcmp(copy, ring, size));
	/* it is the same memory still, not a copy */
	EXPECT_EQ(1, ring_reap(ring_of(ctx), (struct io_event *)copy, 2));
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST_RAIO(whole_munmap, WHY)
{
	unsigned long before = be_nr();
	long pinned = status_kib("VmPin");
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);
	struct io_event event;

	EXPECT_EQ(before + be_share(EVENTS), be_nr());
	EXPECT_EQ(0, munmap(ring, size));
	EXPECT_EQ(before, be_nr());
	EXPECT_EQ(pinned, status_kib("VmPin"));
	EXPECT_EQ(-EINVAL, be_submit(ctx, 0, NULL));
	EXPECT_EQ(-EINVAL, events_now(ctx, &event, 1));
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
}

/* A mapping over it, and a munmap of more than it, are munmaps too. */
TEST_RAIO(mapped_over, WHY)
{
	unsigned long before = be_nr();
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);

	ASSERT_TRUE(mmap(ring, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == ring);
	EXPECT_EQ(before, be_nr());
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
	memset(ring, 0xff, size);
	EXPECT_EQ(-EINVAL, be_submit(ctx, 0, NULL));
}

/* Programs need no header for it. */
static int remap(void *at, size_t size, size_t first)
{
	return syscall(SYS_remap_file_pages, at, size, 0, first, 0);
}

/* Events go in and out by the mapping that is there. */
static void expect_flow(aio_context_t ctx)
{
	struct io_event event;
	struct iocb iocb;
	char buf[1];

	expect_works(ctx);
	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(1, ring_reap(ring_of(ctx), &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	EXPECT_EQ(1, (long long)event.res);
	EXPECT_EQ(0, events_now(ctx, &event, 1));
}

/* The old mapping goes, and the same is there again. */
TEST_RAIO(remapped, WHY)
{
	unsigned long before = be_nr();
	char *ring, buf[1];
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);
	struct io_event event;
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	EXPECT_EQ(0, remap(ring, size, 0));
	EXPECT_EQ(size, mapping_size(ctx));
	/* what was there before */
	ASSERT_EQ(1, events_now(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	expect_flow(ctx);
	EXPECT_EQ(0, remap(ring, size, 0));
	expect_flow(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, mapping_size(ctx));
	EXPECT_EQ(before, be_nr());
}

/* What is not the whole ring from its start is refused, and nothing has gone. */
TEST_RAIO(remapped_part, WHY)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);

	EXPECT_EQ(-1, remap(ring, size, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, remap(ring, size, size / page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, remap(ring, page, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, remap(ring + page, size - page, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, remap(ring + page, page, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(size, mapping_size(ctx));
	expect_flow(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST_RAIO(remapped_elsewhere, WHY)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size), moved;
	void *target = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_EQ(0, remap(ring, size, 0));
	moved = (aio_context_t)mremap(ring, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	ASSERT_EQ((uintptr_t)target, moved);
	EXPECT_EQ(-1, remap(target, size, 1));
	EXPECT_EQ(0, remap(target, size, 0));
	EXPECT_EQ(-EINVAL, be_submit(ctx, 0, NULL));
	expect_flow(moved);
	EXPECT_EQ(0, be_destroy(moved));
}

/* Who may only read it may still only read it. */
TEST_RAIO(remapped_read_only, WHY)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);

	ASSERT_EQ(0, mprotect(ring, size, PROT_READ));
	EXPECT_EQ(0, remap(ring, size, 0));
	expect_works(ctx);
	EXPECT_EQ(0, mprotect(ring, size, PROT_READ | PROT_WRITE));
	expect_flow(ctx);
	/* as before the call, and not as it was mapped at first */
	EXPECT_EQ(-1, mprotect(ring, size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, be_destroy(ctx));
}

static void need_mseal(void)
{
	if (sizeof(long) < 8 || syscall(SYS_mseal, NULL, 0, 0))
		SKIP("no mseal");
}

static void seal(void *at, size_t size)
{
	ASSERT_EQ(0, syscall(SYS_mseal, at, size, 0));
	EXPECT_EQ(-1, munmap(at, size));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, remap(at, size, 0));
	EXPECT_EQ(EPERM, errno);
}

static int door_events(void)
{
	struct pollfd pollfd = { .fd = raio_fd(), .events = POLLIN };

	return poll(&pollfd, 1, 0);
}

/* One that waits, one with a thread, and one whose event is there. */
static void submit_some(aio_context_t ctx, struct iocb iocbs[3])
{
	static char buf[1];
	int fds[2], fd = new_file(1);

	ASSERT_EQ(0, pipe(fds));
	prep(&iocbs[0], IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	prep(&iocbs[1], IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
	prep(&iocbs[2], IOCB_CMD_PREAD, fd, buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocbs[0]));
	ASSERT_EQ(1, submit_one(ctx, &iocbs[1]));
	ASSERT_EQ(1, submit_one(ctx, &iocbs[2]));
	wait_for_ring(ctx, 2);
}

/* Its pages stay, since they are mapped; all else goes, and there is no context any more. */
static void destroy_sealed(unsigned long before)
{
	char *ring;
	size_t size;
	aio_context_t ctx = new_ring(&ring, &size);
	struct io_event event;
	struct iocb iocbs[3];

	seal(ring, size);
	submit_some(ctx, iocbs);
	EXPECT_EQ(1, door_events());
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(before, be_nr());
	EXPECT_EQ(0, worker_threads(getpid(), NULL, 0));
	EXPECT_EQ(0, door_events());
	EXPECT_EQ(size, mapping_size(ctx));
	EXPECT_EQ(-EINVAL, submit_one(ctx, &iocbs[0]));
	EXPECT_EQ(-EINVAL, be_cancel(ctx, &iocbs[0], &event));
	EXPECT_EQ(-EINVAL, events_now(ctx, &event, 1));
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
	/* the events before are still there to be read */
	EXPECT_EQ(1, ring_reap(ring_of(ctx), &event, 1));
	EXPECT_EQ(-1, munmap(ring, size));
	EXPECT_EQ(EPERM, errno);
	expect_works(new_context(1));
}

TEST_RAIO(sealed, WHY)
{
	unsigned long before = be_nr();
	pid_t pid;

	need_mseal();
	pid = test_fork();
	if (!pid) {
		destroy_sealed(before);
		_exit(0);
	}
	ASSERT_EQ(0, test_wait(pid));
	EXPECT_EQ(before, be_nr());
}

/* It can be used as before, and exit ends it. */
TEST_RAIO(sealed_exit, WHY)
{
	unsigned long before = be_nr();
	struct iocb iocbs[3];
	aio_context_t ctx;
	char *ring;
	size_t size;
	pid_t pid;

	need_mseal();
	pid = test_fork();
	if (!pid) {
		ctx = new_ring(&ring, &size);
		seal(ring, size);
		expect_flow(ctx);
		submit_some(ctx, iocbs);
		_exit(0);
	}
	ASSERT_EQ(0, test_wait(pid));
	EXPECT_EQ(before, be_nr());
}
