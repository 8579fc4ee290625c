// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Consuming events of the ring in user space.
 *
 * Several threads and signal handlers may do so at the same time, while others are in
 * a system call that consumes events.  All of them change head.  head is modulo nr, so
 * it may have the same value again though it was changed (ABA).  Therefore the word id,
 * which is not used for anything else after the setup, is a generation: user space
 * increments it with a compare-exchange of 16 bytes, {id, nr, head, tail}, that changes
 * head, and also before each system call that may consume events.  During that call
 * in_kernel of the slot is above 0, and user space does not change head.
 *
 *	user space		system call
 *
 *	1. read id		a. in_kernel++
 *	2. in_kernel is 0?	b. id++
 *	3. read head, tail	c. the call
 *	4. copy events		d. in_kernel--
 *	5. exchange
 *
 * If b comes between 1 and 5, the exchange fails.  If it comes after 5, so does
 * the call.  If it comes before 1, a comes before 2: either 2 sees in_kernel above 0, or
 * d comes before 2, and 3 reads the head that the call has stored.  If two threads are in
 * user space, the exchange of one makes that of the other fail.
 *
 * The kernel may overwrite an event while it is copied, but only after another thread has
 * consumed it, so the exchange fails.  The kernel may also change tail: then the exchange
 * is repeated with the new tail.
 *
 * The acquire load of tail pairs with the kernel's release store of it.  The
 * exchange has release order, so it gives the slots to the kernel after they are copied.
 *
 * No more than acquire and release is needed, and no barrier besides: the steps of
 * each column are in order, 1 to 3 because the loads are acquire, 4 before 5 by the
 * release, a to c because a and b are seq_cst.  And b and 5 change the same word, so one of
 * them is first and the second reads what it has written: 5 after b fails, as id differs; b
 * after 5 synchronizes with it, and so c finds the head that 5 has stored.
 *
 * A program may change head itself, as with native aio.  As there, only one thread may
 * then consume events.
 */
#include "exchange.h"
#include "internal.h"

#define TRIES	64

#ifdef RAIO_EXCHANGE
/* The events wrap around the end of the ring.  Returns the new head. */
static __attribute__((noinline)) uint32_t copy_round(struct io_event *to,
						     const struct io_event *slots, uint32_t head,
						     uint32_t n, uint32_t size)
{
	uint32_t run = size - head;

	to = copy(to, slots + head, run);
	if (n > run)
		copy(to, slots, n - run);
	return n - run;
}

/* Increments id, which wraps, and leaves nr. */
static inline uint64_t count(uint64_t id_nr)
{
	return (uint32_t)++id_nr ? id_nr : id_nr - (1ULL << 32);
}

/* Returns the number of events, -1 if a system call is needed, -2 to try again. */
static __attribute__((always_inline)) inline
long reap(const struct state *state, struct slot *slot, struct raio_ring *ring, long min_nr,
	  long nr, struct io_event *events, const struct timespec *timeout, bool first)
{
	const struct io_event *slots = (const struct io_event *)(ring + 1);
	const uint32_t size = __atomic_load_n(&slot->nr, __ATOMIC_ACQUIRE);
	struct header *header = (struct header *)ring, old, seen;
	uint32_t head, tail, n;

	old.id_nr = __atomic_load_n(&header->id_nr, __ATOMIC_ACQUIRE);
	if (unlikely(__atomic_load_n(&slot->in_kernel, __ATOMIC_ACQUIRE)))
		return -1;
	old.head_tail = __atomic_load_n(&header->head_tail, __ATOMIC_ACQUIRE);
	head = old.head_tail;
	tail = old.head_tail >> 32;
	/* The program can write to the ring; size is 0 if it must not be consumed here. */
	if (unlikely(head >= size || tail >= size))
		return -1;

	n = tail - head;
	if (tail < head)
		n += size;
	if (unlikely(n < min_nr || !n)) {
		if (min_nr && !is_zero(timeout))
			return -1;
		/* The system call may run work of this thread that adds events. */
		if (!n && unlikely(__atomic_load_n(&ring->compat_features, __ATOMIC_RELAXED) &
				   RAIO_RING_RUNNABLE))
			return -1;
		if (!n)
			return old.id_nr == __atomic_load_n(&header->id_nr, __ATOMIC_ACQUIRE) ?
				0 : -2;
	}
	if (n > nr)
		n = nr;
	if (unlikely(!is_good(state->writable, events)))
		return -1;
	if (likely(n < size - head)) {
		copy(events, slots + head, n);
		head += n;
	} else {
		head = copy_round(events, slots, head, n, size);
	}
	do {
		seen = old;
		if (likely(exchange(header, &old, count(seen.id_nr),
				    (seen.head_tail >> 32 << 32) | head)))
			return n;
		/* If only tail has changed, the copied events are still valid. */
	} while (!first && old.id_nr == seen.id_nr &&
		 (uint32_t)old.head_tail == (uint32_t)seen.head_tail);
	return -2;
}

/* Another thread has consumed events meanwhile. */
static __attribute__((noinline, cold)) long reap_again(const struct state *state,
						       struct slot *slot, uint64_t ctx,
						       long min_nr, long nr,
						       struct io_event *events,
						       const struct timespec *timeout)
{
	unsigned int tries = TRIES;
	long ret;

	do {
		ret = reap(state, slot, (struct raio_ring *)ctx, min_nr, nr, events, timeout,
			   false);
	} while (ret == -2 && --tries);
	slot_drop(slot);
	return ret < 0 ? -1 : ret;
}

static __attribute__((always_inline)) inline
long reap_any(uint64_t ctx, long min_nr, long nr, struct io_event *events,
	      const struct timespec *timeout)
{
	struct state *state = __atomic_load_n(&__raio_state, __ATOMIC_ACQUIRE);
	struct slot *slot;
	long ret;

	if (unlikely(!state || nr <= 0 || (unsigned long)min_nr > (unsigned long)nr ||
		     (timeout && !is_good(state->readable, timeout))))
		return -1;
	slot = slot_find(state, ctx);
	if (unlikely(!slot || !slot_hold(slot, ctx)))
		return -1;
	ret = reap(state, slot, (struct raio_ring *)ctx, min_nr, nr, events, timeout, true);
	if (unlikely(ret == -2))
		return reap_again(state, slot, ctx, min_nr, nr, events, timeout);
	slot_drop(slot);
	return ret;
}
#else
static inline long reap_any(uint64_t ctx, long min_nr, long nr, struct io_event *events,
			    const struct timespec *timeout)
{
	(void)ctx, (void)min_nr, (void)nr, (void)events, (void)timeout;
	return -1;
}
#endif

long __raio_getevents(const struct getevents *get)
{
	long ret;

	/* A pending signal that sigmask unblocks must be delivered, even if there are events. */
	if (!get->sigmask) {
		ret = reap_any(get->ctx, get->min_nr, get->nr, get->events, get->timeout);
		if (ret >= 0)
			return ret;
	}
	return __raio_call(get);
}

/* The hot path of io_getevents: the reap is inlined, the system call is not. */
long __raio_getevents_timed(uint64_t ctx, long min_nr, long nr, struct io_event *events,
			    const struct timespec *timeout)
{
	long ret = reap_any(ctx, min_nr, nr, events, timeout);

	return likely(ret >= 0) ? ret : __raio_call_timed(ctx, min_nr, nr, events, timeout);
}
