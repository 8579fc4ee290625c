/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dlopen(3) and dlmopen(3): libraio instead of libaio, see target.c.
 *
 * They jump to the functions of the C library, which need the return address of the
 * program: by it they find the caller's search path and namespace.
 */
	.text
	.globl	dlopen
	.type	dlopen, %function
	.p2align 4
dlopen:
	.cfi_startproc
	hint	#34		/* bti c */
	stp	x29, x30, [sp, #-32]!
	.cfi_def_cfa_offset 32
	.cfi_offset x29, -32
	.cfi_offset x30, -24
	mov	x29, sp
	str	x1, [sp, #16]
	bl	__raio_dlopen_target
	mov	x16, x0
	mov	x0, x1
	ldr	x1, [sp, #16]
	ldp	x29, x30, [sp], #32
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	br	x16
	.cfi_endproc
	.size	dlopen, . - dlopen

	.globl	dlmopen
	.type	dlmopen, %function
	.p2align 4
dlmopen:
	.cfi_startproc
	hint	#34		/* bti c */
	stp	x29, x30, [sp, #-48]!
	.cfi_def_cfa_offset 48
	.cfi_offset x29, -48
	.cfi_offset x30, -40
	mov	x29, sp
	stp	x0, x1, [sp, #16]
	str	x2, [sp, #32]
	mov	x0, x1
	bl	__raio_dlmopen_target
	mov	x16, x0
	ldp	x0, x9, [sp, #16]
	ldr	x2, [sp, #32]
	ldp	x29, x30, [sp], #48
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	cmp	x1, x9
	b.eq	.Lsame
	/* libraio is in LM_ID_BASE, which is 0, and nowhere else. */
	mov	x0, #0
.Lsame:
	br	x16
	.cfi_endproc
	.size	dlmopen, . - dlmopen

	.section .note.GNU-stack, "", %progbits
