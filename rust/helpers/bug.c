// SPDX-License-Identifier: GPL-2.0

#include <linux/bug.h>

void raio_helper_warn(const u8 *file, int length, unsigned int line)
{
	WARN(1, "%.*s:%u\n", length, file, line);
}
