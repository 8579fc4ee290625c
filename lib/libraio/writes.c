// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whether buffered writes are done when io_submit returns: as with native aio, whose
 * programs read back, truncate, or end without a look at the event; unless RAIO_WRITES
 * says otherwise.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static bool wants_async(void)
{
	static uint32_t complained;
	const char *choice = secure_getenv("RAIO_WRITES");

	if (!choice || !*choice || !strcmp(choice, "sync"))
		return false;
	if (!strcmp(choice, "async"))
		return true;
	/* A child of fork() says nothing again. */
	if (!__atomic_exchange_n(&complained, 1, __ATOMIC_RELAXED))
		__raio_complain_writes();
	return false;
}

uint32_t __raio_setup_flags(struct state *state)
{
	uint32_t flags = __atomic_load_n(&state->setup_flags, __ATOMIC_RELAXED);
	struct raio_info info = { 0 };

	if (flags)
		return flags;
	flags = RAIO_SETUP_CANCEL_EVENT;
	if (raio_ioctl(state, RAIO_IOC_INFO, &info))
		return flags;
	/* Older modules do not know it. */
	if (!wants_async() && info.setup_flags & RAIO_SETUP_SYNC_WRITES)
		flags |= RAIO_SETUP_SYNC_WRITES;
	__atomic_store_n(&state->setup_flags, flags, __ATOMIC_RELAXED);
	return flags;
}
