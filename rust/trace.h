/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of requests, for perf, bpftrace and tracefs. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM raio

#if !defined(_RAIO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _RAIO_TRACE_H

#include <linux/aio_abi.h>
#include <linux/raio.h>
#include <linux/tracepoint.h>

/* Programs that read the format do not know the values. */
TRACE_DEFINE_ENUM(IOCB_CMD_PREAD);
TRACE_DEFINE_ENUM(IOCB_CMD_PWRITE);
TRACE_DEFINE_ENUM(IOCB_CMD_FSYNC);
TRACE_DEFINE_ENUM(IOCB_CMD_FDSYNC);
TRACE_DEFINE_ENUM(IOCB_CMD_POLL);
TRACE_DEFINE_ENUM(IOCB_CMD_NOOP);
TRACE_DEFINE_ENUM(IOCB_CMD_PREADV);
TRACE_DEFINE_ENUM(IOCB_CMD_PWRITEV);

#define raio_show_opcode(opcode)			\
	__print_symbolic(opcode,			\
			 { IOCB_CMD_PREAD, "PREAD" },	\
			 { IOCB_CMD_PWRITE, "PWRITE" },	\
			 { IOCB_CMD_FSYNC, "FSYNC" },	\
			 { IOCB_CMD_FDSYNC, "FDSYNC" },	\
			 { IOCB_CMD_POLL, "POLL" },	\
			 { IOCB_CMD_NOOP, "NOOP" },	\
			 { IOCB_CMD_PREADV, "PREADV" },	\
			 { IOCB_CMD_PWRITEV, "PWRITEV" },	\
			 { RAIO_CMD_SYNC_FILE_RANGE, "SYNC_FILE_RANGE" })

DECLARE_EVENT_CLASS(raio_request,
	TP_PROTO(u64 ctx, u64 iocb, u32 key, u16 opcode, u32 fd, s64 result),
	TP_ARGS(ctx, iocb, key, opcode, fd, result),
	TP_STRUCT__entry(
		__field(u64, ctx)
		__field(u64, iocb)
		__field(s64, result)
		__field(u32, key)
		__field(u32, fd)
		__field(u16, opcode)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->iocb = iocb;
		__entry->result = result;
		__entry->key = key;
		__entry->fd = fd;
		__entry->opcode = opcode;
	),
	TP_printk("ctx=0x%llx iocb=0x%llx key=0x%x opcode=%s fd=%d result=%lld",
		  __entry->ctx, __entry->iocb, __entry->key,
		  raio_show_opcode(__entry->opcode), (int)__entry->fd, __entry->result)
);

#define RAIO_EVENT(name)							\
DEFINE_EVENT(raio_request, name,						\
	TP_PROTO(u64 ctx, u64 iocb, u32 key, u16 opcode, u32 fd, s64 result),	\
	TP_ARGS(ctx, iocb, key, opcode, fd, result))

/* The request was accepted: its event will come. */
RAIO_EVENT(raio_submit);
/* The request is armed, and waits for a wake. */
RAIO_EVENT(raio_arm);
/* The request was woken. */
RAIO_EVENT(raio_kick);
/* The request is tried again. */
RAIO_EVENT(raio_retry);
/* The request can't go on in its context, and was put on a list. */
RAIO_EVENT(raio_punt);
/* The event of the request is published in the ring, with this result. */
RAIO_EVENT(raio_complete);
/* Somebody tried to cancel the request; result is 0 or an errno. */
RAIO_EVENT(raio_cancel);

#endif /* _RAIO_TRACE_H */

/* In rust/, which Kbuild adds with -I. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
