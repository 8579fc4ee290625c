// SPDX-License-Identifier: GPL-2.0
/*
 * Description: when destroy, or the munmap of the ring, has returned, no request
 * of the context touches the program's buffers any more.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"

#define COUNT 64
#define DELAY_MS 20

static uint8_t *bufs;
static struct nullb nullb;

static aio_context_t reads_in_flight(void)
{
	struct iocb iocbs[COUNT], *list[COUNT];
	aio_context_t ctx = new_context(COUNT);
	int fd, i;

	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = DELAY_MS * 1000000UL, .hw_queue_depth = 2,
		.memory_backed = true });
	fd = nullb_open(&nullb, false);
	bufs = aligned_buffer(COUNT * DIRECT_ALIGN);
	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, bufs + i * DIRECT_ALIGN, DIRECT_ALIGN,
		     2L * i * DIRECT_ALIGN);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	close(fd);
	return ctx;
}

static void expect_untouched(unsigned long before)
{
	size_t i;

	EXPECT_EQ(before, be_nr());
	memset(bufs, 0xee, COUNT * DIRECT_ALIGN);
	usleep(DELAY_MS * 1000 * COUNT);
	for (i = 0; i < COUNT * DIRECT_ALIGN; i++)
		if (bufs[i] != 0xee)
			break;
	EXPECT_EQ(COUNT * DIRECT_ALIGN, i);
}

TEST(destroy)
{
	unsigned long before = be_nr();

	EXPECT_EQ(0, be_destroy(reads_in_flight()));
	expect_untouched(before);
}

TEST_RAIO(munmap_ring, "the context stays when its ring is unmapped")
{
	unsigned long before = be_nr();
	aio_context_t ctx = reads_in_flight();

	EXPECT_EQ(0, munmap(ring_of(ctx), mapping_size(ctx)));
	expect_untouched(before);
}
