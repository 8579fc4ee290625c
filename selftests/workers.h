/* SPDX-License-Identifier: GPL-2.0 */
/* Who works for the contexts of a process, as /proc tells it. */
#ifndef RAIO_WORKERS_H
#define RAIO_WORKERS_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include <sys/types.h>

#define MAX_WORKERS	8	/* threads that raio makes for one context */

/* The threads that raio has made in that process; their ids, if tids is not NULL. */
unsigned int worker_threads(pid_t pid, pid_t *tids, unsigned int max);
/* All threads of that process. */
unsigned int all_threads(pid_t pid);
/*
 * Those that run or wait for a device just now, and the kernel's workers that
 * have work of raio.
 */
unsigned int busy_workers(pid_t pid);
/* Returns when no such worker of the kernel waits uninterruptibly. */
void wait_no_kworker_waits(void);
/* Returns when that process has such a thread, or has none any more. */
void wait_worker_threads(pid_t pid, bool some);
/* 'R', 'S', 'D', 'T', ...; 0 if there is no such thread. */
char thread_state(pid_t pid, pid_t tid);

/* A context with RAIO_SETUP_* flags; its tests are for raio only. */
aio_context_t new_context_flags(unsigned int nr_events, unsigned int flags);
/* Events in the ring, seen without a call into raio: nobody waits for them there. */
unsigned int events_in_ring(aio_context_t ctx);
/* Returns when there are that many. */
void wait_for_ring(aio_context_t ctx, unsigned int count);

#endif /* RAIO_WORKERS_H */
