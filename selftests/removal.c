// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a device that is removed under requests is an error, and not the end of
 * its data: each request has one event, with all of its bytes or an errno.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"

#define NR	48
#define SIZE	(256 << 10)
#define WHY	"what it reads of a device that is gone is nothing, without an error"

static struct nullb nullb;
static struct iocb iocbs[NR], *list[NR];

static int open_device(int flags)
{
	static const struct nullb_options options = {
		.size_mb = 64, .completion_nsec = 5000000, .hw_queue_depth = 4,
	};
	int fd;

	nullb_create(&nullb, &options);
	fd = open(nullb.dev, O_RDWR | O_CLOEXEC | flags);
	ASSERT_LE(0, fd);
	return fd;
}

/* Some are with the driver when the device goes, some wait for that, some are not begun. */
static void removed(int flags, unsigned int opcode, bool vectored)
{
	static struct io_event events[NR];
	static struct iovec iov[NR][2];
	aio_context_t ctx = new_context(NR);
	int fd = open_device(flags), i, taken = 0, errors = 0;
	char *buf = aligned_buffer(SIZE);

	for (i = 0; i < NR; i++) {
		off_t at = (off_t)i * SIZE;

		iov[i][0] = (struct iovec){ buf, SIZE / 2 };
		iov[i][1] = (struct iovec){ buf + SIZE / 2, SIZE / 2 };
		if (vectored)
			prep(&iocbs[i], opcode, fd, iov[i], 2, at);
		else
			prep(&iocbs[i], opcode, fd, buf, SIZE, at);
		list[i] = &iocbs[i];
	}
	while (taken < NR / 2) {
		int ret = be_submit(ctx, NR / 2 - taken, list + taken);

		ASSERT_LT(0, ret);
		taken += ret;
	}
	ASSERT_EQ(1, be_getevents(ctx, 1, 1, events, NULL));
	nullb_remove(&nullb);
	/* And those that come too late. */
	ASSERT_EQ(NR / 2, be_submit(ctx, NR / 2, list + NR / 2));
	for (i = 1; i < NR; i++) {
		ASSERT_EQ(1, events_wait(ctx, &events[i], 1));
		if (events[i].res < 0)
			errors++;
		else if (events[i].res != SIZE)
			FAIL("%d: %lld", i, (long long)events[i].res);
	}
	EXPECT_LE(NR / 2, errors);
	close(fd);
}

TEST_RAIO(direct_reads, WHY)
{
	removed(O_DIRECT, IOCB_CMD_PREAD, false);
}

TEST_RAIO(direct_vectored_reads, WHY)
{
	removed(O_DIRECT, IOCB_CMD_PREADV, true);
}

TEST_RAIO(direct_writes, WHY)
{
	removed(O_DIRECT, IOCB_CMD_PWRITE, false);
}

TEST_RAIO(buffered_reads, WHY)
{
	removed(0, IOCB_CMD_PREAD, false);
}

TEST_RAIO(buffered_vectored_reads, WHY)
{
	removed(0, IOCB_CMD_PREADV, true);
}

/* A device that is there ends where it ends. */
TEST(end_of_a_device)
{
	aio_context_t ctx = new_context(1);
	int fd = open_device(O_DIRECT);
	char *buf = aligned_buffer(SIZE);
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, SIZE, (64 << 20) - SIZE / 2);
	EXPECT_EQ(SIZE / 2, run_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, SIZE, 64 << 20);
	EXPECT_EQ(0, run_one(ctx, &iocb));
	close(fd);
	nullb_remove(&nullb);
}
