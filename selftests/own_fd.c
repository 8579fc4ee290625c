// SPDX-License-Identifier: GPL-2.0
/*
 * Description: requests on an open /dev/raio itself are refused with EINVAL: a
 * context that waits for its own open file would never end.
 */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "harness.h"

#define WHY "its contexts have no file"

static void expect_refused(int fd)
{
	static const unsigned int opcodes[] = {
		IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC,
		IOCB_CMD_POLL, IOCB_CMD_PREADV, IOCB_CMD_PWRITEV,
	};
	aio_context_t ctx = new_context(8);
	struct io_event event;
	struct iocb iocb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		prep(&iocb, opcodes[i], fd, NULL, 0, 0);
		if (opcodes[i] == IOCB_CMD_POLL)
			iocb.aio_buf = POLLIN;
		if (!EXPECT_EQ(-EINVAL, submit_one(ctx, &iocb)))
			test_note("opcode %u", opcodes[i]);
	}
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST_RAIO(own_open_file, WHY)
{
	expect_refused(raio_fd());
}

TEST_RAIO(other_open_file, WHY)
{
	int fd = open("/dev/raio", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	expect_refused(fd);
}

/* Whatever it was opened for. */
TEST_RAIO(read_only, WHY)
{
	int fd = open("/dev/raio", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	expect_refused(fd);
}
