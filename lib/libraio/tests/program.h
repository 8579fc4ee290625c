/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the programs of these tests share. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(_ok) check(!!(_ok), #_ok, __FILE__, __LINE__)

static inline void check(int ok, const char *what, const char *file, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	exit(1);
}

/* Whether this process has opened the device. */
static inline const char *who(void)
{
	char path[32], target[32];
	ssize_t len;
	int fd;

	for (fd = 0; fd < 1024; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = 0;
		if (!strcmp(target, "/dev/raio"))
			return "raio";
	}
	return "native";
}

#endif /* PROGRAM_H */
