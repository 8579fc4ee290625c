// SPDX-License-Identifier: GPL-2.0
/* Failures of single operations, and what they leave behind. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail_nth.h"
#include "harness.h"
#include "workers.h"

#define MAX_THREADS	16
/* Not each round has as many operations: a stack or a page is there already. */
#define ROUNDS_IN_VAIN	2
/* How long what goes a moment later may take. */
#define GOES_NS		(2 * 1000000000ULL)

static int own_fd = -1, make_fd = -1;
static unsigned int nth, stride, injections, in_vain;
static bool begun, injected;

static int thread_fds[MAX_THREADS];
static unsigned int thread_count;

#define DEBUGFS	"/sys/kernel/debug/"

static void set_up(void)
{
	static const char *const quiet[] = {
		"failslab", "fail_page_alloc", "fail_usercopy", "fail_futex", "fail_make_request",
	};
	size_t i;

	if (own_fd >= 0)
		return;
	if (getenv("RAIO_NO_FAULTS"))
		SKIP("RAIO_NO_FAULTS");
	if (!write_control("N", DEBUGFS "failslab/ignore-gfp-wait") ||
	    !write_control("N", DEBUGFS "fail_page_alloc/ignore-gfp-wait") ||
	    !write_control("N", DEBUGFS "fail_page_alloc/ignore-gfp-highmem") ||
	    !write_control("0", DEBUGFS "fail_page_alloc/min-order"))
		SKIP("no " DEBUGFS "failslab: the kernel has no fault injection");
	/* a stack trace for each takes longer than the round */
	for (i = 0; i < ARRAY_SIZE(quiet); i++)
		write_control("0", DEBUGFS "%s/verbose", quiet[i]);
	own_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	make_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, own_fd);
	ASSERT_LE(0, make_fd);
	ASSERT_LE(0, raio_fd());
}

void fail_nth_start(void)
{
	set_up();
	nth = 0;
	stride = 1;
	injections = 0;
	in_vain = 0;
	begun = false;
	injected = false;
}

void fail_requests_of(const char *disk)
{
	if (!write_control("1", "/sys/block/%s/make-it-fail", disk))
		test_note("its requests do not fail: no /sys/block/%s/make-it-fail", disk);
}

bool fail_nth_next(void)
{
	if (!begun) {
		begun = true;
		return true;
	}
	in_vain = nth && !injected ? in_vain + 1 : 0;
	if (in_vain == ROUNDS_IN_VAIN)
		return false;
	nth += nth ? stride : 1;
	injected = false;
	return true;
}

void fail_nth_stride(unsigned int wanted)
{
	stride = wanted;
}

unsigned int fail_nth(void)
{
	return nth;
}

unsigned int fail_nth_count(void)
{
	return injections;
}

static void set(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	ASSERT_EQ(len, pwrite(fd, text, len, 0));
}

void fail_nth_arm(void)
{
	if (nth)
		set(own_fd, nth);
}

static bool has_failed(int fd)
{
	char text[16] = "";

	/* It may be what fails itself, if the call had fewer operations. */
	return pread(fd, text, sizeof(text) - 1, 0) > 0 && !strcmp(text, "0\n");
}

static bool note(bool failed)
{
	injections += failed && !injected;
	injected |= failed;
	return failed;
}

bool fail_nth_disarm(void)
{
	bool failed = nth && has_failed(own_fd);

	if (pwrite(own_fd, "0", 1, 0) != 1)
		ASSERT_EQ(1, pwrite(own_fd, "0", 1, 0));
	return note(failed);
}

int fail_nth_open(pid_t pid)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

bool fail_nth_close(int fd)
{
	bool failed = nth && has_failed(fd);

	close(fd);
	return note(failed);
}

void fail_nth_arm_self(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	if (nth)
		set(fd, nth);
}

unsigned int fail_nth_arm_threads(const pid_t *tids, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr && thread_count < MAX_THREADS; i++) {
		thread_fds[thread_count] = fail_nth_open(tids[i]);
		if (thread_fds[thread_count] < 0)
			continue;
		if (nth)
			set(thread_fds[thread_count], nth);
		thread_count++;
	}
	return thread_count;
}

bool fail_nth_disarm_threads(void)
{
	bool failed = false;
	unsigned int i;

	for (i = 0; i < thread_count; i++) {
		failed |= nth && has_failed(thread_fds[i]);
		/* it may be gone */
		if (pwrite(thread_fds[i], "0", 1, 0) != 1)
			EXPECT_EQ(ESRCH, errno);
		close(thread_fds[i]);
	}
	thread_count = 0;
	return note(failed);
}

void fail_pages_after(unsigned int pages)
{
	char space[16];

	set_up();
	snprintf(space, sizeof(space), "%u", pages);
	ASSERT_TRUE(write_control("Y", DEBUGFS "fail_page_alloc/task-filter"));
	ASSERT_TRUE(write_control(space, DEBUGFS "fail_page_alloc/space"));
	ASSERT_TRUE(write_control("-1", DEBUGFS "fail_page_alloc/times"));
	ASSERT_TRUE(write_control("100", DEBUGFS "fail_page_alloc/probability"));
	ASSERT_EQ(1, pwrite(make_fd, "1", 1, 0));
}

void fail_pages_end(void)
{
	ASSERT_EQ(1, pwrite(make_fd, "0", 1, 0));
	ASSERT_TRUE(write_control("0", DEBUGFS "fail_page_alloc/probability"));
}

static unsigned int open_files(void)
{
	unsigned int files = 0;
	FILE *file = fopen("/proc/sys/fs/file-nr", "re");

	ASSERT_TRUE(file);
	ASSERT_EQ(1, fscanf(file, "%u", &files));
	fclose(file);
	return files;
}

void left_look(struct left *left)
{
	/* what that opens is not left over */
	set_up();
	left->nr = be_nr();
	left->pinned = status_kib("VmPin");
	left->files = open_files();
	left->fds = open_fds();
	left->threads = all_threads(getpid());
}

/* Files are those of the whole system: others may close theirs meanwhile. */
static bool is_same(const struct left *before, const struct left *now)
{
	return now->nr == before->nr && now->pinned == before->pinned &&
	       now->files <= before->files && now->fds == before->fds &&
	       now->threads == before->threads;
}

void left_expect(const struct left *before, const char *what)
{
	uint64_t until = now_ns() + GOES_NS;
	struct left now;

	do {
		left_look(&now);
		if (is_same(before, &now))
			return;
	} while (now_ns() < until);
	test_note("something is left of %s, operation %u:", what, nth);
	EXPECT_EQ(before->nr, now.nr);
	EXPECT_EQ(before->pinned, now.pinned);
	EXPECT_LE(now.files, before->files);
	EXPECT_EQ(before->fds, now.fds);
	EXPECT_EQ(before->threads, now.threads);
}
