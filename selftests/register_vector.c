// SPDX-License-Identifier: GPL-2.0
/*
 * Description: vectors of registered memory that are empty or have empty segments.
 */
#define _GNU_SOURCE
#include <sys/uio.h>

#include "harness.h"
#include "registered.h"

#define WHY "it registers nothing"

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
	iovecs[0].iov_base = iovecs[1].iov_base = buf;
	EXPECT_EQ(0, transfer(IOCB_CMD_PREADV, iovecs, 2));
}

/* They lie nowhere, wherever they are said to be. */
TEST_RAIO(empty_segments, WHY)
{
	uint8_t *buf = aligned_buffer(DIRECT_ALIGN);
	struct iovec iovecs[5] = { { NULL, 0 }, { NULL, 0 }, { buf, 10 }, { NULL, 0 }, { buf + 10, 1 } };

	ctx = new_context(8);
	register_buffer(ctx, buf, DIRECT_ALIGN);
	EXPECT_EQ(11, transfer(IOCB_CMD_PREADV, iovecs, 5));
	EXPECT_EQ(11, transfer(IOCB_CMD_PWRITEV, iovecs, 5));
}
