// SPDX-License-Identifier: GPL-2.0
/*
 * Description: reads that are over in submit: their data is right whatever part of
 * it is there, and their events do not wait for the rest of the batch.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"
#include "util.h"

#define BLOCK	4096
#define BLOCKS	64

static void run_all(aio_context_t ctx, struct iocb *iocbs, unsigned int nr)
{
	struct io_event events[BLOCKS];
	struct iocb *list[BLOCKS];
	unsigned int i, seen[BLOCKS] = { 0 };

	for (i = 0; i < nr; i++) {
		list[i] = &iocbs[i];
		iocbs[i].aio_data = i;
	}
	ASSERT_EQ(nr, be_submit(ctx, nr, list));
	ASSERT_EQ(nr, events_wait(ctx, events, nr));
	for (i = 0; i < nr; i++) {
		EXPECT_EQ(BLOCK, (long long)events[i].res);
		EXPECT_EQ((uintptr_t)&iocbs[events[i].data], events[i].obj);
		seen[events[i].data]++;
	}
	for (i = 0; i < nr; i++)
		EXPECT_EQ(1, seen[i]);
}

/* Blocks that are cached between others that are not, into memory never touched. */
TEST(some_cached)
{
	aio_context_t ctx = new_context(BLOCKS);
	int fd = new_file(BLOCK * BLOCKS);
	struct iocb iocbs[BLOCKS];
	unsigned int i;
	char *buf;

	ASSERT_EQ(0, fsync(fd));
	for (i = 0; i < BLOCKS; i += 8)
		posix_fadvise(fd, i * BLOCK, 4 * BLOCK, POSIX_FADV_DONTNEED);
	buf = mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	ASSERT_TRUE(buf != MAP_FAILED);
	for (i = 0; i < BLOCKS; i++)
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf + i * BLOCK, BLOCK, i * BLOCK);
	run_all(ctx, iocbs, BLOCKS);
	EXPECT_TRUE(is_pattern(buf, BLOCK * BLOCKS, 0, 0));
	EXPECT_EQ(0, be_destroy(ctx));
}

/* Only the first half of what is read is cached, or there at all. */
TEST(half_cached)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(16 * BLOCK);
	char *buf = aligned_buffer(16 * BLOCK);
	struct iocb iocb;

	ASSERT_EQ(0, fsync(fd));
	posix_fadvise(fd, 8 * BLOCK, 8 * BLOCK, POSIX_FADV_DONTNEED);
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 16 * BLOCK, 0);
	EXPECT_EQ(16 * BLOCK, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 16 * BLOCK, 0, 0));

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 8 * BLOCK, 12 * BLOCK + 1);
	EXPECT_EQ(4 * BLOCK - 1, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 4 * BLOCK - 1, 12 * BLOCK + 1, 0));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 16 * BLOCK);
	EXPECT_EQ(0, run_one(ctx, &iocb));
	EXPECT_EQ(0, be_destroy(ctx));
}

/* The end of the buffer can't be written: what was read is told, or nothing. */
TEST(half_a_buffer)
{
	aio_context_t ctx = new_context(1);
	int fd = new_file(2 * BLOCK);
	char *buf = guarded_buffer(BLOCK);
	struct iocb iocb;
	int64_t res;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 2 * BLOCK, 0);
	res = run_one(ctx, &iocb);
	if (res != -EFAULT) {
		EXPECT_EQ(BLOCK, res);
		EXPECT_TRUE(is_pattern(buf, BLOCK, 0, 0));
	}
	EXPECT_EQ(0, be_destroy(ctx));
}

/* An iocb's page, which is there when the event of the iocb before is. */
static struct absent page;

static void *serve_after_event(void *arg)
{
	aio_context_t ctx = *(aio_context_t *)arg;
	struct io_event event;

	absent_wait(&page);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(BLOCK, (long long)event.res);
	absent_serve(&page);
	return NULL;
}

TEST(event_before_the_next_fault)
{
	aio_context_t ctx = new_context(2);
	int fd = new_file(BLOCK);
	char *buf = aligned_buffer(BLOCK);
	struct iocb first, *list[2];
	pthread_t thread;

	absent_open_page(&page);
	memset(buf, 0, BLOCK);
	prep(&first, IOCB_CMD_PREAD, fd, buf, BLOCK, 0);
	list[0] = &first;
	list[1] = (struct iocb *)page.pages;
	ASSERT_EQ(0, pthread_create(&thread, NULL, serve_after_event, &ctx));
	/* An iocb of zeroes: a read of nothing from descriptor 0. */
	ASSERT_LE(1, be_submit(ctx, 2, list));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, be_destroy(ctx));
}

/* By whoever serves the fault. */
static int fd_first, fd_instead;
static char *buf_after;

static void *serve_another_file(void *arg)
{
	struct iocb iocb;

	(void)arg;
	absent_wait(&page);
	ASSERT_EQ(fd_first, dup2(fd_instead, fd_first));
	prep(&iocb, IOCB_CMD_PREAD, fd_first, buf_after, BLOCK, 0);
	absent_serve_bytes(&page, &iocb, sizeof(iocb));
	return NULL;
}

/* A descriptor means what it means when its iocb is there. */
TEST(file_after_the_fault)
{
	aio_context_t ctx = new_context(2);
	char *buf = aligned_buffer(BLOCK);
	struct io_event events[2];
	struct iocb first, *list[2];
	pthread_t thread;

	absent_open_page(&page);
	fd_first = new_file(BLOCK);
	fd_instead = new_file(BLOCK);
	buf_after = aligned_buffer(BLOCK);
	memset(buf, 'x', BLOCK);
	ASSERT_EQ(BLOCK, pwrite(fd_instead, buf, BLOCK, 0));
	memset(buf_after, 0, BLOCK);
	prep(&first, IOCB_CMD_PREAD, fd_first, buf, BLOCK, 0);
	list[0] = &first;
	list[1] = (struct iocb *)page.pages;
	ASSERT_EQ(0, pthread_create(&thread, NULL, serve_another_file, NULL));
	ASSERT_EQ(2, be_submit(ctx, 2, list));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(2, events_wait(ctx, events, 2));
	EXPECT_TRUE(is_pattern(buf, BLOCK, 0, 0));
	memset(buf, 'x', BLOCK);
	EXPECT_EQ(0, memcmp(buf, buf_after, BLOCK));
	EXPECT_EQ(0, be_destroy(ctx));
}

#define WAITING	12
#define NOOPS	15

static aio_context_t shared;
static int pipe_fd;

/* Takes requests and credits for more than one, and then waits for an iocb. */
static void *submit_and_fault(void *arg)
{
	struct iocb iocb, noops[NOOPS], *list[NOOPS + 2];
	int i;

	(void)arg;
	prep_poll(&iocb, pipe_fd, POLLIN);
	list[0] = &iocb;
	for (i = 0; i < NOOPS; i++) {
		prep(&noops[i], IOCB_CMD_NOOP, -1, NULL, 0, 0);
		list[i + 1] = &noops[i];
	}
	list[NOOPS + 1] = (struct iocb *)page.pages;
	EXPECT_LE(NOOPS + 1, be_submit(shared, NOOPS + 2, list));
	return NULL;
}

/* Who waits for an iocb keeps nothing that others could use. */
TEST_RAIO(requests_during_a_fault, "native: no NOOP")
{
	struct io_event events[NOOPS + 2];
	pthread_t threads[WAITING];
	struct iocb iocb;
	int fds[2], i;

	absent_open_page(&page);
	shared = new_context(1);
	ASSERT_EQ(0, pipe(fds));
	pipe_fd = fds[0];
	for (i = 0; i < WAITING; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, submit_and_fault, NULL));
		ASSERT_EQ(NOOPS, events_wait(shared, events, NOOPS));
		if (!i)
			absent_wait(&page);
	}
	/* Of 126 that the ring holds, 12 are armed. */
	prep_poll(&iocb, fds[0], POLLIN);
	EXPECT_EQ(1, submit_one(shared, &iocb));
	absent_serve(&page);
	ASSERT_EQ(1, write(fds[1], "", 1));
	for (i = 0; i < WAITING; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, be_destroy(shared));
}

static void *make_direct(void *arg)
{
	struct iocb iocb;
	int fd = *(int *)arg;

	absent_wait(&page);
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_DIRECT));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf_after, BLOCK, 0);
	absent_serve_bytes(&page, &iocb, sizeof(iocb));
	return NULL;
}

/* The same file, but its reads go past the page cache from then on. */
TEST(direct_after_the_fault)
{
	aio_context_t ctx = new_context(2);
	int fd = new_file(2 * BLOCK);
	char *buf = aligned_buffer(BLOCK);
	struct io_event events[2];
	struct iocb first, *list[2];
	pthread_t thread;

	absent_open_page(&page);
	buf_after = aligned_buffer(BLOCK);
	ASSERT_EQ(0, fsync(fd));
	prep(&first, IOCB_CMD_PREAD, fd, buf, BLOCK, BLOCK);
	list[0] = &first;
	list[1] = (struct iocb *)page.pages;
	ASSERT_EQ(0, pthread_create(&thread, NULL, make_direct, &fd));
	ASSERT_EQ(2, be_submit(ctx, 2, list));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(2, events_wait(ctx, events, 2));
	EXPECT_EQ(BLOCK, (long long)events[0].res);
	EXPECT_EQ(BLOCK, (long long)events[1].res);
	EXPECT_TRUE(is_pattern(buf, BLOCK, BLOCK, 0));
	EXPECT_TRUE(is_pattern(buf_after, BLOCK, 0, 0));
	EXPECT_EQ(0, be_destroy(ctx));
}

/*
 * A direct transfer's memory is there when the events of those before it are: so
 * many that they are submitted under a plug, or so few that they are not.
 */
static void direct_waits_for_memory(unsigned int before)
{
	aio_context_t ctx = new_context(16);
	struct iocb iocbs[16], *list[16];
	struct io_event events[16];
	pthread_t thread;
	int fd, direct;
	unsigned int i;
	char *buf;

	absent_open_page(&page);
	fd = new_file(16 * BLOCK);
	ASSERT_EQ(0, fsync(fd));
	direct = reopen(fd, O_RDONLY | O_DIRECT);
	if (direct < 0)
		SKIP("no O_DIRECT there");
	buf = aligned_buffer(16 * BLOCK);
	memset(buf, 0, 16 * BLOCK);
	/* the first of a mount is a thread's */
	prep(&iocbs[0], IOCB_CMD_PREAD, direct, buf, BLOCK, 0);
	ASSERT_EQ(BLOCK, run_one(ctx, &iocbs[0]));
	ASSERT_EQ(16 * BLOCK, pread(fd, buf, 16 * BLOCK, 0));
	for (i = 0; i < before; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, buf + i * BLOCK, BLOCK, i * BLOCK);
		list[i] = &iocbs[i];
	}
	prep(&iocbs[before], IOCB_CMD_PREAD, direct, page.pages, BLOCK, 0);
	list[before] = &iocbs[before];
	ASSERT_EQ(0, pthread_create(&thread, NULL, serve_after_event, &ctx));
	ASSERT_EQ(before + 1, be_submit(ctx, before + 1, list));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(before, events_wait(ctx, events, before));
	for (i = 0; i < before; i++)
		EXPECT_EQ(BLOCK, (long long)events[i].res);
	EXPECT_TRUE(is_pattern(page.pages, BLOCK, 0, 0));
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST(event_before_the_memory)
{
	direct_waits_for_memory(1);
}

TEST(events_before_the_memory)
{
	direct_waits_for_memory(7);
}
