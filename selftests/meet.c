// SPDX-License-Identifier: GPL-2.0
/* Meetings: the process that watches. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "meet.h"
#include "provider_open.h"
#include "window.h"
#include "workers.h"

/* How often it is looked, each millisecond, whether the acting thread waits. */
#define LOOKS		2000
/* So often in a row it waited; or slept in all, where the wait wakes up with each tick. */
#define WAITS		3
#define SLEEPS		50
/* A held task that can't sleep may have gone on before the other one has begun. */
#define TRIES		8
/* How long the read of a page takes. */
#define PAGE_NS		30000000

struct meeting *meeting;
struct meet_files meet_files;
struct slowfile meet_slow;

static const char *const names[ACTIONS] = {
	"cancel", "complete", "kick", "destroy", "exit", "kill", "exec", "rmmod", "mremap",
	"munmap", "close and reuse", "setuid", "capset", "close and reuse, setuid", "getevents",
	"submit", "deadline", "consume",
};

const char *action_name(enum action action)
{
	return names[action];
}

static void open_files(const struct row *row)
{
	int on = 1;

	if (row->subject == PAGE_READ) {
		ASSERT_EQ(0, posix_fadvise(meet_slow.fd, 0, 0, POSIX_FADV_DONTNEED));
		meet_files.page = open(meet_slow.nullb.dev, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, meet_files.page);
	}
	ASSERT_EQ(0, pipe2(meet_files.pipe, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(meet_files.other, O_CLOEXEC));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, meet_files.socket));
	ASSERT_EQ(0, setsockopt(meet_files.socket[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	meet_files.driver = provider_open(PROVIDER_PATH, PROVIDER_TIMER);
	meet_files.held = provider_open(PROVIDER_PATH, PROVIDER_HELD);
	meet_files.counter = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, meet_files.counter);
}

static void close_files(const struct row *row)
{
	int i;

	if (row->subject == PAGE_READ)
		close(meet_files.page);
	for (i = 0; i < 2; i++) {
		close(meet_files.pipe[i]);
		close(meet_files.other[i]);
		close(meet_files.socket[i]);
	}
	close(meet_files.driver);
	close(meet_files.held);
}

static bool is_set(const int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

/* False if the process has ended before. */
static bool wait_set(const int *flag, pid_t pid)
{
	siginfo_t info = { 0 };

	while (!is_set(flag)) {
		usleep(200);
		if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid)
			return is_set(flag);
	}
	return true;
}

/* How often a thread has left the CPU by itself; 0 if it is not there any more. */
static unsigned long switches(pid_t pid, pid_t tid)
{
	unsigned long count = 0;
	char path[64], line[128];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &count) == 1)
			break;
	if (status)
		fclose(status);
	return count;
}

/*
 * Returns when the acting thread is done, or waits for more than a moment; or after LOOKS.
 * A thread that is not there any more is about to exit.
 */
static void wait_acted(pid_t pid)
{
	unsigned long first = switches(pid, meeting->actor), now = first, last = 0;
	int look, waits = 0;

	for (look = 0; look < LOOKS && waits < WAITS && now < first + SLEEPS; look++) {
		if (is_set(&meeting->done))
			return;
		now = switches(pid, meeting->actor);
		/* one that wakes up again and again may be running whenever it is looked at */
		waits = now == last && thread_state(pid, meeting->actor) != 'R' ? waits + 1 : 0;
		last = now;
		usleep(1000);
	}
}

static bool acts_outside(const struct row *row, enum action action)
{
	return action == ACT_KILL || action == ACT_RMMOD || row->come >= COME_EXIT;
}

static void act_outside(const struct row *row, enum action action, pid_t pid)
{
	int look;

	meeting->met = window_wait_held(row->window);
	switch (action) {
	case ACT_RMMOD:
		EXPECT_EQ(-1, syscall(SYS_delete_module, "raio", O_NONBLOCK));
		EXPECT_EQ(EWOULDBLOCK, errno);
		return;
	case ACT_KICK:
		meet_feed(row, action);
		return;
	case ACT_COMPLETE:
		EXPECT_EQ(1, ioctl(meet_files.held, PROVIDER_ANSWER));
		return;
	default:
		ASSERT_EQ(0, kill(pid, SIGKILL));
		for (look = 0; look < 2 * WAITS && thread_state(pid, pid) == 'R'; look++)
			usleep(1000);
	}
}

static bool ends_process(enum action action)
{
	return action == ACT_EXIT || action == ACT_KILL || action == ACT_EXEC;
}

/* One event for a request that was taken and not cancelled, also if nobody could see it. */
static void check_count(const struct row *row, enum action action)
{
	bool ends = ends_process(action) || row->come >= COME_EXIT;
	uint64_t count = 0;

	if (row->subject == PIPE_POLL)
		return;
	if (read(meet_files.counter, &count, sizeof(count)) < 0)
		EXPECT_EQ(EAGAIN, errno);
	if (!ends)
		EXPECT_EQ(meeting->taken - meeting->cancelled, count);
	else if (row->come == COME_SUBMIT || row->come == COME_CANCEL)
		/* nobody is there to say whether it was taken, or cancelled */
		EXPECT_LE(count, 1);
	else
		EXPECT_EQ(1, count);
}

static int expected_status(const struct row *row, enum action action)
{
	return action == ACT_KILL && row->come != COME_EXIT ? 128 + SIGKILL : 0;
}

/* Whether they met. */
static bool meet(const struct row *row, enum action action)
{
	bool outside = acts_outside(row, action), met;
	unsigned long before = be_nr();
	pid_t pid;

	memset(meeting, 0, sizeof(*meeting));
	open_files(row);
	pid = test_fork();
	if (!pid)
		meet_run(row, action);
	if (!outside || row->come < COME_EXIT)
		close_files(row);
	if (!wait_set(&meeting->ready, pid)) {
		FAIL("it has ended early");
		test_abort();
	}
	window_hold(row->window);
	set(&meeting->come);
	if (outside)
		act_outside(row, action, pid);
	else if (wait_set(&meeting->begun, pid))
		wait_acted(pid);
	met = meeting->met && (row->spins || window_is_held(row->window));
	window_release();
	set(&meeting->released);
	EXPECT_EQ(expected_status(row, action), test_wait(pid));
	EXPECT_EQ(before, be_nr());
	check_count(row, action);
	if (outside && row->come >= COME_EXIT)
		close_files(row);
	close(meet_files.counter);
	return met;
}

/* A task that spins with interrupts off must not have the CPU of the task that will be held. */
static void use_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		SKIP("needs two CPUs: %m");
}

void meet_row(const struct row *row)
{
	unsigned int action, wanted = 0, met = 0;

	window_need();
	use_cpu(1);
	if (row->subject == PAGE_READ)
		slowfile_make(&meet_slow, NULL, PAGE_NS);
	meeting = mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	ASSERT_TRUE(meeting != MAP_FAILED);
	for (action = 0; action < ACTIONS; action++) {
		int tries = row->spins ? TRIES : 1;

		if (!(row->actions & 1U << action))
			continue;
		wanted++;
		test_note("%s: %s", row->window, action_name(action));
		while (tries && !meet(row, action))
			tries--;
		if (tries)
			met++;
		else
			FAIL("%s and %s did not meet", row->window, action_name(action));
	}
	test_note("%s: %u of %u have met", row->window, met, wanted);
	EXPECT_EQ(wanted, met);
}
