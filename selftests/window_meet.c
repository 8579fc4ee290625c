// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a task is held between two steps of a request, and another one acts on the
 * request, its context or its process meanwhile: the request has one event or is cancelled,
 * with the data and the rights that it was submitted with, and all calls return.
 */
#include "harness.h"
#include "meet.h"

#define WHY	"there are no windows in it"

#define EVERYTHING	(ACT(CANCEL) | ACT(COMPLETE) | ACT(KICK) | ACT(DESTROY) | ACT(EXIT) |	\
			 ACT(KILL) | ACT(EXEC) | ACT(RMMOD) | ACT(MREMAP) | ACT(MUNMAP) |	\
			 ACT(REUSE) | ACT(SETUID) | ACT(CAPSET) | ACT(GETEVENTS) |		\
			 ACT(SUBMIT) | ACT(DEADLINE))
#define FROM_OUTSIDE	(ACT(COMPLETE) | ACT(KICK) | ACT(KILL) | ACT(RMMOD))

int test_helper(int argc, char **argv)
{
	return meet_executed(argc, argv);
}

/* It can't be cancelled yet, and may be submitted anew if there is a signal. */
static const struct row submit_row = {
	.window = "submit", .come = COME_SUBMIT, .cancel = -EINVAL, .anew = true,
	.actions = EVERYTHING,
};

TEST_RAIO(submit, WHY)
{
	meet_row(&submit_row);
}

/* It is running, and is over when it would be armed. */
static const struct row arm_row = {
	.window = "arm", .come = COME_SUBMIT, .cancel = -EAGAIN,
	.actions = EVERYTHING | ACT(REUSE_SETUID),
};

TEST_RAIO(arm, WHY)
{
	meet_row(&arm_row);
}

static const struct row armed_row = {
	.window = "armed", .come = COME_SUBMIT,
	.actions = EVERYTHING | ACT(REUSE_SETUID),
};

TEST_RAIO(armed, WHY)
{
	meet_row(&armed_row);
}

/* A thread has begun it, and does not sleep in a way that can be interrupted. */
static const struct row page_row = {
	.window = "wait", .come = COME_SUBMIT, .subject = PAGE_READ,
	.cancel = -EAGAIN, .actions = EVERYTHING,
};

TEST_RAIO(page, WHY)
{
	meet_row(&page_row);
}

/* A cancel of it waits for the lock of the wait queue. */
static const struct row kick_row = {
	.window = "kick", .come = COME_FEED, .held = ACT(KICK), .spins = true,
	.actions = EVERYTHING,
};

TEST_RAIO(kick, WHY)
{
	meet_row(&kick_row);
}

static const struct row kick_poll_row = {
	.window = "kick", .come = COME_FEED, .held = ACT(KICK), .subject = PIPE_POLL,
	.spins = true, .actions = EVERYTHING & ~(ACT(SETUID) | ACT(CAPSET)),
};

TEST_RAIO(kick_poll, WHY)
{
	meet_row(&kick_poll_row);
}

static const struct row kick_by_page_row = {
	.window = "kick", .come = COME_SUBMIT, .held = ACT(KICK), .subject = PAGE_READ,
	.spins = true, .actions = EVERYTHING & ~ACT(KICK),
};

TEST_RAIO(kick_by_page, WHY)
{
	meet_row(&kick_by_page_row);
}

static const struct row retry_row = {
	.window = "retry", .come = COME_FEED, .held = ACT(KICK), .cancel = -EAGAIN,
	.actions = EVERYTHING,
};

TEST_RAIO(retry, WHY)
{
	meet_row(&retry_row);
}

static const struct row complete_row = {
	.window = "complete", .come = COME_SUBMIT, .held = ACT(COMPLETE),
	.subject = DRIVER_READ, .cancel = -EAGAIN, .spins = true,
	.actions = EVERYTHING,
};

TEST_RAIO(complete, WHY)
{
	meet_row(&complete_row);
}

static const struct row publish_row = {
	.window = "publish", .come = COME_FEED, .held = ACT(COMPLETE),
	.cancel = -EINVAL, .spins = true, .actions = EVERYTHING,
};

TEST_RAIO(publish, WHY)
{
	meet_row(&publish_row);
}

static const struct row publish_in_interrupt_row = {
	.window = "publish", .come = COME_SUBMIT, .held = ACT(COMPLETE),
	.subject = DRIVER_READ, .cancel = -EINVAL, .spins = true,
	.actions = EVERYTHING,
};

TEST_RAIO(publish_in_interrupt, WHY)
{
	meet_row(&publish_in_interrupt_row);
}

static const struct row cancel_row = {
	.window = "cancel", .come = COME_CANCEL, .held = ACT(CANCEL),
	.actions = EVERYTHING,
};

TEST_RAIO(cancel, WHY)
{
	meet_row(&cancel_row);
}

static const struct row cancelled_row = {
	.window = "cancelled", .come = COME_CANCEL, .held = ACT(CANCEL),
	.cancel = -EINVAL, .actions = EVERYTHING,
};

TEST_RAIO(cancelled, WHY)
{
	meet_row(&cancelled_row);
}

static const struct row late_row = {
	.window = "late", .come = COME_LATE, .held = ACT(CANCEL), .spins = true,
	.actions = EVERYTHING,
};

TEST_RAIO(late, WHY)
{
	meet_row(&late_row);
}

static const struct row destroy_row = {
	.window = "destroy", .come = COME_DESTROY, .held = ACT(DESTROY),
	.context = DEAD, .cancel = -EINVAL, .actions = EVERYTHING,
};

TEST_RAIO(destroy, WHY)
{
	meet_row(&destroy_row);
}

/* No driver has a request any more. */
static const struct row drained_row = {
	.window = "drained", .come = COME_DESTROY, .held = ACT(DESTROY),
	.context = DEAD, .cancel = -EINVAL, .actions = EVERYTHING & ~ACT(COMPLETE),
};

TEST_RAIO(drained, WHY)
{
	meet_row(&drained_row);
}

static const struct row munmap_row = {
	.window = "unmapped", .come = COME_MUNMAP, .held = ACT(MUNMAP),
	.context = UNMAPPED, .cancel = -EINVAL, .actions = EVERYTHING,
};

TEST_RAIO(munmap, WHY)
{
	meet_row(&munmap_row);
}

static const struct row munmap_destroy_row = {
	.window = "destroy", .come = COME_MUNMAP, .held = ACT(MUNMAP),
	.context = UNMAPPED, .cancel = -EINVAL, .actions = EVERYTHING,
};

TEST_RAIO(munmap_destroy, WHY)
{
	meet_row(&munmap_destroy_row);
}

/* Until it has moved its old address counts. */
static const struct row mremap_row = {
	.window = "moved", .come = COME_MREMAP, .held = ACT(MREMAP),
	.actions = EVERYTHING,
};

TEST_RAIO(mremap, WHY)
{
	meet_row(&mremap_row);
}

static const struct row getevents_row = {
	.window = "reap", .come = COME_GETEVENTS, .cancel = -EINVAL,
	.actions = EVERYTHING | ACT(CONSUME),
};

TEST_RAIO(getevents, WHY)
{
	meet_row(&getevents_row);
}

static const struct row exit_row = {
	.window = "unmapped", .come = COME_EXIT, .held = ACT(EXIT),
	.context = UNMAPPED, .actions = FROM_OUTSIDE,
};

TEST_RAIO(exit, WHY)
{
	meet_row(&exit_row);
}

static const struct row exit_destroy_row = {
	.window = "destroy", .come = COME_EXIT, .held = ACT(EXIT), .context = UNMAPPED,
	.actions = FROM_OUTSIDE,
};

TEST_RAIO(exit_destroy, WHY)
{
	meet_row(&exit_destroy_row);
}

static const struct row exec_row = {
	.window = "unmapped", .come = COME_EXEC, .held = ACT(EXEC),
	.context = UNMAPPED, .actions = FROM_OUTSIDE,
};

TEST_RAIO(exec, WHY)
{
	meet_row(&exec_row);
}

static const struct row *const rows[] = {
	&submit_row, &arm_row, &armed_row, &page_row, &kick_row, &kick_poll_row,
	&kick_by_page_row, &retry_row, &complete_row, &publish_row,
	&publish_in_interrupt_row, &cancel_row, &cancelled_row, &late_row, &destroy_row,
	&drained_row, &munmap_row, &munmap_destroy_row, &mremap_row, &getevents_row,
	&exit_row, &exit_destroy_row, &exec_row,
};

/* Any two of these meet: one task is held, the other one acts. */
static const unsigned int kinds[] = {
	ACT(CANCEL), ACT(COMPLETE), ACT(KICK), ACT(DESTROY), ACT(EXIT) | ACT(KILL), ACT(EXEC),
	ACT(RMMOD), ACT(MREMAP), ACT(MUNMAP), ACT(REUSE), ACT(SETUID),
};

/*
 * Except for
 *
 * - two of close and reuse, and setuid: they don't enter the module, where the windows are; both
 *   are done while a third task is held;
 * - exit or exec, and another exec, close and reuse, or setuid: a task that gets to a window in
 *   exit or exec is the only thread by then, and the others have no window.  (It can be killed
 *   there.)
 * - rmmod, and close and reuse, setuid, or another rmmod: it runs when there is no context any
 *   more, so no process that could do that; and one rmmod does not begin before the other is
 *   over.  window_unload tests what it meets in a window of its own.
 */
static const unsigned int never[] = {
	ACT(REUSE) | ACT(SETUID), ACT(EXIT) | ACT(EXEC) | ACT(REUSE) | ACT(SETUID),
	ACT(RMMOD) | ACT(REUSE) | ACT(SETUID),
};

static bool do_meet(unsigned int a, unsigned int b)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i]->held & a && rows[i]->actions & b)
			return true;
	return false;
}

TEST_RAIO(each_two, WHY)
{
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (j = 0; j <= i; j++) {
			bool may = do_meet(kinds[i], kinds[j]) || do_meet(kinds[j], kinds[i]);

			for (k = 0; k < ARRAY_SIZE(never); k++)
				may |= never[k] & kinds[i] && never[k] & kinds[j];
			if (!may)
				FAIL("%#x and %#x never meet", kinds[i], kinds[j]);
		}
	}
}
