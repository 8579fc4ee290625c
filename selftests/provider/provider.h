/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files whose requests end in every way that a driver may choose, for programs
 * and for the modules behind /dev/raio_provider and /dev/raio_provider_rust.
 *
 * Each open file has a mode; the default is PROVIDER_AT_ONCE.  The byte at an
 * offset is PROVIDER_BYTE(offset): a read returns it, a write must bring it, or
 * ends with EILSEQ.  Data moves during the issue call.  A synchronous call gets
 * what an asynchronous one gets, but waits for nothing.
 */
#ifndef RAIO_PROVIDER_H
#define RAIO_PROVIDER_H

#include <linux/ioctl.h>

enum provider_mode {
	PROVIDER_AT_ONCE,	/* the result is returned */
	PROVIDER_TIMER,		/* -EIOCBQUEUED; completed by a timer's interrupt */
	PROVIDER_WORK,		/* -EIOCBQUEUED; completed by a work item */
	PROVIDER_EARLY,		/* completed first, and then -EIOCBQUEUED */
	PROVIDER_ERROR,		/* as PROVIDER_TIMER, but the result is EIO */
	PROVIDER_HELD,		/* -EIOCBQUEUED; completed by PROVIDER_ANSWER */
	/*
	 * Not ready: IOCB_NOWAIT gives -EAGAIN, poll(2) says no; without
	 * IOCB_NOWAIT it waits.  Each such try has a timer make the file ready
	 * for one request, and wake those who poll.
	 */
	PROVIDER_WAKES,
	/* IOCB_NOWAIT: completed with -EAGAIN by a timer; else as PROVIDER_TIMER */
	PROVIDER_LATE_EAGAIN,
	PROVIDER_MODES,
};

#define PROVIDER_BYTE(_offset)	((unsigned char)((_offset) * 7 + 13))

/* The argument is the value itself. */
#define PROVIDER_SET_MODE	_IO('P', 0)
/* Microseconds until a timer fires; default 1000. */
#define PROVIDER_SET_DELAY	_IO('P', 1)
/* Completes all held requests of the open file; returns their number. */
#define PROVIDER_ANSWER		_IO('P', 2)
/* How often the open file was asked for a read or write so far. */
#define PROVIDER_CALLS		_IO('P', 3)
/* How many tries of those had IOCB_NOWAIT. */
#define PROVIDER_NOWAIT_CALLS	_IO('P', 4)
/* How many requests wait for an answer. */
#define PROVIDER_PENDING	_IO('P', 5)
/* 1: each request names a function that cancels it, as USB gadgets do.  C only. */
#define PROVIDER_SET_CANCEL	_IO('P', 6)
/* How often that function was called.  C only. */
#define PROVIDER_CANCELS	_IO('P', 7)

/* Nobody has told a held request to end: it does by itself, with ETIMEDOUT. */
#define PROVIDER_HELD_SECONDS	40

#endif /* RAIO_PROVIDER_H */
