/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A FUSE file system of one file, whose server can be told to keep requests
 * unanswered.  The server is a child of the test and dies with it.
 *
 *	struct fuse fuse;
 *	int fd;
 *
 *	fuse_start(&fuse, 0);
 *	fd = fuse_open(&fuse, O_RDWR);
 *	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
 *	... submit a read of fd ...
 *	fuse_wait_held(&fuse, 1);
 *	fuse_release(&fuse);
 *	... its event comes ...
 */
#ifndef RAIO_FUSE_H
#define RAIO_FUSE_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the file has at the start, of fill_pattern(), and how large it can get. */
#define FUSE_FILE_SIZE	(64 * 1024)
#define FUSE_FILE_MAX	(1024 * 1024)
#define FUSE_SHORT_SIZE	10

/* A set of requests, of those that <linux/fuse.h> names: FUSE_READ, FUSE_FSYNC ... */
#define FUSE_OP(_opcode)	(1ULL << (_opcode))
#define FUSE_OPS_DATA		(FUSE_OP(FUSE_READ) | FUSE_OP(FUSE_WRITE) | FUSE_OP(FUSE_FSYNC))

enum {
	FUSE_DIRECT_IO = 1,	/* no page cache: each read and write asks the server */
	FUSE_DEAF = 2,		/* what is held is not even given up when its caller is killed */
	FUSE_SHORT_READ = 8,	/* a read has at most FUSE_SHORT_SIZE bytes */
	FUSE_SYNC_READ = 4,	/* the kernel asks for one piece of a read after the other */
};

/* What test and server share. */
struct fuse_shared {
	uint64_t hold;		/* the requests that are kept unanswered */
	unsigned int seen[64];	/* for each opcode, how many have come */
	unsigned int not_root[64];	/* how many of them were not for user 0 */
	unsigned int held;	/* how many are unanswered now */
	uint64_t size;
	uint8_t data[FUSE_FILE_MAX];
};

struct fuse {
	struct fuse_shared *shared;
	unsigned int flags;
	pid_t server;
	int root;		/* its root directory; no path leads there */
	int wake;		/* eventfd: look at hold again */
	int held;		/* eventfd semaphore: one more is held */
};

/* Skips the test where there is no FUSE, or the test may not mount it. */
void fuse_start(struct fuse *fuse, unsigned int flags);
/* Another open of the file. */
int fuse_open(const struct fuse *fuse, int flags);
/* From now on these are not answered; a server that holds none again: fuse_release(). */
void fuse_hold(struct fuse *fuse, uint64_t ops);
/* Returns when that many more requests have come and are held. */
void fuse_wait_held(struct fuse *fuse, unsigned int count);
/* All that are held are answered, in the order in which they came. */
void fuse_release(struct fuse *fuse);
/* The server is gone: all requests fail. */
void fuse_kill(struct fuse *fuse);

#endif /* RAIO_FUSE_H */
