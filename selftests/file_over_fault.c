// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a descriptor means what it means when its iocb is submitted, though
 * the same one was used before in the batch: whoever serves a fault of submit may
 * have replaced the file behind it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"

/* What submit reads of the array of pointers at once. */
#define CHUNK 16

/* A page at which submit waits, and what it holds when it goes on. */
static struct absent page;
static char content[1 << 16] __attribute__((__aligned__));
static bool protects;
/* The files before and after the fault, and the descriptor of both. */
static int before, after, fd;

static struct iocb iocbs[CHUNK + 1], *list[2];
static char bytes[CHUNK + 1];

/* A descriptor of a file in memory, that holds one byte. */
static int file_of(char byte)
{
	int file = memfd_create("raio", MFD_CLOEXEC);

	ASSERT_LE(0, file);
	ASSERT_EQ(1, write(file, &byte, 1));
	return file;
}

static void set_protection(uint64_t mode)
{
	struct uffdio_writeprotect protect = {
		.range = { .start = (uintptr_t)page.pages, .len = page.size }, .mode = mode,
	};

	ASSERT_EQ(0, ioctl(page.uffd, UFFDIO_WRITEPROTECT, &protect));
}

/* It is there, but can't be written yet. */
static void protect_page(void)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page.pages, .len = page.size },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	absent_serve_bytes(&page, content, page.size);
	if (ioctl(page.uffd, UFFDIO_REGISTER, &reg))
		SKIP("no such userfaultfd: %m");
	protects = true;
	set_protection(UFFDIO_WRITEPROTECT_MODE_WP);
}

static void *replace_and_serve(void *arg)
{
	absent_wait(&page);
	ASSERT_EQ(fd, dup2(after, fd));
	if (protects)
		set_protection(0);
	else
		absent_serve_bytes(&page, content, page.size);
	return arg;
}

static void prepare(uint64_t features)
{
	absent_open_features(&page, features);
	absent_map(&page, getpagesize());
	before = file_of('a');
	after = file_of('b');
	fd = dup(before);
	ASSERT_LE(0, fd);
}

/* Of number i: one that may be over at once, or one that is a request in any case. */
static void prep_read(struct iocb *iocb, unsigned int i, unsigned int opcode)
{
	static struct iovec iovecs[CHUNK + 1];

	if (opcode == IOCB_CMD_PREAD) {
		prep(iocb, opcode, fd, &bytes[i], 1, 0);
	} else {
		iovecs[i] = (struct iovec){ &bytes[i], 1 };
		prep(iocb, opcode, fd, &iovecs[i], 1, 0);
	}
}

/* The last of them comes after the fault, and the others before. */
static void run(struct iocb **iocbpp, unsigned int nr)
{
	aio_context_t ctx = new_context(nr);
	struct io_event events[CHUNK + 1];
	pthread_t thread;
	unsigned int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, replace_and_serve, NULL));
	ASSERT_EQ(nr, be_submit(ctx, nr, iocbpp));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(nr, events_wait(ctx, events, nr));
	for (i = 0; i < nr; i++)
		EXPECT_EQ(1, (long long)events[i].res);
	for (i = 0; i < nr - 1; i++)
		EXPECT_EQ('a', bytes[i]);
	EXPECT_EQ('b', bytes[nr - 1]);
	EXPECT_EQ(0, be_destroy(ctx));
}

static void fault_of_array(unsigned int opcode)
{
	struct iocb **pointers, *last = &iocbs[CHUNK];
	unsigned int i;

	prepare(0);
	pointers = (struct iocb **)page.pages - CHUNK;
	for (i = 0; i <= CHUNK; i++)
		prep_read(&iocbs[i], i, opcode);
	for (i = 0; i < CHUNK; i++)
		pointers[i] = &iocbs[i];
	memcpy(content, &last, sizeof(last));
	run(pointers, CHUNK + 1);
}

static void fault_of_iocb(unsigned int opcode)
{
	prepare(0);
	prep_read(&iocbs[0], 0, opcode);
	prep_read((struct iocb *)content, 1, opcode);
	list[0] = &iocbs[0];
	list[1] = (struct iocb *)page.pages;
	run(list, 2);
}

/* It is written though nothing of it was missing. */
static void fault_of_key(unsigned int opcode)
{
	prepare(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	prep_read((struct iocb *)content, 0, opcode);
	((struct iocb *)content)->aio_key = 1;
	prep_read(&iocbs[1], 1, opcode);
	list[0] = (struct iocb *)page.pages;
	list[1] = &iocbs[1];
	protect_page();
	run(list, 2);
}

static void fault_of_iovec(unsigned int opcode)
{
	struct iovec iovec = { &bytes[0], 1 };

	prepare(0);
	prep(&iocbs[0], IOCB_CMD_PREADV, fd, page.pages, 1, 0);
	memcpy(content, &iovec, sizeof(iovec));
	prep_read(&iocbs[1], 1, opcode);
	list[0] = &iocbs[0];
	list[1] = &iocbs[1];
	run(list, 2);
}

/* A request that waits in submit, for what it reads goes to memory that is not there. */
static void fault_of_buffer(unsigned int opcode)
{
	prepare(0);
	prep(&iocbs[0], IOCB_CMD_PREAD, fd, page.pages, 1, 0);
	prep_read(&iocbs[1], 1, opcode);
	list[0] = &iocbs[0];
	list[1] = &iocbs[1];
	bytes[0] = 'a';
	run(list, 2);
	EXPECT_EQ('a', page.pages[0]);
}

TEST(array_at_once)
{
	fault_of_array(IOCB_CMD_PREAD);
}

TEST(array_request)
{
	fault_of_array(IOCB_CMD_PREADV);
}

TEST(iocb_at_once)
{
	fault_of_iocb(IOCB_CMD_PREAD);
}

TEST(iocb_request)
{
	fault_of_iocb(IOCB_CMD_PREADV);
}

TEST(key_at_once)
{
	fault_of_key(IOCB_CMD_PREAD);
}

TEST(key_request)
{
	fault_of_key(IOCB_CMD_PREADV);
}

TEST(iovec_at_once)
{
	fault_of_iovec(IOCB_CMD_PREAD);
}

TEST(iovec_request)
{
	fault_of_iovec(IOCB_CMD_PREADV);
}

TEST(buffer_at_once)
{
	fault_of_buffer(IOCB_CMD_PREAD);
}

TEST(buffer_request)
{
	fault_of_buffer(IOCB_CMD_PREADV);
}
