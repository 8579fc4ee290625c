/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A medium that a process writes without end by aio, and a look at whether it is
 * at rest: once the process, its memory or its context is gone, it must be.
 */
#ifndef RAIO_MEDIUM_H
#define RAIO_MEDIUM_H

#include <stdbool.h>
#include "nullb.h"

struct medium {
	int fd;
	unsigned int delay_ms;	/* what one request takes */
	struct nullb nullb;	/* where it is one */
	bool is_nullb;
};

/*
 * A null_blk device with far fewer tags than the writer has requests: most of
 * them have not reached the medium yet.
 */
void medium_nullb(struct medium *medium);
/* A plain file, written through the page cache. */
void medium_file(struct medium *medium);

/* Writes it; after some rounds a byte goes to ready_fd.  For ever if rounds is 0. */
void medium_write(const struct medium *medium, int ready_fd, unsigned int rounds);
/* The same for ever, in that many threads. */
void medium_write_in_threads(const struct medium *medium, int ready_fd, unsigned int threads);
/* Nothing is in flight now, and the content stays as it is. */
void medium_expect_rest(const struct medium *medium);

#endif /* RAIO_MEDIUM_H */
