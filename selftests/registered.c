// SPDX-License-Identifier: GPL-2.0
/* Registered buffers and files. */
#include "harness.h"
#include "registered.h"

static int do_register(aio_context_t ctx, unsigned int opcode, const void *array, unsigned int nr)
{
	struct raio_register arg = {
		.ctx_id = ctx, .opcode = opcode, .nr = nr, .array = (uintptr_t)array,
	};

	return raio_ioctl(RAIO_IOC_REGISTER, &arg);
}

int register_buffers(aio_context_t ctx, const struct iovec *iovecs, unsigned int nr)
{
	return do_register(ctx, RAIO_REGISTER_BUFFERS, iovecs, nr);
}

int unregister_buffers(aio_context_t ctx)
{
	return do_register(ctx, RAIO_UNREGISTER_BUFFERS, NULL, 0);
}

int register_files(aio_context_t ctx, const int32_t *fds, unsigned int nr)
{
	return do_register(ctx, RAIO_REGISTER_FILES, fds, nr);
}

int unregister_files(aio_context_t ctx)
{
	return do_register(ctx, RAIO_UNREGISTER_FILES, NULL, 0);
}

void register_buffer(aio_context_t ctx, void *base, size_t size)
{
	struct iovec iovec = { .iov_base = base, .iov_len = size };

	ASSERT_EQ(0, register_buffers(ctx, &iovec, 1));
}

void register_file(aio_context_t ctx, int fd)
{
	ASSERT_EQ(0, register_files(ctx, &fd, 1));
}

void fix_buffer(struct iocb *iocb, uint64_t index)
{
	iocb->aio_flags |= RAIO_IOCB_FLAG_FIXED_BUFFER;
	iocb->aio_reserved2 = index;
}

void fix_file(struct iocb *iocb, uint32_t index)
{
	iocb->aio_flags |= RAIO_IOCB_FLAG_FIXED_FILE;
	iocb->aio_fildes = index;
}
