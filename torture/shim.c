// SPDX-License-Identifier: GPL-2.0
/* What the parts of selftests that are used here expect of its harness. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../selftests/harness.h"
#include "victim.h"

static void say(const char *fmt, va_list args)
{
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void test_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

void test_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	exit(2);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

void test_abort(void)
{
	exit(2);
}

bool test_compare(const char *file, int line, const char *expected_text, long long expected,
		  const char *op, bool ok, const char *seen_text, long long seen)
{
	if (!ok)
		fprintf(stderr, "%s:%d: %s (%lld) %s %s (%lld)\n", file, line, expected_text,
			expected, op, seen_text, seen);
	return ok;
}

/* As all files here. */
void fill_pattern(void *buf, size_t size, uint64_t offset, unsigned int seed)
{
	(void)seed;
	for (size_t i = 0; i < size; i++)
		((uint8_t *)buf)[i] = file_byte(offset + i);
}

pid_t test_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

int test_wait(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
