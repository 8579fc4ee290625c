/* SPDX-License-Identifier: GPL-2.0 */
/* One request, in which each operation fails in its turn. */
#ifndef RAIO_FAULT_OP_H
#define RAIO_FAULT_OP_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include "targets.h"

struct fault_op {
	unsigned int opcode;
	unsigned int flags;	/* aio_flags */
	bool enter;		/* by RAIO_IOC_ENTER */
	unsigned int setup;	/* RAIO_SETUP_* */
};

/* Whether that kind of file can be asked for it. */
bool fault_op_suits(const struct fault_op *op, const struct target_kind *kind);
/*
 * Submits it until nothing is left that could fail.  Each time it is refused with an
 * errno that is documented, or has one event, with a result that is; what it says to have
 * moved has been moved; the next one is none the worse for it; and nothing is left, of the
 * file neither.  The number of operations that failed; -1 if there is no such kind of file.
 */
int fault_op_run(const struct fault_op *op, const struct target_kind *kind);

/* RAIO_IOC_ENTER; how many of the iocbs were taken goes to submitted. */
int do_enter(aio_context_t ctx, long nr, struct iocb **iocbs, long nr_events,
	     struct io_event *events, int64_t *submitted);
/*
 * All events of what was submitted before, without those of the ring that were taken
 * already: they are over when it returns.
 */
unsigned int events_until_over(aio_context_t ctx, struct io_event *events, unsigned int max);

#endif /* RAIO_FAULT_OP_H */
