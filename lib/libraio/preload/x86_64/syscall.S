/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * syscall(2): the calls of native aio are passed to libraio.
 *
 * Others are made here, without a stack frame, as in the C library: clone() may return
 * on another stack.
 */
#include <asm/unistd_64.h>
#include <asm/errno.h>

	.text
	.globl	syscall
	.type	syscall, @function
	.p2align 4
syscall:
	.cfi_startproc
	endbr64
	/* The kernel looks at 32 bits of the number. */
	leal	-__NR_io_setup(%rdi), %eax
	cmpl	$(__NR_io_cancel - __NR_io_setup), %eax
	jbe	.Laio
	cmpl	$__NR_io_pgetevents, %edi
	je	.Laio

	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	cmpq	$-4095, %rax
	jae	.Lerror
	ret

.Laio:
	/* raio_syscall(number, ...): the same arguments, in the same places. */
	subq	$16, %rsp
	.cfi_adjust_cfa_offset 16
	pushq	24(%rsp)
	.cfi_adjust_cfa_offset 8
	xorl	%eax, %eax
	call	*raio_syscall@GOTPCREL(%rip)
	addq	$24, %rsp
	.cfi_adjust_cfa_offset -24
	testq	%rax, %rax
	js	.Lerror
	ret

.Lerror:
	negl	%eax
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	call	*__errno_location@GOTPCREL(%rip)
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	movl	%ecx, (%rax)
	movq	$-1, %rax
	ret
	.cfi_endproc
	.size	syscall, . - syscall

	.section .note.GNU-stack, "", @progbits
