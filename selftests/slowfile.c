// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "slowfile.h"

#define CHUNK	(256 * 1024)

static void write_pattern(int fd)
{
	char *buf = aligned_buffer(CHUNK);
	off_t at;

	for (at = 0; at < SLOWFILE_SIZE; at += CHUNK) {
		fill_pattern(buf, CHUNK, at, 0);
		ASSERT_EQ(CHUNK, pwrite(fd, buf, CHUNK, at));
	}
	free(buf);
}

/* The blocks of another device; those of zeroes are there already. */
static void copy_device(const struct nullb *nullb, int from)
{
	char *buf = aligned_buffer(CHUNK);
	int to = nullb_open(nullb, true);
	static char zeroes[CHUNK];
	ssize_t size;
	off_t at;

	for (at = 0; (size = pread(from, buf, CHUNK, at)) > 0; at += size)
		if (memcmp(buf, zeroes, size))
			ASSERT_EQ(size, pwrite(to, buf, size, at));
	ASSERT_EQ(0, size);
	free(buf);
	close(to);
}

/* A mounted file system as it is, while nobody can change it. */
static void copy_filesystem(const struct nullb *nullb, const char *dir)
{
	char node[] = "/tmp/raio-node-XXXXXX";
	struct stat stat;
	int root, from;

	root = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (root < 0 || fstat(root, &stat))
		SKIP("no RAIO_XFS_DIR");
	ASSERT_TRUE(mkdtemp(node));
	ASSERT_EQ(0, rmdir(node));
	ASSERT_EQ(0, mknod(node, S_IFBLK | 0600, stat.st_dev));
	from = open(node, O_RDONLY | O_DIRECT | O_CLOEXEC);
	unlink(node);
	ASSERT_LE(0, from);
	ASSERT_EQ(0, ioctl(root, FIFREEZE, 0));
	copy_device(nullb, from);
	ASSERT_EQ(0, ioctl(root, FITHAW, 0));
	close(from);
	close(root);
}

static bool is_xfs(const char *type)
{
	return type && !strcmp(type, "xfs");
}

static void make_filesystem(const struct nullb *nullb, const char *type)
{
	char command[128];

	if (is_xfs(type)) {
		copy_filesystem(nullb, getenv("RAIO_XFS_DIR"));
		return;
	}
	/* of busybox or e2fsprogs; what ext2 has is enough for ext4 */
	snprintf(command, sizeof(command), "mke2fs -F -b 4096 %s >/dev/null 2>&1", nullb->dev);
	if (system(command))
		SKIP("needs mke2fs");
}

/* Opens the file; when it is closed the file system goes. */
static int open_file(const struct nullb *nullb, const char *type, int flags)
{
	char dir[] = "/tmp/raio-slow-XXXXXX", path[40];
	bool write = flags != O_RDONLY;
	const char *options = NULL;
	int fd;

	/* it is a copy, and its log is empty: no need to look for its end */
	if (is_xfs(type))
		options = write ? "nouuid" : "nouuid,norecovery";
	ASSERT_TRUE(mkdtemp(dir));
	if (mount(nullb->dev, dir, type, write ? 0 : MS_RDONLY, options)) {
		rmdir(dir);
		SKIP("can't mount %s: %m", type);
	}
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, flags | O_CLOEXEC, 0600);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	ASSERT_LE(0, fd);
	return fd;
}

/* It is unmounted when nobody has the device any more. */
static void wait_free(const struct nullb *nullb)
{
	int fd;

	while ((fd = open(nullb->dev, O_RDONLY | O_EXCL | O_CLOEXEC)) < 0) {
		ASSERT_EQ(EBUSY, errno);
		usleep(1000);
	}
	close(fd);
}

void slowfile_make(struct slowfile *file, const char *type, unsigned long completion_nsec)
{
	char byte;
	int fd;

	nullb_create(&file->nullb, &(struct nullb_options){
		.size_mb = is_xfs(type) ? 512 : 8, .completion_nsec = 1000,
		.hw_queue_depth = 512, .memory_backed = true });
	if (type) {
		make_filesystem(&file->nullb, type);
		fd = open_file(&file->nullb, type, O_RDWR | O_CREAT);
		write_pattern(fd);
		/* the last byte of it, which is read below */
		ASSERT_EQ(1, pwrite(fd, "", 1, SLOWFILE_SIZE + 8192));
		ASSERT_EQ(0, fsync(fd));
		close(fd);
		wait_free(&file->nullb);
	} else {
		fd = nullb_open(&file->nullb, true);
		write_pattern(fd);
		close(fd);
	}
	nullb_set_delay(&file->nullb, completion_nsec);
	if (type)
		file->fd = open_file(&file->nullb, type, O_RDONLY);
	else
		file->fd = open(file->nullb.dev, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, file->fd);
	ASSERT_EQ(0, posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM));
	if (type)
		ASSERT_EQ(1, pread(file->fd, &byte, 1, SLOWFILE_SIZE + 8192));
}

void slowfile_open_for_write(struct slowfile *file, const char *type)
{
	close(file->fd);
	wait_free(&file->nullb);
	file->fd = open_file(&file->nullb, type, O_RDWR);
}
