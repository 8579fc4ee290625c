// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An address for events or of a timeout may be bad, and then the kernel has to say so, as
 * EFAULT.  So pages are kept that the kernel has written events to, or read a timeout from;
 * with an address in any other page the kernel is called.  (A program that has unmapped a
 * page since then gets a signal.)
 */
#include "exchange.h"
#include "internal.h"

#ifdef RAIO_EXCHANGE
static inline void note_good(uintptr_t *pages, const void *address)
{
	uintptr_t number = (uintptr_t)address >> 12;

	if (!is_good(pages, address))
		__atomic_store_n(&pages[number % GOOD_PAGES], ~number, __ATOMIC_RELAXED);
}

void __raio_note_good(struct state *state, const struct getevents *get, long ret)
{
	const char *last = (const char *)get->timeout + sizeof(struct timespec) - 1;

	if (ret > 0)
		note_good(state->writable, get->events);
	/* It is read first, and may lie in two pages. */
	if (ret >= 0 && get->timeout && !(((uintptr_t)last ^ (uintptr_t)get->timeout) >> 12))
		note_good(state->readable, get->timeout);
}
#else
/* ring.c does not ask. */
void __raio_note_good(struct state *state, const struct getevents *get, long ret)
{
	(void)state;
	(void)get;
	(void)ret;
}
#endif
