// SPDX-License-Identifier: LGPL-2.1-or-later
/* The line that says why calls do not go to raio. */
#include <signal.h>
#include <stdint.h>
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

/* One write; the reader may have gone, which must not kill the program. */
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
