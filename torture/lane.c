// SPDX-License-Identifier: GPL-2.0
/* A lane tries one program after the other, and does to each what comes from outside. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define SECONDS_TO_RUN	60
#define SECONDS_TO_DIE	90

unsigned int lane_number;
struct lane *lane;

static char group[64];

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			errno = 0;
		close(fd);
	}
}

static void group_write(const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	write_to(path, text);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void dwell(unsigned int selector)
{
	usleep(1000 + selector % 8 * 1000);
}

static void out_stop(pid_t victim, const uint16_t *arg)
{
	kill(victim, SIGSTOP);
	dwell(arg[0]);
	kill(victim, SIGCONT);
}

/* The thread of the victim that this lane traces, or 0. */
static pid_t traced;

/*
 * It stops when it can.  Its tracer detaches then, and has to wait for its end; but that of the
 * first thread is the victim's.
 */
static void let_traced_go(pid_t victim)
{
	int flags = WSTOPPED | WNOHANG | __WALL | (traced == victim ? 0 : WEXITED);
	siginfo_t info = {};

	if (!traced)
		return;
	if (waitid(P_PID, traced, &info, flags)) {
		traced = 0;
	} else if (info.si_pid) {
		ptrace(PTRACE_DETACH, traced, NULL, NULL);
		traced = 0;
	}
}

/* One of its threads, or all, is stopped by a tracer. */
static void out_trace(pid_t victim, const uint16_t *arg)
{
	pid_t tid = victim + arg[1] % 3;

	if (traced || ptrace(PTRACE_SEIZE, tid, NULL, NULL))
		return;
	traced = tid;
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	dwell(arg[0]);
	for (unsigned int i = 0; i < 200 && traced; i++) {
		let_traced_go(victim);
		usleep(500);
	}
	kill(victim, SIGCONT);
}

static void out_freeze(pid_t victim, const uint16_t *arg)
{
	(void)victim;
	group_write("cgroup.freeze", "1");
	dwell(arg[0]);
	group_write("cgroup.freeze", "0");
}

static void out_memory(pid_t victim, const uint16_t *arg)
{
	static const char *const limits[4] = { "4M", "16M", "32M", "1M" };

	(void)victim;
	group_write(arg[1] & 3 ? "memory.high" : "memory.max", limits[arg[1] >> 2 & 3]);
	dwell(arg[0]);
	group_write("memory.high", "max");
	group_write("memory.max", "max");
}

static void out_kill(pid_t victim, const uint16_t *arg)
{
	dwell(arg[0]);
	if (arg[1] >> 13 == 7)
		kill(victim, SIGKILL);
}

static void out_signal(pid_t victim, const uint16_t *arg)
{
	static const int signals[4] = { SIGUSR1, SIGALRM, SIGUSR2, SIGHUP };

	kill(victim, signals[arg[0] & 3]);
}

/* The device goes, and comes back. */
static void out_power(pid_t victim, const uint16_t *arg)
{
	char path[96];

	(void)victim;
	if (arg[1] >> 13 != 7)
		return;
	snprintf(path, sizeof(path), "/sys/kernel/config/nullb/nullb%u/power", lane_number);
	write_to(path, "0");
	dwell(arg[0]);
	write_to(path, "1");
}

static void out_drop(pid_t victim, const uint16_t *arg)
{
	(void)victim;
	write_to("/proc/sys/vm/drop_caches", arg[0] & 1 ? "1" : "3");
}

static void out_pause(pid_t victim, const uint16_t *arg)
{
	(void)victim;
	dwell(arg[0]);
}

static void out_fuse(pid_t victim, const uint16_t *arg)
{
	(void)victim;
	fuse_keep(true);
	dwell(arg[0]);
	fuse_keep(false);
}

const struct op_type op_types[] = {
	{ "info", .inside = op_info, .weight = 1 },
	{ "setup", .inside = op_setup, .weight = 8 },
	{ "destroy", .inside = op_destroy, .weight = 2 },
	{ "submit", .inside = op_submit, .weight = 24 },
	{ "enter", .inside = op_enter, .weight = 10 },
	{ "getevents", .inside = op_getevents, .weight = 8 },
	{ "cancel", .inside = op_cancel, .weight = 6 },
	{ "register", .inside = op_register, .weight = 3 },
	{ "raw", .inside = op_raw, .weight = 1 },
	{ "poll", .inside = op_poll_door, .weight = 2 },
	{ "hammer", .inside = op_hammer, .weight = 8 },
	{ "reap", .inside = op_reap, .weight = 4 },
	{ "door", .inside = op_door, .weight = 1 },
	{ "ring_write", .inside = op_ring_write, .weight = 1 },
	{ "ring_map", .inside = op_ring_map, .weight = 2 },
	{ "memory", .inside = op_memory, .weight = 3 },
	{ "uffd", .inside = op_uffd, .weight = 2 },
	{ "pkey", .inside = op_pkey, .weight = 1 },
	{ "feed", .inside = op_feed, .weight = 8 },
	{ "drain", .inside = op_drain, .weight = 3 },
	{ "close", .inside = op_close, .weight = 1 },
	{ "reuse", .inside = op_reuse, .weight = 1 },
	{ "fcntl", .inside = op_fcntl, .weight = 2 },
	{ "truncate", .inside = op_truncate, .weight = 2 },
	{ "shutdown", .inside = op_shutdown, .weight = 1 },
	{ "read", .inside = op_read, .weight = 1 },
	{ "scm", .inside = op_scm, .weight = 1 },
	{ "fork", .inside = op_fork, .weight = 1 },
	{ "vfork", .inside = op_vfork, .weight = 1 },
	{ "exec", .inside = op_exec, .weight = 1 },
	{ "clone_vm", .inside = op_clone_vm, .weight = 1 },
	{ "unshare", .inside = op_unshare, .weight = 1 },
	{ "creds", .inside = op_creds, .weight = 1 },
	{ "limit", .inside = op_limit, .weight = 1 },
	{ "signal", .inside = op_signal, .weight = 3 },
	{ "pause", .inside = op_pause, .weight = 4 },
	{ "exit", .inside = op_exit, .weight = 1 },
	{ "out_stop", .outside = out_stop, .weight = 1 },
	{ "out_trace", .outside = out_trace, .weight = 1 },
	{ "out_freeze", .outside = out_freeze, .weight = 1 },
	{ "out_memory", .outside = out_memory, .weight = 1 },
	{ "out_kill", .outside = out_kill, .weight = 1 },
	{ "out_signal", .outside = out_signal, .weight = 1 },
	{ "out_power", .outside = out_power, .weight = 1 },
	{ "out_drop", .outside = out_drop, .weight = 1 },
	{ "out_pause", .outside = out_pause, .weight = 1 },
	{ "out_fuse", .outside = out_fuse, .weight = 1 },
};

const unsigned int op_types_nr = ARRAY_SIZE(op_types);

void lane_prepare(unsigned int number)
{
	lane_number = number;
	lane = &shared->lanes[number];
	snprintf(group, sizeof(group), "/sys/fs/cgroup/torture%u", number);
	mkdir(group, 0755);
	files_prepare(number);
	kcov_open();
}

/* Requests that the user of this lane has in contexts. */
static long users_share(void)
{
	uid_t uid = 1000 + lane_number;
	struct raio_info info = {};
	int fd;

	if (setresuid(uid, uid, 0))
		return 0;
	/* It tells of whoever asks. */
	fd = open("/dev/raio", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		ioctl(fd, RAIO_IOC_INFO, &info);
	close(fd);
	if (setresuid(0, 0, 0))
		_exit(2);
	return info.user_nr;
}

/* A stop for the tracer is no end. */
static bool is_over(pid_t victim, int *status)
{
	let_traced_go(victim);
	if (waitpid(victim, status, WNOHANG | __WALL) != victim)
		return false;
	if (!WIFSTOPPED(*status))
		return true;
	ptrace(PTRACE_DETACH, victim, NULL, NULL);
	traced = 0;
	return false;
}

static bool wait_for(pid_t victim, int *status, double seconds)
{
	double end = now() + seconds;
	unsigned int us = 200;

	while (!is_over(victim, status)) {
		if (now() > end)
			return false;
		usleep(us);
		us = us < 5000 ? us * 2 : us;
	}
	return true;
}

static void run_outside(const struct program *program, pid_t victim, int *status, bool *dead)
{
	for (unsigned int i = 0; i < program->nr && !*dead; i++) {
		const struct op *op = &program->ops[i];

		if (!op_types[op->code].outside)
			continue;
		atomic_fetch_add(&shared->other_calls, 1);
		op_types[op->code].outside(victim, op->arg);
		*dead = is_over(victim, status);
	}
}

/* Adds where a task is to the verdict, and returns its new length. */
static int tell_stack(int at, pid_t pid, pid_t tid, const char *name)
{
	char path[64], line[128];
	FILE *file;

	at += snprintf(lane->verdict + at, sizeof(lane->verdict) - at, " %s:", name);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stack", pid, tid);
	file = fopen(path, "r");
	for (unsigned int i = 0; file && i < 4 && fgets(line, sizeof(line), file) &&
	     at < (int)sizeof(lane->verdict) - (int)sizeof(line); i++) {
		line[strcspn(line, "\n")] = 0;
		at += snprintf(lane->verdict + at, sizeof(lane->verdict) - at, "%s",
			       line + strlen("[<0>]"));
	}
	if (file)
		fclose(file);
	return at < (int)sizeof(lane->verdict) ? at : (int)sizeof(lane->verdict);
}

/* It should have ended: where its threads are, and whom they may wait for. */
static void tell_where(pid_t victim, const char *what)
{
	int at = snprintf(lane->verdict, sizeof(lane->verdict), "%s;", what);

	at = tell_stack(at, fuse_server(), fuse_server(), "FUSE server");
	for (pid_t tid = victim; tid <= victim + THREADS; tid++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", tid - victim);
		at = tell_stack(at, victim, tid, name);
	}
}

enum outcome lane_try(const struct program *program, unsigned int rounds, bool *is_new)
{
	bool dead = false;
	int status = 0;
	char text[16];
	pid_t victim;
	double end;
	long share = 0;

	lane->verdict[0] = 0;
	lane->program = *program;
	victim = fork();
	if (!victim) {
		snprintf(text, sizeof(text), "%d", getpid());
		group_write("cgroup.procs", text);
		victim_run(program, rounds);
	}
	traced = 0;
	lane->pid = victim;
	run_outside(program, victim, &status, &dead);
	if (!dead && !wait_for(victim, &status, SECONDS_TO_RUN + rounds / 2)) {
		if (!lane->verdict[0])
			tell_where(victim, "still there");
		kill(victim, SIGKILL);
		if (!wait_for(victim, &status, SECONDS_TO_DIE)) {
			tell_where(victim, "can't be killed");
			return WRONG;
		}
	}
	/* What is not waited for ends a moment later; and root may have been the lane's user. */
	for (end = now() + 20; now() < end; usleep(10000)) {
		share = users_share();
		if (!share)
			break;
	}
	if (share && !lane->verdict[0])
		snprintf(lane->verdict, sizeof(lane->verdict),
			 "its user has %ld requests, and it is dead", share);
	*is_new = kcov_collect();
	atomic_fetch_add(&shared->programs, 1);
	for (unsigned int i = 0; i < program->nr; i++)
		atomic_fetch_add(&shared->used[program->ops[i].code], 1);
	if (lane->verdict[0])
		return WRONG;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return FINE;
	atomic_fetch_add(&shared->died, 1);
	return DIED;
}
