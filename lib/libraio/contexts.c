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

/* How long io_destroy waits for others to leave the ring: yields first, and then sleeps. */
#define YIELDS	100
#define SLEEPS	100
#define SLEEP	((struct timespec){ .tv_nsec = 1000000 })

#ifdef __x86_64__
#include <cpuid.h>

bool __raio_can_reap(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_CMPXCHG16B);
}
#else
bool __raio_can_reap(void)
{
	return false;
}
#endif

static bool claim(struct slot *slot, uint64_t ctx)
{
	uint64_t none = 0;

	/*
	 * A count that does not fall to 0 is that of a call that was left by
	 * siglongjmp().
	 */
	if (__atomic_load_n(&slot->users, __ATOMIC_ACQUIRE))
		return false;
	return __atomic_compare_exchange_n(&slot->ctx, &none, ctx | SLOT_NEW, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
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
		if (claim(slot, ctx))
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

		if (!__atomic_load_n(&slot->in_kernel, __ATOMIC_ACQUIRE) && claim(slot, ctx))
			return slot;
	}
	return NULL;
}

static void set(struct slot *slot, uint64_t from, uint64_t to)
{
	__atomic_compare_exchange_n(&slot->ctx, &from, to, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/*
 * Takes a slot for a new context, before the program knows it, so that it has no call on it
 * yet.  NULL if there is no slot.  The caller submits nothing to the context then, and says
 * with publish() whether that call found it.
 *
 * That is against programs that use an id after io_destroy: the address may have been that
 * of another context, and who destroys that one may end the new one as well, at any time.
 * If its call comes before the submit of nothing, that one fails; else leaving is above 0,
 * or it has found the slot and cleared it.
 */
struct slot *__raio_context_claim(struct state *state, uint64_t ctx)
{
	struct slot *slot;

	/* The program has unmapped a ring at this address. */
	slot = slot_find(state, ctx);
	if (slot)
		set(slot, ctx, 0);

	slot = claim_same(state, ctx);
	if (!slot)
		slot = claim_any(state, ctx);
	if (!slot)
		return NULL;
	__atomic_store_n(&slot->last, ctx, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->nr, 0, __ATOMIC_RELAXED);
	if (__atomic_load_n(&state->slots[slot_hash(ctx)].leaving, __ATOMIC_SEQ_CST)) {
		set(slot, ctx | SLOT_NEW, 0);
		return NULL;
	}
	return slot;
}

/* With reaped, events are taken out of the ring: by its size, which is 0 till then. */
void __raio_context_publish(struct slot *slot, uint64_t ctx, bool exists, bool reaped)
{
	struct raio_ring *ring = (struct raio_ring *)ctx;

	set(slot, ctx | SLOT_NEW, exists ? ctx : 0);
	if (exists && reaped && slot_hold(slot, ctx)) {
		__atomic_store_n(&slot->nr, __atomic_load_n(&ring->nr, __ATOMIC_RELAXED),
				 __ATOMIC_RELEASE);
		slot_drop(slot);
	}
}

/* Lets others run, and says whether it was often enough. */
static bool give_up(unsigned int *tries)
{
	if (++*tries > YIELDS + SLEEPS)
		return true;
	if (*tries <= YIELDS)
		sys(SYS_sched_yield);
	else
		sys(SYS_nanosleep, &SLEEP, NULL);
	return false;
}

/*
 * When it returns nobody touches the ring any more, nor will until
 * context_removed(): unless somebody takes longer than that, or is the code that
 * this is a signal handler of.
 */
void __raio_context_remove(struct state *state, uint64_t ctx)
{
	unsigned int i, tries = 0, at = slot_hash(ctx);

	/* Against context_add(), which claims and then looks at leaving. */
	__atomic_fetch_add(&state->slots[at].leaving, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < SLOT_PROBES; i++, at++) {
		struct slot *slot = &state->slots[at % SLOTS];

		set(slot, ctx, 0);
		set(slot, ctx | SLOT_NEW, 0);
		/* Of two who destroy it, the second waits as well. */
		if (!ctx || __atomic_load_n(&slot->last, __ATOMIC_RELAXED) != ctx)
			continue;
		while (__atomic_load_n(&slot->users, __ATOMIC_SEQ_CST) && !give_up(&tries))
			;
	}
}

void __raio_context_removed(struct state *state, uint64_t ctx)
{
	__atomic_fetch_sub(&state->slots[slot_hash(ctx)].leaving, 1, __ATOMIC_RELEASE);
}

struct slot *__raio_context_enter(struct state *state, uint64_t ctx)
{
	struct slot *slot = slot_find(state, ctx);
	struct raio_ring *ring = (struct raio_ring *)ctx;

	if (!slot || !slot_hold(slot, ctx))
		return NULL;
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
