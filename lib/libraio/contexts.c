// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The contexts whose rings are read in user space.
 *
 * This is a hash table of fixed size.  A context for which there is no free slot is
 * served by system calls only, and so is one that the program has moved by mremap().
 * If the program unmaps a ring itself, the slot stays in use until a new context has
 * the same address.
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
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

bool __raio_can_reap(void)
{
	return getauxval(AT_HWCAP) & HWCAP_ATOMICS;
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

	/* A call that was left by siglongjmp() never decrements users: don't reuse it. */
	if (__atomic_load_n(&slot->users, __ATOMIC_ACQUIRE))
		return false;
	return __atomic_compare_exchange_n(&slot->ctx, &none, ctx | SLOT_NEW, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/*
 * Claims the slot that a former context with this address had, so that calls which are
 * still in the kernel with it are counted in in_kernel.  If it still has users, it is
 * not used for this address again.
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
 * Claims a slot for a new context, whose id the program does not have yet.  NULL if there
 * is no free slot.  The caller then submits 0 requests to the context, to see whether it
 * still exists, and passes the result to __raio_context_publish().
 *
 * This is for programs that destroy a context twice, in two threads: the new context may
 * have the same address, and then the second io_destroy destroys the new one, at any time.
 * If it does so before the submit, the submit fails.  Else either leaving is not 0 here,
 * or io_destroy finds the slot and clears it.
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

/* If reaped, slot->nr is set, so that events are consumed in user space from now on. */
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

/* Yields or sleeps; true if the time to wait is over. */
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
 * When it returns no thread accesses the ring, nor will until __raio_context_removed().
 * There are two exceptions: a thread that is slower than the time that is waited here,
 * and code of this thread that the current signal handler has interrupted.
 */
void __raio_context_remove(struct state *state, uint64_t ctx)
{
	unsigned int i, tries = 0, at = slot_hash(ctx);

	/* Pairs with __raio_context_claim(), which claims a slot and then reads leaving. */
	__atomic_fetch_add(&state->slots[at].leaving, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < SLOT_PROBES; i++, at++) {
		struct slot *slot = &state->slots[at % SLOTS];

		set(slot, ctx, 0);
		set(slot, ctx | SLOT_NEW, 0);
		/* If two threads destroy it, the second one waits as well. */
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
	/* The order matters, see ring.c. */
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
