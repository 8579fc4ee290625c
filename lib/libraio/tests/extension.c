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

/* Deadline and buffer share a field, in whatever order they are set. */
static int prepare(void)
{
	struct raio_deadline deadline = { .time.tv_sec = 1 };
	struct iocb a, b;

	io_prep_pread(&a, 0, &a, 1, -1);
	raio_set_fixed_buffer(&a, 7);
	raio_set_deadline(&a, &deadline);
	if (a.u.c.__pad3 != (long)&deadline || deadline.buffer != 7)
		return 1;
	io_prep_pread(&b, 0, &b, 1, 7);
	raio_set_cur_pos(&b);
	if (b.u.c.offset != -1 || b.u.c.flags != RAIO_IOCB_FLAG_CUR_POS)
		return 1;
	b.u.c.flags = 0;
	raio_set_deadline(&b, &deadline);
	if (deadline.buffer)
		return 1;
	raio_set_fixed_buffer(&b, 8);
	raio_set_barrier(&b);
	if (b.u.c.__pad3 != (long)&deadline || deadline.buffer != 8 || b.u.c.flags !=
	    (RAIO_IOCB_FLAG_DEADLINE | RAIO_IOCB_FLAG_FIXED_BUFFER | RAIO_IOCB_FLAG_BARRIER))
		return 1;
	raio_prep_fdsync_range(&a, 3, 4096, 8192);
	if (a.aio_lio_opcode != IO_CMD_FDSYNC || a.u.c.offset != 4096 || a.u.c.nbytes != 8192 ||
	    a.u.c.flags != RAIO_IOCB_FLAG_RANGE)
		return 1;
	raio_prep_sync_file_range(&b, 3, 4096, 0, 2);
	return b.aio_lio_opcode != RAIO_CMD_SYNC_FILE_RANGE || b.aio_rw_flags != 2 ||
	       b.u.c.offset != 4096 || b.u.c.flags;
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
	if (prepare() || read_registered(ctx))
		return 1;
	return io_destroy(ctx) || raio_syscall(-1) != -ENOSYS;
}
