// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Taking events out of the ring without the kernel.
 *
 * Threads and signal handlers may do so at once, and others be in a call of the
 * kernel that does it.  All of them move head; that its value is the same again
 * says nothing, as it is modulo nr.  So the word id, which nobody else uses after
 * the setup, counts: whoever moves head from user space adds to it in the same
 * compare-exchange of 16 bytes, {id, nr, head, tail}, and whoever is about to
 * enter the kernel adds to it as well, before.  For that time in_kernel of the
 * slot is above 0, and nobody here moves head.
 *
 *	here			who enters the kernel
 *
 *	1. read id		a. in_kernel++
 *	2. in_kernel is 0?	b. id++
 *	3. read head, tail	c. the call
 *	4. copy events		d. in_kernel--
 *	5. exchange
 *
 * If b comes between 1 and 5, the exchange fails.  If it comes after 5, so does
 * the call.  If it comes before 1, a has come before 2, which either sees it, or
 * d has come before 2, and what the call did to head before 3.  Two who are both
 * here: the exchange of one makes that of the other fail.
 *
 * The kernel may fill a slot while it is copied here: only after somebody has
 * consumed it, so the exchange fails.  It may store tail meanwhile; that does not
 * matter, and the exchange is tried with the new one.
 *
 * The acquire load of tail pairs with the kernel's release store of it.  The
 * exchange, a full barrier, releases the slots to the kernel.
 *
 * A program that moves head itself, as it may do with native aio, must be alone
 * in it, as there.
 */
#include <assert.h>

#include "internal.h"

#define TRIES	64

static inline bool is_zero(const struct timespec *timeout)
{
	return timeout && !timeout->tv_sec && !timeout->tv_nsec;
}

#ifdef __x86_64__
#include <cpuid.h>
#include <emmintrin.h>

/* NULL and what is no address of a program at all: for the kernel to say. */
static inline bool is_user_address(const void *address)
{
	return (uintptr_t)address - 0x10000 < (1UL << 47) - 0x10000;
}

/* The start of struct raio_ring. */
struct words {
	uint32_t id;
	uint32_t nr;
	uint32_t head;
	uint32_t tail;
};

union header {
	struct words words;
	uint64_t halves[2];
};

static_assert(sizeof(struct raio_ring) == 32 && sizeof(struct io_event) == 32, "layout");
static_assert(offsetof(struct raio_ring, tail) == offsetof(struct words, tail), "layout");

bool __raio_can_reap(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_CMPXCHG16B);
}

/* On failure, *old is what is there. */
static inline bool exchange(struct raio_ring *ring, union header *old, const union header *new)
{
	bool done;

	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz" (done), "+m" (*(union header *)ring),
			   "+a" (old->halves[0]), "+d" (old->halves[1])
			 : "b" (new->halves[0]), "c" (new->halves[1])
			 : "memory");
	return done;
}

static inline struct io_event *copy(struct io_event *to, const struct io_event *from, uint32_t n)
{
	const __m128i *src = (const __m128i *)from;
	__m128i *dst = (__m128i *)to;

	for (; n; n--, src += 2, dst += 2) {
		__m128i a = _mm_load_si128(src), b = _mm_load_si128(src + 1);

		_mm_storeu_si128(dst, a);
		_mm_storeu_si128(dst + 1, b);
	}
	return (struct io_event *)dst;
}

/* One try: the number of events, -1 if the kernel has to be asked, -2 to try again. */
static inline long reap(struct slot *slot, struct raio_ring *ring, long min_nr, long nr,
			struct io_event *events, const struct timespec *timeout)
{
	const struct io_event *slots = (const struct io_event *)(ring + 1);
	const uint32_t size = __atomic_load_n(&slot->nr, __ATOMIC_ACQUIRE);
	union header old, new;
	uint32_t n, run;

	old.words.id = __atomic_load_n(&ring->id, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&slot->in_kernel, __ATOMIC_ACQUIRE))
		return -1;
	old.words.nr = __atomic_load_n(&ring->nr, __ATOMIC_RELAXED);
	old.words.head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	old.words.tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	/* The program may have written what it liked; a size that is not known is 0. */
	if (old.words.head >= size || old.words.tail >= size)
		return -1;

	n = old.words.tail - old.words.head;
	if (old.words.tail < old.words.head)
		n += size;
	if (n < min_nr || !n) {
		if (min_nr && !is_zero(timeout))
			return -1;
		if (!n)
			return old.words.id == __atomic_load_n(&ring->id, __ATOMIC_ACQUIRE) ?
				0 : -2;
	}
	if (n > nr)
		n = nr;
	run = size - old.words.head;
	new.words.id = old.words.id + 1;
	new.words.nr = old.words.nr;
	if (n < run) {
		copy(events, slots + old.words.head, n);
		new.words.head = old.words.head + n;
	} else {
		copy(copy(events, slots + old.words.head, run), slots, n - run);
		new.words.head = n - run;
	}
	for (;;) {
		struct words seen = old.words;

		new.words.tail = seen.tail;
		if (exchange(ring, &old, &new))
			return n;
		if (old.words.id != seen.id || old.words.nr != seen.nr ||
		    old.words.head != seen.head)
			return -2;
	}
}

long __raio_reap(struct state *state, uint64_t ctx, long min_nr, long nr,
		 struct io_event *events, const struct timespec *timeout)
{
	struct slot *slot = slot_find(state, ctx);
	unsigned int tries = TRIES;
	long ret;

	if (!slot || min_nr < 0 || nr < min_nr || !nr || !is_user_address(events))
		return -1;
	if (!slot_hold(slot, ctx))
		return -1;
	do {
		ret = reap(slot, (struct raio_ring *)ctx, min_nr, nr, events, timeout);
	} while (ret == -2 && --tries);
	slot_drop(slot);
	return ret < 0 ? -1 : ret;
}
#else
bool __raio_can_reap(void)
{
	return false;
}

long __raio_reap(struct state *state, uint64_t ctx, long min_nr, long nr,
		 struct io_event *events, const struct timespec *timeout)
{
	(void)state, (void)ctx, (void)min_nr, (void)nr, (void)events, (void)timeout;
	return -1;
}
#endif

/* As libaio looks at the ring of native aio, but only where there is one. */
bool __raio_native_empty(struct state *state, uint64_t ctx, const struct timespec *timeout)
{
	struct raio_ring *ring = (struct raio_ring *)ctx;
	struct slot *slot;
	bool empty;

	if (!is_zero(timeout))
		return false;
	slot = slot_find(state, ctx);
	if (!slot || !slot_hold(slot, ctx))
		return false;
	empty = __atomic_load_n(&ring->magic, __ATOMIC_RELAXED) == RAIO_RING_MAGIC &&
		__atomic_load_n(&ring->head, __ATOMIC_RELAXED) ==
		__atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
	slot_drop(slot);
	return empty;
}
