/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What dlopen.S asks target.c for. */
#ifndef LIBRAIO_TARGET_H
#define LIBRAIO_TARGET_H

/* In %rax and %rdx. */
struct target {
	void *function;
	const char *file;
};

struct target __raio_dlopen_target(const char *file);
struct target __raio_dlmopen_target(const char *file);

#endif /* LIBRAIO_TARGET_H */
