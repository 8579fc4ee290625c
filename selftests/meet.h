/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two tasks meet: one gets to a window and is held there, while another one acts.
 *
 * Each meeting has a process of its own.  Its first thread gets to the window, or makes another
 * task get there.  A second thread has submitted what is in flight before, and acts.  The
 * test's own process watches, does what has to be done from outside, and releases the task that
 * is held.  Then each request has its one event, or was cancelled, its data is right, and
 * nothing of it is left.
 */
#ifndef RAIO_MEET_H
#define RAIO_MEET_H

#include <linux/raio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "slowfile.h"

#define MEET_DATA	"8 bytes."
#define MEET_SIZE	8
#define OTHER_UID	65533

/* The request that both of them deal with. */
enum subject {
	PIPE_READ,	/* of MEET_DATA, through a descriptor that may be used anew */
	PIPE_POLL,	/* its event is told by the wake itself */
	DRIVER_READ,	/* completed by the interrupt of a timer */
	PAGE_READ,	/* a thread begins it; then it waits for the page */
};

/* How a task gets to the window. */
enum come {
	COME_SUBMIT,	/* the request is submitted */
	COME_LATE,	/* so is one whose deadline is over */
	COME_FEED,	/* there is what it waits for */
	COME_CANCEL,
	COME_DESTROY,
	COME_MUNMAP,
	COME_MREMAP,
	COME_GETEVENTS,	/* its event is there */
	COME_EXIT,	/* from here on there is one thread, the first */
	COME_EXEC,
};

enum action {
	ACT_CANCEL,
	ACT_COMPLETE,	/* a driver completes another request */
	ACT_KICK,	/* there is what it, or another request, waits for */
	ACT_DESTROY,
	ACT_EXIT,
	ACT_KILL,
	ACT_EXEC,
	ACT_RMMOD,
	ACT_MREMAP,
	ACT_MUNMAP,
	ACT_REUSE,	/* its descriptor is closed, and used for another file */
	ACT_SETUID,
	ACT_CAPSET,
	ACT_REUSE_SETUID,
	ACT_GETEVENTS,
	ACT_SUBMIT,
	ACT_DEADLINE,	/* that of another request expires */
	ACT_CONSUME,	/* the program takes the events itself */
	ACTIONS,
};

#define ACT(_name)	(1U << ACT_##_name)

/* What the context is for calls while a task is held. */
enum context { ALIVE, DEAD, UNMAPPED };

struct row {
	const char *window;
	enum subject subject;
	enum come come;
	unsigned int held;	/* what the held task does, as one of the actions */
	unsigned int actions;	/* those that meet it */
	bool spins;		/* the held task may not sleep */
	bool anew;		/* a signal has it submitted anew, with the user id of then */
	enum context context;
	int cancel;		/* what a cancel says */
};

/* What all processes of a meeting share. */
struct meeting {
	int ready, come, act, begun, done, released;
	bool met;		/* one task was held when the other one began to act */
	pid_t actor;
	bool taken, cancelled, busy;	/* of the request */
	long act_result;
};

/* Made before the process is: the process that watches may need them. */
struct meet_files {
	int pipe[2], other[2];	/* other: for what is done beside the request */
	int socket[2];
	int driver, held, page;
	int counter;		/* eventfd of the request */
};

extern struct meeting *meeting;
extern struct meet_files meet_files;
extern struct slowfile meet_slow;	/* for PAGE_READ */

const char *action_name(enum action action);
/* All meetings of the row; each must take place. */
void meet_row(const struct row *row);
/* What the process does. */
__attribute__((__noreturn__)) void meet_run(const struct row *row, enum action action);
/* The program that is executed. */
int meet_executed(int argc, char **argv);
/* Provides what the request waits for. */
void meet_feed(const struct row *row, enum action action);

#endif /* RAIO_MEET_H */
