// SPDX-License-Identifier: LGPL-2.1-or-later
/* A program that knows libraio, with <libaio.h> at the same time. */
#include <errno.h>
#include <libraio.h>
#include <stddef.h>

int main(void)
{
	io_context_t ctx = NULL;
	struct io_event event;
	long submitted;

	if (raio_is_native() < 0 || io_setup(8, &ctx))
		return 1;
	if (raio_submit_and_getevents(ctx, 0, NULL, &submitted, 0, 1, &event, NULL))
		return 1;
	return io_destroy(ctx) || raio_syscall(-1) != -ENOSYS;
}
