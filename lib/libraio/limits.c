// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which limit is reached when a call fails: one line on stderr for each limit. */
#include <sys/resource.h>

#include "internal.h"

#define PAGE	4096

/* What a context counts for the limit: the slots of its ring of whole pages, minus 1. */
static uint64_t capacity(unsigned int nr_events)
{
	uint64_t size = sizeof(struct raio_ring) + sizeof(struct io_event) * (nr_events + 2ULL);

	size = (size + PAGE - 1) / PAGE * PAGE;
	return (size - sizeof(struct raio_ring)) / sizeof(struct io_event) - 1;
}

/* The limits may have changed since the call failed: then there is no line. */
static void say_count(struct state *state, unsigned int nr_events)
{
	uint64_t wanted = capacity(nr_events);
	struct raio_info info = { 0 };

	if (raio_ioctl(state, RAIO_IOC_INFO, &info))
		return;
	if (info.nr + wanted > info.max_nr)
		__raio_complain_limit(state, LIMIT_NR, "io_setup", info.max_nr);
	else if (info.user_nr + wanted > info.max_user_nr)
		__raio_complain_limit(state, LIMIT_USER_NR, "io_setup", info.max_user_nr);
}

/* How much other processes of the user have locked is not known. */
static void say_memlock(struct state *state, const char *call)
{
	struct rlimit limit = { 0 };

	if (!sys(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, &limit) &&
	    limit.rlim_cur != RLIM_INFINITY)
		__raio_complain_limit(state, LIMIT_MEMLOCK, call, limit.rlim_cur);
}

void __raio_setup_refused(struct state *state, unsigned int nr_events, long error)
{
	if (error == -EAGAIN)
		say_count(state, nr_events);
	else if (error == -ENOMEM)
		say_memlock(state, "io_setup");
}

void __raio_register_refused(struct state *state, unsigned int opcode, long error)
{
	if (opcode == RAIO_REGISTER_BUFFERS && error == -ENOMEM)
		say_memlock(state, "raio_register");
}
