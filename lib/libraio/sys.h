/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls that return -errno, leave errno alone, are no cancellation points,
 * and do not go through syscall(), which the program may have interposed.
 */
#ifndef LIBRAIO_SYS_H
#define LIBRAIO_SYS_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __LP64__
#error "libraio is for 64-bit programs"
#endif

#ifdef __x86_64__
static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a" (ret)
			 : "0" (nr), "D" (a), "S" (b), "d" (c), "r" (r10), "r" (r8), "r" (r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r" (x0)
			 : "r" (x8), "r" (x1), "r" (x2), "r" (x3), "r" (x4), "r" (x5)
			 : "memory");
	return x0;
}
#else
static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long ret = syscall(nr, a, b, c, d, e, f);

	if (ret == -1) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}
#endif

#define __SYS7(nr, a, b, c, d, e, f, ...) \
	sys_call((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys(...)	__SYS7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif /* LIBRAIO_SYS_H */
