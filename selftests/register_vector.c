// SPDX-License-Identifier: GPL-2.0
/*
 * Description: vectors of registered memory that are empty, have empty segments, or are
 * as long as a vector can be.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "harness.h"
#include "registered.h"

#define WHY "it registers nothing"
#define LONG	(2UL << 20)

static aio_context_t ctx;

static int64_t transfer(unsigned int opcode, const struct iovec *iovecs, unsigned int nr)
{
	struct iocb iocb;

	prep(&iocb, opcode, new_file(100), (void *)iovecs, nr, 0);
	fix_buffer(&iocb, 0);
	return run_one(ctx, &iocb);
}

TEST_RAIO(empty, WHY)
{
	struct iovec iovecs[2] = { { NULL, 0 }, { (void *)1, 0 } };
	uint8_t *buf = aligned_buffer(DIRECT_ALIGN);
	unsigned int nr;

	ctx = new_context(8);
	register_buffer(ctx, buf, DIRECT_ALIGN);
	for (nr = 0; nr <= 2; nr++) {
		EXPECT_EQ(0, transfer(IOCB_CMD_PREADV, iovecs, nr));
		EXPECT_EQ(0, transfer(IOCB_CMD_PWRITEV, iovecs, nr));
	}
	iovecs[0].iov_base = buf;
	iovecs[1].iov_base = buf;
	EXPECT_EQ(0, transfer(IOCB_CMD_PREADV, iovecs, 2));
}

/* They lie nowhere, wherever they are said to be. */
TEST_RAIO(empty_segments, WHY)
{
	uint8_t *buf = aligned_buffer(DIRECT_ALIGN);
	struct iovec iovecs[5] = {
		{ NULL, 0 }, { NULL, 0 }, { buf, 10 }, { NULL, 0 }, { buf + 10, 1 },
	};

	ctx = new_context(8);
	register_buffer(ctx, buf, DIRECT_ALIGN);
	EXPECT_EQ(11, transfer(IOCB_CMD_PREADV, iovecs, 5));
	EXPECT_EQ(11, transfer(IOCB_CMD_PWRITEV, iovecs, 5));
}

/* Of more pages than there is memory in one piece to note them. */
TEST_RAIO(longest, WHY)
{
	uint8_t *buf = mmap(NULL, LONG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static struct iovec iovecs[IOV_MAX];
	struct iocb iocb;
	unsigned int i;

	ASSERT_TRUE(buf != MAP_FAILED);
	/* a kernel may have none */
	madvise(buf, LONG, MADV_NOHUGEPAGE);
	ctx = new_context(8);
	register_buffer(ctx, buf, LONG);
	for (i = 0; i < IOV_MAX; i++)
		iovecs[i] = (struct iovec){ buf, LONG };
	prep(&iocb, IOCB_CMD_PREADV, new_file(100), iovecs, IOV_MAX, 0);
	fix_buffer(&iocb, 0);
	EXPECT_EQ(-ENOMEM, submit_one(ctx, &iocb));
	iocb.aio_nbytes = 16;
	EXPECT_EQ(100, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 100, 0, 0));
}
