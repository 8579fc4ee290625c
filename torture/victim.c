// SPDX-License-Identifier: GPL-2.0
/* The process that runs a program: its threads, and the count afterwards. */
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define SECONDS_TO_RETURN	20
#define SECONDS_OF_ROUNDS	20ULL

pid_t thread_ids[THREADS + 1];

static const struct program *program;
static unsigned int rounds;
static atomic_bool tampered;
static atomic_int current_op[THREADS];

void wrong(const char *fmt, ...)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;
	va_list args;

	if (!atomic_flag_test_and_set(&told)) {
		va_start(args, fmt);
		vsnprintf(lane->verdict, sizeof(lane->verdict), fmt, args);
		va_end(args);
	}
	_exit(1);
}

void note_tampered(void)
{
	tampered = true;
}

bool is_tampered(void)
{
	return tampered;
}

uint64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000ULL + time.tv_nsec / 1000;
}

static void nothing(int signal)
{
	(void)signal;
}

static void *run_thread(void *data)
{
	uint64_t end = now_us() + SECONDS_OF_ROUNDS * 1000000;

	thread_number = (uintptr_t)data;
	thread_ids[thread_number] = syscall(SYS_gettid);
	kcov_start(thread_number);
	/* What waits a little in each call must not add up to what the lane waits for. */
	for (unsigned int i = 0; i < rounds && now_us() < end; i++) {
		if (i == 1)
			kcov_stop();
		for (unsigned int j = 0; j < program->nr; j++) {
			const struct op *op = &program->ops[j];

			if (op->thread != thread_number || !op_types[op->code].inside)
				continue;
			current_op[thread_number] = j;
			steps_of[thread_number]++;
			op_types[op->code].inside(op->arg);
		}
	}
	current_op[thread_number] = -1;
	kcov_stop();
	return NULL;
}

static void prepare(void)
{
	struct sigaction action = { .sa_handler = nothing };
	sigset_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	files_prepare_victim();
	if (!program->root) {
		uid_t uid = 1000 + lane_number;

		if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(2);
		prctl(PR_SET_DUMPABLE, 1);
	}
	memory_prepare();
}

/*
 * Memory that is served late: by a thread of its own at the end, as whoever feeds a pipe may have
 * to wait for one who keeps it while his memory is absent.
 */
static void *serve_memory(void *ended)
{
	while (!atomic_load((atomic_bool *)ended)) {
		memory_serve();
		usleep(1000);
	}
	return NULL;
}

/* Whoever waits is told to go on, one way or the other. */
static void press(unsigned int i)
{
	for (unsigned int j = 0; j < KINDS; j++)
		file_feed(&files[j], 40);
	for (unsigned int j = 0; j < KINDS; j++)
		file_drain(&files[j]);
	if (i > 2) {
		files_unblock();
		for (unsigned int j = 0; j < THREADS; j++)
			if (current_op[j] >= 0 && thread_ids[j])
				syscall(SYS_tgkill, getpid(), thread_ids[j], SIGUSR1);
	}
}

static void join(pthread_t *threads, unsigned int thread)
{
	unsigned int last = -1, looks = 0;

	for (unsigned int i = 0;; i++) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		if (!pthread_timedjoin_np(threads[thread], NULL, &until))
			return;
		press(i);
		looks = steps_of[thread] == last ? looks + 1 : 0;
		last = steps_of[thread];
		if (looks > SECONDS_TO_RETURN * 10) {
			int op = current_op[thread];

			wrong("thread %u does not return from op %d, %s", thread, op,
			      op < 0 ? "none" : op_types[program->ops[op].code].name);
		}
	}
}

static long pinned(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long kib = 0;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "VmPin: %ld", &kib);
	if (status)
		fclose(status);
	return kib;
}

void victim_run(const struct program *which, unsigned int times)
{
	static atomic_bool ended;
	pthread_t threads[THREADS], server;

	uint64_t begun = now_us(), started, joined;

	program = which;
	rounds = times;
	prepare();
	started = now_us();
	thread_number = THREADS;
	thread_ids[THREADS] = getpid();
	for (unsigned int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, run_thread, (void *)(uintptr_t)i))
			_exit(2);
	if (pthread_create(&server, NULL, serve_memory, &ended))
		_exit(2);
	/* It may be the one who has to run what blocks, and who feeds that. */
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 300000 }, { 0, 300000 } }, NULL);
	for (unsigned int i = 0; i < THREADS; i++)
		join(threads, i);
	joined = now_us();
	files_unblock();
	contexts_end();
	setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
	ended = true;
	pthread_join(server, NULL);
	memory_end();
	shared->us_start += started - begun;
	shared->us_run += joined - started;
	shared->us_end += now_us() - joined;
	if (!tampered) {
		/* What the driver or a thread still has is freed in a moment. */
		for (unsigned int i = 0; pinned() && i < 1000; i++)
			usleep(10000);
		if (pinned())
			wrong("VmPin is %ld KiB at the end", pinned());
	}
	_exit(0);
}
