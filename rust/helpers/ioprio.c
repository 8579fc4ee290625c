// SPDX-License-Identifier: GPL-2.0

#include <linux/ioprio.h>

u16 raio_helper_get_current_ioprio(void)
{
	return get_current_ioprio();
}
