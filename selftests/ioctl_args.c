// SPDX-License-Identifier: GPL-2.0
/*
 * Description: what an ioctl does not know it refuses: unknown numbers and sizes
 * ENOTTY, unknown flags EINVAL, bad memory EFAULT; else no field could ever be added.
 */
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define WHY "it has no ioctls"
#define UNKNOWN_FLAG (1ULL << 63)

static const struct {
	const char *name;
	unsigned int nr, size, dir;
} ioctls[] = {
	{ "INFO", 0, sizeof(struct raio_info), _IOC_READ },
	{ "SETUP", 1, sizeof(struct raio_setup), _IOC_READ | _IOC_WRITE },
	{ "DESTROY", 2, sizeof(struct raio_destroy), _IOC_WRITE },
	{ "SUBMIT", 3, sizeof(struct raio_submit), _IOC_WRITE },
	{ "CANCEL", 4, sizeof(struct raio_cancel), _IOC_WRITE },
	{ "GETEVENTS", 5, sizeof(struct raio_getevents), _IOC_WRITE },
	{ "ENTER", 6, sizeof(struct raio_enter), _IOC_READ | _IOC_WRITE },
	{ "REGISTER", 7, sizeof(struct raio_register), _IOC_WRITE },
};

static unsigned int command(unsigned int i)
{
	return _IOC(ioctls[i].dir, RAIO_IOC_MAGIC, ioctls[i].nr, ioctls[i].size);
}

TEST_RAIO(unknown_number, WHY)
{
	char arg[256] = { 0 };
	unsigned int nr;

	for (nr = 0x40; nr < 0x100; nr++)
		EXPECT_EQ(-ENOTTY, raio_ioctl(_IOC(_IOC_WRITE, RAIO_IOC_MAGIC, nr, 16), arg));
	EXPECT_EQ(-ENOTTY, raio_ioctl(0, arg));
	EXPECT_EQ(-ENOTTY, raio_ioctl(0xffffffff, arg));
	/* terminals: isatty(3) and stdio ask any file */
	EXPECT_EQ(-ENOTTY, raio_ioctl(0x5401, arg));
}

TEST_RAIO(other_magic, WHY)
{
	char arg[256] = { 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		EXPECT_EQ(-ENOTTY, raio_ioctl(_IOC(ioctls[i].dir, RAIO_IOC_MAGIC ^ 1, ioctls[i].nr,
						   ioctls[i].size), arg));
}

TEST_RAIO(wrong_size, WHY)
{
	char arg[512] = { 0 };
	unsigned int i, size;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		for (size = 0; size <= 256; size += 4)
			if (size != ioctls[i].size &&
			    !EXPECT_EQ(-ENOTTY, raio_ioctl(_IOC(ioctls[i].dir, RAIO_IOC_MAGIC,
								ioctls[i].nr, size), arg)))
				test_note("%s of size %u", ioctls[i].name, size);
}

TEST_RAIO(wrong_direction, WHY)
{
	char arg[256] = { 0 };
	unsigned int i, dir;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		for (dir = 0; dir < 4; dir++)
			if (dir != ioctls[i].dir &&
			    !EXPECT_EQ(-ENOTTY, raio_ioctl(_IOC(dir, RAIO_IOC_MAGIC, ioctls[i].nr,
								ioctls[i].size), arg)))
				test_note("%s in direction %u", ioctls[i].name, dir);
}

TEST_RAIO(bad_argument, WHY)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		char *half = guarded_buffer(ioctls[i].size / 2);
		bool ok = true;

		ok &= EXPECT_EQ(-EFAULT, raio_ioctl(command(i), NULL));
		ok &= EXPECT_EQ(-EFAULT, raio_ioctl(command(i), half));
		ok &= EXPECT_EQ(-EFAULT, raio_ioctl(command(i), (void *)0x8000000000000000UL));
		if (!ok)
			test_note("in %s", ioctls[i].name);
	}
}

/* The outputs of INFO and SETUP. */
TEST_RAIO(read_only_argument, WHY)
{
	struct raio_setup setup = { .nr_events = 1 };
	unsigned long before = be_nr();

	EXPECT_EQ(-EFAULT, raio_ioctl(RAIO_IOC_INFO, read_only_copy("", 1)));
	EXPECT_EQ(-EFAULT, raio_ioctl(RAIO_IOC_SETUP, read_only_copy(&setup, sizeof(setup))));
	EXPECT_EQ(before, be_nr());
}

TEST_RAIO(setup_flags, WHY)
{
	struct raio_setup arg = { .nr_events = 1, .flags = 1U << 31 };
	unsigned long before = be_nr();

	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_SETUP, &arg));
	EXPECT_EQ(0, arg.ctx_id);
	EXPECT_EQ(before, be_nr());
}

TEST_RAIO(destroy_flags, WHY)
{
	struct raio_destroy arg = { .ctx_id = new_context(1), .flags = UNKNOWN_FLAG };

	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_DESTROY, &arg));
	arg.flags = 0;
	EXPECT_EQ(0, raio_ioctl(RAIO_IOC_DESTROY, &arg));
}

TEST_RAIO(submit_flags, WHY)
{
	struct raio_submit arg = { .ctx_id = new_context(1), .flags = UNKNOWN_FLAG };

	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_SUBMIT, &arg));
	arg.flags = 0;
	EXPECT_EQ(0, raio_ioctl(RAIO_IOC_SUBMIT, &arg));
}

TEST_RAIO(cancel_flags, WHY)
{
	aio_context_t ctx = new_context(1);
	struct io_event event;
	struct iocb iocb;
	struct raio_cancel arg = {
		.ctx_id = ctx, .iocb = (uintptr_t)&iocb, .result = (uintptr_t)&event,
		.flags = UNKNOWN_FLAG,
	};

	prep(&iocb, IOCB_CMD_PREAD, 0, NULL, 0, 0);
	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_CANCEL, &arg));
}

TEST_RAIO(getevents_flags, WHY)
{
	struct raio_getevents arg = { .ctx_id = new_context(1), .flags = UNKNOWN_FLAG };

	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_GETEVENTS, &arg));
	arg.flags = 0;
	EXPECT_EQ(0, raio_ioctl(RAIO_IOC_GETEVENTS, &arg));
}
