/* SPDX-License-Identifier: GPL-2.0 */
/* What several tests need: files, iocbs, the ring, /proc, signals, memory. */
#ifndef RAIO_UTIL_H
#define RAIO_UTIL_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(_a)	(sizeof(_a) / sizeof((_a)[0]))
#define DIRECT_ALIGN	4096

/* A context that the test can't do without. */
aio_context_t new_context(unsigned int nr_events);
/* What setup says of one, which does not stay. */
int setup_and_destroy(unsigned int nr_events);

/* An unlinked file in RAIO_TEST_DIR with that many bytes of fill_pattern(). */
int new_file(size_t size);
/* Another open of the same file; -errno if it can't. */
int reopen(int fd, int flags);
/* The byte at each offset is a function of the offset and the seed. */
void fill_pattern(void *buf, size_t size, uint64_t offset, unsigned int seed);
bool is_pattern(const void *buf, size_t size, uint64_t offset, unsigned int seed);

/* Memory for O_DIRECT, and memory that has an inaccessible page behind it. */
void *aligned_buffer(size_t size);
void *guarded_buffer(size_t size);
/* A page that can be read only; it holds a copy of those bytes. */
void *read_only_copy(const void *bytes, size_t size);

void prep(struct iocb *iocb, unsigned int opcode, int fd, void *buf, size_t size, int64_t offset);
void prep_poll(struct iocb *iocb, int fd, uint64_t events);
/* One request: its event, or the error of its submit. */
int submit_one(aio_context_t ctx, struct iocb *iocb);
int64_t run_one(aio_context_t ctx, struct iocb *iocb);
/* A read of one byte has its event, and the right one. */
void expect_works(aio_context_t ctx);
/* A context for 8 requests in whose ring that many events are. */
aio_context_t context_with_events(unsigned int events);
/* Takes what is there now, without waiting. */
int events_now(aio_context_t ctx, struct io_event *events, long nr);
/* Waits for exactly that many. */
int events_wait(aio_context_t ctx, struct io_event *events, long nr);

/* What fdinfo says of it: "inflight", "armed" and so on; raio only. */
unsigned int context_figure(aio_context_t ctx, const char *name);
/* Returns when a request of the context is armed, or that many are; raio only. */
void wait_armed(aio_context_t ctx);
void wait_armed_count(aio_context_t ctx, unsigned int count);

/* Consumes events as libaio and fio do, without a call. */
struct raio_ring *ring_of(aio_context_t ctx);
struct io_event *ring_events(struct raio_ring *ring);
unsigned int ring_reap(struct raio_ring *ring, struct io_event *events, unsigned int max);

/* The size of the mapping that starts there, 0 if there is none. */
size_t mapping_size(uintptr_t address);
/* A figure of /proc/self/status in KiB: "VmPin", "VmLck". */
long status_kib(const char *name);
/* How many this process has. */
unsigned int open_fds(void);
/* Returns when that thread sleeps interruptibly. */
void wait_asleep(pid_t tid);
pid_t thread_id(void);
/* A handler that does nothing, with or without SA_RESTART. */
void catch_signal(int signal, int flags);

/* A process that writes a byte there when the caller sleeps; its status is 0 if it could. */
pid_t write_when_asleep(int fd);
/* A thread that sends SIGUSR1 to the caller when that sleeps. */
void start_interrupter(void);

/* Skips the test for who is not root; what for is said. */
void need_root(const char *what_for);
/*
 * A file of /proc, /sys or a cgroup is given the text by one write(2); false if it does
 * not take it, with errno.
 */
__printf(2, 3) bool write_control(const char *text, const char *path, ...);

pid_t test_fork(void);
/* The exit status, or 128 + the signal that killed it. */
int test_wait(pid_t pid);
/*
 * Some processes at a time, of which count end, and are followed by others; every third is
 * killed, within that many microseconds.  start(seed) makes one, which exits with 0.
 */
void turn_over(pid_t (*start)(unsigned int seed), unsigned int seed, unsigned long count,
	       unsigned int usecs);

/* RAIO_STRESS times that. */
unsigned long stress_count(unsigned long count);
unsigned int test_rounds(unsigned int count);
unsigned int random_number(unsigned int *state);
uint64_t now_ns(void);

#endif /* RAIO_UTIL_H */
