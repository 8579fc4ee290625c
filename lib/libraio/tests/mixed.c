// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program that comes to libaio in many ways at once: one sets a context up, another
 * submits, a third gets the events, a fourth destroys it.  Says who has served it.
 *
 * Usage: mixed PLUGIN
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <libaio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "program.h"

#ifdef __aarch64__
#define LIBAIO	"/usr/lib/aarch64-linux-gnu/libaio.so.1t64"
#else
#define LIBAIO	"/usr/lib/x86_64-linux-gnu/libaio.so.1t64"
#endif

struct way {
	int (*setup)(int nr, io_context_t *ctx);
	int (*destroy)(io_context_t ctx);
	int (*submit)(io_context_t ctx, long nr, struct iocb **list);
	int (*getevents)(io_context_t ctx, long min_nr, long nr, struct io_event *events,
			 struct timespec *timeout);
};

static int result(long ret)
{
	return ret < 0 ? -errno : (int)ret;
}

static int raw_setup(int nr, io_context_t *ctx)
{
	return result(syscall(SYS_io_setup, nr, ctx));
}

static int raw_destroy(io_context_t ctx)
{
	return result(syscall(SYS_io_destroy, ctx));
}

static int raw_submit(io_context_t ctx, long nr, struct iocb **list)
{
	return result(syscall(SYS_io_submit, ctx, nr, list));
}

static int raw_getevents(io_context_t ctx, long min_nr, long nr, struct io_event *events,
			 struct timespec *timeout)
{
	return result(syscall(SYS_io_getevents, ctx, min_nr, nr, events, timeout));
}

/* name is a format with a place for that of the call; version may be NULL. */
static void *function(void *handle, const char *name, const char *call, const char *version)
{
	char full[32];
	void *found;

	snprintf(full, sizeof(full), name, call);
	found = version ? dlvsym(handle, full, version) : dlsym(handle, full);
	CHECK(found);
	return found;
}

static struct way loaded(void *handle, const char *name, const char *old, const char *new)
{
	if (!handle)
		fprintf(stderr, "%s\n", dlerror());
	CHECK(handle);
	return (struct way){
		.setup = function(handle, name, "setup", new),
		.destroy = function(handle, name, "destroy", new),
		.submit = function(handle, name, "submit", old),
		.getevents = function(handle, name, "getevents", new),
	};
}

static void mix(const struct way *setup, const struct way *submit, const struct way *getevents,
		const struct way *destroy, int fd)
{
	struct iocb iocb, *list[] = { &iocb };
	struct timespec zero = { 0 };
	struct io_event events[2];
	io_context_t ctx = NULL;
	char buf[4] = "";

	CHECK(setup->setup(8, &ctx) == 0);
	io_prep_pread(&iocb, fd, buf, 4, 0);
	CHECK(submit->submit(ctx, 1, list) == 1);
	CHECK(getevents->getevents(ctx, 1, 2, events, NULL) == 1);
	CHECK(events[0].obj == &iocb && events[0].res == 4 && !memcmp(buf, "1234", 4));
	/* others see that it is consumed */
	CHECK(submit->getevents(ctx, 0, 2, events, &zero) == 0);
	CHECK(getevents->submit(ctx, 1, list) == 1);
	CHECK(setup->getevents(ctx, 1, 2, events, NULL) == 1);
	CHECK(destroy->destroy(ctx) == 0);
	CHECK(setup->destroy(ctx) == -EINVAL);
}

/* What the program is linked with comes after libraio. */
static void expect_first(const char *name)
{
	void *libraio = dlopen("libraio.so.1", RTLD_NOW | RTLD_NOLOAD);

	CHECK(libraio && dlsym(RTLD_DEFAULT, name) == dlsym(libraio, name));
}

int main(int argc, char **argv)
{
	const char *path = LIBAIO, *named = "io_%s";
	int fd = memfd_create("mixed", 0);
	unsigned int a, b, c;

	expect_first("io_submit");
	expect_first("io_getevents");
	CHECK(argc == 2 && fd >= 0 && write(fd, "1234", 4) == 4);
	{
		const struct way ways[] = {
#ifdef LINKED
			{ io_setup, io_destroy, io_submit, io_getevents },
#endif
			{ raw_setup, raw_destroy, raw_submit, raw_getevents },
			loaded(dlopen("libaio.so.1t64", RTLD_LAZY | RTLD_LOCAL), named, NULL, NULL),
			loaded(dlopen("libaio.so.1t64", RTLD_NOW | RTLD_GLOBAL), named, NULL, NULL),
			loaded(dlopen(path, RTLD_NOW | RTLD_DEEPBIND), named,
			       "LIBAIO_0.1", "LIBAIO_0.4"),
			loaded(dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND), "plugin_%s", NULL, NULL),
			loaded(dlmopen(LM_ID_NEWLM, path, RTLD_NOW), named, NULL, NULL),
		};
		const unsigned int nr = sizeof(ways) / sizeof(*ways);

		for (a = 0; a < nr; a++)
			for (b = 0; b < nr; b++)
				for (c = 0; c < nr; c++)
					mix(&ways[a], &ways[b], &ways[c],
					    &ways[(a + b + c) % nr], fd);
	}
	puts(who());
	return 0;
}
