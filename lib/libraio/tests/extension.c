// SPDX-License-Identifier: LGPL-2.1-or-later
/* A program that knows libraio, with <libaio.h> at the same time. */
#define _GNU_SOURCE
#include <errno.h>
#include <libraio.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* A read with a registered buffer and file, which has no descriptor any more. */
static int read_registered(io_context_t ctx)
{
	static char memory[8];
	struct iovec iovec = { .iov_base = memory, .iov_len = sizeof(memory) };
	struct iocb iocb, *list[] = { &iocb };
	int fd = memfd_create("extension", 0);
	struct io_event event;
	long submitted;

	if (fd < 0 || write(fd, "data", 4) != 4)
		return 1;
	if (raio_register(ctx, RAIO_REGISTER_BUFFERS, &iovec, 1) ||
	    raio_register(ctx, RAIO_REGISTER_FILES, &fd, 1))
		return 1;
	close(fd);
	io_prep_pread(&iocb, fd, memory + 1, 4, 0);
	raio_set_fixed_buffer(&iocb, 0);
	raio_set_fixed_file(&iocb, 0);
	if (raio_submit_and_getevents(ctx, 1, list, &submitted, 1, 1, &event, NULL) != 1)
		return 1;
	if (event.res != 4 || memcmp(memory, "\0data", 6))
		return 1;
	return raio_register(ctx, RAIO_UNREGISTER_BUFFERS, NULL, 0) ||
	       raio_register(ctx, RAIO_UNREGISTER_FILES, NULL, 0);
}

int main(void)
{
	io_context_t ctx = NULL;
	struct io_event event;
	long submitted;

	if (raio_is_native() < 0 || io_setup(8, &ctx))
		return 1;
	if (raio_submit_and_getevents(ctx, 0, NULL, &submitted, 0, 1, &event, NULL))
		return 1;
	if (read_registered(ctx))
		return 1;
	return io_destroy(ctx) || raio_syscall(-1) != -ENOSYS;
}
