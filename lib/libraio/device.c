// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Opening /dev/raio.
 *
 * Under `raio run --stats` an open file of that command is used instead: contexts that are
 * set up through it are counted there, also when their process has ended.  RAIO_DOOR says
 * where it is, as NUMBER:PID.  The descriptor was inherited; if another program has closed
 * it on the way, it is taken from that process by pidfd_getfd(2).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "internal.h"

#define DEVICE	"/dev/raio"
/* The kernel's table of files is as large as the highest number: don't use a higher one. */
#define HIGHEST	1024

bool __raio_is_device(int fd, uint64_t rdev)
{
	struct stat stat = { 0 };
	long flags;

	if (sys(SYS_fstat, fd, &stat) || !S_ISCHR(stat.st_mode) || stat.st_rdev != rdev)
		return false;
	flags = sys(SYS_fcntl, fd, F_GETFL);
	return flags >= 0 && !(flags & O_PATH);
}

static const char *parse(const char *text, char end, long *value)
{
	*value = 0;
	if (*text == end)
		return NULL;
	for (; *text != end; text++) {
		if (*text < '0' || *text > '9' || *value > INT32_MAX / 10 - 1)
			return NULL;
		*value = *value * 10 + (*text - '0');
	}
	return text + 1;
}

static long take(long pid, long number)
{
	long fd, pidfd = sys(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return pidfd;
	fd = sys(SYS_pidfd_getfd, pidfd, number, 0);
	sys(SYS_close, pidfd);
	return fd;
}

static long find(const char *where, uint64_t rdev)
{
	long number, pid, fd;

	where = parse(where, ':', &number);
	if (!where || !parse(where, 0, &pid))
		return -EINVAL;
	if (__raio_is_device(number, rdev))
		return sys(SYS_fcntl, number, F_DUPFD_CLOEXEC, 0);
	fd = take(pid, number);
	if (fd >= 0 && !__raio_is_device(fd, rdev)) {
		sys(SYS_close, fd);
		return -ENOTTY;
	}
	return fd;
}

/* Negative if there is none. */
static long counted_file(uint64_t rdev)
{
	static uint32_t complained;
	const char *where = secure_getenv("RAIO_DOOR");
	long fd;

	if (!where)
		return -1;
	fd = find(where, rdev);
	if (fd < 0 && !__atomic_exchange_n(&complained, 1, __ATOMIC_RELAXED))
		__raio_complain_uncounted();
	return fd;
}

/* Programs may expect that low file descriptors are free: use a high one. */
static int move_up(int fd)
{
	struct rlimit limit = { 0 };
	unsigned long lowest = HIGHEST;
	long high;

	if (!sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) && limit.rlim_cur < HIGHEST)
		lowest = limit.rlim_cur;
	lowest -= lowest / 64 + 1;
	if ((long)lowest <= fd)
		return fd;
	high = sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest);
	if (high < 0)
		return fd;
	sys(SYS_close, fd);
	return high;
}

int __raio_open(struct device *device, const char **reason)
{
	struct raio_info info = { 0 };
	struct stat stat = { 0 };
	long fd, ret, counted;

	*reason = NULL;
	do {
		fd = sys(SYS_openat, AT_FDCWD, DEVICE, O_RDWR | O_CLOEXEC | O_NOCTTY);
	} while (fd == -EINTR);
	if (fd < 0)
		return fd;

	ret = sys(SYS_ioctl, fd, RAIO_IOC_INFO, &info);
	if (!ret)
		ret = sys(SYS_fstat, fd, &stat);
	if (ret) {
		*reason = "it is not raio's";
	} else if (info.major != RAIO_API_MAJOR) {
		*reason = "it has another major version";
		ret = -EPROTO;
	}
	if (ret) {
		sys(SYS_close, fd);
		return ret < 0 ? ret : -ENOTTY;
	}
	device->rdev = stat.st_rdev;
	device->features = info.features;
	counted = counted_file(stat.st_rdev);
	if (counted >= 0) {
		sys(SYS_close, fd);
		fd = counted;
	}
	return move_up(fd);
}
