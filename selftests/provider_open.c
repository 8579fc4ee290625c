// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>

#include "harness.h"
#include "provider_open.h"

int provider_open(const char *path, enum provider_mode mode)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		SKIP("needs the module: %s: %m", path);
	ASSERT_EQ(0, ioctl(fd, PROVIDER_SET_MODE, mode));
	return fd;
}

void provider_fill(uint8_t *buf, size_t size, int64_t offset)
{
	size_t i;

	for (i = 0; i < size; i++)
		buf[i] = PROVIDER_BYTE(offset + i);
}
