/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libaio.h and libraio.h promise: they do not go together with
 * <linux/aio_abi.h>.
 */
#ifndef LIBRAIO_ABI_H
#define LIBRAIO_ABI_H

#include <signal.h>
#include <time.h>

struct io_context;
struct io_event;
struct iocb;

#define EXPORT	__attribute__((__visibility__("default")))

/*
 * Three have two versions, where the old one is for programs linked long ago.
 * libraio.map has those of the others.
 */
#ifdef LIBRAIO_SHARED
#define SYMVER(_name)	__attribute__((__symver__(_name)))
#define io_cancel	io_cancel_0_4
#define io_getevents	io_getevents_0_4
#define io_queue_wait	io_queue_wait_0_4

EXPORT int io_cancel_0_1(struct io_context *ctx, struct iocb *iocb);
EXPORT int io_getevents_0_1(struct io_context *ctx, long nr, struct io_event *events,
			    const struct timespec *timeout);
EXPORT int io_queue_wait_0_1(struct io_context *ctx, struct timespec *timeout);
#endif

EXPORT int io_setup(int maxevents, struct io_context **ctxp);
EXPORT int io_destroy(struct io_context *ctx);
EXPORT int io_submit(struct io_context *ctx, long nr, struct iocb **iocbpp);
EXPORT int io_pgetevents(struct io_context *ctx, long min_nr, long nr, struct io_event *events,
			 struct timespec *timeout, sigset_t *sigmask);
EXPORT int io_queue_init(int maxevents, struct io_context **ctxp);
EXPORT int io_queue_release(struct io_context *ctx);
EXPORT int io_queue_run(struct io_context *ctx);

EXPORT int io_cancel(struct io_context *ctx, struct iocb *iocb, struct io_event *event);
EXPORT int io_getevents(struct io_context *ctx, long min_nr, long nr, struct io_event *events,
			struct timespec *timeout);
EXPORT int io_queue_wait(struct io_context *ctx, struct timespec *timeout);

EXPORT int raio_is_native(void);
EXPORT int raio_register(struct io_context *ctx, unsigned int opcode, const void *array,
			 unsigned int nr);
EXPORT int raio_submit_and_getevents(struct io_context *ctx, long nr, struct iocb **iocbpp,
				     long *submitted, long min_nr, long nr_events,
				     struct io_event *events, struct timespec *timeout);
EXPORT long raio_syscall(long number, ...);

#ifdef LIBRAIO_SHARED
SYMVER("io_cancel@LIBAIO_0.1") __typeof__(io_cancel_0_1) io_cancel_0_1;
SYMVER("io_cancel@@LIBAIO_0.4") __typeof__(io_cancel) io_cancel;
SYMVER("io_getevents@LIBAIO_0.1") __typeof__(io_getevents_0_1) io_getevents_0_1;
SYMVER("io_getevents@@LIBAIO_0.4") __typeof__(io_getevents) io_getevents;
SYMVER("io_queue_wait@LIBAIO_0.1") __typeof__(io_queue_wait_0_1) io_queue_wait_0_1;
SYMVER("io_queue_wait@@LIBAIO_0.4") __typeof__(io_queue_wait) io_queue_wait;
#endif

#endif /* LIBRAIO_ABI_H */
