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
 * Registers buffers or files with the context, so that requests can name them by
 * their index, or unregisters them: RAIO_IOC_REGISTER of raio_ioctl(2).  0, or a
 * negative errno: -ENOSYS where there is no such thing, as with native aio.
 */
int raio_register(io_context_t ctx, unsigned int opcode, const void *array, unsigned int nr);

/*
 * The opcodes, and flags of iocbs.  As in <linux/raio.h>, which can't be included
 * here: it has a struct iocb of its own.
 */
#define RAIO_REGISTER_BUFFERS		0	/* struct iovec[]; { NULL, 0 } leaves a gap */
#define RAIO_UNREGISTER_BUFFERS		1	/* array is NULL, and nr 0 */
#define RAIO_REGISTER_FILES		2	/* int[]; -1 leaves a gap */
#define RAIO_UNREGISTER_FILES		3	/* array is NULL, and nr 0 */

#define RAIO_IOCB_FLAG_FIXED_BUFFER	(1U << 30)
#define RAIO_IOCB_FLAG_FIXED_FILE	(1U << 31)

/*
 * For requests that io_prep_*() has made.  All memory of the transfer lies in the
 * registered buffer of that index; the address is still that of the memory.
 */
static inline void raio_set_fixed_buffer(struct iocb *iocb, unsigned int index)
{
	iocb->u.c.__pad3 = index;	/* aio_reserved2 */
	iocb->u.c.flags |= RAIO_IOCB_FLAG_FIXED_BUFFER;
}

/* The file is the registered one of that index, and the descriptor is not looked at. */
static inline void raio_set_fixed_file(struct iocb *iocb, unsigned int index)
{
	iocb->aio_fildes = index;
	iocb->u.c.flags |= RAIO_IOCB_FLAG_FIXED_FILE;
}

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
