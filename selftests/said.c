// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "said.h"

static int lines[2];

void said_start(void)
{
	ASSERT_EQ(0, pipe2(lines, O_NONBLOCK | O_CLOEXEC));
	ASSERT_EQ(2, dup2(lines[1], 2));
}

void expect_said(const char *text)
{
	char seen[1024];
	ssize_t len = read(lines[0], seen, sizeof(seen) - 1);

	seen[len < 0 ? 0 : len] = 0;
	if (!EXPECT_EQ(0, strcmp(text, seen)))
		test_note("\"%s\" instead of \"%s\"", seen, text);
}

void said_close(void)
{
	close(lines[0]);
}
