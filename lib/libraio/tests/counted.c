// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program that does what it is told, word by word, to be counted:
 *
 *	N	sets a context up, and has N requests done
 *	destroy	destroys the last one
 *	close	closes all files but the first three
 *	fork	goes on in a child, for which it waits
 *	exec	goes on in the same program, begun anew
 *	nobody	goes on as another user
 *	wait	writes a line, and waits for a signal
 *	_exit, kill, term
 *		ends so
 */
#define _GNU_SOURCE
#include <libaio.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "program.h"

static io_context_t last;

static void requests(int nr)
{
	int fd = memfd_create("counted", 0);
	struct iocb iocb, *list[] = { &iocb };
	struct io_event event;
	char buf[4];

	last = NULL;
	CHECK(fd >= 0 && write(fd, "1234", 4) == 4);
	CHECK(io_setup(8, &last) == 0);
	while (nr--) {
		io_prep_pread(&iocb, fd, buf, 4, 0);
		CHECK(io_submit(last, 1, list) == 1);
		CHECK(io_getevents(last, 1, 1, &event, NULL) == 1 && event.res == 4);
	}
	close(fd);
}

static void on_in_child(void)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		return;
	CHECK(waitpid(pid, &status, 0) == pid);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}

static void on_as_nobody(void)
{
	CHECK(!setresgid(65534, 65534, 65534) && !setresuid(65534, 65534, 65534));
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "destroy")) {
			CHECK(io_destroy(last) == 0);
		} else if (!strcmp(word, "close")) {
			CHECK(!close_range(3, ~0U, 0));
		} else if (!strcmp(word, "fork")) {
			on_in_child();
		} else if (!strcmp(word, "exec")) {
			argv[i] = argv[0];
			execv("/proc/self/exe", argv + i);
			CHECK(!"exec");
		} else if (!strcmp(word, "nobody")) {
			on_as_nobody();
		} else if (!strcmp(word, "wait")) {
			puts("waiting");
			fflush(stdout);
			pause();
		} else if (!strcmp(word, "_exit")) {
			_exit(3);
		} else if (!strcmp(word, "kill")) {
			raise(SIGKILL);
		} else if (!strcmp(word, "term")) {
			raise(SIGTERM);
		} else {
			requests(atoi(word));
		}
	}
	return 0;
}
