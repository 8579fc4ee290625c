/* SPDX-License-Identifier: GPL-2.0 */
/* Files of every kind, that can be read or written at once, over and over. */
#ifndef RAIO_TARGETS_H
#define RAIO_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_MAX	4096

/* What a kind can be asked for. */
enum {
	TARGET_READ = 1,
	TARGET_WRITE = 2,
	TARGET_FSYNC = 4,
	TARGET_SYNC_RANGE = 8,
	TARGET_POLL = 16,
	TARGET_AT = 32,		/* at an offset: it is a file or a device */
	TARGET_SOCKET = 64,
	TARGET_DEVICE = 128,	/* its requests can fail by injection */
	TARGET_QUICK = 256,	/* one of those that stand for others, see RAIO_QUICK */
};

struct target;

struct target_kind {
	const char *name;
	unsigned int can;
	size_t size;		/* of a transfer */
	int arg;
	/* false: there is none here */
	bool (*open)(struct target *target);
	/* Before a read: expected is what it will find; before a write. */
	void (*feed)(struct target *target, unsigned int seed);
	/* The same at once: somebody waits for it already. */
	void (*put)(struct target *target, unsigned int seed);
	void (*drain)(struct target *target);
	/* What came of a write that said that it has moved so much. */
	void (*check)(struct target *target, const void *buf, int64_t moved);
};

struct target {
	const struct target_kind *kind;
	int fds[2];		/* to be read, to be written */
	int look;		/* of TARGET_AT: to look at what is there */
	uint8_t expected[TARGET_MAX];
};

extern const struct target_kind target_kinds[];
extern const unsigned int target_kinds_count;

/* By name; ends the test if there is none. */
const struct target_kind *target_kind(const char *name);
/* False, with a note, where there is none. */
bool target_open(struct target *target, const struct target_kind *kind);
const char *target_name(const struct target *target);
void target_close(struct target *target);

#endif /* RAIO_TARGETS_H */
