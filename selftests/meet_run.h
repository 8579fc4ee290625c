/* SPDX-License-Identifier: GPL-2.0 */
/* What the process of a meeting knows, for meet_run.c and meet_act.c. */
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

/* It is a message to a socket, which tells whom it is from; where nobody cancels it. */
bool meet_is_message(const struct row *row, enum action action);
/* By the one who acts: the requests are his. */
void meet_prepare(void);
int meet_submit(int which);
int meet_cancel(struct io_event *result);
/* An event came: the request's only one, and the right one. */
void meet_note(const struct io_event *event);
/* Waits for one. */
int meet_wait_event(void);
__attribute__((__noreturn__)) void meet_execute(void);
/* Acts, and what that should come to. */
long meet_act(void);
long meet_expected(void);

#endif /* RAIO_MEET_RUN_H */
