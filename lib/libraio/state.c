// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whether calls go to raio or to native aio, and the open /dev/raio.
 *
 * A context belongs to the address space and not to the file, so an ioctl may use any
 * open file of /dev/raio.  A child of vfork() may have written the number of its own file
 * to the state: if that number is no /dev/raio in this process, a file is opened.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

#define TRIES	8

struct state *__raio_state;

/*
 * MODE_NATIVE or MODE_FAIL, where raio can't be used.  A child has that of its parent, without
 * a line of its own.
 */
static int32_t fallback;

/* Number + 1 of the last /dev/raio, and its device: a child inherits them. */
static uint32_t last_fd;
static uint64_t last_rdev;

struct state *__raio_state_create(void)
{
	struct state *state, *other = NULL;
	long ret;

	ret = sys(SYS_mmap, NULL, sizeof(*state), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ret < 0 && ret > -4096)
		return NULL;
	state = (struct state *)ret;
	if (sys(SYS_madvise, state, sizeof(*state), MADV_WIPEONFORK)) {
		sys(SYS_munmap, state, sizeof(*state));
		return NULL;
	}
	if (__atomic_compare_exchange_n(&__raio_state, &other, state, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return state;
	sys(SYS_munmap, state, sizeof(*state));
	return other;
}

/* The first thread stores its file; the others close theirs.  Returns the stored one. */
static int publish(struct state *state, int fd, const struct device *device)
{
	uint32_t other = 0;

	__atomic_store_n(&state->rdev, device->rdev, __ATOMIC_RELAXED);
	__atomic_store_n(&state->advises, !!(device->features & RAIO_FEATURE_ADVISE),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&last_rdev, device->rdev, __ATOMIC_RELAXED);
	__atomic_store_n(&last_fd, fd + 1, __ATOMIC_RELAXED);
	if (__atomic_compare_exchange_n(&state->fd, &other, fd + 1, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fd;
	sys(SYS_close, fd);
	return other - 1;
}

/*
 * A child that can't open the device, after chroot() or with no free file descriptor,
 * uses the file of its parent.  Else it opens its own: contexts of a process that exits
 * end early, when their file is closed.
 */
static int inherit(struct state *state)
{
	int fd = (int)__atomic_load_n(&last_fd, __ATOMIC_RELAXED) - 1;
	uint64_t rdev = __atomic_load_n(&last_rdev, __ATOMIC_RELAXED);
	uint32_t none = 0;

	if (fd < 0 || !__raio_is_device(fd, rdev))
		return -1;
	__atomic_store_n(&state->rdev, rdev, __ATOMIC_RELAXED);
	__atomic_compare_exchange_n(&state->fd, &none, fd + 1, false,
				    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	return fd;
}

static int find_device(struct state *state)
{
	uint32_t fd = __atomic_load_n(&state->fd, __ATOMIC_ACQUIRE);
	struct device device;
	const char *reason;
	int ret, parents;

	if (fd)
		return fd - 1;
	ret = __raio_open(&device, &reason);
	if (ret >= 0)
		return publish(state, ret, &device);
	parents = inherit(state);
	return parents < 0 ? ret : parents;
}

/* Errors that are due to the process or memory, and not to the device. */
static bool is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN;
}

int __raio_decide(struct state *state)
{
	int32_t mode = __atomic_load_n(&fallback, __ATOMIC_ACQUIRE), other = MODE_UNDECIDED;
	const char *reason = NULL, *choice = NULL;
	struct device device = { 0 };
	int fd = -1;
	bool inherited = mode;

	if (!inherited) {
		fd = __raio_open(&device, &reason);
		mode = MODE_RAIO;
		if (fd < 0 && inherit(state) < 0) {
			if (is_shortage(fd))
				return fd;
			choice = secure_getenv("RAIO_FALLBACK");
			mode = choice && !strcmp(choice, "fail") ? MODE_FAIL : MODE_NATIVE;
		}
	}
	/* Another thread may have decided first, and otherwise. */
	if (!__atomic_compare_exchange_n(&state->mode, &other, mode, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		if (fd >= 0)
			sys(SYS_close, fd);
		return other;
	}
	if (mode == MODE_RAIO) {
		if (fd >= 0)
			publish(state, fd, &device);
	} else if (!inherited) {
		__atomic_store_n(&fallback, mode, __ATOMIC_RELEASE);
		__raio_complain(reason ? reason : strerrordesc_np(-fd), choice);
	}
	return mode;
}

/*
 * Results that raio returns often, or after it has done a part of the work.  After any
 * other error nothing was done: if the file was not raio's, the call can be repeated.
 */
static bool is_final(long ret)
{
	return ret >= 0 || ret == -EAGAIN || ret == -EINTR || ret == -EINPROGRESS ||
	       ret == -EFAULT;
}

long __raio_ioctl_again(struct state *state, unsigned int cmd, void *arg, uint32_t fd, long ret)
{
	unsigned int tries;
	uint32_t stale;
	uint64_t rdev;
	int next;

	for (tries = 1; tries < TRIES; tries++) {
		if (fd) {
			rdev = __atomic_load_n(&state->rdev, __ATOMIC_RELAXED);
			if (is_final(ret) || __raio_is_device(fd - 1, rdev))
				break;
			/* The program has closed it and may use the number: don't close it. */
			stale = fd;
			__atomic_compare_exchange_n(&state->fd, &stale, 0, false,
						    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
		}
		next = find_device(state);
		if (next < 0)
			return next;
		fd = next + 1;
		ret = sys(SYS_ioctl, next, cmd, arg);
	}
	return ret;
}
