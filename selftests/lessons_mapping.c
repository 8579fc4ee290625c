// SPDX-License-Identifier: GPL-2.0
/*
 * Description: faults that the mapping of native aio's ring, or of one like it, once had,
 * one TEST() for each: Documentation/lessons.md lists them all.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static char buf[1];

/* A ring that is not there, between two pages that are. */
static char *place_between(size_t size)
{
	size_t page = getpagesize();
	char *place = mmap(NULL, size + 2 * page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(place != MAP_FAILED);
	memset(place, 0x5a, size + 2 * page);
	return place + page;
}

static void *move(aio_context_t ctx, size_t size, void *to)
{
	return mremap((void *)ctx, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

/*
 * A ring that was moved was looked for at its old address: the context was lost, and
 * destroy unmapped what was there by then.
 */
TEST(fix_e4a0d3e720e7)
{
	aio_context_t ctx = new_context(1000), moved;
	size_t size = mapping_size(ctx), page = getpagesize();
	char *place = place_between(size), *old = (char *)ctx;
	struct io_event event;
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_TRUE(move(ctx, size, place) == place);
	moved = (aio_context_t)place;
	ASSERT_TRUE(mmap(old, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == old);
	memset(old, 0x5a, size);
	EXPECT_EQ(-EINVAL, be_submit(ctx, 0, NULL));
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
	ASSERT_EQ(1, events_wait(moved, &event, 1));
	EXPECT_EQ((uintptr_t)&iocb, event.obj);
	expect_works(moved);
	EXPECT_EQ(0, be_destroy(moved));
	/* all of the ring has gone, and nothing else */
	EXPECT_EQ(0, mapping_size(moved));
	EXPECT_EQ(0x5a, place[-1]);
	EXPECT_EQ(0x5a, place[size]);
	EXPECT_EQ(0x5a, old[0]);
	EXPECT_EQ(0x5a, old[size - page]);
}

/* A part of it that was moved counted as the ring: destroy unmapped what lay beside. */
TEST(fix_e4a0d3e720e7_part)
{
	unsigned long before = be_nr();
	aio_context_t ctx = new_context(1000);
	size_t size = mapping_size(ctx), page = getpagesize(), at;
	char *place = place_between(size);

	for (at = 0; at < size; at += page) {
		EXPECT_TRUE(mremap((char *)ctx + at, page, page, MREMAP_MAYMOVE | MREMAP_FIXED,
				   place) == MAP_FAILED);
		EXPECT_EQ(EINVAL, errno);
		/* the place itself was unmapped, as mremap(2) says */
		ASSERT_TRUE(mmap(place, page, PROT_READ | PROT_WRITE, MAP_PRIVATE |
				 MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place);
	}
	memset(place, 0x5a, page);
	EXPECT_EQ(size, mapping_size(ctx));
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, mapping_size(ctx));
	EXPECT_EQ(before, be_nr());
	for (at = 0; at <= size; at += page)
		EXPECT_EQ(0x5a, place[at]);
}

static void *places[2];
static size_t ring_size;
static int stop;

static void *move_to_and_fro(void *arg)
{
	unsigned int at = 0;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		if (move((aio_context_t)places[at], ring_size, places[!at]) != MAP_FAILED)
			at = !at;
	return NULL;
}

/* Rings of this process that are mapped anywhere. */
static unsigned int count_rings(void)
{
	unsigned int count = 0;
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "re");

	ASSERT_TRUE(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "[raio]") || strstr(line, "[aio]");
	fclose(maps);
	return count;
}

/*
 * A ring could be moved while destroy was about to unmap it: another mapping was
 * unmapped, and the ring stayed.
 */
TEST(fix_b2edffdd912b)
{
	/* a destroy of native's takes some RCU grace periods */
	unsigned int i, rounds = is_native() ? 20 : test_rounds(200);
	unsigned long before = be_nr();
	aio_context_t ctx;
	pthread_t thread;
	int ret;

	for (i = 0; i < rounds; i++) {
		ctx = new_context(1000);
		ASSERT_EQ(1, count_rings());
		ring_size = mapping_size(ctx);
		places[0] = (void *)ctx;
		places[1] = place_between(ring_size);
		__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
		ASSERT_EQ(0, pthread_create(&thread, NULL, move_to_and_fro, NULL));
		do {
			ret = be_destroy((aio_context_t)places[0]);
			if (ret)
				ret = be_destroy((aio_context_t)places[1]);
		} while (ret == -EINVAL);
		EXPECT_EQ(0, ret);
		__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		/* wherever it was: it has gone, and with it what was counted */
		ASSERT_EQ(0, count_rings());
		EXPECT_EQ(before, be_nr());
		EXPECT_EQ(0x5a, ((char *)places[1])[-1]);
		EXPECT_EQ(0x5a, ((char *)places[1])[ring_size]);
		munmap((char *)places[1] - getpagesize(), ring_size + 2 * getpagesize());
	}
}

/*
 * A child that moved the ring it had inherited had no table of contexts: the kernel
 * looked through one at address 0.
 */
TEST(fix_81e9d6f86476)
{
	aio_context_t ctx = new_context(1000);
	size_t size = mapping_size(ctx);
	char *place = place_between(size);
	pid_t pid;

	EXPECT_EQ(-1, madvise((void *)ctx, size, MADV_DOFORK));
	EXPECT_EQ(EINVAL, errno);
	pid = test_fork();
	if (!pid) {
		EXPECT_TRUE(move(ctx, size, place) == MAP_FAILED);
		/* there is nothing that it could move */
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-EINVAL, be_submit(ctx, 0, NULL));
		expect_works(new_context(8));
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

/* "rwxs" of the mapping that starts there, which there is. */
static void permissions(uintptr_t address, char text[5])
{
	unsigned long start;
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "re");

	ASSERT_TRUE(maps);
	do {
		ASSERT_TRUE(fgets(line, sizeof(line), maps));
	} while (sscanf(line, "%lx-%*x %4s", &start, text) != 2 || start != address);
	fclose(maps);
}

/*
 * Where readable memory is executable, as for old programs, the ring was, too: its file
 * system was not mounted noexec, and security modules were not asked.
 */
TEST(cve_2016_10044)
{
	aio_context_t ctx;
	size_t size;
	char text[5];

	ASSERT_LE(0, personality(PER_LINUX | READ_IMPLIES_EXEC));
	ctx = new_context(1000);
	size = mapping_size(ctx);
	permissions(ctx, text);
	EXPECT_EQ('r', text[0]);
	EXPECT_EQ('w', text[1]);
	EXPECT_EQ('-', text[2]);
	EXPECT_EQ(-1, mprotect((void *)ctx, size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	/* the personality adds what may not be there */
	EXPECT_EQ(0, mprotect((void *)ctx, size, PROT_READ | PROT_WRITE));
	permissions(ctx, text);
	EXPECT_EQ('-', text[2]);
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

static void fill(aio_context_t ctx, uint8_t byte)
{
	struct raio_ring *ring = ring_of(ctx);

	memset(ring_events(ring), byte, ring->nr * sizeof(struct io_event));
}

/* The pages that were the ring's; contexts that come after it want some. */
static void use_other_pages(void)
{
	struct iocb iocb;
	unsigned int i;
	aio_context_t ctx;

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	for (i = 0; i < 8; i++) {
		ctx = new_context(1000);
		fill(ctx, 0xcc);
		EXPECT_EQ(1, run_one(ctx, &iocb));
	}
}

/*
 * A ring of buffers was freed when it was unregistered, and stayed mapped: the program
 * read and wrote what the kernel used its pages for next.  Here a pipe keeps a page.
 */
TEST(cve_2024_0582)
{
	aio_context_t ctx = new_context(8);
	static uint8_t before[4096], after[4096];
	struct iovec iov = { (void *)ctx, sizeof(before) };
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	EXPECT_EQ(1, run_one(ctx, &iocb));
	fill(ctx, 0x5a);
	memcpy(before, (void *)ctx, sizeof(before));
	ASSERT_EQ(sizeof(before), vmsplice(fds[1], &iov, 1, 0));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, mapping_size(ctx));
	use_other_pages();
	ASSERT_EQ(sizeof(after), read(fds[0], after, sizeof(after)));
	EXPECT_EQ(0, memcmp(before, after, sizeof(before)));
}

static void read_after_destroy(unsigned long nr)
{
	aio_context_t ctx = new_context(1000);
	size_t size = mapping_size(ctx);
	uint8_t *copy = guarded_buffer(size);

	ASSERT_EQ(0, syscall(SYS_mseal, ctx, size, 0));
	fill(ctx, 0x5a);
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(nr, be_nr());
	memcpy(copy, (void *)ctx, size);
	use_other_pages();
	EXPECT_EQ(0, memcmp(copy, (void *)ctx, size));
	/* and what is written there is nobody else's */
	memset((void *)ctx, 0xee, size);
	use_other_pages();
}

/* The program itself keeps all of the mapping. */
TEST_RAIO(cve_2024_0582_sealed, "its pages are cut off the mapping: SIGBUS")
{
	unsigned long nr = be_nr();
	pid_t pid;

	if (sizeof(long) < 8 || syscall(SYS_mseal, NULL, 0, 0))
		SKIP("no mseal");
	pid = test_fork();
	if (!pid) {
		read_after_destroy(nr);
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_EQ(nr, be_nr());
}
