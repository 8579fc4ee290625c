// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program of libaio's: all of its functions, the old versions too, and system
 * calls.  Says who has served it: "raio", "native" or "refused".
 *
 * Usage: user [syscall]
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "program.h"

static void *old(const char *name)
{
	void *function = dlvsym(RTLD_DEFAULT, name, "LIBAIO_0.1");

	CHECK(function);
	return function;
}

static int callbacks;

static void callback(io_context_t ctx, struct iocb *iocb, long res, long res2)
{
	(void)ctx;
	CHECK(iocb->u.c.nbytes == 4 && res == 4 && res2 == 0);
	callbacks++;
}

static void start_poll(io_context_t ctx, struct iocb *iocb)
{
	struct iocb *list[] = { iocb };
	int fds[2];

	CHECK(!pipe(fds));
	io_prep_poll(iocb, fds[0], POLLIN);
	CHECK(io_submit(ctx, 1, list) == 1);
}

static void by_functions(void)
{
	int (*getevents)(io_context_t ctx, long nr, struct io_event *events,
			 struct timespec *timeout) = old("io_getevents");
	int (*cancel)(io_context_t ctx, struct iocb *iocb) = old("io_cancel");
	int (*wait)(io_context_t ctx, struct timespec *timeout) = old("io_queue_wait");
	struct iocb a, b, *list[] = { &a, &b };
	struct timespec zero = { 0 };
	io_context_t ctx = NULL;
	struct io_event events[2];
	sigset_t mask;
	char buf[8];
	int fd, ret;

	fd = memfd_create("user", 0);
	CHECK(fd >= 0 && write(fd, "12345678", 8) == 8);
	errno = 4711;
	ret = io_setup(8, &ctx);
	if (ret == -ENOSYS) {
		puts("refused");
		return;
	}
	CHECK(!ret && ctx);
	io_prep_pread(&a, fd, buf, 4, 0);
	io_prep_pread(&b, fd, buf + 4, 4, 4);
	CHECK(io_submit(ctx, 2, list) == 2);
	CHECK(io_getevents(ctx, 2, 2, events, NULL) == 2);
	CHECK(!memcmp(buf, "12345678", 8) && events[0].res == 4 && events[1].obj == &b);
	CHECK(io_getevents(ctx, 1, 1, events, &zero) == 0);

	CHECK(io_submit(ctx, 2, list) == 2);
	/* the old one wants one at least, of two here */
	CHECK(getevents(ctx, 1, events, NULL) == 1);
	sigfillset(&mask);
	CHECK(io_pgetevents(ctx, 1, 2, events, NULL, &mask) == 1);

	io_set_callback(&a, callback);
	io_set_callback(&b, callback);
	CHECK(io_submit(ctx, 2, list) == 2);
	CHECK(wait(ctx, &zero) == 0);
	CHECK(io_queue_run(ctx) == 0 && callbacks == 2);

	start_poll(ctx, &a);
	CHECK(io_cancel(ctx, &a, events) == -EINPROGRESS);
	CHECK(io_getevents(ctx, 1, 1, events, NULL) == 1 && events[0].obj == &a);
	start_poll(ctx, &b);
	CHECK(cancel(ctx, &b) == -EINPROGRESS);
	CHECK(io_getevents(ctx, 1, 1, events, NULL) == 1 && events[0].obj == &b);
	CHECK(errno == 4711);
	puts(who());
	errno = 4711;
	CHECK(io_destroy(ctx) == 0);
	CHECK(io_destroy(ctx) == -EINVAL);
	CHECK(io_queue_init(8, &ctx) == 0 && io_queue_release(ctx) == 0);
	CHECK(errno == 4711);
}

static void by_system_calls(void)
{
	struct {
		void *mask;
		size_t size;
	} set = { NULL, 8 };
	struct iocb iocb, *list[] = { &iocb };
	struct timespec zero = { 0 };
	unsigned long ctx = 0;
	struct io_event event;
	char buf[4];
	int fd;

	fd = memfd_create("user", 0);
	CHECK(fd >= 0 && write(fd, "1234", 4) == 4);
	CHECK(syscall(SYS_getpid) == getpid());
	/* all six arguments of another */
	CHECK(syscall(SYS_copy_file_range, fd, &(loff_t){ 0 }, fd, &(loff_t){ 4 }, 2, 1) == -1);
	CHECK(errno == EINVAL);
	CHECK(syscall(SYS_copy_file_range, fd, &(loff_t){ 0 }, fd, &(loff_t){ 4 }, 2, 0) == 2);
	CHECK(syscall(SYS_close, -1) == -1 && errno == EBADF);
	CHECK(syscall(SYS_mmap, NULL, 4096, 1, 2, fd, 4095) == -1 && errno == EINVAL);

	CHECK(syscall(SYS_io_setup, 8, &ctx) == 0);
	io_prep_pread(&iocb, fd, buf, 4, 0);
	CHECK(syscall(SYS_io_submit, ctx, 1, list) == 1);
	CHECK(syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) == 1);
	CHECK(syscall(SYS_io_submit, ctx, 1, list) == 1);
	CHECK(syscall(SYS_io_pgetevents, ctx, 1, 1, &event, NULL, &set) == 1);
	errno = 4711;
	CHECK(syscall(SYS_io_pgetevents, ctx, 1, 1, &event, &zero, NULL) == 0 && errno == 4711);
	CHECK(syscall(SYS_io_getevents, ctx, 1, 1, &event, -1L) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_io_setup, 8, &ctx) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_io_cancel, ctx, &iocb, &event) == -1 && errno == EINVAL);
	puts(who());
	CHECK(syscall(SYS_io_destroy, ctx) == 0);
	CHECK(syscall(SYS_io_destroy, ctx) == -1 && errno == EINVAL);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "syscall"))
		by_system_calls();
	else
		by_functions();
	return 0;
}
