// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whether buffered writes are done when io_submit returns.  By default they are, as with
 * native aio: its programs may read the data, truncate the file or exit before they get
 * the event.  RAIO_WRITES=async changes that.
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
	/* No second line from a child of fork(). */
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
	/* Older modules don't have the flag. */
	if (!wants_async() && info.setup_flags & RAIO_SETUP_SYNC_WRITES)
		flags |= RAIO_SETUP_SYNC_WRITES;
	__atomic_store_n(&state->setup_flags, flags, __ATOMIC_RELAXED);
	return flags;
}
