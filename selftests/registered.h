/* SPDX-License-Identifier: GPL-2.0 */
/* Registered buffers and files. */
#ifndef RAIO_REGISTERED_H
#define RAIO_REGISTERED_H

#include <linux/aio_abi.h>
#include <stdint.h>
#include <sys/uio.h>

/* 0 or a negative errno. */
int register_buffers(aio_context_t ctx, const struct iovec *iovecs, unsigned int nr);
int unregister_buffers(aio_context_t ctx);
int register_files(aio_context_t ctx, const int32_t *fds, unsigned int nr);
int unregister_files(aio_context_t ctx);
/* One buffer, or file, of index 0; ends the test if it can't. */
void register_buffer(aio_context_t ctx, void *base, size_t size);
void register_file(aio_context_t ctx, int fd);

/* Says that the iocb's memory is in that buffer, and that its file is that one. */
void fix_buffer(struct iocb *iocb, uint64_t index);
void fix_file(struct iocb *iocb, uint32_t index);

#endif /* RAIO_REGISTERED_H */
