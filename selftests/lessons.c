// SPDX-License-Identifier: GPL-2.0
/*
 * Description: faults that fs/aio.c, and what is like it, once had in what a program
 * passes to a call, one TEST() for each: Documentation/lessons.md lists them all.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"
#include "special.h"

/* What the kernel moves in one call at most. */
#define MAX_RW	(INT_MAX & ~4095)
#define GIB	(1UL << 30)

/* Nobody has the reading end of a pipe whose writing end that is. */
static void expect_reader_gone(int writer)
{
	struct pollfd pollfd = { .fd = writer };

	EXPECT_EQ(1, poll(&pollfd, 1, -1));
	EXPECT_TRUE(pollfd.revents & POLLERR);
}

/*
 * An eventfd that was none was kept as an error in the request's pointer, and used as a
 * file when the request was given up.
 */
TEST(cve_2010_3066)
{
	aio_context_t ctx = new_context(8);
	int bad[] = { -1, 9999, new_file(1), open("/", O_PATH) };
	static char buf[1];
	struct iocb iocb;
	unsigned int i;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	iocb.aio_flags = IOCB_FLAG_RESFD;
	/* more of them than there are requests */
	for (i = 0; i < 2000; i++) {
		iocb.aio_resfd = bad[i % ARRAY_SIZE(bad)];
		EXPECT_EQ(i % ARRAY_SIZE(bad) == 2 ? -EINVAL : -EBADF, submit_one(ctx, &iocb));
	}
	/* neither the requests nor their file were kept */
	close(fds[0]);
	expect_reader_gone(fds[1]);
	expect_works(ctx);
	EXPECT_EQ(0, be_destroy(ctx));
}

/* nr times the size of a pointer was computed modulo the word. */
TEST(cve_2010_3067)
{
	const long counts[] = {
		LONG_MAX, LONG_MAX / 2 + 2, LONG_MAX / 4 + 3, LONG_MAX / 8 + 3, INT_MAX,
		INT_MAX / 4 + 3,
	};
	aio_context_t ctx = new_context(8);
	/* behind them is no memory */
	struct iocb **list = guarded_buffer(2 * sizeof(*list)), iocbs[2];
	struct io_event events[4];
	static char buf[1];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
		list[i] = &iocbs[i];
	}
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(2, be_submit(ctx, counts[i], list));
		EXPECT_EQ(2, events_wait(ctx, events, 2));
		EXPECT_EQ(-EFAULT, be_submit(ctx, counts[i], list + 2));
		EXPECT_EQ(-EINVAL, be_submit(ctx, -counts[i], list));
		EXPECT_EQ(0, events_now(ctx, events, 4));
	}
	EXPECT_EQ(-EINVAL, be_submit(ctx, LONG_MIN, list));
	expect_works(ctx);
}

/* The same where nr has 64 bits and a pointer has 32. */
TEST_RAIO(cve_2010_3067_wide, "its nr has the width of a pointer")
{
	const int64_t counts[] = {
		INT64_MAX, INT64_MAX / 4 + 3, INT64_MAX / 8 + 3, 1LL << 61 | 2, 1LL << 32 | 2,
	};
	aio_context_t ctx = new_context(8);
	struct iocb **list = guarded_buffer(sizeof(*list)), iocb;
	struct io_event event;
	static char buf[1];
	unsigned int i;

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	list[0] = &iocb;
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		struct raio_submit arg = {
			.ctx_id = ctx, .nr = counts[i], .iocbpp = (uintptr_t)list,
		};

		EXPECT_EQ(1, raio_ioctl(RAIO_IOC_SUBMIT, &arg));
		EXPECT_EQ(1, events_wait(ctx, &event, 1));
		arg.nr = -counts[i];
		EXPECT_EQ(-EINVAL, raio_ioctl(RAIO_IOC_SUBMIT, &arg));
	}
}

/* Address space that nobody looks at: /dev/null takes as much as it is told of. */
static char *room(size_t size)
{
	void *room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);

	ASSERT_TRUE(room != MAP_FAILED);
	return room;
}

/*
 * Sizes did not go through rw_verify_area(): files saw more than MAX_RW_COUNT, or a
 * sum that had wrapped.
 */
TEST(cve_2012_6701)
{
	struct iovec iov[5], huge[3];
	aio_context_t ctx = new_context(8);
	int null = open("/dev/null", O_RDWR);
	char *memory = room(GIB);
	struct iocb iocb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(iov); i++)
		iov[i] = (struct iovec){ memory, GIB };
	prep(&iocb, IOCB_CMD_PWRITEV, null, iov, 1, 0);
	EXPECT_EQ((long long)GIB, run_one(ctx, &iocb));
	for (i = 2; i <= ARRAY_SIZE(iov); i++) {
		iocb.aio_nbytes = i;
		EXPECT_EQ(MAX_RW, run_one(ctx, &iocb));
	}
	/* a length that is negative as a signed word, alone or behind others */
	for (i = 0; i < ARRAY_SIZE(huge); i++)
		huge[i] = (struct iovec){ memory, 1 };
	for (i = 0; i < ARRAY_SIZE(huge); i++) {
		prep(&iocb, IOCB_CMD_PWRITEV, null, huge, ARRAY_SIZE(huge), 0);
		huge[i].iov_len = (size_t)LONG_MAX + 1;
		EXPECT_EQ(-EINVAL, run_one(ctx, &iocb));
		huge[i].iov_len = SIZE_MAX;
		EXPECT_EQ(-EINVAL, run_one(ctx, &iocb));
		huge[i].iov_len = 1;
	}
	/* more segments than there may be */
	prep(&iocb, IOCB_CMD_PWRITEV, null, iov, 1025, 0);
	EXPECT_EQ(-EINVAL, run_one(ctx, &iocb));
	iocb.aio_nbytes = ULLONG_MAX;
	EXPECT_EQ(-EINVAL, run_one(ctx, &iocb));
	/* without a vector */
	prep(&iocb, IOCB_CMD_PWRITE, null, memory, GIB, 0);
	iocb.aio_nbytes = 1ULL << 63;
	EXPECT_EQ(-EINVAL, run_one(ctx, &iocb));
	iocb.aio_nbytes = ULLONG_MAX;
	EXPECT_EQ(-EINVAL, run_one(ctx, &iocb));
	/* a place that is none */
	prep(&iocb, IOCB_CMD_PWRITE, new_file(1), &iocb, 1, -1);
	EXPECT_EQ(-EINVAL, run_one(ctx, &iocb));
	expect_works(ctx);
}

/* The same by one segment, which a later kernel had again: CVE-2015-8830. */
TEST(cve_2012_6701_one_segment)
{
	aio_context_t ctx;
	struct iovec iov;
	struct iocb iocb;
	int null;

	if (sizeof(size_t) == 4)
		SKIP("no memory has that size");
	ctx = new_context(8);
	null = open("/dev/null", O_RDWR);
	iov = (struct iovec){ room(3 * GIB), 3 * GIB };
	prep(&iocb, IOCB_CMD_PWRITEV, null, &iov, 1, 0);
	EXPECT_EQ(MAX_RW, run_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PWRITE, null, iov.iov_base, iov.iov_len, 0);
	EXPECT_EQ(MAX_RW, run_one(ctx, &iocb));
}

/* A setup without room for a ring. */
static void fail_setup(void)
{
	aio_context_t ctx = 0;

	EXPECT_EQ(-ENOMEM, be_setup(1000, &ctx));
	EXPECT_EQ(0, ctx);
}

/* A setup that had failed half-way freed the context twice. */
TEST(cve_2013_7348)
{
	unsigned long before;
	struct rlimit limit;
	aio_context_t ctx;
	unsigned int i;
	long pinned;

	/* libraio would say what it thinks is the reason */
	ASSERT_EQ(0, setenv("RAIO_QUIET", "1", 1));
	ctx = new_context(8);
	before = be_nr();
	pinned = status_kib("VmPin");
	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &limit));
	limit.rlim_cur = 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	for (i = 0; i < test_rounds(100); i++)
		fail_setup();
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	EXPECT_EQ(before, be_nr());
	EXPECT_EQ(pinned, status_kib("VmPin"));
	expect_works(ctx);
	/* what was freed twice would be given out twice */
	for (i = 0; i < 8; i++)
		expect_works(new_context(1000));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(-EINVAL, be_destroy(ctx));
}

/* It fails in the end, when the id can't be told: all of it is undone. */
TEST(cve_2013_7348_id)
{
	const struct raio_setup arg = { .nr_events = 1000 };
	unsigned long before;
	aio_context_t ctx;
	unsigned int i;
	void *copy;
	long size;

	if (is_libraio())
		SKIP("the library writes the id");
	ctx = new_context(8);
	copy = read_only_copy(&arg, sizeof(arg));
	before = be_nr();
	size = status_kib("VmSize");
	for (i = 0; i < test_rounds(50); i++) {
		if (is_native())
			EXPECT_EQ(-1, syscall(SYS_io_setup, 1000, (char *)copy + 8));
		else
			EXPECT_EQ(-EFAULT, raio_ioctl(RAIO_IOC_SETUP, copy));
	}
	EXPECT_EQ(before, be_nr());
	EXPECT_EQ(size, status_kib("VmSize"));
	expect_works(ctx);
}

struct toggle {
	int fd, stop;
};

static void *toggle_direct(void *arg)
{
	struct toggle *toggle = arg;
	int flags = fcntl(toggle->fd, F_GETFL);

	while (!__atomic_load_n(&toggle->stop, __ATOMIC_RELAXED)) {
		ASSERT_EQ(0, fcntl(toggle->fd, F_SETFL, flags ^ O_DIRECT));
		ASSERT_EQ(0, fcntl(toggle->fd, F_SETFL, flags));
	}
	return NULL;
}

/*
 * ext4 looked at O_DIRECT of the file twice in one write, and F_SETFL came between:
 * half of the write was prepared as the one, half as the other.
 */
TEST(cve_2014_8086)
{
	enum { COUNT = 16, SIZE = DIRECT_ALIGN };
	unsigned int i, round, rounds = test_rounds(150);
	static struct iocb iocbs[COUNT], *list[COUNT];
	uint8_t *bufs = aligned_buffer(COUNT * SIZE);
	struct io_event events[COUNT];
	aio_context_t ctx = new_context(COUNT);
	struct toggle toggle = { 0 };
	pthread_t thread;
	ssize_t size;

	toggle.fd = reopen(new_file(COUNT * SIZE), O_RDWR | O_DIRECT);
	if (toggle.fd < 0)
		SKIP("no O_DIRECT there");
	ASSERT_EQ(0, pthread_create(&thread, NULL, toggle_direct, &toggle));
	for (round = 1; round <= rounds; round++) {
		for (i = 0; i < COUNT; i++) {
			fill_pattern(bufs + i * SIZE, SIZE, i * SIZE, round);
			prep(&iocbs[i], IOCB_CMD_PWRITE, toggle.fd, bufs + i * SIZE, SIZE,
			     i * SIZE);
			list[i] = &iocbs[i];
		}
		ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
		ASSERT_EQ(COUNT, events_wait(ctx, events, COUNT));
		for (i = 0; i < COUNT; i++)
			EXPECT_EQ(SIZE, (long long)events[i].res);
		memset(bufs, 0, COUNT * SIZE);
		size = pread(toggle.fd, bufs, COUNT * SIZE, 0);
		EXPECT_EQ(COUNT * SIZE, size);
		EXPECT_TRUE(is_pattern(bufs, COUNT * SIZE, 0, round));
	}
	__atomic_store_n(&toggle.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, be_destroy(ctx));
}

/*
 * A driver that named a cancel function for a kiocb was taken to have one of
 * io_submit's, whoever had made it.  A flag says so now: no program can set it.
 */
TEST(cve_2024_26764_flag)
{
	aio_context_t ctx = new_context(8);
	static char buf[1];
	struct iocb iocb;
	unsigned int bit;

	prep(&iocb, IOCB_CMD_PREAD, new_file(1), buf, 1, 0);
	/* all that is no RWF_* */
	for (bit = 16; bit < 32; bit++) {
		iocb.aio_rw_flags = 1U << bit;
		EXPECT_EQ(-EOPNOTSUPP, run_one(ctx, &iocb));
	}
}
