// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a signal handler may do anything to the context that the code it
 * interrupts is taking events from: none is lost, and none comes twice.
 *
 * The call is single-stepped.  In one run after the other the handler of SIGTRAP
 * does its part before the first instruction, the second, and so on.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "harness.h"
#include "libraio.h"

#define TRAP_FLAG	0x100
#define AT_START	3
#define MAX_SERIAL	2000

static const struct __kernel_timespec zero;
static const uint64_t nothing;
static aio_context_t ctx;
static unsigned int slots, serial, seen[MAX_SERIAL];
static volatile long steps, target;
static void (*volatile interfere)(void);
static sigjmp_buf jump;

/* A thread that is in the kernel already, and takes exactly that many events. */
static struct waiter {
	const unsigned int count;
	pthread_t thread;
	unsigned int tid;
	bool done;
} waiters[] = { { .count = 63 }, { .count = 64 } };

static void submit(unsigned int count)
{
	struct iocb iocb, *list[] = { &iocb };

	while (count--) {
		prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
		iocb.aio_data = serial++;
		ASSERT_LT(iocb.aio_data, MAX_SERIAL);
		ASSERT_EQ(1, io_submit(ctx, 1, list));
	}
}

static void note(const struct io_event *events, int count)
{
	int i;

	for (i = 0; i < count; i++)
		__atomic_fetch_add(&seen[events[i].data], 1, __ATOMIC_RELAXED);
}

static int reap(unsigned int max, bool by_kernel)
{
	struct io_event events[64];
	int ret;

	if (by_kernel)
		ret = raio_syscall(SYS_io_pgetevents, ctx, 0, max, events, &zero,
				   (&(const void *[]){ &nothing, (void *)8 }));
	else
		ret = io_getevents(ctx, 0, max, events, &zero);
	EXPECT_LE(0, ret);
	note(events, ret);
	return ret;
}

/* Head and tail come back to where they were, with other events between them. */
static void lap(bool by_kernel)
{
	unsigned int left = slots, taken;
	unsigned int unread = reap(64, by_kernel);

	for (left -= unread; left; left -= taken) {
		taken = left < 50 ? left : 50;
		submit(taken);
		EXPECT_EQ(taken, reap(taken, by_kernel));
	}
	submit(unread);
}

static void lap_here(void)
{
	lap(false);
}

static void lap_in_kernel(void)
{
	lap(true);
}

static void *wait_in_kernel(void *arg)
{
	struct waiter *waiter = arg;
	struct io_event events[64];

	__atomic_store_n(&waiter->tid, thread_id(), __ATOMIC_RELEASE);
	EXPECT_EQ(waiter->count, io_getevents(ctx, waiter->count, waiter->count, events, NULL));
	note(events, waiter->count);
	__atomic_store_n(&waiter->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void start_waiters(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(waiters); i++) {
		waiters[i].done = false;
		waiters[i].tid = 0;
		ASSERT_EQ(0, pthread_create(&waiters[i].thread, NULL, wait_in_kernel, &waiters[i]));
		while (!__atomic_load_n(&waiters[i].tid, __ATOMIC_ACQUIRE))
			sched_yield();
		wait_asleep(waiters[i].tid);
	}
}

static void satisfy(struct waiter *waiter)
{
	const struct raio_ring *ring = ring_of(ctx);

	/* It takes none before there are as many as it wants. */
	if (!__atomic_load_n(&waiter->done, __ATOMIC_ACQUIRE))
		submit(waiter->count - (ring->tail + slots - ring->head) % slots);
	while (!__atomic_load_n(&waiter->done, __ATOMIC_ACQUIRE))
		sched_yield();
}

/* A lap, by the calls of others that began before. */
static void lap_by_waiters(void)
{
	const struct raio_ring *ring = ring_of(ctx);
	unsigned int unread = (ring->tail + slots - ring->head) % slots;

	satisfy(&waiters[0]);
	satisfy(&waiters[1]);
	submit(unread);
}

static void end_waiters(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(waiters); i++) {
		satisfy(&waiters[i]);
		pthread_join(waiters[i].thread, NULL);
	}
}

static void take_one(void)
{
	reap(1, false);
}

static void add_one(void)
{
	submit(1);
}

static void leave(void)
{
	siglongjmp(jump, 1);
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal;
	(void)info;
	if (steps++ < target)
		return;
#ifdef __x86_64__
	uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
#else
	(void)uc;
#endif
	interfere();
}

static inline __attribute__((always_inline)) void set_trap_flag(bool on)
{
#ifdef __x86_64__
	/* Below the red zone. */
	__asm__ volatile("lea	-128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "andq	%0, (%%rsp)\n\t"
			 "orq	%1, (%%rsp)\n\t"
			 "popfq\n\t"
			 "lea	128(%%rsp), %%rsp"
			 : : "i" (~TRAP_FLAG), "r" (on ? TRAP_FLAG : 0UL) : "cc", "memory");
#else
	(void)on;
#endif
}

static int take_here(struct io_event *events)
{
	return io_getevents(ctx, 1, 2, events, &zero);
}

static int take_all_here(struct io_event *events)
{
	return io_getevents(ctx, 1, 64, events, &zero);
}

static int take_in_kernel(struct io_event *events)
{
	const void *set[] = { &nothing, (void *)8 };

	return raio_syscall(SYS_io_pgetevents, ctx, 0, 2, events, &zero, set);
}

static void expect_each_once(void)
{
	unsigned int i, wrong = 0;

	while (reap(64, false) > 0)
		;
	for (i = 0; i < serial; i++)
		wrong += seen[i] != 1;
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, reap(64, true));
}

/* False when the call was over before that step. */
static bool run_step(int (*call)(struct io_event *events), void (*handler)(void))
{
	struct io_event events[64];
	volatile int ret = 0;

	serial = 0;
	memset(seen, 0, sizeof(seen));
	if (handler == lap_by_waiters)
		start_waiters();
	submit(AT_START);
	steps = 0;
	interfere = handler;
	if (!sigsetjmp(jump, 1)) {
		set_trap_flag(true);
		ret = call(events);
		set_trap_flag(false);
	}
	if (handler == lap_by_waiters)
		end_waiters();
	if (handler != leave) {
		EXPECT_LE(0, ret);
		note(events, ret);
		expect_each_once();
	} else {
		/* What a call that was left has taken is lost; the others are not. */
		while (reap(64, false) > 0)
			;
	}
	return steps > target;
}

static void run(int (*call)(struct io_event *events), void (*handler)(void))
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

#ifndef __x86_64__
	SKIP("no single steps");
#endif
	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	ctx = 0;
	ASSERT_EQ(0, io_setup(1, &ctx));
	slots = ring_of(ctx)->nr;
	for (target = 0; run_step(call, handler); target++)
		;
	test_note("%ld steps", target);
	EXPECT_LT(50, target);
	EXPECT_EQ(0, io_destroy(ctx));
}

TEST_RAIO(here_lap_here, "libraio's")
{
	run(take_here, lap_here);
}

TEST_RAIO(here_lap_in_kernel, "libraio's")
{
	run(take_here, lap_in_kernel);
}

TEST_RAIO(here_take_one, "libraio's")
{
	run(take_here, take_one);
}

TEST_RAIO(here_add_one, "libraio's")
{
	run(take_here, add_one);
}

TEST_RAIO(here_lap_by_waiters, "libraio's")
{
	run(take_here, lap_by_waiters);
}

TEST_RAIO(all_lap_here, "libraio's")
{
	run(take_all_here, lap_here);
}

TEST_RAIO(in_kernel_lap_here, "libraio's")
{
	run(take_in_kernel, lap_here);
}

TEST_RAIO(in_kernel_lap_in_kernel, "libraio's")
{
	run(take_in_kernel, lap_in_kernel);
}

/* The context works, and so does its end; so do later ones at its address. */
TEST_RAIO(left_by_siglongjmp, "libraio's")
{
	unsigned int i;

	run(take_here, leave);
	run(take_in_kernel, leave);
	for (i = 0; i < 3; i++)
		run(take_here, lap_here);
}
