// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is loaded in place of libaio, and by which function. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "target.h"

/* It is loaded already, so dlopen() finds it by this name in any search path. */
static const char soname[] = "libraio.so.1";

static bool is_version(const char *name, const char *library)
{
	size_t length = strlen(library);

	return !strncmp(name, library, length) &&
	       (!name[length] || name[length] == '.' || !strcmp(name + length, "t64"));
}

/* All else stays as it is: only the caller's own path would find it. */
static const char *instead_of(const char *file)
{
	const char *slash, *name;

	if (!file)
		return file;
	slash = strrchr(file, '/');
	name = slash ? slash + 1 : file;
	return is_version(name, "libaio.so.1") || is_version(name, soname) ? soname : file;
}

static void *next(void **known, const char *name)
{
	void *function = __atomic_load_n(known, __ATOMIC_RELAXED);

	if (!function) {
		function = dlsym(RTLD_NEXT, name);
		__atomic_store_n(known, function, __ATOMIC_RELAXED);
	}
	return function;
}

struct target __raio_dlopen_target(const char *file)
{
	static void *function;

	return (struct target){ next(&function, "dlopen"), instead_of(file) };
}

struct target __raio_dlmopen_target(const char *file)
{
	static void *function;

	return (struct target){ next(&function, "dlmopen"), instead_of(file) };
}
