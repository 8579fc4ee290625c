/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The user API of /dev/raio: one ioctl for each call of native aio.
 *
 * struct iocb and struct io_event are those of <linux/aio_abi.h>.  All
 * structures are the same for 32-bit and 64-bit programs.  Fields called
 * flags or reserved must be 0, or the call fails with EINVAL.
 *
 * Man pages: raio(4), raio_ioctl(2).
 */
#ifndef _UAPI_LINUX_RAIO_H
#define _UAPI_LINUX_RAIO_H

#include <linux/aio_abi.h>
#include <linux/ioctl.h>
#include <linux/types.h>

/* The version of this API; a new minor adds, a new major breaks. */
#define RAIO_API_MAJOR		1
#define RAIO_API_MINOR		4

/* The header of the ring, at the address that is the context's id. */
#define RAIO_RING_MAGIC			0xa10a10a1U
#define RAIO_RING_COMPAT_FEATURES	1
#define RAIO_RING_INCOMPAT_FEATURES	0
/* set in compat_features while there is something that getevents would run */
#define RAIO_RING_RUNNABLE		0x80000000U

/*
 * A program may consume events by moving head: read tail (acquire), read the
 * events from head on, store the new head (release).  One thread at a time may
 * do so.  If others are in RAIO_IOC_GETEVENTS meanwhile, head is moved by
 * compare-exchange.  Indices are modulo nr.
 */
struct raio_ring {
	__u32	id;		/* low 32 bits of the context's id */
	__u32	nr;		/* number of slots */
	__u32	head;		/* next event to consume; written by its consumer */
	__u32	tail;		/* next slot that the kernel fills */
	__u32	magic;
	__u32	compat_features;
	__u32	incompat_features;
	__u32	header_length;	/* the events start here */
};

/* RAIO_IOC_INFO */
struct raio_info {
	__u16	major;
	__u16	minor;
	__u32	flags;		/* out: 0 */
	__aligned_u64	opcodes;	/* out: bit IOCB_CMD_* is set if it is served */
	__aligned_u64	features;	/* out: RAIO_FEATURE_* */
	__aligned_u64	setup_flags;	/* out: flags that RAIO_IOC_SETUP takes */
	__u32	max_events;	/* out: largest nr_events of a context */
	__u32	reserved;
	__aligned_u64	nr;		/* out: fs.raio-nr: requests that contexts take */
	__aligned_u64	max_nr;		/* out: fs.raio-max-nr */
	__aligned_u64	user_nr;	/* out: the user's part of raio-nr, see raio(4) */
	__aligned_u64	max_user_nr;	/* out: fs.raio-max-user-nr */
};

/* raio_info.features: O_DIRECT requests are in flight when RAIO_IOC_SUBMIT returns. */
#define RAIO_FEATURE_DIRECT		(1U << 0)
/* What can't go on is armed and retried; RAIO_IOC_SUBMIT does not wait for it. */
#define RAIO_FEATURE_RETRY		(1U << 1)
/* What may block runs in threads of the process, but see RAIO_SETUP_NO_THREADS. */
#define RAIO_FEATURE_THREADS		(1U << 2)
/* Buffered reads of files that offer it hold no thread while the device works. */
#define RAIO_FEATURE_PAGE_WAIT		(1U << 3)
/* RAIO_IOC_REGISTER, and the iocb flags that go with it. */
#define RAIO_FEATURE_REGISTER		(1U << 4)
/* RAIO_IOCB_FLAG_DEADLINE */
#define RAIO_FEATURE_DEADLINE		(1U << 5)
/* RAIO_IOCB_FLAG_CUR_POS */
#define RAIO_FEATURE_CUR_POS		(1U << 6)
/* RAIO_IOCB_FLAG_RANGE and RAIO_CMD_SYNC_FILE_RANGE */
#define RAIO_FEATURE_SYNC_RANGE		(1U << 7)
/* RAIO_IOCB_FLAG_BARRIER */
#define RAIO_FEATURE_BARRIER		(1U << 8)
/* Bits 16 to 31 of aio_flags that are not known are refused: EINVAL. */
#define RAIO_FEATURE_FLAGS_CHECKED	(1U << 9)
/* RAIO_ADVISE_* */
#define RAIO_FEATURE_ADVISE		(1U << 10)

/* RAIO_IOC_SETUP */
struct raio_setup {
	__u32	nr_events;
	__u32	flags;		/* RAIO_SETUP_* */
	__aligned_u64	ctx_id;		/* in: 0, out: the context's id */
};

/*
 * raio_setup.flags: a cancelled request has its event in the ring, and
 * RAIO_IOC_CANCEL fails with EINPROGRESS, as in native aio.
 */
#define RAIO_SETUP_CANCEL_EVENT		(1U << 0)
/* raio_setup.flags: no threads; what may block does so in RAIO_IOC_SUBMIT. */
#define RAIO_SETUP_NO_THREADS		(1U << 1)
/*
 * raio_setup.flags: writes without O_DIRECT are done when RAIO_IOC_SUBMIT returns,
 * which waits for what they wait for, as in native aio.
 */
#define RAIO_SETUP_SYNC_WRITES		(1U << 2)

/* RAIO_IOC_DESTROY */
struct raio_destroy {
	__aligned_u64	ctx_id;
	__aligned_u64	flags;
};

/* RAIO_IOC_SUBMIT; the result of the ioctl is the number of requests taken */
struct raio_submit {
	__aligned_u64	ctx_id;
	__s64	nr __attribute__((aligned(8)));
	__aligned_u64	iocbpp;		/* struct iocb **, in the program's own pointer size */
	__aligned_u64	flags;
};

/*
 * RAIO_IOC_CANCEL; 0 if the request was cancelled: its event is in result, and
 * not in the ring.  EINPROGRESS if a thread runs it, which was interrupted, and
 * EAGAIN if it runs otherwise, or a driver has it: its event will come.
 */
struct raio_cancel {
	__aligned_u64	ctx_id;
	__aligned_u64	iocb;		/* struct iocb * */
	__aligned_u64	result;		/* struct io_event * */
	__aligned_u64	flags;
};

/* As struct __kernel_timespec. */
struct raio_timespec {
	__s64	tv_sec __attribute__((aligned(8)));
	__s64	tv_nsec __attribute__((aligned(8)));
};

/* See RAIO_IOCB_FLAG_DEADLINE.  It is read when the request is submitted. */
struct raio_deadline {
	struct raio_timespec time;	/* from now on, by CLOCK_MONOTONIC */
	__u32	flags;		/* RAIO_DEADLINE_* */
	__u32	buffer;		/* index, with RAIO_IOCB_FLAG_FIXED_BUFFER; else 0 */
};

/* raio_deadline.flags: time is one of CLOCK_MONOTONIC itself. */
#define RAIO_DEADLINE_ABS		(1U << 0)

/* RAIO_IOC_GETEVENTS; the result of the ioctl is the number of events */
struct raio_getevents {
	__aligned_u64	ctx_id;
	__s64	min_nr __attribute__((aligned(8)));
	__s64	nr __attribute__((aligned(8)));
	__aligned_u64	events;		/* struct io_event * */
	__aligned_u64	timeout;	/* struct __kernel_timespec *, relative, or 0 */
	__aligned_u64	sigmask;	/* sigset_t * as in io_pgetevents(2), or 0 */
	__aligned_u64	sigsetsize;	/* its size in bytes, 8 */
	__aligned_u64	flags;
};

/*
 * RAIO_IOC_ENTER: RAIO_IOC_SUBMIT and then RAIO_IOC_GETEVENTS.  The result of the
 * ioctl is the number of events.  If no request was taken of nr > 0, it fails
 * with submit's error; if fewer were taken than nr, it does not wait.
 */
struct raio_enter {
	__aligned_u64	ctx_id;
	__s64	nr __attribute__((aligned(8)));	/* requests; may be 0 */
	__aligned_u64	iocbpp;		/* struct iocb **, in the program's own pointer size */
	__s64	submitted __attribute__((aligned(8)));	/* in: 0, out: requests taken */
	__s64	min_events __attribute__((aligned(8)));
	__s64	nr_events __attribute__((aligned(8)));
	__aligned_u64	events;		/* struct io_event * */
	__aligned_u64	timeout;	/* struct __kernel_timespec *, relative, or 0 */
	__aligned_u64	sigmask;	/* sigset_t * as in io_pgetevents(2), or 0 */
	__aligned_u64	sigsetsize;	/* its size in bytes, 8 */
	__aligned_u64	flags;
};

/*
 * RAIO_IOC_REGISTER: buffers and files that requests name by their index.  Buffers
 * are pinned, and count as locked memory, until they are unregistered and the last
 * request with them is over; files stay open as long.
 */
struct raio_register {
	__aligned_u64	ctx_id;
	__u32	opcode;		/* RAIO_REGISTER_* */
	__u32	nr;		/* entries of the array; 0 to unregister */
	__aligned_u64	array;		/* of struct iovec, or __s32; 0 to unregister */
	__aligned_u64	flags;
};

/* raio_register.opcode */
#define RAIO_REGISTER_BUFFERS		0	/* struct iovec[]; { NULL, 0 } leaves a gap */
#define RAIO_UNREGISTER_BUFFERS		1
#define RAIO_REGISTER_FILES		2	/* __s32[]; -1 leaves a gap */
#define RAIO_UNREGISTER_FILES		3

/*
 * iocb.aio_lio_opcode: sync_file_range(2) of aio_offset, aio_nbytes, with aio_rw_flags
 * as its flags.
 */
#define RAIO_CMD_SYNC_FILE_RANGE	32

/*
 * iocb.aio_flags: bits 16 to 31 are those of this module.
 *
 * PREAD, PWRITE, PREADV and PWRITEV: at the position of the file, which the transfer moves;
 * aio_offset is -1.  (Without the flag that is EINVAL, as in native aio.)
 */
#define RAIO_IOCB_FLAG_CUR_POS		(1U << 26)
/*
 * FSYNC and FDSYNC: of aio_nbytes from aio_offset on; an aio_nbytes of 0 is all from there.
 */
#define RAIO_IOCB_FLAG_RANGE		(1U << 27)
/*
 * It begins when all that was submitted to the context before is over, and what is
 * submitted to the context after it begins when it is over.
 */
#define RAIO_IOCB_FLAG_BARRIER		(1U << 28)
/*
 * iocb.aio_reserved2 is the address of a struct raio_deadline.  If the request is not over
 * by then, it is cancelled: the event has -ETIME in res, and in res2 the bytes moved.  What a
 * driver has is not cancelled, and what blocks in RAIO_IOC_SUBMIT is not interrupted: they
 * end as they end.
 */
#define RAIO_IOCB_FLAG_DEADLINE		(1U << 29)
/*
 * PREAD, PWRITE, PREADV and PWRITEV: iocb.aio_reserved2, or raio_deadline.buffer, is the index
 * of a registered buffer, in which all of the memory lies that the iocb names.
 */
#define RAIO_IOCB_FLAG_FIXED_BUFFER	(1U << 30)
/* iocb.aio_flags, but of NOOP: iocb.aio_fildes is the index of a registered file. */
#define RAIO_IOCB_FLAG_FIXED_FILE	(1U << 31)

#define RAIO_IOC_MAGIC		0xa1
#define RAIO_IOC_INFO		_IOR(RAIO_IOC_MAGIC, 0x00, struct raio_info)
#define RAIO_IOC_SETUP		_IOWR(RAIO_IOC_MAGIC, 0x01, struct raio_setup)
#define RAIO_IOC_DESTROY	_IOW(RAIO_IOC_MAGIC, 0x02, struct raio_destroy)
#define RAIO_IOC_SUBMIT		_IOW(RAIO_IOC_MAGIC, 0x03, struct raio_submit)
#define RAIO_IOC_CANCEL		_IOW(RAIO_IOC_MAGIC, 0x04, struct raio_cancel)
#define RAIO_IOC_GETEVENTS	_IOW(RAIO_IOC_MAGIC, 0x05, struct raio_getevents)
#define RAIO_IOC_ENTER		_IOWR(RAIO_IOC_MAGIC, 0x06, struct raio_enter)
#define RAIO_IOC_REGISTER	_IOW(RAIO_IOC_MAGIC, 0x07, struct raio_register)

/*
 * For 64-bit programs there is a shorter way for three of them, without what ioctl(2) asks
 * security modules: fadvise64(2) with the address of the argument as the offset, a length of
 * 0, and one of these as the advice.  The result is that of the ioctl.  Other files know no such
 * advice, and fail.
 */
#define RAIO_ADVISE_SUBMIT	0xa103
#define RAIO_ADVISE_GETEVENTS	0xa105
#define RAIO_ADVISE_ENTER	0xa106

#endif /* _UAPI_LINUX_RAIO_H */
