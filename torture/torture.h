/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer of /dev/raio that is guided by coverage.
 *
 * A program is a list of calls, each of which some thread makes; the last thread is the lane
 * (lane.c), which is outside of the process that the others are in (victim.c).  Who runs it
 * counts: what was taken has one event, or was cancelled, and the data is right.
 */
#ifndef RAIO_TORTURE_H
#define RAIO_TORTURE_H

#include <linux/raio.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define ARRAY_SIZE(_a)	(sizeof(_a) / sizeof((_a)[0]))
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))

#define MAX_OPS		40
#define ARGS		6
#define THREADS		3
#define OUTSIDE		THREADS
#define LANES		8
#define MAX_CORPUS	4096
#define EDGES		(1U << 16)

struct op {
	uint8_t code;
	uint8_t thread;
	uint16_t arg[ARGS];
};

/* What a process has to do, and as whom. */
struct program {
	unsigned int nr;
	bool root;
	struct op ops[MAX_OPS];
};

struct victim;

struct op_type {
	const char *name;
	/* one of the two */
	void (*inside)(const uint16_t *arg);
	void (*outside)(pid_t victim, const uint16_t *arg);
	/* how often it is taken, by chance */
	unsigned int weight;
};

extern const struct op_type op_types[];
extern const unsigned int op_types_nr;

/* program.c */
int program_read(FILE *from, struct program *program);
void program_write(FILE *to, const struct program *program);
void program_random(struct program *program);
void program_mutate(struct program *program, const struct program *other);
uint64_t random_word(void);
void random_seed(uint64_t seed);
/* of 0 to n - 1 */
unsigned int random_below(unsigned int n);

/* What all processes share. */
struct lane {
	char verdict[1024];		/* what was wrong */
	atomic_uint pid;		/* of the victim */
	struct program program;
	unsigned int programs;
	char pad[64];
};

struct shared {
	atomic_bool stop;		/* lanes are to pause */
	atomic_uint paused;
	atomic_bool over;		/* and to end */
	atomic_ulong calls;		/* ioctls of /dev/raio */
	atomic_ulong other_calls;	/* all other system calls of programs */
	atomic_ulong taken, events, cancelled, checked, checked_bytes, ordered;
	atomic_ulong programs, died, edges;
	atomic_ulong us_start, us_run, us_end;
	atomic_uint failures;
	atomic_ulong used[64];		/* programs in which an op was used, by its code */
	atomic_uint corpus_nr;
	atomic_uchar edge[EDGES];
	struct program corpus[MAX_CORPUS];
	struct lane lanes[LANES];
};

extern struct shared *shared;
extern struct lane *lane;		/* the one that this process is, or is in */
extern unsigned int lane_number;

/* The first thing that is wrong is the verdict; the process ends. */
__printf(1, 2) void wrong(const char *fmt, ...) __attribute__((__noreturn__));

/* victim.c: runs it in the calling process, which does not return. */
void victim_run(const struct program *program, unsigned int rounds);
/* An op that leaves nothing to be counted: of what the process was. */
void note_tampered(void);
bool is_tampered(void);

/* lane.c */
enum outcome { FINE, DIED, WRONG };
enum outcome lane_try(const struct program *program, unsigned int rounds, bool *is_new);
void lane_main(unsigned int number, uint64_t seed) __attribute__((__noreturn__));
void lane_prepare(unsigned int number);

/* kcov.c */
void kcov_open(void);
void kcov_start(unsigned int thread);
void kcov_stop(void);
/* Takes what the threads have reached; whether something of it is new. */
bool kcov_collect(void);

/* counted calls */
long raio_call(unsigned int cmd, void *arg);
#define COUNTED(_call)	({ atomic_fetch_add_explicit(&shared->other_calls, 1,	\
						     memory_order_relaxed); _call; })

#endif /* RAIO_TORTURE_H */
