// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The open /dev/raio of `raio run --stats`: contexts that are set up through it are counted
 * there, also when their process is gone.
 *
 * RAIO_DOOR is NUMBER:PID.  The descriptor was inherited, unless somebody on the way has closed
 * it: then it is taken from that process.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>

#include "internal.h"

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

static long find(const char *door, uint64_t rdev)
{
	long number, pid, fd;

	door = parse(door, ':', &number);
	if (!door || !parse(door, 0, &pid))
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

int __raio_counted_door(uint64_t rdev)
{
	static uint32_t complained;
	const char *door = secure_getenv("RAIO_DOOR");
	long fd;

	if (!door)
		return -1;
	fd = find(door, rdev);
	if (fd < 0 && !__atomic_exchange_n(&complained, 1, __ATOMIC_RELAXED))
		__raio_complain_uncounted();
	return fd;
}
