// SPDX-License-Identifier: GPL-2.0
/* Memory that is not there, not yet, or not any more; and what is done to the rings. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "victim.h"

#define PAGE		4096UL
#define PAGES		64
#define SERVED		16	/* the first page that is served by a userfaultfd */
#define CHANGED		32	/* the first page that is mapped, protected and moved */

/*
 * Of each thread, so that nobody else's are there: pages that are there, that somebody has to
 * serve, and that others change.
 */
#define OF_THREAD	(PAGES / (THREADS + 1))
#define OWN_SERVED	4
#define OWN_CHANGED	8

#ifndef SYS_mseal
#define SYS_mseal	462
#endif

#define READ_WRITE	(PROT_READ | PROT_WRITE)
#define MOVE		(MREMAP_MAYMOVE | MREMAP_FIXED)

static uint8_t *region, *structures, *shadow;
static int uffd = -1;
static int key = -1;

static uint8_t *reserve(void)
{
	return mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void serve_by_uffd(uint8_t *start, unsigned int pages)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)start, pages * PAGE }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (uffd >= 0)
		ioctl(uffd, UFFDIO_REGISTER, &reg);
}

void memory_prepare(void)
{
	struct uffdio_api api = { .api = UFFD_API };

	region = reserve();
	structures = reserve();
	shadow = reserve();
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd >= 0 && ioctl(uffd, UFFDIO_API, &api)) {
		close(uffd);
		uffd = -1;
	}
	serve_by_uffd(region + SERVED * PAGE, 8);
	for (unsigned int i = 0; i <= THREADS; i++)
		serve_by_uffd(structures + (i * OF_THREAD + OWN_SERVED) * PAGE,
			      OWN_CHANGED - OWN_SERVED);
	key = pkey_alloc(0, 0);
}

void *memory_at(unsigned int selector)
{
	unsigned int page = selector % PAGES;

	switch (selector >> 6 & 0xf) {
	case 13:
		return (void *)(uintptr_t)(selector & 1 ? 0 : 0xffffffff80000000);
	case 14:
		return (void *)((1UL << 47) - PAGE);
	case 15:
		return region + page * PAGE + PAGE - (selector & 31);
	default:
		return region + page * PAGE;
	}
}

static __thread int pipes[2] = { -1, -1 };

void *hostile_copy(unsigned int selector, const void *from, size_t size)
{
	unsigned int own = selector % OF_THREAD, page = thread_number * OF_THREAD + own;
	size_t at = page * PAGE + (selector & 64 && own != OF_THREAD - 1 ? PAGE - 24 : 0);
	char rest[512];

	if (own >= OWN_SERVED && own < OWN_CHANGED) {
		at = page * PAGE;
		madvise(structures + at, PAGE, MADV_DONTNEED);
		memcpy(shadow + at, from, size);
		return structures + at;
	}
	if (pipes[0] < 0 && pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return NULL;
	/* By the kernel, as the memory may have gone. */
	if (write(pipes[1], from, size) != (ssize_t)size)
		return structures + at;
	if (read(pipes[0], structures + at, size) < 0)
		while (read(pipes[0], rest, sizeof(rest)) > 0)
			;
	return structures + at;
}

static void serve(unsigned int most)
{
	struct uffd_msg msg;

	while (most-- && uffd >= 0 && COUNTED(read(uffd, &msg, sizeof(msg))) == sizeof(msg)) {
		uintptr_t at = msg.arg.pagefault.address & -PAGE;
		struct uffdio_zeropage zero = { .range = { at, PAGE } };
		struct uffdio_copy copy = { .dst = at, .len = PAGE };

		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		if (at - (uintptr_t)structures < PAGES * PAGE) {
			copy.src = (uintptr_t)shadow + (at - (uintptr_t)structures);
			COUNTED(ioctl(uffd, UFFDIO_COPY, &copy));
		} else {
			COUNTED(ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
		}
	}
}

void memory_serve(void)
{
	serve(64);
}

/* All is there again. */
void memory_end(void)
{
	if (uffd >= 0)
		close(uffd);
	uffd = -1;
}

OP(uffd)
{
	serve(1 + arg[0] % 8);
	if (arg[1] >> 12 == 1)
		madvise(region + SERVED * PAGE, 8 * PAGE, MADV_DONTNEED);
}

OP(pkey)
{
	if (key < 0)
		return;
	if (arg[0] & 1)
		COUNTED(pkey_mprotect(region + CHANGED * PAGE, 8 * PAGE, READ_WRITE, key));
	COUNTED(pkey_set(key, arg[1] & 3));
}

OP(memory)
{
	uint8_t *base = arg[0] & 1 ? structures : region;
	uint8_t *at = base + (CHANGED + arg[1] % (PAGES - CHANGED)) * PAGE;
	size_t size = (1 + arg[2] % 4) * PAGE;
	unsigned int own = OWN_CHANGED + arg[1] / 4 % (OF_THREAD - OWN_CHANGED);
	static const int advice[8] = {
		MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_HUGEPAGE,
		MADV_DONTFORK, MADV_POPULATE_WRITE,
	};

	if (at + size > base + PAGES * PAGE)
		size = base + PAGES * PAGE - at;
	if (base == structures) {
		at = base + (arg[1] % (THREADS + 1) * OF_THREAD + own) * PAGE;
		size = PAGE;
	}
	switch (arg[3] % 8) {
	case 0:
		/* No hole: the next ring would be there. */
		COUNTED(mmap(at, size, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		break;
	case 1:
		COUNTED(mprotect(at, size, arg[4] & 7));
		break;
	case 2:
		COUNTED(madvise(at, size, advice[arg[4] & 7]));
		break;
	case 3:
		COUNTED(mmap(at, size, PROT_READ | PROT_WRITE,
			     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		break;
	case 4:
		COUNTED(mmap(at, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED,
			     file_of(arg[4] % 10)->fd, 0));
		break;
	case 5:
		if (base == region)
			COUNTED(mremap(at, size, size, MOVE | MREMAP_DONTUNMAP,
				       region + CHANGED * PAGE));
		break;
	case 6:
		COUNTED(mlock(at, size));
		break;
	case 7:
		/* beyond the end of a file: SIGBUS */
		COUNTED(mmap(at, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED,
			     file_of(MEMFD)->fd, 1 << 20));
		break;
	}
}

/* Whatever a program can write into its ring. */
OP(ring_write)
{
	struct context *context = context_get(arg[0]);
	uint32_t *ring;

	if (!context || context->dead)
		return;
	context->tampered = true;
	ring = (uint32_t *)context->id;
	for (unsigned int i = 0; i < 1 + arg[4] % 1000; i++)
		__atomic_store_n(&ring[arg[1] & 1 ? 2 : arg[1] % 1000],
				 arg[3] & 1 ? arg[2] + i : (uint32_t)(int16_t)arg[2],
				 __ATOMIC_RELAXED);
}

/* Whatever can be done to its mapping. */
OP(ring_map)
{
	struct context *context = context_get(arg[0]);
	void *ring, *to;
	size_t size;

	if (!context || atomic_exchange(&context->moving, true))
		return;
	if (context->dead)
		return;
	ring = (void *)context->id;
	size = ((context->capacity + 3) * 32UL + PAGE - 1) & -PAGE;
	switch (arg[1] % 10) {
	case 0:
		/* It has another id then. */
		to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		to = COUNTED(mremap(ring, size, size, MOVE, to));
		if (to != MAP_FAILED)
			context->id = (aio_context_t)to;
		break;
	case 1:
		note_tampered();
		context->dead = true;
		context->tampered = true;
		COUNTED(munmap(ring, size));
		break;
	case 2:
		note_tampered();
		context->tampered = true;
		COUNTED(munmap((char *)ring + PAGE * (arg[2] & 3), PAGE));
		break;
	case 3:
		context->tampered = true;
		if (!(arg[2] & PROT_READ))
			note_tampered();	/* then nobody finds it */
		COUNTED(mprotect(ring, size, arg[2] & 3));
		break;
	case 4:
		COUNTED(madvise(ring, size, arg[2] & 1 ? MADV_DONTNEED : MADV_DOFORK));
		break;
	case 5:
		COUNTED(mprotect(ring, size, PROT_READ | PROT_WRITE | PROT_EXEC));
		break;
	case 6:
		if (arg[2] >> 12 != 1)
			break;
		note_tampered();	/* its charge stays */
		COUNTED(syscall(SYS_mseal, ring, size, 0));
		break;
	case 7:
		COUNTED(mremap(ring, size, size + PAGE, MREMAP_MAYMOVE));
		COUNTED(mlock(ring, size));
		break;
	case 8:
		note_tampered();
		context->dead = true;
		context->tampered = true;
		COUNTED(mmap(ring, size, PROT_READ | PROT_WRITE,
			     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		break;
	case 9:
		note_tampered();
		context->tampered = true;
		COUNTED(syscall(SYS_remap_file_pages, ring, size, 0, arg[2] & 1, 0));
		break;
	}
	context->moving = false;
}
