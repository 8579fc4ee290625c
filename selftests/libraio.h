/* SPDX-License-Identifier: GPL-2.0 */
/* The functions of libraio, as they are called with the types of <linux/aio_abi.h>. */
#ifndef RAIO_LIBRAIO_H
#define RAIO_LIBRAIO_H

#include <linux/aio_abi.h>
#include <linux/time_types.h>
#include <signal.h>

#ifdef __LP64__
int io_setup(int nr_events, aio_context_t *ctx);
int io_destroy(aio_context_t ctx);
int io_submit(aio_context_t ctx, long nr, struct iocb **iocbpp);
int io_cancel(aio_context_t ctx, struct iocb *iocb, struct io_event *event);
int io_getevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
		 const struct __kernel_timespec *timeout);
int io_pgetevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
		  const struct __kernel_timespec *timeout, const sigset_t *sigmask);
int io_queue_init(int nr_events, aio_context_t *ctx);
int io_queue_release(aio_context_t ctx);
int io_queue_run(aio_context_t ctx);
int io_queue_wait(aio_context_t ctx, const struct __kernel_timespec *timeout);
int raio_is_native(void);
int raio_register(aio_context_t ctx, unsigned int opcode, const void *array, unsigned int nr);
int raio_submit_and_getevents(aio_context_t ctx, long nr, struct iocb **iocbpp, long *submitted,
			      long min_nr, long nr_events, struct io_event *events,
			      const struct __kernel_timespec *timeout);
long raio_syscall(long number, ...);
#else
/* There is none for 32-bit programs. */
#define io_setup(...)		(-ENOSYS)
#define io_destroy(...)		(-ENOSYS)
#define io_submit(...)		(-ENOSYS)
#define io_cancel(...)		(-ENOSYS)
#define io_getevents(...)	(-ENOSYS)
#define raio_syscall(...)	(-ENOSYS)
#endif

#endif /* RAIO_LIBRAIO_H */
