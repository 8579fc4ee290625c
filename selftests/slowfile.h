/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file whose pages are not in memory, on a device that takes its time: a
 * block device itself, or a file system on it.
 */
#ifndef RAIO_SLOWFILE_H
#define RAIO_SLOWFILE_H

#include <stddef.h>
#include "nullb.h"

#define SLOWFILE_SIZE	(4 * 1024 * 1024)

struct slowfile {
	struct nullb nullb;
	int fd;		/* for buffered reads, without readahead */
};

/*
 * Filled with fill_pattern(), and nothing of it is cached but what is needed to
 * find its blocks.  type is "ext4", "xfs", or NULL for the block device; skips the test
 * where it can't be made.  For xfs that is a copy of the one in RAIO_XFS_DIR,
 * since no guest can make one.
 */
void slowfile_make(struct slowfile *file, const char *type, unsigned long completion_nsec);
/* Its file system is mounted for writes, too, and so is fd opened. */
void slowfile_open_for_write(struct slowfile *file, const char *type);

#endif /* RAIO_SLOWFILE_H */
