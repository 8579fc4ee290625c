/* SPDX-License-Identifier: GPL-2.0 */
/* The state of a meeting's process, for meet_run.c and meet_act.c. */
#ifndef RAIO_MEET_RUN_H
#define RAIO_MEET_RUN_H

#include "meet.h"

#define OTHER_DATA	"another."

/* The request; another one beside it; and one that ends a wait for events. */
enum { REQUEST, BESIDE, LAST, IOCBS };

struct run {
	const struct row *row;
	enum action action;
	aio_context_t ctx;
	uintptr_t place;	/* where the ring is */
	size_t ring_size;
	void *places[2];	/* where it can go */
	struct iocb iocbs[IOCBS];
	struct raio_deadline deadlines[IOCBS];
	bool taken[IOCBS], over[IOCBS];
	char bufs[IOCBS][MEET_SIZE];
	int reader;		/* the descriptor of the request */
	long written;		/* to the pipe, and not taken by the request */
	char before[24];	/* fs.raio-nr, before all */
};

extern struct run run;

/* It is a message to a socket, which tells its sender; only where it is not cancelled. */
bool meet_is_message(const struct row *row, enum action action);
/* By the acting thread: the requests are its. */
void meet_prepare(void);
int meet_submit(int which);
int meet_cancel(struct io_event *result);
/* Checks an event: it is the request's only one, and the right one. */
void meet_note(const struct io_event *event);
/* Waits for one. */
int meet_wait_event(void);
__attribute__((__noreturn__)) void meet_execute(void);
/* Acts, and what the result should be. */
long meet_act(void);
long meet_expected(void);

#endif /* RAIO_MEET_RUN_H */
