/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The compare-exchange of 16 bytes that consumes events, and the copy of them; see ring.c.
 *
 * RAIO_EXCHANGE is defined where there is one.  __raio_can_reap() says whether this CPU has it.
 */
#ifndef LIBRAIO_EXCHANGE_H
#define LIBRAIO_EXCHANGE_H

#include <assert.h>
#include <linux/aio_abi.h>
#include <linux/raio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) || defined(__aarch64__)
#define RAIO_EXCHANGE

/*
 * The start of struct raio_ring, as it is exchanged: id with nr in the upper half, and
 * head with tail.  One load of 8 bytes is as good as two loads of 4 bytes in any order.
 */
struct header {
	uint64_t id_nr;
	uint64_t head_tail;
};

static_assert(sizeof(struct raio_ring) == 32 && sizeof(struct io_event) == 32, "layout");
static_assert(offsetof(struct raio_ring, id) == 0 && offsetof(struct raio_ring, nr) == 4 &&
	      offsetof(struct raio_ring, head) == 8 && offsetof(struct raio_ring, tail) == 12,
	      "layout");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "halves of a word");
#endif

#ifdef __x86_64__
#include <emmintrin.h>

/* On failure, *old is the current value.  A full barrier. */
static inline bool exchange(struct header *header, struct header *old, uint64_t id_nr,
			    uint64_t head_tail)
{
	bool done;

	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz" (done), "+m" (*header),
			   "+a" (old->id_nr), "+d" (old->head_tail)
			 : "b" (id_nr), "c" (head_tail)
			 : "memory");
	return done;
}

static inline struct io_event *copy(struct io_event *to, const struct io_event *from, uint32_t n)
{
	const __m128i *src = (const __m128i *)from;
	__m128i *dst = (__m128i *)to;

	do {
		__m128i a = _mm_load_si128(src), b = _mm_load_si128(src + 1);

		_mm_storeu_si128(dst, a);
		_mm_storeu_si128(dst + 1, b);
		src += 2;
		dst += 2;
	} while (--n);
	return (struct io_event *)dst;
}
#elif defined(__aarch64__)
#include <string.h>

/*
 * casp, of FEAT_LSE; a CPU without it is told by __raio_can_reap(), and calls the kernel.
 * On failure, *old is the current value.
 *
 * casp is atomic as a whole, also against accesses of 4 and 8 bytes in it: the kernel's store
 * of tail, and the increment of id.  (CPUs without FEAT_LSE have ldxp and stxp.  A pair of
 * them that fails to store has not read its 16 bytes at once, and would have to store what it
 * has read to know; and a debugger that steps through it never gets past it.)
 *
 * It has acquire order if it fails, too: what the kernel has published with the new tail may be
 * read after that.  It has release order only if it stores, which is when slots are given back.
 */
static inline bool exchange(struct header *header, struct header *old, uint64_t id_nr,
			    uint64_t head_tail)
{
	register uint64_t x0 __asm__("x0") = old->id_nr;
	register uint64_t x1 __asm__("x1") = old->head_tail;
	register uint64_t x2 __asm__("x2") = id_nr;
	register uint64_t x3 __asm__("x3") = head_tail;
	const uint64_t was[2] = { old->id_nr, old->head_tail };

	__asm__ volatile(".arch_extension lse\n\t"
			 "caspal %0, %1, %3, %4, %2"
			 : "+r" (x0), "+r" (x1), "+Q" (*header)
			 : "r" (x2), "r" (x3)
			 : "memory");
	old->id_nr = x0;
	old->head_tail = x1;
	return x0 == was[0] && x1 == was[1];
}

static inline struct io_event *copy(struct io_event *to, const struct io_event *from, uint32_t n)
{
	memcpy(to, from, n * sizeof(*to));
	return to + n;
}
#endif

#endif /* LIBRAIO_EXCHANGE_H */
