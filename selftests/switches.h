/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether a submit waits, told without a clock: a task that waits leaves the CPU
 * of its own accord, and the kernel counts that.
 */
#ifndef RAIO_SWITCHES_H
#define RAIO_SWITCHES_H

#include <linux/aio_abi.h>

/* Of the calling thread, since it exists. */
long voluntary_switches(void);
/* be_submit(), and how often the caller left the CPU voluntarily inside of it. */
int submit_list_counting(aio_context_t ctx, long nr, struct iocb **iocbpp, long *nvcsw);
/* The same for one request. */
int submit_counting(aio_context_t ctx, struct iocb *iocb, long *nvcsw);
/*
 * One request is taken without waiting.  All memory that it names was touched
 * before by the caller: faults may wait.
 */
void submit_without_wait(aio_context_t ctx, struct iocb *iocb);
/* And it is not over: it is one for which native aio would have waited. */
void submit_unfinished(aio_context_t ctx, struct iocb *iocb);
/* Then its event comes: the result. */
int64_t finish_one(aio_context_t ctx, struct iocb *iocb);
/* A read of one end is not over until the other one is written to. */
void read_unfinished(int in, int out);

#endif /* RAIO_SWITCHES_H */
