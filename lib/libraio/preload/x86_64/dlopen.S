/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dlopen(3) and dlmopen(3): libraio instead of libaio, see target.c.
 *
 * They jump to the functions of the C library, which need the return address of the
 * program: by it they find the caller's search path and namespace.
 */
	.text
	.globl	dlopen
	.type	dlopen, @function
	.p2align 4
dlopen:
	.cfi_startproc
	endbr64
	pushq	%rsi
	.cfi_adjust_cfa_offset 8
	call	__raio_dlopen_target
	popq	%rsi
	.cfi_adjust_cfa_offset -8
	movq	%rdx, %rdi
	jmp	*%rax
	.cfi_endproc
	.size	dlopen, . - dlopen

	.globl	dlmopen
	.type	dlmopen, @function
	.p2align 4
dlmopen:
	.cfi_startproc
	endbr64
	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	pushq	%rsi
	.cfi_adjust_cfa_offset 8
	pushq	%rdx
	.cfi_adjust_cfa_offset 8
	movq	%rsi, %rdi
	call	__raio_dlmopen_target
	movq	%rdx, %rcx
	popq	%rdx
	.cfi_adjust_cfa_offset -8
	popq	%rsi
	.cfi_adjust_cfa_offset -8
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	cmpq	%rcx, %rsi
	je	.Lsame
	/* libraio is in LM_ID_BASE, which is 0, and nowhere else. */
	movq	%rcx, %rsi
	xorl	%edi, %edi
.Lsame:
	jmp	*%rax
	.cfi_endproc
	.size	dlmopen, . - dlmopen

	.section .note.GNU-stack, "", @progbits
