// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The calls that enter the kernel, by raio or by native aio.  Arguments are as the kernel
 * takes them.
 */
#include <limits.h>
#include <linux/futex.h>

#include "internal.h"

#define NSEC_PER_SEC	1000000000L

/*
 * Whether 8 bytes can be read: rt_sigprocmask() reads the set, and then refuses the
 * invalid "how".
 */
bool __raio_can_read(const void *address)
{
	return address &&
	       sys(SYS_rt_sigprocmask, -1, address, NULL, sizeof(uint64_t)) != -EFAULT;
}

/* Whether a word can be written: FUTEX_WAKE_OP adds 0 to it. */
static bool can_write(void *address)
{
	static uint32_t nobody;
	const unsigned int add_0_wake_none = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_NE, 0);

	return sys(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, address,
		   add_0_wake_none) != -EFAULT;
}

static long raio_submit(struct state *state, uint64_t ctx, long nr, void *iocbpp)
{
	struct raio_submit submit = { .ctx_id = ctx, .nr = nr, .iocbpp = (uintptr_t)iocbpp };

	return raio_advise(state, RAIO_ADVISE_SUBMIT, RAIO_IOC_SUBMIT, &submit);
}

static long raio_destroy(struct state *state, uint64_t ctx)
{
	struct raio_destroy destroy = { .ctx_id = ctx };

	return raio_ioctl(state, RAIO_IOC_DESTROY, &destroy);
}

static long raio_setup(struct state *state, unsigned int nr_events, uint64_t *ctxp)
{
	struct raio_setup setup = { .nr_events = nr_events };
	struct slot *slot = NULL;
	long ret;

	if (!__raio_can_read(ctxp))
		return -EFAULT;
	if (*ctxp)
		return -EINVAL;
	setup.flags = __raio_setup_flags(state);
	ret = raio_ioctl(state, RAIO_IOC_SETUP, &setup);
	if (ret) {
		__raio_setup_refused(state, nr_events, ret);
		return ret;
	}
	if (!can_write(ctxp)) {
		raio_destroy(state, setup.ctx_id);
		return -EFAULT;
	}
	if (__raio_can_reap())
		slot = __raio_context_claim(state, setup.ctx_id);
	if (slot)
		__raio_context_publish(slot, setup.ctx_id,
				       !raio_submit(state, setup.ctx_id, 0, NULL), true);
	*ctxp = setup.ctx_id;
	return 0;
}

static long raio_cancel(struct state *state, uint64_t ctx, void *iocb, void *event)
{
	struct raio_cancel cancel = {
		.ctx_id = ctx, .iocb = (uintptr_t)iocb, .result = (uintptr_t)event,
	};

	return raio_ioctl(state, RAIO_IOC_CANCEL, &cancel);
}

static long raio_getevents(struct state *state, const struct getevents *get)
{
	struct raio_getevents arg = {
		.ctx_id = get->ctx, .min_nr = get->min_nr, .nr = get->nr,
		.events = (uintptr_t)get->events, .timeout = (uintptr_t)get->timeout,
		.sigmask = (uintptr_t)get->sigmask, .sigsetsize = get->sigsetsize,
	};
	struct slot *slot = __raio_context_enter(state, get->ctx);
	long ret;

	ret = raio_advise(state, RAIO_ADVISE_GETEVENTS, RAIO_IOC_GETEVENTS, &arg);
	__raio_context_leave(slot);
	__raio_note_good(state, get, ret);
	return ret;
}

static long raio_enter(struct state *state, long nr, void *iocbpp, long *submitted,
		       const struct getevents *get)
{
	struct raio_enter arg = {
		.ctx_id = get->ctx, .nr = nr, .iocbpp = (uintptr_t)iocbpp,
		.min_events = get->min_nr, .nr_events = get->nr,
		.events = (uintptr_t)get->events, .timeout = (uintptr_t)get->timeout,
	};
	struct slot *slot = __raio_context_enter(state, get->ctx);
	long ret;

	ret = raio_advise(state, RAIO_ADVISE_ENTER, RAIO_IOC_ENTER, &arg);
	__raio_context_leave(slot);
	__raio_note_good(state, get, ret);
	*submitted = arg.submitted;
	return ret;
}

static long raio_register(struct state *state, uint64_t ctx, unsigned int opcode,
			  const void *array, unsigned int nr)
{
	struct raio_register arg = {
		.ctx_id = ctx, .opcode = opcode, .nr = nr, .array = (uintptr_t)array,
	};
	long ret = raio_ioctl(state, RAIO_IOC_REGISTER, &arg);

	__raio_register_refused(state, opcode, ret);
	/* The module is too old for this ioctl. */
	return ret == -ENOTTY ? -ENOSYS : ret;
}

static long native_submit(struct state *state, uint64_t ctx, long nr, void *iocbpp)
{
	(void)state;
	return sys(SYS_io_submit, ctx, nr, iocbpp);
}

static long native_setup(struct state *state, unsigned int nr_events, uint64_t *ctxp)
{
	struct slot *slot;
	long ret;

	ret = sys(SYS_io_setup, nr_events, ctxp);
	if (ret)
		return ret;
	slot = __raio_context_claim(state, *ctxp);
	if (slot)
		__raio_context_publish(slot, *ctxp, !native_submit(state, *ctxp, 0, NULL), false);
	return 0;
}

static long native_destroy(struct state *state, uint64_t ctx)
{
	(void)state;
	return sys(SYS_io_destroy, ctx);
}

static long native_cancel(struct state *state, uint64_t ctx, void *iocb, void *event)
{
	(void)state;
	return sys(SYS_io_cancel, ctx, iocb, event);
}

/* As in libaio, but a context that is not in the table is not read. */
static bool native_empty(struct state *state, uint64_t ctx, const struct timespec *timeout)
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

static long native_getevents(struct state *state, const struct getevents *get)
{
	const struct {
		const void *sigmask;
		size_t size;
	} set = { get->sigmask, get->sigsetsize };

	if (get->trusted && native_empty(state, get->ctx, get->timeout))
		return 0;
	if (!get->sigmask)
		return sys(SYS_io_getevents, get->ctx, get->min_nr, get->nr, get->events,
			   get->timeout);
	return sys(SYS_io_pgetevents, get->ctx, get->min_nr, get->nr, get->events,
		   get->timeout, &set);
}

static long native_enter(struct state *state, long nr, void *iocbpp, long *submitted,
			 const struct getevents *get)
{
	struct getevents now = *get;
	long ret = native_submit(state, get->ctx, nr, iocbpp);

	if (ret <= 0)
		return ret;
	*submitted = ret;
	/* As RAIO_IOC_ENTER: don't wait, the events may be those of requests not submitted. */
	if (ret < nr)
		now.min_nr = 0;
	return native_getevents(state, &now);
}

static long native_register(struct state *state, uint64_t ctx, unsigned int opcode,
			    const void *array, unsigned int nr)
{
	(void)state, (void)ctx, (void)opcode, (void)array, (void)nr;
	return -ENOSYS;
}

/* By mode. */
static const struct {
	long (*setup)(struct state *state, unsigned int nr_events, uint64_t *ctxp);
	long (*destroy)(struct state *state, uint64_t ctx);
	long (*submit)(struct state *state, uint64_t ctx, long nr, void *iocbpp);
	long (*cancel)(struct state *state, uint64_t ctx, void *iocb, void *event);
	long (*getevents)(struct state *state, const struct getevents *get);
	long (*enter)(struct state *state, long nr, void *iocbpp, long *submitted,
		      const struct getevents *get);
	long (*enlist)(struct state *state, uint64_t ctx, unsigned int opcode,
		       const void *array, unsigned int nr);
} backends[] = {
	[MODE_RAIO] = {
		.setup = raio_setup,
		.destroy = raio_destroy,
		.submit = raio_submit,
		.cancel = raio_cancel,
		.getevents = raio_getevents,
		.enter = raio_enter,
		.enlist = raio_register,
	},
	[MODE_NATIVE] = {
		.setup = native_setup,
		.destroy = native_destroy,
		.submit = native_submit,
		.cancel = native_cancel,
		.getevents = native_getevents,
		.enter = native_enter,
		.enlist = native_register,
	},
};

long __raio_setup(unsigned int nr_events, uint64_t *ctxp)
{
	struct state *state;
	int mode = mode_get(&state);

	return mode < 0 ? mode : backends[mode].setup(state, nr_events, ctxp);
}

long __raio_destroy(uint64_t ctx)
{
	struct state *state;
	int mode = mode_get(&state);
	long ret;

	if (mode < 0)
		return mode;
	__raio_context_remove(state, ctx);
	ret = backends[mode].destroy(state, ctx);
	__raio_context_removed(state, ctx);
	return ret;
}

/*
 * Programs call submit and getevents most.  So those of raio are called directly, and may be
 * inlined; by the table it would cost some instructions more.
 */
long __raio_submit(uint64_t ctx, long nr, void *iocbpp)
{
	struct state *state;
	int mode = mode_get(&state);

	if (likely(mode == MODE_RAIO))
		return raio_submit(state, ctx, nr, iocbpp);
	return mode < 0 ? mode : backends[mode].submit(state, ctx, nr, iocbpp);
}

static inline long call(const struct getevents *get)
{
	struct state *state;
	int mode = mode_get(&state);

	if (likely(mode == MODE_RAIO))
		return raio_getevents(state, get);
	return mode < 0 ? mode : backends[mode].getevents(state, get);
}

long __raio_call(const struct getevents *get)
{
	return call(get);
}

long __raio_call_timed(uint64_t ctx, long min_nr, long nr, struct io_event *events,
		       const struct timespec *timeout)
{
	const struct getevents get = {
		.ctx = ctx, .min_nr = min_nr, .nr = nr, .events = events,
		.timeout = timeout, .trusted = true,
	};

	return call(&get);
}

long __raio_enter(long nr, void *iocbpp, long *submitted, const struct getevents *get)
{
	struct state *state;
	int mode = mode_get(&state);

	*submitted = 0;
	if (likely(mode == MODE_RAIO))
		return raio_enter(state, nr, iocbpp, submitted, get);
	return mode < 0 ? mode : backends[mode].enter(state, nr, iocbpp, submitted, get);
}

long __raio_cancel(uint64_t ctx, void *iocb, void *event)
{
	struct state *state;
	int mode = mode_get(&state);

	return mode < 0 ? mode : backends[mode].cancel(state, ctx, iocb, event);
}

long __raio_register(uint64_t ctx, unsigned int opcode, const void *array, unsigned int nr)
{
	struct state *state;
	int mode = mode_get(&state);

	return mode < 0 ? mode : backends[mode].enlist(state, ctx, opcode, array, nr);
}
