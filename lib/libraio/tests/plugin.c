// SPDX-License-Identifier: LGPL-2.1-or-later
/* A library that is linked with libaio, for mixed.c to load. */
#include <libaio.h>

int plugin_setup(int nr, io_context_t *ctx)
{
	return io_setup(nr, ctx);
}

int plugin_destroy(io_context_t ctx)
{
	return io_destroy(ctx);
}

int plugin_submit(io_context_t ctx, long nr, struct iocb **list)
{
	return io_submit(ctx, nr, list);
}

int plugin_getevents(io_context_t ctx, long min_nr, long nr, struct io_event *events,
		     struct timespec *timeout)
{
	return io_getevents(ctx, min_nr, nr, events, timeout);
}
