// SPDX-License-Identifier: LGPL-2.1-or-later
/* The calls as the kernel would have them, by raio or by native aio. */
#include <limits.h>
#include <linux/futex.h>

#include "internal.h"

#define NSEC_PER_SEC	1000000000L

/*
 * Whether 8 bytes can be read: a mask that is read, and a change that is then
 * refused.
 */
bool __raio_can_read(const void *address)
{
	return address &&
	       sys(SYS_rt_sigprocmask, -1, address, NULL, sizeof(uint64_t)) != -EFAULT;
}

/* Whether a word can be written: 0 is added to it. */
static bool can_write(void *address)
{
	static uint32_t nobody;
	const unsigned int add_0_wake_none = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_NE, 0);

	return sys(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, address,
		   add_0_wake_none) != -EFAULT;
}

static long raio_setup(struct state *state, unsigned int nr_events, uint64_t *ctxp)
{
	struct raio_setup setup = { .nr_events = nr_events };
	struct raio_destroy destroy = { 0 };
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
		destroy.ctx_id = setup.ctx_id;
		raio_ioctl(state, RAIO_IOC_DESTROY, &destroy);
		return -EFAULT;
	}
	if (__raio_can_reap())
		__raio_context_add(state, setup.ctx_id, false);
	*ctxp = setup.ctx_id;
	return 0;
}

static long native_setup(struct state *state, unsigned int nr_events, uint64_t *ctxp)
{
	long ret = sys(SYS_io_setup, nr_events, ctxp);

	if (!ret)
		__raio_context_add(state, *ctxp, true);
	return ret;
}

long __raio_setup(unsigned int nr_events, uint64_t *ctxp)
{
	struct state *state = state_get();
	int mode;

	if (!state)
		return -ENOMEM;
	mode = mode_of(state);
	switch (mode) {
	case MODE_RAIO:
		return raio_setup(state, nr_events, ctxp);
	case MODE_NATIVE:
		return native_setup(state, nr_events, ctxp);
	case MODE_FAIL:
		return -ENOSYS;
	default:
		return mode;
	}
}

long __raio_destroy(uint64_t ctx)
{
	struct raio_destroy destroy = { .ctx_id = ctx };
	struct state *state = state_get();
	long ret;
	int mode;

	if (!state)
		return -ENOMEM;
	mode = mode_of(state);
	switch (mode) {
	case MODE_RAIO:
		__raio_context_remove(state, ctx);
		ret = raio_ioctl(state, RAIO_IOC_DESTROY, &destroy);
		__raio_context_removed(state, ctx);
		return ret;
	case MODE_NATIVE:
		__raio_context_remove(state, ctx);
		ret = sys(SYS_io_destroy, ctx);
		__raio_context_removed(state, ctx);
		return ret;
	case MODE_FAIL:
		return -ENOSYS;
	default:
		return mode;
	}
}

long __raio_submit(uint64_t ctx, long nr, void *iocbpp)
{
	struct raio_submit submit = { .ctx_id = ctx, .nr = nr, .iocbpp = (uintptr_t)iocbpp };
	struct state *state = state_get();
	int mode;

	if (unlikely(!state))
		return -ENOMEM;
	mode = mode_of(state);
	if (likely(mode == MODE_RAIO))
		return raio_ioctl(state, RAIO_IOC_SUBMIT, &submit);
	switch (mode) {
	case MODE_NATIVE:
		return sys(SYS_io_submit, ctx, nr, iocbpp);
	case MODE_FAIL:
		return -ENOSYS;
	default:
		return mode;
	}
}

long __raio_cancel(uint64_t ctx, void *iocb, void *event)
{
	struct raio_cancel cancel = {
		.ctx_id = ctx, .iocb = (uintptr_t)iocb, .result = (uintptr_t)event,
	};
	struct state *state = state_get();
	int mode;

	if (!state)
		return -ENOMEM;
	mode = mode_of(state);
	switch (mode) {
	case MODE_RAIO:
		return raio_ioctl(state, RAIO_IOC_CANCEL, &cancel);
	case MODE_NATIVE:
		return sys(SYS_io_cancel, ctx, iocb, event);
	case MODE_FAIL:
		return -ENOSYS;
	default:
		return mode;
	}
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

	ret = raio_ioctl(state, RAIO_IOC_GETEVENTS, &arg);
	__raio_context_leave(slot);
	__raio_note_good(state, get, ret);
	return ret;
}

static long native_getevents(struct state *state, const struct getevents *get)
{
	const struct {
		const void *sigmask;
		size_t size;
	} set = { get->sigmask, get->sigsetsize };

	if (get->trusted && __raio_native_empty(state, get->ctx, get->timeout))
		return 0;
	if (!get->sigmask)
		return sys(SYS_io_getevents, get->ctx, get->min_nr, get->nr, get->events,
			   get->timeout);
	return sys(SYS_io_pgetevents, get->ctx, get->min_nr, get->nr, get->events,
		   get->timeout, &set);
}

/* The ring was looked at already. */
static long call(const struct getevents *get)
{
	struct state *state = state_get();
	int mode;

	if (!state)
		return -ENOMEM;
	mode = mode_of(state);
	switch (mode) {
	case MODE_RAIO:
		return raio_getevents(state, get);
	case MODE_NATIVE:
		return native_getevents(state, get);
	case MODE_FAIL:
		return -ENOSYS;
	default:
		return mode;
	}
}

long __raio_getevents(const struct getevents *get)
{
	long ret;

	/* A signal that only the mask lets through must come though there are events. */
	if (!get->sigmask) {
		ret = __raio_reap(get->ctx, get->min_nr, get->nr, get->events, get->timeout);
		if (ret >= 0)
			return ret;
	}
	return call(get);
}

long __raio_call(uint64_t ctx, long min_nr, long nr, struct io_event *events,
		 const struct timespec *timeout)
{
	const struct getevents get = {
		.ctx = ctx, .min_nr = min_nr, .nr = nr, .events = events,
		.timeout = timeout, .trusted = true,
	};

	return call(&get);
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

	ret = raio_ioctl(state, RAIO_IOC_ENTER, &arg);
	__raio_context_leave(slot);
	__raio_note_good(state, get, ret);
	*submitted = arg.submitted;
	return ret;
}

long __raio_enter(uint64_t ctx, long nr, void *iocbpp, long *submitted,
		  const struct getevents *get)
{
	struct state *state = state_get();
	struct getevents now = *get;
	int mode;
	long ret;

	*submitted = 0;
	if (!state)
		return -ENOMEM;
	mode = mode_of(state);
	if (mode < 0)
		return mode;
	if (mode == MODE_RAIO && nr)
		return raio_enter(state, nr, iocbpp, submitted, get);
	if (nr) {
		ret = __raio_submit(ctx, nr, iocbpp);
		if (ret <= 0)
			return ret;
		*submitted = ret;
		/* As RAIO_IOC_ENTER: what would be waited for may be among the rest. */
		if (ret < nr)
			now.min_nr = 0;
	}
	return __raio_getevents(&now);
}

long __raio_register(uint64_t ctx, unsigned int opcode, const void *array, unsigned int nr)
{
	struct raio_register arg = {
		.ctx_id = ctx, .opcode = opcode, .nr = nr, .array = (uintptr_t)array,
	};
	struct state *state = state_get();
	int mode;
	long ret;

	if (!state)
		return -ENOMEM;
	mode = mode_of(state);
	switch (mode) {
	case MODE_RAIO:
		ret = raio_ioctl(state, RAIO_IOC_REGISTER, &arg);
		__raio_register_refused(state, opcode, ret);
		/* A module that is older than the call. */
		return ret == -ENOTTY ? -ENOSYS : ret;
	case MODE_NATIVE:
	case MODE_FAIL:
		return -ENOSYS;
	default:
		return mode;
	}
}
