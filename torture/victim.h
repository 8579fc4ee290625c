/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of a victim, the process that runs a program, have of each other. */
#ifndef RAIO_TORTURE_VICTIM_H
#define RAIO_TORTURE_VICTIM_H

#include <linux/aio_abi.h>
#include <linux/time_types.h>

#include "torture.h"

#define RECORDS		256
#define CONTEXTS	4
#define MAX_CONTEXTS	64	/* of a program, one after the other */
#define BUFFER		8192	/* of a record */

/* files.c: descriptors of all kinds that the module has a way for, and of some others. */
enum kind_id {
	EXT4, EXT4_WRITE, EXT4_DIRECT, XFS, XFS_DIRECT, TMPFS, MEMFD, VFAT, OVERLAY, FUSE,
	NULLB, BRD, PIPE, PIPE_IN, FIFO, UNIX, UNIX_DGRAM, TCP, UDP, TIMEOUT_SOCKET, NETLINK,
	PACKET, VSOCK, EVENTFD, TIMERFD, SIGNALFD, PTY, PTS, EPOLL, INOTIFY, PIDFD, USERFAULTFD,
	PROC, SYSFS, CGROUP, ZERO, FULL, RANDOM, DOOR, DIRECTORY, PATH_ONLY, SPLICED_PIPE, KINDS
};

struct file {
	atomic_int fd, other;		/* -1 if it can't be had; the other end of a stream */
	atomic_bool opened;
	bool pattern;			/* what is read is file_byte() of its offset, or 0 */
	bool stream;			/* what is read goes on as stream_byte() */
	bool is_direct;
	atomic_bool unchecked;		/* the descriptor may be another file */
	atomic_uint fed;		/* bytes that were put into the stream */
};

extern struct file files[KINDS];

void files_prepare(unsigned int lane);	/* as root, once for a lane */
void files_prepare_victim(void);
struct file *file_of(enum kind_id kind);
void files_split(void);
bool files_are_split(void);
void doors_open(void);
struct file *file_get(unsigned int selector);
/* Puts up to n bytes where the kind can be read; takes what others have written there. */
void file_feed(struct file *file, unsigned int n);
void file_drain(struct file *file);
/* From here on nobody waits in a call of a file. */
void files_unblock(void);
/* The FUSE server keeps reads, writes and fsyncs unanswered; or answers all of them. */
void fuse_keep(bool keep);
pid_t fuse_server(void);
uint8_t file_byte(uint64_t offset);
#define NULLB_PATH	"/dev/nullb"

/* requests.c */
struct record {
	struct iocb iocb;
	struct raio_deadline deadline;
	struct iovec *iov;
	uint8_t *buffer;
	uint64_t cookie;
	struct iocb *address;		/* where it was submitted from */
	struct file *file;
	uint64_t offset;
	unsigned int len, serial;
	uint8_t thread;
	bool check;
	atomic_uint refs;
	atomic_bool pending;
	atomic_bool over;
};

struct context {
	aio_context_t id;
	unsigned int number, flags, capacity;
	atomic_bool dead, tampered;
	atomic_bool moving;		/* another ring may be where it was, in a moment */
	atomic_uint serial, outstanding;
	atomic_ulong taken[RECORDS / 64];
	struct record records[RECORDS];
	uint8_t *memory;
};

extern struct context *contexts[CONTEXTS];
extern __thread unsigned int thread_number;
/* Operations that each thread has begun, and calls that have returned to it. */
extern atomic_uint steps_of[THREADS + 1];

struct context *context_get(unsigned int selector);
struct context *context_new(aio_context_t id, unsigned int capacity, unsigned int flags);

/* Up to n iocbs, pointers to which are in list. */
unsigned int requests_make(struct context *context, unsigned int n, const uint16_t *arg,
			   struct iocb **list, struct record **records);
/* A submit of n took that many, or gave an errno. */
void requests_submitted(struct context *context, struct record **records, unsigned int n,
			long taken);
void events_seen(const struct io_event *events, long n);
/* The event of a cancel that was successful. */
void cancel_seen(struct context *context, const struct io_event *event);
struct record *request_pending(struct context *context, unsigned int selector);
void request_put(struct context *context, struct record *record);
void contexts_end(void);
void order_check(void);
/* What was read of streams is not all known any more. */
void note_lost(void);

/* memory.c */
void memory_prepare(void);
/* A place for data, or for structures: good or not. */
void *memory_at(unsigned int selector);
/* One that holds a copy of those bytes, or would. */
void *hostile_copy(unsigned int selector, const void *from, size_t size);
void memory_serve(void);
void memory_end(void);

/* victim.c: of the threads, and at last of the process */
extern pid_t thread_ids[THREADS + 1];
uint64_t now_us(void);

/* The ops, in ops_*.c */
#define OP(_name)	void op_##_name(const uint16_t *arg)
OP(info); OP(setup); OP(destroy); OP(submit); OP(enter); OP(getevents); OP(cancel); OP(register);
OP(raw); OP(poll_door); OP(hammer); OP(reap); OP(door);
OP(ring_write); OP(ring_map); OP(memory); OP(uffd);
OP(feed); OP(drain); OP(close); OP(reuse); OP(fcntl); OP(truncate); OP(shutdown); OP(read);
OP(fork); OP(vfork); OP(exec); OP(clone_vm); OP(unshare); OP(creds); OP(limit); OP(signal);
OP(pause); OP(exit); OP(pkey); OP(scm);

#endif /* RAIO_TORTURE_VICTIM_H */
