// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "medium.h"

#define BLOCK	DIRECT_ALIGN
#define BLOCKS	64
#define SIZE	(BLOCKS * BLOCK)

void medium_nullb(struct medium *medium)
{
	*medium = (struct medium){ .delay_ms = 20, .is_nullb = true };
	nullb_create(&medium->nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = medium->delay_ms * 1000000UL,
		.hw_queue_depth = 4, .memory_backed = true });
	medium->fd = nullb_open(&medium->nullb, true);
	/* it outlives an exec */
	ASSERT_EQ(0, fcntl(medium->fd, F_SETFD, 0));
}

void medium_file(struct medium *medium)
{
	*medium = (struct medium){ .delay_ms = 20, .fd = new_file(SIZE) };
	ASSERT_EQ(0, fcntl(medium->fd, F_SETFD, 0));
}

void medium_write(const struct medium *medium, int ready_fd, unsigned int rounds)
{
	uint8_t *bufs = aligned_buffer(SIZE);
	aio_context_t ctx = new_context(BLOCKS);
	struct iocb iocbs[BLOCKS], *list[BLOCKS];
	struct io_event events[BLOCKS];
	unsigned int round;
	int i, count;

	for (i = 0; i < BLOCKS; i++) {
		prep(&iocbs[i], IOCB_CMD_PWRITE, medium->fd, bufs + i * BLOCK, BLOCK, i * BLOCK);
		list[i] = &iocbs[i];
	}
	count = BLOCKS;
	for (round = 1; !rounds || round <= rounds; round++) {
		for (i = 0; i < count; i++)
			memset((void *)(uintptr_t)list[i]->aio_buf, round, BLOCK);
		ASSERT_EQ(count, be_submit(ctx, count, list));
		if (round == 3)
			ASSERT_EQ(1, write(ready_fd, "", 1));
		if (round == rounds) {
			if (medium->is_nullb && !nullb_inflight(&medium->nullb))
				test_note("nothing is in flight any more: a slow guest?");
			return;
		}
		count = be_getevents(ctx, 1, BLOCKS, events, NULL);
		ASSERT_LE(1, count);
		for (i = 0; i < count; i++) {
			EXPECT_EQ(BLOCK, (long long)events[i].res);
			list[i] = (struct iocb *)(uintptr_t)events[i].obj;
		}
	}
}

struct writer {
	const struct medium *medium;
	int ready_fd;
};

static void *write_in_thread(void *arg)
{
	struct writer *writer = arg;

	medium_write(writer->medium, writer->ready_fd, 0);
	return NULL;
}

void medium_write_in_threads(const struct medium *medium, int ready_fd, unsigned int threads)
{
	static struct writer writer;
	pthread_t thread;

	writer = (struct writer){ .medium = medium, .ready_fd = ready_fd };
	while (threads--)
		ASSERT_EQ(0, pthread_create(&thread, NULL, write_in_thread, &writer));
}

void medium_expect_rest(const struct medium *medium)
{
	uint8_t *first = aligned_buffer(SIZE), *second = aligned_buffer(SIZE);
	int i;

	if (medium->is_nullb)
		EXPECT_EQ(0, nullb_inflight(&medium->nullb));
	ASSERT_EQ(SIZE, pread(medium->fd, first, SIZE, 0));
	/* long enough for all that may be queued somewhere: 64 requests, 4 at a time */
	for (i = 0; i < 3; i++) {
		usleep(medium->delay_ms * 1000 * 16);
		ASSERT_EQ(SIZE, pread(medium->fd, second, SIZE, 0));
		EXPECT_EQ(0, memcmp(first, second, SIZE));
	}
}
