/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libraio has besides libaio's functions, see libraio(7).  Link with -lraio.
 */
#ifndef LIBRAIO_H
#define LIBRAIO_H

#include <libaio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct timespec;

/*
 * io_submit() and io_getevents() in one call of the kernel.  The result is the
 * number of events, or a negative errno; *submitted is the number of requests
 * that were taken, whatever the result.  If none was taken of nr > 0 it does not
 * wait.
 */
int raio_submit_and_getevents(io_context_t ctx, long nr, struct iocb *iocbpp[],
			      long *submitted, long min_nr, long nr_events,
			      struct io_event *events, struct timespec *timeout);

/*
 * 1 if this process has native aio, for want of /dev/raio; 0 if it has raio; or
 * a negative errno.
 */
int raio_is_native(void);

/*
 * One of the six system calls of native aio by its number, with its arguments.
 * Unlike syscall(2), the result is a negative errno if it fails; -ENOSYS for all
 * other numbers.
 */
long raio_syscall(long number, ...);

#ifdef __cplusplus
}
#endif

#endif /* LIBRAIO_H */
