// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The system calls of native aio by their numbers: as the functions of libaio, but a bad
 * address must be EFAULT, so no argument is dereferenced before the kernel has done so.
 */
#include "internal.h"

/* The last argument of io_pgetevents(2). */
struct aio_sigset {
	uint64_t sigmask;
	uint64_t size;
};

/*
 * libaio's io_pgetevents calls this with a set on its stack: less than a page above get,
 * which is on the same stack, it can be read.  Else it is checked by a system call, and
 * one is enough if both words are in one page.
 */
static bool can_read_set(const struct aio_sigset *set, const struct getevents *get)
{
	const uintptr_t at = (uintptr_t)set, last = at + sizeof(*set) - 1, page = 4096;

	if (at - (uintptr_t)get < page)
		return true;
	return __raio_can_read(&set->sigmask) &&
	       (at / page == last / page || __raio_can_read(&set->size));
}

static long pgetevents(struct getevents *get, const struct aio_sigset *set)
{
	if (set) {
		if (!can_read_set(set, get))
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
