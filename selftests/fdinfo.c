// SPDX-License-Identifier: GPL-2.0
/*
 * Description: /proc/PID/fdinfo/N of an open /dev/raio has a line for each
 * context that was set up through it, with what it has done and has to do.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"

#define WHY "its contexts have no file"

struct line {
	unsigned long id;
	unsigned int size, inflight, armed, queued, completed, kicks, retries, punts, cancels;
};

static unsigned long field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	if (!at) {
		FAIL("no%s in %s", name, text);
		test_abort();
	}
	return strtoul(at + strlen(name), NULL, 0);
}

/* The lines there are, of which up to max are in lines. */
static unsigned int read_lines(pid_t pid, int fd, struct line *lines, unsigned int max)
{
	unsigned int count = 0;
	char path[64], text[512];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	file = fopen(path, "re");
	ASSERT_TRUE(file);
	while (fgets(text, sizeof(text), file)) {
		if (strncmp(text, "context:\t", 9))
			continue;
		if (count < max)
			lines[count] = (struct line) {
				.id = field(text, "\tid="),
				.size = field(text, " size="),
				.inflight = field(text, " inflight="),
				.armed = field(text, " armed="),
				.queued = field(text, " queued="),
				.completed = field(text, " completed="),
				.kicks = field(text, " kicks="),
				.retries = field(text, " retries="),
				.punts = field(text, " punts="),
				.cancels = field(text, " cancels="),
			};
		count++;
	}
	fclose(file);
	return count;
}

static unsigned int own_lines(struct line *lines, unsigned int max)
{
	return read_lines(getpid(), raio_fd(), lines, max);
}

TEST_RAIO(no_context, WHY)
{
	EXPECT_EQ(0, own_lines(NULL, 0));
}

TEST_RAIO(new, WHY)
{
	aio_context_t ctx = new_context(100);
	struct line line = { 0 };

	ASSERT_EQ(1, own_lines(&line, 1));
	EXPECT_EQ(ctx, line.id);
	EXPECT_EQ(ring_of(ctx)->nr - 1, line.size);
	EXPECT_EQ(0, line.inflight);
	EXPECT_EQ(0, line.armed);
	EXPECT_EQ(0, line.queued);
	EXPECT_EQ(0, line.completed);
	EXPECT_EQ(0, line.kicks);
	EXPECT_EQ(0, line.retries);
	EXPECT_EQ(0, line.punts);
	EXPECT_EQ(0, line.cancels);
}

/* Completed requests stay counted when their events are taken. */
TEST_RAIO(completed, WHY)
{
	aio_context_t ctx = context_with_events(3);
	struct io_event events[3];
	struct line line = { 0 };

	ASSERT_EQ(1, own_lines(&line, 1));
	EXPECT_EQ(3, line.completed);
	EXPECT_EQ(0, line.inflight);
	EXPECT_EQ(3, events_now(ctx, events, 3));
	ASSERT_EQ(1, own_lines(&line, 1));
	EXPECT_EQ(3, line.completed);
}

TEST_RAIO(in_flight, WHY)
{
	struct nullb_options options = {
		.size_mb = 4, .completion_nsec = 2000000000, .hw_queue_depth = 16,
	};
	aio_context_t ctx = new_context(8);
	struct io_event events[5];
	struct iocb iocbs[5];
	struct line line = { 0 };
	struct nullb nullb;
	int fd, i;

	nullb_create(&nullb, &options);
	fd = nullb_open(&nullb, false);
	for (i = 0; i < 5; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fd, aligned_buffer(DIRECT_ALIGN), DIRECT_ALIGN,
		     2L * i * DIRECT_ALIGN);
		ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
	}
	ASSERT_EQ(1, own_lines(&line, 1));
	EXPECT_EQ(5, line.inflight);
	EXPECT_EQ(0, line.completed);
	EXPECT_EQ(5, events_wait(ctx, events, 5));
	ASSERT_EQ(1, own_lines(&line, 1));
	EXPECT_EQ(0, line.inflight);
	EXPECT_EQ(5, line.completed);
}

/* In the order of setup, as long as they live. */
TEST_RAIO(several, WHY)
{
	aio_context_t ctx[3] = { new_context(1), new_context(2), new_context(3) };
	struct line lines[3];
	unsigned int i;

	ASSERT_EQ(3, own_lines(lines, 3));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(ctx[i], lines[i].id);
	EXPECT_EQ(0, be_destroy(ctx[1]));
	ASSERT_EQ(2, own_lines(lines, 2));
	EXPECT_EQ(ctx[0], lines[0].id);
	EXPECT_EQ(ctx[2], lines[1].id);
}

/* The last line. */
static void read_ended(char *text, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", raio_fd());
	file = fopen(path, "re");
	ASSERT_TRUE(file);
	do {
		ASSERT_TRUE(fgets(text, size, file));
	} while (strncmp(text, "ended:\t", 7));
	EXPECT_TRUE(!fgets(path, sizeof(path), file));
	fclose(file);
}

static void noops(aio_context_t ctx, unsigned int nr)
{
	struct iocb iocb;

	while (nr--) {
		prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
	}
}

#define NONE_ENDED	"ended:\tcontexts=0 ending=0 completed=0 kicks=0 retries=0 punts=0 cancels=0\n"

TEST_RAIO(ended_by_destroy, WHY)
{
	aio_context_t ctx = new_context(8), other = new_context(8);
	struct io_event event;
	struct iocb iocb;
	char text[256];
	int fds[2];

	read_ended(text, sizeof(text));
	EXPECT_EQ(0, strcmp(NONE_ENDED, text));
	noops(ctx, 3);
	noops(other, 4);
	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], text, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	wait_armed(ctx);
	ASSERT_EQ(0, be_cancel(ctx, &iocb, &event));
	read_ended(text, sizeof(text));
	EXPECT_EQ(0, strcmp(NONE_ENDED, text));
	EXPECT_EQ(0, be_destroy(ctx));
	read_ended(text, sizeof(text));
	EXPECT_EQ(1, field(text, "contexts="));
	EXPECT_EQ(0, field(text, "ending="));
	EXPECT_EQ(3, field(text, "completed="));
	EXPECT_EQ(1, field(text, "cancels="));
	EXPECT_EQ(0, be_destroy(other));
	read_ended(text, sizeof(text));
	EXPECT_EQ(2, field(text, "contexts="));
	EXPECT_EQ(7, field(text, "completed="));
}

/* A setup that fails is no context. */
TEST_RAIO(ended_never_begun, WHY)
{
	struct raio_setup arg = { .nr_events = 0 };
	char text[256];

	EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_SETUP, &arg));
	read_ended(text, sizeof(text));
	EXPECT_EQ(0, strcmp(NONE_ENDED, text));
}

/* Children that share the open file: one is killed, one exits without a word. */
TEST_RAIO(ended_with_processes, WHY)
{
	char text[256];
	pid_t pid;

	raio_fd();
	pid = test_fork();
	if (!pid) {
		noops(new_context(8), 5);
		raise(SIGKILL);
	}
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	pid = test_fork();
	if (!pid) {
		noops(new_context(8), 6);
		noops(new_context(8), 7);
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	/* The last of the memory may go a moment later. */
	do {
		read_ended(text, sizeof(text));
	} while (field(text, "contexts=") < 3);
	EXPECT_EQ(18, field(text, "completed="));
	EXPECT_EQ(0, field(text, "ending="));
}

TEST_RAIO(other_open_file, WHY)
{
	int other = open("/dev/raio", O_RDWR | O_CLOEXEC);
	struct line line;

	ASSERT_LE(0, other);
	new_context(1);
	EXPECT_EQ(0, read_lines(getpid(), other, NULL, 0));
	EXPECT_EQ(1, own_lines(&line, 1));
}

/* An administrator looks at another process; a forked child has the same open file. */
TEST_RAIO(other_process, WHY)
{
	aio_context_t ctx = new_context(1);
	struct line line = { 0 };
	pid_t pid = test_fork();

	if (pid == 0) {
		EXPECT_EQ(1, own_lines(&line, 1));
		EXPECT_EQ(1, read_lines(getppid(), raio_fd(), &line, 1));
		EXPECT_EQ(ctx, line.id);
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
}

#define NOBODY 65534

static void drop_privileges(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		SKIP("needs root");
	/* as another program of that user would be */
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
}

/* Where the parent's memory is mapped is nothing for a child that can't look at the parent. */
TEST_RAIO(inherited, WHY)
{
	struct iocb iocb;
	struct line line = { 0 };
	aio_context_t ctx;
	pid_t pid;

	if (getuid())
		SKIP("needs root");
	ctx = new_context(100);
	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	pid = test_fork();
	if (!pid) {
		drop_privileges();
		ASSERT_EQ(1, own_lines(&line, 1));
		EXPECT_EQ(0, line.id);
		EXPECT_LE(100, line.size);
		EXPECT_EQ(1, line.completed);
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	ASSERT_EQ(1, own_lines(&line, 1));
	EXPECT_EQ(ctx, line.id);
}

/* It sees those of its own in any case; and those of its user's processes where they are theirs. */
TEST_RAIO(same_user, WHY)
{
	struct line line = { 0 };
	aio_context_t ctx;
	pid_t pid;

	if (getuid())
		SKIP("needs root");
	raio_fd();
	drop_privileges();
	ctx = new_context(1);
	ASSERT_EQ(1, own_lines(&line, 1));
	EXPECT_EQ(ctx, line.id);
	pid = test_fork();
	if (!pid) {
		ASSERT_EQ(1, own_lines(&line, 1));
		EXPECT_EQ(0, line.id);
		ASSERT_EQ(1, read_lines(getppid(), raio_fd(), &line, 1));
		EXPECT_EQ(ctx, line.id);
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
}
