// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The lines on stderr: why calls do not go to raio, what is wrong with the environment, and
 * which limit has refused a call.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static size_t append(char *line, size_t size, size_t at, const char *text)
{
	size_t length = strlen(text);

	if (length > size - at)
		length = size - at;
	memcpy(line + at, text, length);
	return at + length;
}

static size_t append_number(char *line, size_t size, size_t at, uint64_t value)
{
	char digits[24];
	char *digit = digits + sizeof(digits);

	*--digit = 0;
	do {
		*--digit = '0' + value % 10;
		value /= 10;
	} while (value);
	return append(line, size, at, digit);
}

static bool is_quiet(void)
{
	const char *quiet = secure_getenv("RAIO_QUIET");

	return quiet && !strcmp(quiet, "1");
}

/* One write(); SIGPIPE, if the pipe has no reader, must not kill the program. */
static void write_line(const char *line, size_t length)
{
	const uint64_t sigpipe = 1ULL << (SIGPIPE - 1);
	struct timespec now = { 0 };
	uint64_t before = 0, pending = 0;

	sys(SYS_rt_sigprocmask, SIG_BLOCK, &sigpipe, &before, sizeof(before));
	sys(SYS_rt_sigpending, &pending, sizeof(pending));
	if (sys(SYS_write, STDERR_FILENO, line, length) == -EPIPE && !(pending & sigpipe))
		sys(SYS_rt_sigtimedwait, &sigpipe, NULL, &now, sizeof(sigpipe));
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
}

void __raio_complain(const char *reason, const char *choice)
{
	const char *outcome = "native aio is used";
	char line[200];
	size_t at = 0, size = sizeof(line) - 1;

	if (is_quiet())
		return;
	if (choice && !strcmp(choice, "fail"))
		outcome = "no aio";
	at = append(line, size, at, "libraio: /dev/raio: ");
	at = append(line, size, at, reason ? reason : "unknown error");
	at = append(line, size, at, ": ");
	at = append(line, size, at, outcome);
	if (choice && *choice && strcmp(choice, "fail") && strcmp(choice, "native"))
		at = append(line, size, at, " (RAIO_FALLBACK is neither native nor fail)");
	line[at++] = '\n';
	write_line(line, at);
}

void __raio_complain_writes(void)
{
	static const char line[] =
		"libraio: RAIO_WRITES is neither sync nor async: it is sync then\n";

	if (!is_quiet())
		write_line(line, sizeof(line) - 1);
}

void __raio_complain_uncounted(void)
{
	static const char line[] =
		"libraio: raio run --stats does not count this process: no access to its device\n";

	if (!is_quiet())
		write_line(line, sizeof(line) - 1);
}

void __raio_complain_limit(struct state *state, enum limit limit, const char *call,
			   uint64_t value)
{
	const char *name = limit == LIMIT_NR ? "fs.raio-max-nr" :
			   limit == LIMIT_USER_NR ? "fs.raio-max-user-nr" : "RLIMIT_MEMLOCK";
	char line[200];
	size_t at = 0, size = sizeof(line) - 1;

	if (is_quiet() ||
	    __atomic_fetch_or(&state->complained, limit, __ATOMIC_RELAXED) & limit)
		return;
	at = append(line, size, at, "libraio: ");
	at = append(line, size, at, call);
	at = append(line, size, at, ": ");
	at = append(line, size, at, name);
	at = append(line, size, at, " (");
	at = append_number(line, size, at, value);
	at = append(line, size, at, ") is reached");
	/* the error is the same */
	if (limit == LIMIT_MEMLOCK)
		at = append(line, size, at, ", or there is no memory");
	line[at++] = '\n';
	write_line(line, at);
}
