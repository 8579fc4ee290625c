/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A null_blk device whose requests take as long as the test wants.  It is
 * removed by nullb_remove(), or by the harness when the test is dead.
 */
#ifndef RAIO_NULLB_H
#define RAIO_NULLB_H

#include <stdbool.h>
#include <sys/types.h>

struct nullb_options {
	unsigned int size_mb;
	unsigned long completion_nsec;
	unsigned int hw_queue_depth;	/* 0: 128 */
	bool memory_backed;		/* it keeps what was written */
};

struct nullb {
	char name[32];
	char dev[48];			/* path of the block device */
};

/* Skips the test where there is no null_blk. */
void nullb_create(struct nullb *nullb, const struct nullb_options *options);
void nullb_remove(struct nullb *nullb);
/* A request takes that long from now on.  What it keeps stays; nobody has it open. */
void nullb_set_delay(struct nullb *nullb, unsigned long completion_nsec);
/* Requests for these sectors fail, or don't any more. */
void nullb_set_bad(const struct nullb *nullb, unsigned long first, unsigned long last, bool bad);
/* Opened O_DIRECT. */
int nullb_open(const struct nullb *nullb, bool write);
/* Requests that the driver holds now. */
unsigned int nullb_inflight(const struct nullb *nullb);
/* Sectors that it was told to write since it exists. */
unsigned long nullb_sectors_written(const struct nullb *nullb);
/* The driver ends the bio first, and its own request a moment later. */
void nullb_wait_idle(const struct nullb *nullb);
/* All devices that this process has created. */
void nullb_remove_all(pid_t creator);

#endif /* RAIO_NULLB_H */
