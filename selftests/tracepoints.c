// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the tracepoints of the system raio tell of each request what it
 * is and what it came to, in fields that perf and bpftrace can read.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define TRACEFS	"/sys/kernel/tracing"
#define WHY	"it has none"

/* The path of a file of an instance that is the test's alone. */
static const char *in_instance(const char *name)
{
	static char path[4][128];
	static unsigned int next;
	char *text = path[next++ % 4];

	snprintf(text, sizeof(path[0]), TRACEFS "/instances/raio-%d/%s", getpid(), name);
	return text;
}

static void remove_instance(void)
{
	rmdir(in_instance(""));
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		FAIL("%s: %m", path);
		remove_instance();
		test_abort();
	}
	close(fd);
}

static void start_tracing(void)
{
	need_root("to trace");
	if (access(TRACEFS "/events", F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	if (access(TRACEFS "/events", F_OK))
		SKIP("no tracefs in this kernel");
	if (access(TRACEFS "/events/raio", F_OK))
		SKIP("raio was built without tracepoints");
	if (mkdir(in_instance(""), 0700))
		SKIP("%s: %m", in_instance(""));
	write_to(in_instance("events/raio/enable"), "1");
}

struct line {
	char event[32], opcode[16];
	unsigned long long ctx, iocb;
	long long result;
	unsigned int key;
	int fd;
};

/* The lines of this process there are, of which up to max are in lines. */
static unsigned int stop_tracing(struct line *lines, unsigned int max)
{
	FILE *file = fopen(in_instance("trace"), "re");
	unsigned int count = 0;
	char text[512];

	while (file && fgets(text, sizeof(text), file)) {
		struct line line = { 0 };
		char *event = strstr(text, ": raio_");

		if (text[0] == '#' || !event)
			continue;
		test_note("%.*s", (int)strcspn(text, "\n"), text);
		if (sscanf(event + 2,
			   "%31[^:]: ctx=0x%llx iocb=0x%llx key=0x%x opcode=%15s fd=%d result=%lld",
			   line.event, &line.ctx, &line.iocb, &line.key, line.opcode, &line.fd,
			   &line.result) != 7)
			FAIL("a line that has not all fields");
		if (count < max)
			lines[count] = line;
		count++;
	}
	if (file)
		fclose(file);
	write_to(in_instance("events/raio/enable"), "0");
	remove_instance();
	return count;
}

static void expect_line(const struct line *line, const char *event, aio_context_t ctx,
			const struct iocb *iocb, const char *opcode, long long result)
{
	if (strcmp(line->event, event))
		FAIL("expected %s, but seen %s", event, line->event);
	if (strcmp(line->opcode, opcode))
		FAIL("expected %s, but seen %s", opcode, line->opcode);
	EXPECT_EQ(ctx, line->ctx);
	EXPECT_EQ((uintptr_t)iocb, line->iocb);
	EXPECT_EQ(iocb->aio_key, line->key);
	EXPECT_EQ((int)iocb->aio_fildes, line->fd);
	EXPECT_EQ(result, line->result);
}

TEST_RAIO(read, WHY)
{
	aio_context_t ctx = new_context(8);
	struct line lines[2];
	struct iocb iocb;
	char buf[100];

	prep(&iocb, IOCB_CMD_PREAD, new_file(60), buf, sizeof(buf), 0);
	start_tracing();
	EXPECT_EQ(60, run_one(ctx, &iocb));
	ASSERT_EQ(2, stop_tracing(lines, 2));
	expect_line(&lines[0], "raio_submit", ctx, &iocb, "PREAD", 0);
	expect_line(&lines[1], "raio_complete", ctx, &iocb, "PREAD", 60);
}

TEST_RAIO(noop, WHY)
{
	aio_context_t ctx = new_context(8);
	struct line lines[2];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	start_tracing();
	EXPECT_EQ(0, run_one(ctx, &iocb));
	ASSERT_EQ(2, stop_tracing(lines, 2));
	expect_line(&lines[0], "raio_submit", ctx, &iocb, "NOOP", 0);
	expect_line(&lines[1], "raio_complete", ctx, &iocb, "NOOP", 0);
}

/* The result is the event's, an errno if it failed. */
TEST_RAIO(failed, WHY)
{
	aio_context_t ctx = new_context(8);
	struct line lines[2];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, new_file(60), (void *)8, 60, 0);
	start_tracing();
	EXPECT_EQ(-EFAULT, run_one(ctx, &iocb));
	ASSERT_EQ(2, stop_tracing(lines, 2));
	expect_line(&lines[1], "raio_complete", ctx, &iocb, "PREAD", -EFAULT);
}

/* What was not taken is not told. */
TEST_RAIO(refused, WHY)
{
	aio_context_t ctx = new_context(8);
	struct line lines[1];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, -1, NULL, 0, 0);
	start_tracing();
	EXPECT_EQ(-EBADF, submit_one(ctx, &iocb));
	EXPECT_EQ(0, stop_tracing(lines, 1));
}

/* The fields by name, as programs find them. */
TEST_RAIO(formats, WHY)
{
	static const char * const events[] = {
		"submit", "arm", "kick", "retry", "punt", "complete", "cancel",
	};
	static const char * const fields[] = {
		"field:u64 ctx;", "field:u64 iocb;", "field:u32 key;", "field:u16 opcode;",
		"field:u32 fd;", "field:s64 result;",
	};
	unsigned int i, j;

	start_tracing();
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		char path[64], name[64], text[8192] = "";
		int fd;

		snprintf(path, sizeof(path), "events/raio/raio_%s/format", events[i]);
		fd = open(in_instance(path), O_RDONLY | O_CLOEXEC);
		EXPECT_LE(0, fd);
		EXPECT_LT(0, read(fd, text, sizeof(text) - 1));
		close(fd);
		snprintf(name, sizeof(name), "name: raio_%s\n", events[i]);
		EXPECT_TRUE(strstr(text, name));
		for (j = 0; j < ARRAY_SIZE(fields); j++)
			if (!strstr(text, fields[j]))
				FAIL("raio_%s: no %s", events[i], fields[j]);
		/* enums are numbers */
		EXPECT_TRUE(!strstr(text, "IOCB_CMD_"));
	}
	write_to(in_instance("events/raio/enable"), "0");
	remove_instance();
}
