// SPDX-License-Identifier: GPL-2.0
/* The five aio calls: the ioctls of /dev/raio, libraio, or native aio's system calls. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "libraio.h"

static int fd = -1;

static bool is_backend(const char *name)
{
	const char *chosen = getenv("RAIO_BACKEND");

	return chosen && !strcmp(chosen, name);
}

bool is_native(void)
{
	static int native = -1;

	if (native < 0)
		native = is_backend("native");
	return native;
}

bool is_libraio(void)
{
	static int libraio = -1;

	if (libraio < 0)
		libraio = is_backend("libraio");
	return libraio;
}

bool cancels_into_ring(void)
{
	return is_native() || is_libraio();
}

int raio_fd(void)
{
	if (fd < 0)
		fd = open("/dev/raio", O_RDWR | O_CLOEXEC);
	return fd;
}

void raio_close(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

static int result(long ret)
{
	return ret < 0 ? -errno : (int)ret;
}

int raio_ioctl(unsigned int cmd, void *arg)
{
	if (raio_fd() < 0)
		return -errno;
	return result(ioctl(fd, cmd, arg));
}

int be_setup(unsigned int nr_events, aio_context_t *ctx)
{
	struct raio_setup arg = { .nr_events = nr_events };
	int ret;

	if (is_native())
		return result(syscall(SYS_io_setup, nr_events, ctx));
	if (is_libraio())
		return io_setup(nr_events, ctx);
	arg.ctx_id = *ctx;
	ret = raio_ioctl(RAIO_IOC_SETUP, &arg);
	*ctx = arg.ctx_id;
	return ret;
}

int be_destroy(aio_context_t ctx)
{
	struct raio_destroy arg = { .ctx_id = ctx };

	if (is_native())
		return result(syscall(SYS_io_destroy, ctx));
	if (is_libraio())
		return io_destroy(ctx);
	return raio_ioctl(RAIO_IOC_DESTROY, &arg);
}

int be_submit(aio_context_t ctx, long nr, struct iocb **iocbpp)
{
	struct raio_submit arg = { .ctx_id = ctx, .nr = nr, .iocbpp = (uintptr_t)iocbpp };

	if (is_native())
		return result(syscall(SYS_io_submit, ctx, nr, iocbpp));
	if (is_libraio())
		return io_submit(ctx, nr, iocbpp);
	return raio_ioctl(RAIO_IOC_SUBMIT, &arg);
}

int be_cancel(aio_context_t ctx, struct iocb *iocb, struct io_event *event)
{
	struct raio_cancel arg = {
		.ctx_id = ctx, .iocb = (uintptr_t)iocb, .result = (uintptr_t)event,
	};

	if (is_native())
		return result(syscall(SYS_io_cancel, ctx, iocb, event));
	if (is_libraio())
		return io_cancel(ctx, iocb, event);
	return raio_ioctl(RAIO_IOC_CANCEL, &arg);
}

int be_getevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
		 const struct __kernel_timespec *timeout)
{
	struct raio_getevents arg = {
		.ctx_id = ctx, .min_nr = min_nr, .nr = nr, .events = (uintptr_t)events,
		.timeout = (uintptr_t)timeout,
	};

	if (is_native())
		return result(syscall(SYS_io_getevents, ctx, min_nr, nr, events, timeout));
	if (is_libraio())
		return io_getevents(ctx, min_nr, nr, events, timeout);
	return raio_ioctl(RAIO_IOC_GETEVENTS, &arg);
}

int be_pgetevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
		  const struct __kernel_timespec *timeout, const void *sigmask,
		  size_t sigsetsize)
{
	struct raio_getevents arg = {
		.ctx_id = ctx, .min_nr = min_nr, .nr = nr, .events = (uintptr_t)events,
		.timeout = (uintptr_t)timeout, .sigmask = (uintptr_t)sigmask,
		.sigsetsize = sigsetsize,
	};
	struct {
		const void *mask;
		size_t size;
	} native = { sigmask, sigsetsize };

	/* io_pgetevents() knows one size. */
	if (is_libraio())
		return raio_syscall(SYS_io_pgetevents, ctx, min_nr, nr, events, timeout, &native);
	if (!is_native())
		return raio_ioctl(RAIO_IOC_GETEVENTS, &arg);
#ifdef SYS_io_pgetevents_time64
	return result(syscall(SYS_io_pgetevents_time64, ctx, min_nr, nr, events, timeout,
			      &native));
#else
	return result(syscall(SYS_io_pgetevents, ctx, min_nr, nr, events, timeout, &native));
#endif
}

static unsigned long sysctl_value(const char *suffix)
{
	unsigned long value = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/fs/%s-%s", is_native() ? "aio" : "raio", suffix);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%lu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

unsigned long be_nr(void)
{
	return sysctl_value("nr");
}

unsigned long be_max_nr(void)
{
	return sysctl_value("max-nr");
}

/* All slots of its pages but one; native aio counts what was asked for. */
unsigned long be_share(unsigned int nr_events)
{
	const size_t per_page = 4096 / sizeof(struct io_event);
	/* with the header, the slot that stays empty, and another */
	size_t slots = nr_events + 3UL;

	if (is_native() || !nr_events)
		return nr_events;
	return (slots + per_page - 1) / per_page * per_page - 2;
}

unsigned int be_fitting(unsigned long share)
{
	const size_t per_page = 4096 / sizeof(struct io_event);
	unsigned long largest = (share + 2) / per_page * per_page;

	if (is_native())
		largest = share;
	else if (largest)
		largest -= 3;
	return largest < 32768 ? largest : 32768;
}

bool be_present(void)
{
	if (is_native())
		return be_destroy(0) == -EINVAL;
	return access("/dev/raio", R_OK | W_OK) == 0;
}

struct raio_info raio_info(void)
{
	struct raio_info info;

	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_INFO, &info));
	return info;
}
