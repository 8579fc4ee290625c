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

#define RAIO_CMD_SYNC_FILE_RANGE	32

#define RAIO_IOCB_FLAG_CUR_POS		(1U << 26)
#define RAIO_IOCB_FLAG_RANGE		(1U << 27)
#define RAIO_IOCB_FLAG_BARRIER		(1U << 28)
#define RAIO_IOCB_FLAG_DEADLINE		(1U << 29)
#define RAIO_IOCB_FLAG_FIXED_BUFFER	(1U << 30)
#define RAIO_IOCB_FLAG_FIXED_FILE	(1U << 31)

#ifndef _UAPI_LINUX_RAIO_H
struct raio_timespec {
	long long tv_sec;
	long long tv_nsec;
};

struct raio_deadline {
	struct raio_timespec time;
	unsigned int flags;		/* RAIO_DEADLINE_ABS, or 0: from now on */
	unsigned int buffer;		/* left to raio_set_*() */
};

/* time is one of CLOCK_MONOTONIC */
#define RAIO_DEADLINE_ABS		(1U << 0)
#endif

/*
 * For requests that io_prep_*() has made, each once.  All memory of the transfer lies in
 * the registered buffer of that index; the address is still that of the memory.
 */
static inline void raio_set_fixed_buffer(struct iocb *iocb, unsigned int index)
{
	/* __pad3 is aio_reserved2 */
	if (iocb->u.c.flags & RAIO_IOCB_FLAG_DEADLINE)
		((struct raio_deadline *)iocb->u.c.__pad3)->buffer = index;
	else
		iocb->u.c.__pad3 = index;
	iocb->u.c.flags |= RAIO_IOCB_FLAG_FIXED_BUFFER;
}

/*
 * If it is not over by then, its event has -ETIME in res, and in res2 the bytes moved.
 * *deadline is read by io_submit(), and can be used for other requests after that; one with a
 * registered buffer needs it to itself until then.
 */
static inline void raio_set_deadline(struct iocb *iocb, struct raio_deadline *deadline)
{
	deadline->buffer = 0;
	if (iocb->u.c.flags & RAIO_IOCB_FLAG_FIXED_BUFFER)
		deadline->buffer = (unsigned int)iocb->u.c.__pad3;
	iocb->u.c.__pad3 = (long)deadline;
	iocb->u.c.flags |= RAIO_IOCB_FLAG_DEADLINE;
}

/* It begins when all before it in the context is over, and what comes after waits for it. */
static inline void raio_set_barrier(struct iocb *iocb)
{
	iocb->u.c.flags |= RAIO_IOCB_FLAG_BARRIER;
}

/* A transfer at the position of its file, which it moves. */
static inline void raio_set_cur_pos(struct iocb *iocb)
{
	iocb->u.c.offset = -1;
	iocb->u.c.flags |= RAIO_IOCB_FLAG_CUR_POS;
}

/* Of nbytes from offset on; 0 is all from there. */
static inline void raio_prep_fsync_range(struct iocb *iocb, int fd, long long offset,
					 unsigned long nbytes)
{
	memset(iocb, 0, sizeof(*iocb));
	iocb->aio_fildes = fd;
	iocb->aio_lio_opcode = IO_CMD_FSYNC;
	iocb->u.c.nbytes = nbytes;
	iocb->u.c.offset = offset;
	iocb->u.c.flags = RAIO_IOCB_FLAG_RANGE;
}

static inline void raio_prep_fdsync_range(struct iocb *iocb, int fd, long long offset,
					  unsigned long nbytes)
{
	raio_prep_fsync_range(iocb, fd, offset, nbytes);
	iocb->aio_lio_opcode = IO_CMD_FDSYNC;
}

/* sync_file_range(2), with its flags. */
static inline void raio_prep_sync_file_range(struct iocb *iocb, int fd, long long offset,
					     unsigned long nbytes, unsigned int flags)
{
	memset(iocb, 0, sizeof(*iocb));
	iocb->aio_fildes = fd;
	iocb->aio_lio_opcode = RAIO_CMD_SYNC_FILE_RANGE;
	iocb->aio_rw_flags = flags;
	iocb->u.c.nbytes = nbytes;
	iocb->u.c.offset = offset;
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
