/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libraio share.
 *
 * They are layers, and each calls only those below it:
 *
 *	libaio.c	the exported functions
 *	raw.c		the system calls by their numbers
 *	ring.c		events, from the ring or else from the kernel
 *	calls.c		the calls that enter the kernel, by raio or by native aio
 *	contexts.c	the contexts whose rings are mapped
 *	pages.c		pages that the kernel has accessed, so that user space may
 *	writes.c	RAIO_WRITES
 *	limits.c	which limit has refused a call
 *	state.c		raio or native aio, and the ioctls
 *	device.c	opening /dev/raio
 *	complain.c	the lines on stderr
 *	sys.h		system calls
 *
 * All of it may run in several threads, in a signal handler that interrupted it,
 * and in the child of vfork(); and a handler may leave it by siglongjmp().  So
 * there are no locks and no allocator, and nothing waits for another thread but
 * io_destroy, for a bounded time.
 *
 * All functions return a negative errno and leave errno itself alone.
 */
#ifndef LIBRAIO_INTERNAL_H
#define LIBRAIO_INTERNAL_H

#include <linux/aio_abi.h>
#include <linux/raio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "sys.h"

#define likely(_x)	__builtin_expect(!!(_x), 1)
#define unlikely(_x)	__builtin_expect(!!(_x), 0)

/* Powers of two. */
#define SLOTS		4096
#define GOOD_PAGES	1024

/* Which implementation is called. */
enum mode {
	MODE_UNDECIDED = 0,
	MODE_RAIO,
	MODE_NATIVE,
	MODE_FAIL = -ENOSYS,	/* what each call returns, as in a kernel without aio */
};

/* A context whose ring may be looked at in user space; see ring.c. */
struct slot {
	uint64_t ctx;		/* its id, or 0; with SLOT_NEW: not yet */
	uint64_t last;		/* the id it has or had */
	uint32_t users;		/* number of threads that may access the ring */
	uint32_t in_kernel;	/* number of system calls that may consume events */
	uint32_t nr;		/* slots of the ring, or 0 if it is not read here */
	uint32_t leaving;	/* number of io_destroy calls of contexts with this hash */
} __attribute__((aligned(64)));

/* An id is the address of a page. */
#define SLOT_NEW	1

/* One for each address space.  In a child of fork() it is all zero. */
struct state {
	int32_t mode;
	uint32_t fd;		/* number + 1 of an open /dev/raio, or 0 */
	uint64_t rdev;		/* st_rdev of that file */
	uint32_t complained;	/* LIMIT_* that were reported */
	uint32_t setup_flags;	/* RAIO_SETUP_* of all contexts, or 0: not known yet */
	uint32_t advises;	/* the module has RAIO_ADVISE_* */
	/* Inverted numbers of pages for events and for timeouts, see pages.c. */
	uintptr_t writable[GOOD_PAGES];
	uintptr_t readable[GOOD_PAGES];
	struct slot slots[SLOTS];
};

/* complain.c */
/* The line about RAIO_WRITES. */
void __raio_complain_writes(void);
/* The line that the counts of `raio run --stats` lack this process. */
void __raio_complain_uncounted(void);
/* The line about the device; choice is what RAIO_FALLBACK says, or NULL. */
void __raio_complain(const char *reason, const char *choice);

enum limit {
	LIMIT_NR	= 1 << 0,
	LIMIT_USER_NR	= 1 << 1,
	LIMIT_MEMLOCK	= 1 << 2,
};

/* The line about a limit, unless there was one. */
void __raio_complain_limit(struct state *state, enum limit limit, const char *call,
			   uint64_t value);

/* device.c */
/* What there is to know of an open /dev/raio. */
struct device {
	uint64_t rdev;
	uint64_t features;	/* RAIO_FEATURE_* */
};

/*
 * Opens /dev/raio and checks it; a file descriptor or a negative errno.  *reason is the
 * text of the error, or NULL if that of errno is enough.
 */
int __raio_open(struct device *device, const char **reason);
/* Whether fd is that device, and was not opened with O_PATH. */
bool __raio_is_device(int fd, uint64_t rdev);

/* state.c */
extern struct state *__raio_state;

/* NULL if there is no memory. */
struct state *__raio_state_create(void);
/* MODE_*, or a negative errno. */
int __raio_decide(struct state *state);
/*
 * The slow path of raio_ioctl(): fd is the value of state->fd that was used, or 0, and ret
 * what the ioctl returned.
 */
long __raio_ioctl_again(struct state *state, unsigned int cmd, void *arg, uint32_t fd, long ret);

/* Returns MODE_RAIO or MODE_NATIVE and sets *statep; or returns a negative errno. */
static inline int mode_get(struct state **statep)
{
	struct state *state = __atomic_load_n(&__raio_state, __ATOMIC_ACQUIRE);
	int mode;

	if (unlikely(!state))
		state = __raio_state_create();
	if (unlikely(!state))
		return -ENOMEM;
	*statep = state;
	mode = __atomic_load_n(&state->mode, __ATOMIC_ACQUIRE);
	return unlikely(mode == MODE_UNDECIDED) ? __raio_decide(state) : mode;
}

/* The ioctl on /dev/raio, which is opened if it is not open. */
static inline long raio_ioctl(struct state *state, unsigned int cmd, void *arg)
{
	uint32_t fd = __atomic_load_n(&state->fd, __ATOMIC_ACQUIRE);
	long ret = -EBADF;

	if (likely(fd)) {
		ret = sys(SYS_ioctl, fd - 1, cmd, arg);
		if (likely(ret >= 0))
			return ret;
	}
	return __raio_ioctl_again(state, cmd, arg, fd, ret);
}

/* Does the same by fadvise64, where the module can. */
static inline long raio_advise(struct state *state, unsigned int advice, unsigned int cmd,
			       void *arg)
{
	uint32_t fd = __atomic_load_n(&state->fd, __ATOMIC_ACQUIRE);
	long ret;

	if (unlikely(!fd || !__atomic_load_n(&state->advises, __ATOMIC_RELAXED)))
		return raio_ioctl(state, cmd, arg);
	ret = sys(SYS_fadvise64, fd - 1, arg, 0, advice);
	if (likely(ret >= 0))
		return ret;
	/* If it is another file, nothing was done. */
	return __raio_ioctl_again(state, cmd, arg, fd, ret);
}

/* limits.c: after a call of raio has failed. */
void __raio_setup_refused(struct state *state, unsigned int nr_events, long error);
void __raio_register_refused(struct state *state, unsigned int opcode, long error);

/* writes.c */
uint32_t __raio_setup_flags(struct state *state);

struct getevents {
	uint64_t ctx;
	long min_nr;
	long nr;
	struct io_event *events;
	const void *timeout;
	const void *sigmask;		/* a kernel sigset_t */
	size_t sigsetsize;
	/* timeout may be read in user space: a bad address is SIGSEGV, not EFAULT */
	bool trusted;
};

static inline bool is_zero(const struct timespec *timeout)
{
	return timeout && !timeout->tv_sec && !timeout->tv_nsec;
}

/* pages.c */
static inline bool is_good(const uintptr_t *pages, const void *address)
{
	uintptr_t number = (uintptr_t)address >> 12;

	return __atomic_load_n(&pages[number % GOOD_PAGES], __ATOMIC_RELAXED) == ~number;
}

/* Called with the result of getevents: notes the pages that the kernel has accessed. */
void __raio_note_good(struct state *state, const struct getevents *get, long ret);

/* contexts.c */
/* Whether this CPU has what it takes to consume events in user space. */
bool __raio_can_reap(void);
/* The two halves of adding a context. */
struct slot *__raio_context_claim(struct state *state, uint64_t ctx);
void __raio_context_publish(struct slot *slot, uint64_t ctx, bool exists, bool reaped);
void __raio_context_remove(struct state *state, uint64_t ctx);
void __raio_context_removed(struct state *state, uint64_t ctx);
/* Around calls that may consume events; the first may return NULL. */
struct slot *__raio_context_enter(struct state *state, uint64_t ctx);
void __raio_context_leave(struct slot *slot);

static inline unsigned int slot_hash(uint64_t ctx)
{
	return (ctx >> 12) * 0x9e3779b97f4a7c15ULL >> 52;
}

#define SLOT_PROBES	8

static inline struct slot *slot_find(struct state *state, uint64_t ctx)
{
	unsigned int i, at = slot_hash(ctx);
	struct slot *slot = &state->slots[at];

	if (unlikely(!ctx || ctx & SLOT_NEW))
		return NULL;
	if (likely(__atomic_load_n(&slot->ctx, __ATOMIC_ACQUIRE) == ctx))
		return slot;
	for (i = 1; i < SLOT_PROBES; i++) {
		slot = &state->slots[(at + i) % SLOTS];
		if (__atomic_load_n(&slot->ctx, __ATOMIC_ACQUIRE) == ctx)
			return slot;
	}
	return NULL;
}

/*
 * After slot_hold() has returned true, io_destroy does not unmap the ring before
 * slot_drop(), but see __raio_context_remove().
 */
static inline bool slot_hold(struct slot *slot, uint64_t ctx)
{
	/* Pairs with __raio_context_remove(), which clears ctx and then reads users. */
	__atomic_fetch_add(&slot->users, 1, __ATOMIC_SEQ_CST);
	if (likely(__atomic_load_n(&slot->ctx, __ATOMIC_SEQ_CST) == ctx))
		return true;
	__atomic_fetch_sub(&slot->users, 1, __ATOMIC_RELEASE);
	return false;
}

static inline void slot_drop(struct slot *slot)
{
	__atomic_fetch_sub(&slot->users, 1, __ATOMIC_RELEASE);
}

/* calls.c */
long __raio_setup(unsigned int nr_events, uint64_t *ctxp);
long __raio_destroy(uint64_t ctx);
long __raio_submit(uint64_t ctx, long nr, void *iocbpp);
long __raio_cancel(uint64_t ctx, void *iocb, void *event);
/* nr is not 0. */
long __raio_enter(long nr, void *iocbpp, long *submitted, const struct getevents *get);
long __raio_register(uint64_t ctx, unsigned int opcode, const void *array, unsigned int nr);
bool __raio_can_read(const void *address);
/* getevents in the kernel. */
long __raio_call(const struct getevents *get);
/* The same with the arguments of io_getevents(). */
long __raio_call_timed(uint64_t ctx, long min_nr, long nr, struct io_event *events,
		       const struct timespec *timeout);

/* ring.c */
long __raio_getevents(const struct getevents *get);
/* The same with the arguments of io_getevents(). */
long __raio_getevents_timed(uint64_t ctx, long min_nr, long nr, struct io_event *events,
			    const struct timespec *timeout);

/* raw.c; -ENOSYS if it is not one of the six calls of aio. */
long __raio_syscall(int number, const long *args);

#endif /* LIBRAIO_INTERNAL_H */
