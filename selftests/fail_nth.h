/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's fail-nth: the nth operation of a task that can fail does.
 *
 * Operations are allocations of slabs and of pages, accesses to the program's memory,
 * look-ups of futexes, and the transfers of a device that fail_requests_of() names.
 * vmalloc() has no injection of its own, nor has kvmalloc(): what they ask for is counted
 * as slabs (the area, the list of its pages), and as pages, those of the data only where
 * highmem is not ignored, which fail_nth_start() sees to.  A kvmalloc() whose kmalloc()
 * fails goes on with vmalloc(), so that one failure alone never fails it: for that there is
 * fail_pages_after().  In raio these are KVVec: the tables of requests, groups and pages of
 * a context, those of registered files and buffers, and the pages, parts and charges of a
 * buffer.  No part of raio calls vmalloc() otherwise.
 *
 *	for (fail_nth_start(); fail_nth_next();) {
 *		fail_nth_arm();
 *		ret = ... one system call, nothing else ...
 *		if (fail_nth_disarm() && ret < 0)
 *			... which may be ...
 *	}
 */
#ifndef RAIO_FAIL_NTH_H
#define RAIO_FAIL_NTH_H

#include <stdbool.h>
#include <sys/types.h>

/* Skips the test where the kernel has no fault injection. */
void fail_nth_start(void);
/* Requests of this device can fail, if the kernel has that. */
void fail_requests_of(const char *disk);

/*
 * Another round: the first is without a fault, then the 1st, 2nd ... operation
 * fails; false when two rounds had none left.
 */
bool fail_nth_next(void);
/* The rounds after this one are that far apart: for calls that have thousands. */
void fail_nth_stride(unsigned int stride);
/* Of this round; 0 in the first. */
unsigned int fail_nth(void);
/* How many rounds had a fault. */
unsigned int fail_nth_count(void);

/* Of the calling thread. */
void fail_nth_arm(void);
/* Whether there was a fault; there is none from here on. */
bool fail_nth_disarm(void);

/* Of other threads, of this process or the kernel's; how many of them there are still. */
unsigned int fail_nth_arm_threads(const pid_t *tids, unsigned int nr);
/* Whether there was a fault in one of them. */
bool fail_nth_disarm_threads(void);
/* Of a child that sets its own by fail_nth_arm_self(), and has ended, but was not waited for. */
int fail_nth_open(pid_t pid);
bool fail_nth_close(int fd);
/* In a child: with the n of its parent, which tells by fail_nth_close(). */
void fail_nth_arm_self(void);

/* The calling thread gets that many pages, and then no more; until the end. */
void fail_pages_after(unsigned int pages);
void fail_pages_end(void);

/* What must not be left behind; what is released a moment later is waited for. */
struct left {
	unsigned long nr;
	long pinned;
	unsigned int files;	/* open in all of the system */
	unsigned int fds;
	unsigned int threads;
};

/* Skips the test as fail_nth_start() does. */
void left_look(struct left *left);
void left_expect(const struct left *before, const char *what);

#endif /* RAIO_FAIL_NTH_H */
