/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * syscall(2): the calls of native aio are passed to libraio.
 *
 * Others are made here, without a stack frame, as in the C library: clone() may return
 * on another stack.
 */
#include <asm/unistd.h>

	.text
	.globl	syscall
	.type	syscall, %function
	.p2align 4
syscall:
	.cfi_startproc
	hint	#34		/* bti c */
	/* The kernel looks at 32 bits of the number. */
	sub	w9, w0, #__NR_io_setup
	cmp	w9, #(__NR_io_getevents - __NR_io_setup)
	b.ls	.Laio
	cmp	w0, #__NR_io_pgetevents
	b.eq	.Laio

	mov	w8, w0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	mov	x3, x4
	mov	x4, x5
	mov	x5, x6
	svc	#0
	cmn	x0, #4095
	b.cs	.Lerror
	ret

.Laio:
	/* raio_syscall(number, ...): the same arguments, in the same places. */
	stp	x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	mov	x29, sp
	bl	raio_syscall
	ldp	x29, x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	tbnz	x0, #63, .Lerror
	ret

.Lerror:
	stp	x29, x30, [sp, #-32]!
	.cfi_def_cfa_offset 32
	.cfi_offset x29, -32
	.cfi_offset x30, -24
	mov	x29, sp
	neg	w0, w0
	str	w0, [sp, #16]
	bl	__errno_location
	ldr	w1, [sp, #16]
	str	w1, [x0]
	mov	x0, #-1
	ldp	x29, x30, [sp], #32
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	ret
	.cfi_endproc
	.size	syscall, . - syscall

	.section .note.GNU-stack, "", %progbits
