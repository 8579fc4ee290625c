// SPDX-License-Identifier: GPL-2.0
/* Runs the TEST()s of a program and reports them as KTAP. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "window.h"

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_SKIP = 4 };

/* How long a killed test may take to die before it is left behind. */
#define KILL_SECONDS 20

/* What all processes of a test share. */
static struct {
	int failures;
	char skip_reason[200];
} *shared;

static struct test *tests, **tests_end = &tests;

void test_register(struct test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

/* One write for one line: lines of several processes do not mix. */
static void print_line(const char *prefix, const char *fmt, va_list args)
{
	char line[1024];
	int len;

	len = snprintf(line, sizeof(line), "%s", prefix);
	vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
	strcat(line, "\n");
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		_exit(EXIT_FAIL);
}

static __printf(1, 2) void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("", fmt, args);
	va_end(args);
}

void test_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("# ", fmt, args);
	va_end(args);
}

void test_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(shared->skip_reason, sizeof(shared->skip_reason), fmt, args);
	va_end(args);
	_exit(EXIT_SKIP);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	char prefix[128];
	va_list args;

	/* A loop that goes wrong says so a few times, not a million. */
	if (__atomic_add_fetch(&shared->failures, 1, __ATOMIC_SEQ_CST) > 40)
		return;
	snprintf(prefix, sizeof(prefix), "# %s:%d: ", file, line);
	va_start(args, fmt);
	print_line(prefix, fmt, args);
	va_end(args);
}

void test_abort(void)
{
	_exit(EXIT_FAIL);
}

static const char *value_text(char *text, size_t size, long long value)
{
	const char *name = value < 0 && value > -4096 ? strerrorname_np(-value) : NULL;

	if (name)
		snprintf(text, size, "%lld (-%s)", value, name);
	else
		snprintf(text, size, "%lld", value);
	return text;
}

bool test_compare(const char *file, int line, const char *expected_text,
		  long long expected, const char *op, bool ok,
		  const char *seen_text, long long seen)
{
	char a[48], b[48];

	if (!ok)
		test_fail(file, line, "expected %s %s %s, but seen %s against %s",
			  expected_text, op, seen_text,
			  value_text(b, sizeof(b), seen), value_text(a, sizeof(a), expected));
	return ok;
}

int __weak test_helper(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return EXIT_FAIL;
}

void test_exec_helper(char *const args[])
{
	char *argv[16] = { "test", "--helper" };
	int i;

	for (i = 0; args[i] && i < 13; i++)
		argv[i + 2] = args[i];
	execv("/proc/self/exe", argv);
	FAIL("exec of this program: %m");
	test_abort();
}

static unsigned int timeout_seconds(void)
{
	const char *text = getenv("RAIO_TEST_TIMEOUT");
	int seconds = text ? atoi(text) : 0;

	return seconds > 0 ? seconds : 60;
}

/* Waits for one process; false if it is still there after that time. */
static bool wait_for(pid_t pid, int *status, unsigned int seconds)
{
	struct timespec limit, now, left;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += seconds;
	for (;;) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > limit.tv_sec)
			return false;
		left.tv_sec = limit.tv_sec - now.tv_sec + 1;
		left.tv_nsec = 0;
		sigtimedwait(&mask, NULL, &left);
	}
}

/* What the test left behind: who is held, its children, and its devices. */
static void clean_up(pid_t pid)
{
	time_t limit = time(NULL) + KILL_SECONDS;

	window_reset();
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) >= 0 && time(NULL) < limit)
		usleep(1000);
	nullb_remove_all(pid);
}

static int run_test(const struct test *test, char *why, size_t size)
{
	unsigned int seconds = timeout_seconds();
	sigset_t mask;
	pid_t pid;
	int status;

	memset(shared, 0, sizeof(*shared));
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);

	pid = fork();
	if (pid < 0) {
		snprintf(why, size, "fork: %m");
		return EXIT_FAIL;
	}
	if (pid == 0) {
		setpgid(0, 0);
		sigprocmask(SIG_UNBLOCK, &mask, NULL);
		test->fn();
		_exit(EXIT_PASS);
	}
	setpgid(pid, pid);

	if (!wait_for(pid, &status, seconds)) {
		kill(-pid, SIGKILL);
		snprintf(why, size, "timed out after %u s", seconds);
		/* What is stuck in the kernel holds its devices: leave both behind. */
		if (wait_for(pid, &status, KILL_SECONDS))
			clean_up(pid);
		else
			strcat(why, ", and can't be killed");
		return EXIT_FAIL;
	}
	clean_up(pid);

	if (WIFSIGNALED(status)) {
		snprintf(why, size, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
		return EXIT_FAIL;
	}
	if (shared->failures) {
		snprintf(why, size, "%d failed checks", shared->failures);
		return EXIT_FAIL;
	}
	if (WEXITSTATUS(status) == EXIT_SKIP)
		return EXIT_SKIP;
	if (WEXITSTATUS(status) != EXIT_PASS) {
		snprintf(why, size, "exit status %d", WEXITSTATUS(status));
		return EXIT_FAIL;
	}
	return EXIT_PASS;
}

static int report(int index, const struct test *test)
{
	unsigned long before = be_nr();
	char why[100] = "";
	int result;

	if (is_native() && test->raio_only) {
		print("ok %d %s # SKIP raio only: %s", index, test->name, test->raio_only);
		return EXIT_SKIP;
	}
	if (!be_present()) {
		print("ok %d %s # SKIP no %s", index, test->name,
		      is_native() ? "native aio" : "/dev/raio");
		return EXIT_SKIP;
	}
	result = run_test(test, why, sizeof(why));
	/* Whatever a test does: when it is dead nothing of it is left. */
	if (result != EXIT_FAIL && be_nr() != before && !is_native() && !getenv("RAIO_SHARED")) {
		snprintf(why, sizeof(why), "fs.raio-nr was %lu and is %lu", before, be_nr());
		result = EXIT_FAIL;
	}
	if (result == EXIT_FAIL)
		test_note("%s: %s", test->name, why);
	if (result == EXIT_SKIP)
		print("ok %d %s # SKIP %s", index, test->name, shared->skip_reason);
	else
		print("%s %d %s", result == EXIT_PASS ? "ok" : "not ok", index, test->name);
	return result;
}

static void list_tests(void)
{
	const struct test *test;
	bool native = false;

	for (test = tests; test; test = test->next)
		native |= !test->raio_only;
	print("native: %s", native ? "yes" : "no");
	for (test = tests; test; test = test->next)
		print("test: %s", test->name);
}

int main(int argc, char **argv)
{
	int count = 0, index = 0, ret, results[5] = { 0 };
	const char *only = NULL;
	const struct test *test;

	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return EXIT_FAIL;

	if (argc > 1 && !strcmp(argv[1], "--helper")) {
		ret = test_helper(argc - 2, argv + 2);
		return shared->failures ? EXIT_FAIL : ret;
	}
	if (argc > 1 && !strcmp(argv[1], "--list")) {
		list_tests();
		return EXIT_PASS;
	}
	if (argc > 1)
		only = argv[1];

	/* Grandchildren of a killed test are ours to reap. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (test = tests; test; test = test->next)
		count += !only || !strcmp(only, test->name);
	print("KTAP version 1");
	print("1..%d", count);
	for (test = tests; test; test = test->next)
		if (!only || !strcmp(only, test->name))
			results[report(++index, test)]++;
	if (results[EXIT_FAIL] || !count)
		return EXIT_FAIL;
	return results[EXIT_PASS] ? EXIT_PASS : EXIT_SKIP;
}
