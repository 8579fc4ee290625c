// SPDX-License-Identifier: GPL-2.0
/*
 * Description: RAIO_IOC_INFO tells version, opcodes and limits as they are:
 * libaio's stand-in decides by it.
 */
#include <poll.h>
#include <string.h>

#include "harness.h"

#define WHY "there is no such call"

TEST_RAIO(version, WHY)
{
	struct raio_info info;

	memset(&info, 0xee, sizeof(info));
	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_INFO, &info));
	EXPECT_EQ(RAIO_API_MAJOR, info.major);
	EXPECT_LE(RAIO_API_MINOR, info.minor);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(0, info.reserved);
}

/* An opcode is announced if, and only if, submit takes it. */
TEST_RAIO(opcodes, WHY)
{
	aio_context_t ctx = new_context(64);
	struct raio_info info;
	unsigned int opcode;
	struct iocb iocb;
	int fd = new_file(0);

	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_INFO, &info));
	EXPECT_TRUE(info.opcodes & 1 << IOCB_CMD_PREAD);
	EXPECT_TRUE(info.opcodes & 1 << IOCB_CMD_PWRITE);
	EXPECT_TRUE(info.opcodes & 1 << IOCB_CMD_FSYNC);
	EXPECT_TRUE(info.opcodes & 1 << IOCB_CMD_FDSYNC);
	EXPECT_TRUE(info.opcodes & 1 << IOCB_CMD_NOOP);
	for (opcode = 0; opcode < 64; opcode++) {
		/* empty requests: each is complete at once; a poll may stay */
		prep(&iocb, opcode, fd, NULL, 0, 0);
		if (opcode == IOCB_CMD_POLL)
			iocb.aio_buf = POLLIN;
		if (!EXPECT_EQ(info.opcodes >> opcode & 1 ? 1 : -EINVAL, submit_one(ctx, &iocb)))
			test_note("opcode %u", opcode);
	}
}

TEST_RAIO(registers, WHY)
{
	struct raio_register arg = { 0 };
	struct raio_info info;

	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_INFO, &info));
	EXPECT_TRUE(info.features & RAIO_FEATURE_REGISTER);
	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_REGISTER, &arg));
}

/* A flag is announced if, and only if, setup takes it. */
TEST_RAIO(setup_flags, WHY)
{
	struct raio_info info;
	unsigned int bit;

	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_INFO, &info));
	EXPECT_EQ(RAIO_SETUP_CANCEL_EVENT | RAIO_SETUP_NO_THREADS | RAIO_SETUP_SYNC_WRITES,
		  info.setup_flags);
	for (bit = 0; bit < 32; bit++) {
		struct raio_setup setup = { .nr_events = 1, .flags = 1U << bit };

		if (!EXPECT_EQ(info.setup_flags >> bit & 1 ? 0 : -EINVAL,
			       raio_ioctl(RAIO_IOC_SETUP, &setup)))
			test_note("flag %u", bit);
	}
}

TEST_RAIO(limits, WHY)
{
	aio_context_t ctx;
	struct raio_info info;
	uint64_t before, user_before;

	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_INFO, &info));
	EXPECT_EQ(be_nr(), info.nr);
	EXPECT_EQ(be_max_nr(), info.max_nr);
	EXPECT_LE(info.user_nr, info.nr);
	EXPECT_LT(0, info.max_user_nr);
	EXPECT_LT(0, info.max_events);
	before = info.nr;
	user_before = info.user_nr;

	ctx = new_context(50);
	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_INFO, &info));
	EXPECT_EQ(before + be_share(50), info.nr);
	EXPECT_EQ(user_before + be_share(50), info.user_nr);
	EXPECT_EQ(0, be_destroy(ctx));

	ctx = 0;
	EXPECT_EQ(-EINVAL, be_setup(info.max_events + 1, &ctx));
}
