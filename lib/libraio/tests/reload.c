// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Loads libaio, as it finds it, uses it and unloads it, again and again: says how many
 * more files are open after the second time than after the first.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what)
{
	fprintf(stderr, "reload: %s\n", what);
	exit(1);
}

static void use(void)
{
	int (*init)(int nr, void **ctx), (*release)(void *ctx);
	void *library, *ctx;

	library = dlopen("libaio.so.1t64", RTLD_NOW);
	if (!library)
		fail(dlerror());
	init = (__typeof__(init))dlsym(library, "io_queue_init");
	release = (__typeof__(release))dlsym(library, "io_queue_release");
	if (!init || !release || init(8, &ctx) || release(ctx))
		fail("no context");
	dlclose(library);
}

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	if (!dir)
		fail("no /proc");
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

int main(void)
{
	int before;

	use();
	before = open_files();
	use();
	printf("%d\n", open_files() - before);
	return 0;
}
