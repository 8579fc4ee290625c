// SPDX-License-Identifier: GPL-2.0
/*
 * Description: destroy just when some of the pages come for which reads wait: it
 * returns, whatever was on its way for these reads.
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include "harness.h"
#include "slowfile.h"
#include "workers.h"

#define COUNT	8
#define BLOCK	4096
/* Rounds until all of the file was read. */
#define PASS	(SLOWFILE_SIZE / BLOCK / COUNT)

static struct slowfile file;
static struct iocb iocbs[COUNT];
static uint8_t *bufs;

static void submit_reads(aio_context_t ctx, unsigned int round)
{
	int i;

	for (i = 0; i < COUNT; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, file.fd, bufs + i * BLOCK, BLOCK,
		     (round % PASS * COUNT + i) * BLOCK);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
}

/* The device has given that many. */
static void wait_for_device(aio_context_t ctx, unsigned int count)
{
	/* all at once, unless the guest is slow */
	while (nullb_inflight(&file.nullb) < COUNT && !events_in_ring(ctx))
		;
	while (nullb_inflight(&file.nullb) > COUNT - count)
		;
}

static void wait_for_events(aio_context_t ctx, unsigned int count)
{
	while (events_in_ring(ctx) < count)
		;
}

static void run(const char *type)
{
	unsigned long rounds = stress_count(100), round;
	unsigned long before = be_nr();
	aio_context_t ctx;

	slowfile_make(&file, type, 20000000);
	bufs = aligned_buffer(COUNT * BLOCK);
	for (round = 0; round < rounds; round++) {
		if (round % PASS == 0)
			ASSERT_EQ(0, posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED));
		ctx = new_context(COUNT);
		submit_reads(ctx, round);
		if (round % 2)
			wait_for_device(ctx, round / 2 % (COUNT + 1));
		else
			wait_for_events(ctx, round / 2 % (COUNT + 1));
		EXPECT_EQ(0, be_destroy(ctx));
		EXPECT_EQ(before, be_nr());
	}
	expect_works(new_context(1));
}

#define NATIVE	"native: blocks"

TEST_RAIO(block_device, NATIVE)
{
	run(NULL);
}

TEST_RAIO(ext4, NATIVE)
{
	run("ext4");
}
