// SPDX-License-Identifier: LGPL-2.1-or-later
/* The functions that programs call: libaio's, and a few of our own. */
#include <stdarg.h>

#include "abi.h"
#include "internal.h"

/* The size of the kernel's sets. */
#define SIGSET_SIZE	8

#define ID(_ctx)	((uintptr_t)(_ctx))

int io_setup(int maxevents, struct io_context **ctxp)
{
	return __raio_setup(maxevents, (uint64_t *)ctxp);
}

int io_destroy(struct io_context *ctx)
{
	return __raio_destroy(ID(ctx));
}

int io_submit(struct io_context *ctx, long nr, struct iocb **iocbpp)
{
	return __raio_submit(ID(ctx), nr, iocbpp);
}

int io_cancel(struct io_context *ctx, struct iocb *iocb, struct io_event *event)
{
	return __raio_cancel(ID(ctx), iocb, event);
}

int io_getevents(struct io_context *ctx, long min_nr, long nr, struct io_event *events,
		 struct timespec *timeout)
{
	return __raio_getevents_timed(ID(ctx), min_nr, nr, events, timeout);
}

int io_pgetevents(struct io_context *ctx, long min_nr, long nr, struct io_event *events,
		  struct timespec *timeout, sigset_t *sigmask)
{
	const struct getevents get = {
		.ctx = ID(ctx), .min_nr = min_nr, .nr = nr, .events = events,
		.timeout = timeout, .trusted = true,
		.sigmask = sigmask, .sigsetsize = SIGSET_SIZE,
	};

	return __raio_getevents(&get);
}

int io_queue_init(int maxevents, struct io_context **ctxp)
{
	if (maxevents <= 0)
		return -EINVAL;
	*ctxp = NULL;
	return __raio_setup(maxevents, (uint64_t *)ctxp);
}

int io_queue_release(struct io_context *ctx)
{
	return __raio_destroy(ID(ctx));
}

int io_queue_run(struct io_context *ctx)
{
	void (*callback)(struct io_context *ctx, struct iocb *iocb, long res, long res2);
	static const struct timespec now;
	struct io_event event;
	const struct getevents get = {
		.ctx = ID(ctx), .nr = 1, .events = &event, .timeout = &now, .trusted = true,
	};
	int ret;

	for (;;) {
		ret = __raio_getevents(&get);
		if (ret != 1)
			return ret;
		callback = (__typeof__(callback))(uintptr_t)event.data;
		callback(ctx, (struct iocb *)(uintptr_t)event.obj, event.res, event.res2);
	}
}

/* libaio waits for no event at all, in both versions: it returns at once. */
int io_queue_wait(struct io_context *ctx, struct timespec *timeout)
{
	const struct getevents get = { .ctx = ID(ctx), .timeout = timeout, .trusted = true };

	return __raio_getevents(&get);
}

#ifdef LIBRAIO_SHARED
int io_cancel_0_1(struct io_context *ctx, struct iocb *iocb)
{
	struct io_event event;

	return __raio_cancel(ID(ctx), iocb, &event);
}

int io_getevents_0_1(struct io_context *ctx, long nr, struct io_event *events,
		     const struct timespec *timeout)
{
	const struct getevents get = {
		.ctx = ID(ctx), .min_nr = 1, .nr = nr, .events = events,
		.timeout = timeout, .trusted = true,
	};

	return __raio_getevents(&get);
}

int io_queue_wait_0_1(struct io_context *ctx, struct timespec *timeout)
{
	return io_queue_wait(ctx, timeout);
}
#endif

int raio_is_native(void)
{
	struct state *state;
	int mode = mode_get(&state);

	return mode < 0 ? mode : mode == MODE_NATIVE;
}

int raio_submit_and_getevents(struct io_context *ctx, long nr, struct iocb **iocbpp,
			      long *submitted, long min_nr, long nr_events,
			      struct io_event *events, struct timespec *timeout)
{
	const struct getevents get = {
		.ctx = ID(ctx), .min_nr = min_nr, .nr = nr_events, .events = events,
		.timeout = timeout, .trusted = true,
	};
	long taken = 0, ret;

	/* To submit nothing is getevents alone, for which the ring may be enough. */
	ret = nr ? __raio_enter(nr, iocbpp, &taken, &get) : __raio_getevents(&get);
	if (submitted)
		*submitted = taken;
	return ret;
}

int raio_register(struct io_context *ctx, unsigned int opcode, const void *array, unsigned int nr)
{
	return __raio_register(ID(ctx), opcode, array, nr);
}

long raio_syscall(long number, ...)
{
	long a[6];
	va_list args;
	unsigned int i;

	/* As syscall(): whatever there is, in registers or on the stack. */
	va_start(args, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	return __raio_syscall((int)number, a);
}
