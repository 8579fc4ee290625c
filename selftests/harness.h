/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small KTAP harness, and the aio calls behind one interface so that each
 * test runs against raio and against native aio.
 *
 * Each TEST() runs in a forked child of its own, under a watchdog, so that a
 * crash or a hang is one "not ok".  EXPECT_*() note a failure and go on,
 * ASSERT_*() end the test.  Both may be used in threads and in forked children.
 *
 * Environment: RAIO_BACKEND=raio|native|libraio, RAIO_TEST_DIR (a directory for plain
 * files, default /tmp), RAIO_TEST_TIMEOUT (seconds for each TEST, default 60),
 * RAIO_STRESS (scale of the loops of the stress tests, default 1), RAIO_QUICK (fewer
 * rounds, for slow kernels), RAIO_NO_FAULTS (no failures are injected), RAIO_SHARED
 * (others use raio at the same time: what is left is not looked for in fs.raio-nr).
 */
#ifndef RAIO_HARNESS_H
#define RAIO_HARNESS_H

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/raio.h>
#include <linux/time_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define __noreturn	__attribute__((__noreturn__))
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#define __weak		__attribute__((__weak__))

struct test {
	const char *name;
	void (*fn)(void);
	const char *raio_only;	/* why native aio can't, or NULL */
	struct test *next;
};

void test_register(struct test *test);

#define __TEST(_name, _why)						\
	static void test_run_##_name(void);				\
	static struct test test_##_name = {				\
		.name = #_name, .fn = test_run_##_name, .raio_only = _why, \
	};								\
	static void __attribute__((constructor)) test_add_##_name(void)	\
	{								\
		test_register(&test_##_name);				\
	}								\
	static void test_run_##_name(void)

/* Runs against both backends. */
#define TEST(_name)		__TEST(_name, NULL)
/* A property that native aio does not have; _why is the reason of its skip. */
#define TEST_RAIO(_name, _why)	__TEST(_name, _why)

/* A program that executes itself with "--helper ARG..." ends up here. */
int test_helper(int argc, char **argv);
/* Replaces the process with that program; ends the test if it can't. */
__noreturn void test_exec_helper(char *const args[]);

__printf(1, 2) void test_note(const char *fmt, ...);
__noreturn __printf(1, 2) void test_skip(const char *fmt, ...);
__printf(3, 4) void test_fail(const char *file, int line, const char *fmt, ...);
__noreturn void test_abort(void);
bool test_compare(const char *file, int line, const char *expected_text,
		  long long expected, const char *op, bool ok,
		  const char *seen_text, long long seen);

#define SKIP(...)		test_skip(__VA_ARGS__)
#define FAIL(...)		test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define __COMPARE(_a, _op, _b) ({					\
	__typeof__(_a) __exp = (_a);					\
	__typeof__(_b) __seen = (_b);					\
									\
	test_compare(__FILE__, __LINE__, #_a, (long long)__exp, #_op,	\
		     (long long)__exp _op (long long)__seen, #_b,	\
		     (long long)__seen);				\
})
#define __MUST(_ok) do { if (!(_ok)) test_abort(); } while (0)

/* The expected value is the first one. */
#define EXPECT_EQ(_a, _b)	__COMPARE(_a, ==, _b)
#define EXPECT_NE(_a, _b)	__COMPARE(_a, !=, _b)
#define EXPECT_LE(_a, _b)	__COMPARE(_a, <=, _b)
#define EXPECT_LT(_a, _b)	__COMPARE(_a, <, _b)
#define EXPECT_TRUE(_a)		__COMPARE(true, ==, !!(_a))
#define ASSERT_EQ(_a, _b)	__MUST(EXPECT_EQ(_a, _b))
#define ASSERT_NE(_a, _b)	__MUST(EXPECT_NE(_a, _b))
#define ASSERT_LE(_a, _b)	__MUST(EXPECT_LE(_a, _b))
#define ASSERT_LT(_a, _b)	__MUST(EXPECT_LT(_a, _b))
#define ASSERT_TRUE(_a)		__MUST(EXPECT_TRUE(_a))

/* The calls: 0 or a count, or a negative errno. */
bool is_native(void);
bool is_libraio(void);
/* The event of what is cancelled is in the ring, and cancel is EINPROGRESS. */
bool cancels_into_ring(void);
int be_setup(unsigned int nr_events, aio_context_t *ctx);
int be_destroy(aio_context_t ctx);
int be_submit(aio_context_t ctx, long nr, struct iocb **iocbpp);
int be_cancel(aio_context_t ctx, struct iocb *iocb, struct io_event *result);
int be_getevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
		 const struct __kernel_timespec *timeout);
/* sigmask has sigsetsize bytes; the kernel's sets have 8. */
int be_pgetevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
		  const struct __kernel_timespec *timeout, const void *sigmask,
		  size_t sigsetsize);

/* fs.raio-nr and fs.raio-max-nr, or native aio's. */
unsigned long be_nr(void);
unsigned long be_max_nr(void);
/* What a context for that many requests counts as. */
unsigned long be_share(unsigned int nr_events);
/* The largest context that counts as at most that, but for at most 32768; 0 if there is none. */
unsigned int be_fitting(unsigned long share);
bool be_present(void);

/* An open /dev/raio: opened at the first call. */
int raio_fd(void);
void raio_close(void);
/* The ioctl as it is; 0 or a count, or a negative errno. */
int raio_ioctl(unsigned int cmd, void *arg);
/* What RAIO_IOC_INFO tells. */
struct raio_info raio_info(void);

#include "util.h"

#endif /* RAIO_HARNESS_H */
