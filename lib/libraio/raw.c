// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The system calls of native aio by their numbers: as libaio's functions, but no
 * argument is touched here that the kernel has not looked at.
 */
#include "internal.h"
#include "sys.h"

/* What io_pgetevents(2) has for a mask. */
struct aio_sigset {
	uint64_t sigmask;
	uint64_t size;
};

static long pgetevents(struct getevents *get, const struct aio_sigset *set)
{
	if (set) {
		if (!__raio_can_read(&set->sigmask) || !__raio_can_read(&set->size))
			return -EFAULT;
		get->sigmask = (const void *)(uintptr_t)set->sigmask;
		get->sigsetsize = set->size;
	}
	return __raio_getevents(get);
}

long __raio_syscall(int number, const long *a)
{
	struct getevents get = {
		.ctx = a[0], .min_nr = a[1], .nr = a[2], .events = (struct io_event *)a[3],
		.timeout = (const void *)a[4],
	};

	switch (number) {
	case SYS_io_setup:
		return __raio_setup(a[0], (uint64_t *)a[1]);
	case SYS_io_destroy:
		return __raio_destroy(a[0]);
	case SYS_io_submit:
		return __raio_submit(a[0], a[1], (void *)a[2]);
	case SYS_io_cancel:
		return __raio_cancel(a[0], (void *)a[1], (void *)a[2]);
	case SYS_io_getevents:
		return __raio_getevents(&get);
	case SYS_io_pgetevents:
		return pgetevents(&get, (const struct aio_sigset *)a[5]);
	default:
		return -ENOSYS;
	}
}
