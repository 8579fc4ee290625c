// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a descriptor means what it means when its iocb is submitted, though
 * the same one was used before in the batch: whoever serves a fault of submit may
 * have replaced the file behind it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

/* What submit reads of the array of pointers at once. */
#define CHUNK 16

/* A page at which submit waits, and what it holds when it goes on. */
struct page {
	char *at;
	char content[1 << 16];
};

static struct page page;
static size_t page_size;
static int uffd;
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

static void watch(void *at, uint64_t mode, uint64_t features)
{
	struct uffdio_register reg = { .mode = mode };
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		SKIP("no userfaultfd: %m");
	if (ioctl(uffd, UFFDIO_API, &api))
		SKIP("no such userfaultfd: %m");
	reg.range.start = (uintptr_t)at;
	reg.range.len = page_size;
	if (ioctl(uffd, UFFDIO_REGISTER, &reg))
		SKIP("no such userfaultfd: %m");
}

/* The second of two pages, of which the first is there. */
static void make_page(void)
{
	char *pages;

	page_size = getpagesize();
	pages = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	ASSERT_TRUE(pages != MAP_FAILED);
	memset(pages, 0, page_size);
	page.at = pages + page_size;
}

/* It is not there yet. */
static void make_missing(void)
{
	watch(page.at, UFFDIO_REGISTER_MODE_MISSING, 0);
}

static void set_protection(uint64_t mode)
{
	struct uffdio_writeprotect protect = {
		.range = { .start = (uintptr_t)page.at, .len = page_size }, .mode = mode,
	};

	ASSERT_EQ(0, ioctl(uffd, UFFDIO_WRITEPROTECT, &protect));
}

/* It can't be written yet. */
static void make_protected(void)
{
	memcpy(page.at, page.content, page_size);
	watch(page.at, UFFDIO_REGISTER_MODE_WP, UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	protects = true;
	set_protection(UFFDIO_WRITEPROTECT_MODE_WP);
}

static void *replace_and_serve(void *arg)
{
	struct pollfd pollfd = { .fd = uffd, .events = POLLIN };
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page.at, .src = (uintptr_t)page.content, .len = page_size,
	};
	struct uffd_msg msg;

	(void)arg;
	ASSERT_EQ(1, poll(&pollfd, 1, -1));
	ASSERT_EQ(sizeof(msg), read(uffd, &msg, sizeof(msg)));
	ASSERT_EQ(fd, dup2(after, fd));
	if (protects)
		set_protection(0);
	else
		ASSERT_EQ(0, ioctl(uffd, UFFDIO_COPY, &copy));
	return NULL;
}

static void prepare(void)
{
	make_page();
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

	prepare();
	pointers = (struct iocb **)page.at - CHUNK;
	for (i = 0; i <= CHUNK; i++)
		prep_read(&iocbs[i], i, opcode);
	for (i = 0; i < CHUNK; i++)
		pointers[i] = &iocbs[i];
	memcpy(page.content, &last, sizeof(last));
	make_missing();
	run(pointers, CHUNK + 1);
}

static void fault_of_iocb(unsigned int opcode)
{
	prepare();
	prep_read(&iocbs[0], 0, opcode);
	prep_read((struct iocb *)page.content, 1, opcode);
	list[0] = &iocbs[0];
	list[1] = (struct iocb *)page.at;
	make_missing();
	run(list, 2);
}

/* It is written though nothing of it was missing. */
static void fault_of_key(unsigned int opcode)
{
	prepare();
	prep_read((struct iocb *)page.content, 0, opcode);
	((struct iocb *)page.content)->aio_key = 1;
	prep_read(&iocbs[1], 1, opcode);
	list[0] = (struct iocb *)page.at;
	list[1] = &iocbs[1];
	make_protected();
	run(list, 2);
}

static void fault_of_iovec(unsigned int opcode)
{
	struct iovec iovec = { &bytes[0], 1 };

	prepare();
	prep(&iocbs[0], IOCB_CMD_PREADV, fd, page.at, 1, 0);
	memcpy(page.content, &iovec, sizeof(iovec));
	prep_read(&iocbs[1], 1, opcode);
	list[0] = &iocbs[0];
	list[1] = &iocbs[1];
	make_missing();
	run(list, 2);
}

/* A request that waits in submit, for what it reads goes to memory that is not there. */
static void fault_of_buffer(unsigned int opcode)
{
	prepare();
	prep(&iocbs[0], IOCB_CMD_PREAD, fd, page.at, 1, 0);
	prep_read(&iocbs[1], 1, opcode);
	list[0] = &iocbs[0];
	list[1] = &iocbs[1];
	make_missing();
	bytes[0] = 'a';
	run(list, 2);
	EXPECT_EQ('a', page.at[0]);
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
