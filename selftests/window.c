// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "window.h"

#define HOLD	"/sys/kernel/debug/raio/hold"
#define HELD	"/sys/kernel/debug/raio/held"
/* How long it may take until a task gets to the window. */
#define WAIT_NS	20000000000ULL
/* How often a task that is there is looked at until it is held. */
#define LOOKS	1000

static int hold_fd = -1, held_fd = -1;

void window_need(void)
{
	window_forget();
	hold_fd = open(HOLD, O_RDWR | O_CLOEXEC);
	held_fd = open(HELD, O_RDWR | O_CLOEXEC);
	if (hold_fd < 0 || held_fd < 0)
		SKIP("needs " HOLD ", of a kernel with fault injection: %m");
	window_release();
}

static void set(int fd, const char *window)
{
	size_t len = strlen(window);

	ASSERT_EQ(len, write(fd, window, len));
}

void window_hold(const char *window)
{
	set(hold_fd, window);
}

static bool is(int fd, const char *window)
{
	char text[32];
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	ASSERT_LT(0, size);
	text[size] = 0;
	text[strcspn(text, "\n")] = 0;
	return !strcmp(text, window);
}

bool window_is_held(const char *window)
{
	return is(held_fd, window);
}

bool window_wait_held(const char *window)
{
	uint64_t limit = now_ns() + WAIT_NS;
	unsigned int look;

	while (is(hold_fd, window))
		if (now_ns() > limit)
			return false;
	/* A task is there: it will be held, is held, or was. */
	for (look = 0; look < LOOKS; look++)
		if (window_is_held(window))
			return true;
	return false;
}

void window_release(void)
{
	set(hold_fd, "none");
	set(held_fd, "none");
}

void window_reset(void)
{
	static const char *const files[] = { HOLD, HELD };
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		fd = open(files[i], O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (write(fd, "none", 4) != 4)
			test_note("%s: %m", files[i]);
		close(fd);
	}
}

void window_forget(void)
{
	if (hold_fd >= 0)
		close(hold_fd);
	if (held_fd >= 0)
		close(held_fd);
	hold_fd = -1;
	held_fd = -1;
}
