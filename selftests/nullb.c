// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"

#define CONFIG_ROOT	"/sys/kernel/config"
#define CONFIG_DIR	CONFIG_ROOT "/nullb"

static bool set(const char *name, const char *attribute, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	return write_control(text, CONFIG_DIR "/%s/%s", name, attribute);
}

/* Where nobody keeps /dev up to date the node is made here. */
static void make_node(struct nullb *nullb)
{
	unsigned int major, minor;
	char path[64];
	FILE *file;

	snprintf(nullb->dev, sizeof(nullb->dev), "/dev/%s", nullb->name);
	if (access(nullb->dev, F_OK) == 0)
		return;
	snprintf(path, sizeof(path), "/sys/block/%s/dev", nullb->name);
	file = fopen(path, "re");
	ASSERT_TRUE(file);
	ASSERT_EQ(2, fscanf(file, "%u:%u", &major, &minor));
	fclose(file);
	ASSERT_EQ(0, mknod(nullb->dev, S_IFBLK | 0600, makedev(major, minor)));
}

void nullb_create(struct nullb *nullb, const struct nullb_options *options)
{
	static unsigned int count;
	char path[96];

	if (access(CONFIG_DIR, F_OK))
		mount("configfs", CONFIG_ROOT, "configfs", 0, NULL);
	if (access(CONFIG_DIR, F_OK))
		SKIP("needs null_blk: there is no " CONFIG_DIR);

	snprintf(nullb->name, sizeof(nullb->name), "raio-%d-%u", getpid(), count++);
	snprintf(path, sizeof(path), CONFIG_DIR "/%s", nullb->name);
	if (mkdir(path, 0700))
		SKIP("needs null_blk: mkdir %s: %m", path);
	ASSERT_TRUE(set(nullb->name, "size", options->size_mb));
	ASSERT_TRUE(set(nullb->name, "blocksize", 512));
	ASSERT_TRUE(set(nullb->name, "queue_mode", 2));
	ASSERT_TRUE(set(nullb->name, "submit_queues", 1));
	ASSERT_TRUE(set(nullb->name, "irqmode", 2));
	ASSERT_TRUE(set(nullb->name, "completion_nsec", options->completion_nsec));
	ASSERT_TRUE(set(nullb->name, "hw_queue_depth", options->hw_queue_depth ?: 128));
	ASSERT_TRUE(set(nullb->name, "memory_backed", options->memory_backed));
	ASSERT_TRUE(set(nullb->name, "power", 1));
	make_node(nullb);
}

static void remove_device(const char *name)
{
	char path[96];

	set(name, "power", 0);
	snprintf(path, sizeof(path), CONFIG_DIR "/%s", name);
	rmdir(path);
	snprintf(path, sizeof(path), "/dev/%s", name);
	unlink(path);
}

void nullb_remove(struct nullb *nullb)
{
	remove_device(nullb->name);
}

void nullb_set_delay(struct nullb *nullb, unsigned long completion_nsec)
{
	ASSERT_TRUE(set(nullb->name, "power", 0));
	/* it may come back with another number */
	unlink(nullb->dev);
	ASSERT_TRUE(set(nullb->name, "completion_nsec", completion_nsec));
	ASSERT_TRUE(set(nullb->name, "power", 1));
	make_node(nullb);
}

void nullb_set_bad(const struct nullb *nullb, unsigned long first, unsigned long last, bool bad)
{
	char text[64];

	snprintf(text, sizeof(text), "%c%lu-%lu", bad ? '+' : '-', first, last);
	ASSERT_TRUE(write_control(text, CONFIG_DIR "/%s/badblocks", nullb->name));
}

int nullb_open(const struct nullb *nullb, bool write)
{
	int fd = open(nullb->dev, (write ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);

	if (fd < 0) {
		FAIL("%s: %m", nullb->dev);
		test_abort();
	}
	return fd;
}

unsigned int nullb_inflight(const struct nullb *nullb)
{
	unsigned int reads, writes;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/%s/inflight", nullb->name);
	file = fopen(path, "re");
	ASSERT_TRUE(file);
	ASSERT_EQ(2, fscanf(file, "%u %u", &reads, &writes));
	fclose(file);
	return reads + writes;
}

unsigned long nullb_sectors_written(const struct nullb *nullb)
{
	unsigned long sectors;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", nullb->name);
	file = fopen(path, "re");
	ASSERT_TRUE(file);
	ASSERT_EQ(1, fscanf(file, "%*u %*u %*u %*u %*u %*u %lu", &sectors));
	fclose(file);
	return sectors;
}

void nullb_wait_idle(const struct nullb *nullb)
{
	while (nullb_inflight(nullb))
		usleep(1000);
}

void nullb_remove_all(pid_t creator)
{
	struct dirent *entry;
	char prefix[32];
	DIR *dir;

	snprintf(prefix, sizeof(prefix), "raio-%d-", creator);
	dir = opendir(CONFIG_DIR);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			remove_device(entry->d_name);
	closedir(dir);
}
