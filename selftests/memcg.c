// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a context's memory is charged to the memory cgroup of the process
 * that sets it up; at the limit setup says ENOMEM, and nobody is killed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define ROOT	"/sys/fs/cgroup"
#define EVENTS	49152	/* a ring of 1.5 MiB */

static char group[64];

static bool write_to(const char *dir, const char *name, const char *text)
{
	char path[128];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* The figure behind the key of a flat file, or the file's only one. */
static long long figure(const char *name, const char *key)
{
	char path[128], line[128];
	long long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	file = fopen(path, "r");
	ASSERT_TRUE(file);
	while (fgets(line, sizeof(line), file)) {
		if (!key)
			value = atoll(line);
		else if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ' ')
			value = atoll(line + strlen(key));
	}
	fclose(file);
	return value;
}

static void enter(const char *max)
{
	char pid[16];

	if (access(ROOT "/cgroup.controllers", R_OK) || geteuid())
		SKIP("needs root and cgroup2 at " ROOT);
	if (!write_to(ROOT, "cgroup.subtree_control", "+memory"))
		SKIP("no memory controller");
	ASSERT_LE(0, raio_fd());
	snprintf(group, sizeof(group), ROOT "/raio-%d", getpid());
	ASSERT_EQ(0, mkdir(group, 0755));
	ASSERT_TRUE(write_to(group, "memory.max", max));
	snprintf(pid, sizeof(pid), "%d", getpid());
	ASSERT_TRUE(write_to(group, "cgroup.procs", pid));
}

static void leave(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	EXPECT_TRUE(write_to(ROOT, "cgroup.procs", pid));
	EXPECT_EQ(0, rmdir(group));
}

TEST_RAIO(charged, "its ring is charged as page cache, at the first use")
{
	long long before, with;
	aio_context_t ctx;

	enter("64M");
	before = figure("memory.current", NULL);
	ctx = new_context(EVENTS);
	with = figure("memory.current", NULL);
	/* what the cgroup charges ahead may hide some pages */
	EXPECT_LE(EVENTS * sizeof(struct io_event) - (512 << 10), with - before);
	EXPECT_EQ(0, be_destroy(ctx));
	leave();
}

TEST_RAIO(limit, "its ring is charged as page cache, at the first use")
{
	unsigned long nr;
	aio_context_t ctx = 0;

	enter("1M");
	nr = be_nr();
	EXPECT_EQ(-ENOMEM, be_setup(EVENTS, &ctx));
	EXPECT_EQ(nr, be_nr());
	EXPECT_EQ(0, figure("memory.events", "oom_kill"));
	EXPECT_EQ(0, be_setup(16, &ctx));
	EXPECT_EQ(0, be_destroy(ctx));
	leave();
}
