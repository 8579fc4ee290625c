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

void cgroup_make(struct cgroup *group, const char *controller)
{
	static unsigned int count;
	char text[32];

	if (access(ROOT "/cgroup.controllers", R_OK) || geteuid())
		SKIP("needs root and cgroup2 at " ROOT);
	snprintf(text, sizeof(text), "+%s", controller ?: "");
	if (controller && !write_control(text, ROOT "/cgroup.subtree_control"))
		SKIP("no %s controller", controller);
	snprintf(group->path, sizeof(group->path), ROOT "/raio-%d-%u", getpid(), count++);
	ASSERT_EQ(0, mkdir(group->path, 0755));
}

void cgroup_set(const struct cgroup *group, const char *file, const char *value)
{
	ASSERT_TRUE(write_control(value, "%s/%s", group->path, file));
}

void cgroup_enter(const struct cgroup *group)
{
	cgroup_set(group, "cgroup.procs", "0");
}

void cgroup_leave(void)
{
	EXPECT_TRUE(write_control("0", ROOT "/cgroup.procs"));
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
