// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The contexts whose rings may be looked at in user space.
 *
 * A table of fixed size.  A context that finds no place in it is served by the
 * kernel alone, and so is one that the program moves by mremap().  What the
 * program unmaps itself keeps its place until a context has that address again.
 */
#include <sched.h>

#include "internal.h"
#include "sys.h"

/* How long io_destroy lets others leave the ring: so often yield, and then sleep. */
#define YIELDS	100
#define SLEEPS	100
#define SLEEP	((struct timespec){ .tv_nsec = 1000000 })

static bool claim(struct slot *slot)
{
	uint64_t none = 0;

	/*
	 * A count that does not fall to 0 is that of a call that was left by
	 * siglongjmp().
	 */
	if (__atomic_load_n(&slot->users, __ATOMIC_ACQUIRE))
		return false;
	return __atomic_compare_exchange_n(&slot->ctx, &none, SLOT_CLAIMED, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/*
 * The slot that had the address before: who is still in a call with it, is seen.
 * One that still has users is forgotten.
 */
static struct slot *claim_same(struct state *state, uint64_t ctx)
{
	unsigned int i, at = slot_hash(ctx);

	for (i = 0; i < SLOT_PROBES; i++, at++) {
		struct slot *slot = &state->slots[at % SLOTS];

		if (__atomic_load_n(&slot->last, __ATOMIC_RELAXED) != ctx)
			continue;
		if (claim(slot))
			return slot;
		__atomic_store_n(&slot->last, 0, __ATOMIC_RELAXED);
	}
	return NULL;
}

static struct slot *claim_any(struct state *state, uint64_t ctx)
{
	unsigned int i, at = slot_hash(ctx);

	for (i = 0; i < SLOT_PROBES; i++, at++) {
		struct slot *slot = &state->slots[at % SLOTS];

		if (!__atomic_load_n(&slot->in_kernel, __ATOMIC_ACQUIRE) && claim(slot))
			return slot;
	}
	return NULL;
}

/* Before the program knows the context: no call on it is on its way. */
void __raio_context_add(struct state *state, uint64_t ctx, uint32_t nr)
{
	uint64_t stale = ctx;
	struct slot *slot;

	/* The program has unmapped a ring at this address. */
	slot = slot_find(state, ctx);
	if (slot)
		__atomic_compare_exchange_n(&slot->ctx, &stale, 0, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);

	slot = claim_same(state, ctx);
	if (!slot)
		slot = claim_any(state, ctx);
	if (!slot)
		return;
	__atomic_store_n(&slot->last, ctx, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->nr, nr, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->ctx, ctx, __ATOMIC_SEQ_CST);
}

static void wait_for_users(struct slot *slot)
{
	unsigned int i;

	for (i = 0; i < YIELDS + SLEEPS; i++) {
		if (!__atomic_load_n(&slot->users, __ATOMIC_SEQ_CST))
			return;
		if (i < YIELDS)
			sys(SYS_sched_yield);
		else
			sys(SYS_nanosleep, &SLEEP, NULL);
	}
}

/*
 * When it returns nobody touches the ring any more: unless somebody takes
 * longer than that, or is the code that this is a signal handler of.
 */
void __raio_context_remove(struct state *state, uint64_t ctx)
{
	unsigned int i, at = slot_hash(ctx);

	if (ctx <= SLOT_CLAIMED)
		return;
	for (i = 0; i < SLOT_PROBES; i++, at++) {
		struct slot *slot = &state->slots[at % SLOTS];
		uint64_t known = ctx;

		/* Of two who destroy it, the second waits as well. */
		if (__atomic_load_n(&slot->last, __ATOMIC_RELAXED) != ctx)
			continue;
		__atomic_compare_exchange_n(&slot->ctx, &known, 0, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		wait_for_users(slot);
	}
}

struct slot *__raio_context_enter(struct state *state, uint64_t ctx)
{
	struct slot *slot = slot_find(state, ctx);
	struct raio_ring *ring = (struct raio_ring *)ctx;

	if (!slot || !slot_hold(slot, ctx))
		return NULL;
	if (!__atomic_load_n(&slot->nr, __ATOMIC_RELAXED)) {
		slot_drop(slot);
		return NULL;
	}
	/* In this order, see ring.c. */
	__atomic_fetch_add(&slot->in_kernel, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&ring->id, 1, __ATOMIC_SEQ_CST);
	slot_drop(slot);
	return slot;
}

void __raio_context_leave(struct slot *slot)
{
	if (slot)
		__atomic_fetch_sub(&slot->in_kernel, 1, __ATOMIC_RELEASE);
}
