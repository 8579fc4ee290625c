// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "harness.h"

#define ROOT	"/sys/fs/cgroup"

static bool write_to(const char *dir, const char *name, const char *text)
{
	char path[128];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

void cgroup_make(struct cgroup *group, const char *controller)
{
	static unsigned int count;
	char text[32];

	if (access(ROOT "/cgroup.controllers", R_OK) || geteuid())
		SKIP("needs root and cgroup2 at " ROOT);
	snprintf(text, sizeof(text), "+%s", controller ?: "");
	if (controller && !write_to(ROOT, "cgroup.subtree_control", text))
		SKIP("no %s controller", controller);
	snprintf(group->path, sizeof(group->path), ROOT "/raio-%d-%u", getpid(), count++);
	ASSERT_EQ(0, mkdir(group->path, 0755));
}

void cgroup_enter(const struct cgroup *group)
{
	ASSERT_TRUE(write_to(group->path, "cgroup.procs", "0"));
}

long long cgroup_figure(const struct cgroup *group, const char *name, const char *key)
{
	char path[128], line[128];
	long long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", group->path, name);
	file = fopen(path, "re");
	ASSERT_TRUE(file);
	while (fgets(line, sizeof(line), file)) {
		if (!key)
			value = atoll(line);
		else if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ' ')
			value = atoll(line + strlen(key));
	}
	fclose(file);
	ASSERT_LE(0, value);
	return value;
}

void cgroup_remove(const struct cgroup *group)
{
	EXPECT_EQ(0, rmdir(group->path));
}
