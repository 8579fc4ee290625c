// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program with a system call instruction of its own, on a context that syscall(2) has set
 * up: says what the kernel's native aio answers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "program.h"

/* The number is loaded before the instruction, as compilers do it. */
static long inline_submit(unsigned long ctx, long nr, void *list)
{
#ifdef __aarch64__
	register long x8 __asm__("x8") = SYS_io_submit;
	register long x0 __asm__("x0") = ctx;
	register long x1 __asm__("x1") = nr;
	register void *x2 __asm__("x2") = list;

	__asm__ volatile("svc #0" : "+r" (x0) : "r" (x8), "r" (x1), "r" (x2) : "memory");
	return x0;
#else
	long ret;

	__asm__ volatile("syscall"
			 : "=a" (ret)
			 : "0" (SYS_io_submit), "D" (ctx), "S" (nr), "d" (list)
			 : "rcx", "r11", "memory");
	return ret;
#endif
}

int main(void)
{
	unsigned long ctx = 0;
	long ret;

	CHECK(syscall(SYS_io_setup, 8, &ctx) == 0);
	ret = inline_submit(ctx, 0, NULL);
	CHECK(syscall(SYS_io_destroy, ctx) == 0);
	if (ret == -EINVAL)
		puts("EINVAL");
	else
		printf("%ld\n", ret);
	return 0;
}
