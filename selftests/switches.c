// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness.h"
#include "switches.h"

long voluntary_switches(void)
{
	struct rusage usage;

	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_nvcsw;
}

/* PREEMPT_RT: a task sleeps for a spinlock that another one holds, and that is counted, too. */
static bool spinlocks_sleep(void)
{
	struct utsname name;

	return !uname(&name) && strstr(name.version, "PREEMPT_RT");
}

int submit_list_counting(aio_context_t ctx, long nr, struct iocb **iocbpp, long *nvcsw)
{
	long before = voluntary_switches();
	int ret = be_submit(ctx, nr, iocbpp);

	*nvcsw = voluntary_switches() - before;
	/* Requests that wait do so each. */
	if (spinlocks_sleep() && *nvcsw <= nr / 8)
		*nvcsw = 0;
	return ret;
}

int submit_counting(aio_context_t ctx, struct iocb *iocb, long *nvcsw)
{
	return submit_list_counting(ctx, 1, &iocb, nvcsw);
}

void submit_without_wait(aio_context_t ctx, struct iocb *iocb)
{
	long nvcsw;

	ASSERT_EQ(1, submit_counting(ctx, iocb, &nvcsw));
	EXPECT_EQ(0, nvcsw);
}

void submit_unfinished(aio_context_t ctx, struct iocb *iocb)
{
	struct io_event event;

	submit_without_wait(ctx, iocb);
	ASSERT_EQ(0, events_now(ctx, &event, 1));
}

int64_t finish_one(aio_context_t ctx, struct iocb *iocb)
{
	struct io_event event, more;

	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)iocb, event.obj);
	EXPECT_EQ(0, events_now(ctx, &more, 1));
	return event.res;
}

void read_unfinished(int in, int out)
{
	aio_context_t ctx = new_context(4);
	static char buf[4096];
	struct iocb iocb;

	memset(buf, 0, sizeof(buf));
	prep(&iocb, IOCB_CMD_PREAD, in, buf, sizeof(buf), 0);
	submit_unfinished(ctx, &iocb);
	ASSERT_EQ(5, write(out, "hello", 5));
	EXPECT_EQ(5, finish_one(ctx, &iocb));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
}
