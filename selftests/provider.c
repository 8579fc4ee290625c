// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a driver may end a request in a timer's interrupt, in a work item,
 * before the issue call returns, with an error, or when it likes; it may refuse a
 * try that must not wait, at once or later, and wake who polls.  Each request has
 * its data and its one event, whatever the driver does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "provider_open.h"
#include "workers.h"

#define COUNT	32
#define SIZE	1000

#define BOTH(_name, _test, ...)						\
	static void _name(const char *path);				\
	_test(_name##_c __VA_OPT__(,) __VA_ARGS__) { _name(PROVIDER_PATH); } \
	_test(_name##_rust __VA_OPT__(,) __VA_ARGS__) { _name("/dev/raio_provider_rust"); } \
	static void _name(const char *path)

#define TEST_BOTH(_name)		BOTH(_name, TEST)
#define TEST_RAIO_BOTH(_name, _why)	BOTH(_name, TEST_RAIO, _why)

struct batch {
	struct iocb iocbs[COUNT], *list[COUNT];
	uint8_t bufs[COUNT][SIZE];
	struct io_event events[COUNT];
	int fd;
};

static bool is_filled(const uint8_t *buf, size_t size, int64_t offset)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (buf[i] != PROVIDER_BYTE(offset + i))
			return false;
	return true;
}

static struct batch *new_batch(int fd, unsigned int opcode)
{
	static struct batch batch;
	int i;

	memset(&batch, 0, sizeof(batch));
	batch.fd = fd;
	for (i = 0; i < COUNT; i++) {
		prep(&batch.iocbs[i], opcode, fd, batch.bufs[i], SIZE, i * SIZE);
		batch.list[i] = &batch.iocbs[i];
		if (opcode == IOCB_CMD_PWRITE)
			provider_fill(batch.bufs[i], SIZE, i * SIZE);
	}
	return &batch;
}

/* One event for each iocb, all with that result, and no more. */
static void expect_events(aio_context_t ctx, struct batch *batch, int64_t result)
{
	bool seen[COUNT] = { false };
	struct io_event more;
	int i, index;

	ASSERT_EQ(COUNT, events_wait(ctx, batch->events, COUNT));
	for (i = 0; i < COUNT; i++) {
		index = (struct iocb *)(uintptr_t)batch->events[i].obj - batch->iocbs;
		ASSERT_TRUE(index >= 0 && index < COUNT);
		EXPECT_TRUE(!seen[index]);
		seen[index] = true;
		EXPECT_EQ(result, batch->events[i].res);
		EXPECT_EQ(0, batch->events[i].res2);
		if (result == SIZE)
			EXPECT_TRUE(is_filled(batch->bufs[index], SIZE, index * SIZE));
	}
	EXPECT_EQ(0, events_now(ctx, &more, 1));
	EXPECT_EQ(0, ioctl(batch->fd, PROVIDER_PENDING));
}

static void run_batch(const char *path, enum provider_mode mode, unsigned int opcode,
		      int64_t result)
{
	struct batch *batch = new_batch(provider_open(path, mode), opcode);
	aio_context_t ctx = new_context(COUNT);
	int round;

	for (round = 1; round <= 3; round++) {
		ASSERT_EQ(COUNT, be_submit(ctx, COUNT, batch->list));
		expect_events(ctx, batch, result);
		EXPECT_EQ(round * COUNT, ioctl(batch->fd, PROVIDER_CALLS));
	}
}

TEST_BOTH(at_once)
{
	run_batch(path, PROVIDER_AT_ONCE, IOCB_CMD_PREAD, SIZE);
}

TEST_BOTH(timer)
{
	run_batch(path, PROVIDER_TIMER, IOCB_CMD_PREAD, SIZE);
}

TEST_BOTH(timer_write)
{
	run_batch(path, PROVIDER_TIMER, IOCB_CMD_PWRITE, SIZE);
}

TEST_BOTH(work)
{
	run_batch(path, PROVIDER_WORK, IOCB_CMD_PREAD, SIZE);
}

TEST_BOTH(early)
{
	run_batch(path, PROVIDER_EARLY, IOCB_CMD_PREAD, SIZE);
}

TEST_BOTH(early_write)
{
	run_batch(path, PROVIDER_EARLY, IOCB_CMD_PWRITE, SIZE);
}

TEST_BOTH(error)
{
	run_batch(path, PROVIDER_ERROR, IOCB_CMD_PREAD, -EIO);
}

TEST_BOTH(error_write)
{
	run_batch(path, PROVIDER_ERROR, IOCB_CMD_PWRITE, -EIO);
}

/* What is written comes from the program's own memory, the segments in order. */
TEST_BOTH(vectors)
{
	uint8_t bytes[2 * SIZE + 1], read_back[sizeof(bytes)];
	struct iovec iov[] = { { bytes, 1 }, { bytes + 1, 0 }, { bytes + 1, 2 * SIZE } };
	struct iovec to[] = { { read_back, SIZE }, { read_back + SIZE, SIZE + 1 } };
	aio_context_t ctx = new_context(1);
	struct iocb iocb;
	int fd = provider_open(path, PROVIDER_TIMER);

	provider_fill(bytes, sizeof(bytes), 77);
	prep(&iocb, IOCB_CMD_PWRITEV, fd, iov, ARRAY_SIZE(iov), 77);
	EXPECT_EQ(sizeof(bytes), run_one(ctx, &iocb));
	prep(&iocb, IOCB_CMD_PREADV, fd, to, ARRAY_SIZE(to), 77);
	EXPECT_EQ(sizeof(bytes), run_one(ctx, &iocb));
	EXPECT_EQ(0, memcmp(bytes, read_back, sizeof(bytes)));

	bytes[SIZE] ^= 1;
	prep(&iocb, IOCB_CMD_PWRITE, fd, bytes, sizeof(bytes), 77);
	EXPECT_EQ(-EILSEQ, run_one(ctx, &iocb));
}

/* A driver that does not answer holds up nobody but its request. */
TEST_BOTH(held)
{
	struct batch *batch = new_batch(provider_open(path, PROVIDER_HELD), IOCB_CMD_PREAD);
	aio_context_t ctx = new_context(COUNT + 1);
	struct rusage before, after;
	struct io_event event;

	/* nothing is loaded or allocated for the first time when it counts */
	ASSERT_EQ(1, be_submit(ctx, 1, batch->list));
	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &before));
	ASSERT_EQ(COUNT - 1, be_submit(ctx, COUNT - 1, batch->list + 1));
	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &after));
	EXPECT_EQ(before.ru_nvcsw, after.ru_nvcsw);

	EXPECT_EQ(COUNT, ioctl(batch->fd, PROVIDER_PENDING));
	EXPECT_EQ(0, events_now(ctx, &event, 1));
	expect_works(ctx);
	EXPECT_EQ(is_native() ? -EINVAL : -EAGAIN, be_cancel(ctx, batch->list[0], &event));
	EXPECT_EQ(0, events_now(ctx, &event, 1));

	EXPECT_EQ(COUNT, ioctl(batch->fd, PROVIDER_ANSWER));
	expect_events(ctx, batch, SIZE);
	EXPECT_EQ(0, ioctl(batch->fd, PROVIDER_ANSWER));
	EXPECT_EQ(COUNT, ioctl(batch->fd, PROVIDER_CALLS));
}

/* A process is not dead before its last request is. */
TEST_BOTH(held_at_exit)
{
	int fd = provider_open(path, PROVIDER_HELD), status, i;
	struct batch *batch = new_batch(fd, IOCB_CMD_PREAD);
	pid_t pid = test_fork();

	if (pid == 0) {
		ASSERT_EQ(COUNT, be_submit(new_context(COUNT), COUNT, batch->list));
		_exit(0);
	}
	while (ioctl(fd, PROVIDER_PENDING) < COUNT)
		usleep(1000);
	for (i = 0; i < 20; i++) {
		usleep(10000);
		ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
	}
	EXPECT_EQ(COUNT, ioctl(fd, PROVIDER_ANSWER));
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_EQ(0, ioctl(fd, PROVIDER_PENDING));
}

TEST_BOTH(held_at_destroy)
{
	struct batch *batch = new_batch(provider_open(path, PROVIDER_HELD), IOCB_CMD_PREAD);
	aio_context_t ctx = new_context(COUNT);
	pid_t pid;

	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, batch->list));
	pid = test_fork();
	if (pid == 0) {
		usleep(100000);
		_exit(ioctl(batch->fd, PROVIDER_ANSWER) == COUNT ? 0 : 1);
	}
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, ioctl(batch->fd, PROVIDER_PENDING));
	EXPECT_EQ(0, test_wait(pid));
}

TEST_RAIO_BOTH(wakes, "native: io_submit waits for the driver")
{
	struct batch *batch = new_batch(provider_open(path, PROVIDER_WAKES), IOCB_CMD_PREAD);
	aio_context_t ctx = new_context(COUNT);
	struct rusage before, after;

	/* time to see that the submitter does not wait for it */
	ASSERT_EQ(0, ioctl(batch->fd, PROVIDER_SET_DELAY, 20000));
	ASSERT_EQ(1, be_submit(ctx, 1, batch->list));
	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &before));
	ASSERT_EQ(COUNT - 1, be_submit(ctx, COUNT - 1, batch->list + 1));
	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &after));
	EXPECT_EQ(before.ru_nvcsw, after.ru_nvcsw);
	ASSERT_EQ(0, ioctl(batch->fd, PROVIDER_SET_DELAY, 1000));
	expect_events(ctx, batch, SIZE);
	EXPECT_LE(COUNT, ioctl(batch->fd, PROVIDER_NOWAIT_CALLS));
}

/* The wake may come before, while and after the request is armed. */
TEST_RAIO_BOTH(wakes_soon, "native: io_submit waits for the driver")
{
	unsigned long i, rounds = stress_count(300);
	aio_context_t ctx = new_context(1);
	static uint8_t buf[SIZE];
	struct iocb iocb;
	int fd = provider_open(path, PROVIDER_WAKES);

	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, ioctl(fd, PROVIDER_SET_DELAY, i % 50));
		prep(&iocb, i % 2 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE, fd, buf, SIZE, i);
		provider_fill(buf, SIZE, i);
		ASSERT_EQ(SIZE, run_one(ctx, &iocb));
	}
}

TEST_RAIO_BOTH(late_eagain, "native: every try may wait")
{
	struct batch *batch = new_batch(provider_open(path, PROVIDER_LATE_EAGAIN), IOCB_CMD_PREAD);
	aio_context_t ctx = new_context(COUNT);
	int calls, nowait_calls;

	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, batch->list));
	expect_events(ctx, batch, SIZE);
	calls = ioctl(batch->fd, PROVIDER_CALLS);
	nowait_calls = ioctl(batch->fd, PROVIDER_NOWAIT_CALLS);
	EXPECT_EQ(COUNT, calls - nowait_calls);
	EXPECT_LE(COUNT, nowait_calls);
	/* nobody goes on and on with what was refused */
	EXPECT_LE(nowait_calls, 4 * COUNT);
}

TEST_RAIO_BOTH(late_eagain_write, "native: every try may wait")
{
	struct batch *batch = new_batch(provider_open(path, PROVIDER_LATE_EAGAIN), IOCB_CMD_PWRITE);
	aio_context_t ctx = new_context(COUNT);

	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, batch->list));
	expect_events(ctx, batch, SIZE);
}

/* The program looks at the ring alone: there may be no thread, and nobody who waits. */
TEST_RAIO_BOTH(late_eagain_nobody_waits, "native: every try may wait")
{
	struct batch *batch = new_batch(provider_open(path, PROVIDER_LATE_EAGAIN), IOCB_CMD_PREAD);
	aio_context_t ctx = new_context(COUNT);

	ASSERT_EQ(1, be_submit(ctx, 1, batch->list));
	wait_for_ring(ctx, 1);
	ASSERT_EQ(COUNT - 1, be_submit(ctx, COUNT - 1, batch->list + 1));
	wait_for_ring(ctx, COUNT);
	expect_events(ctx, batch, SIZE);
}

/* Who asks for RWF_NOWAIT is told, and nothing is tried again. */
TEST_BOTH(rwf_nowait)
{
	static const enum provider_mode modes[] = { PROVIDER_WAKES, PROVIDER_LATE_EAGAIN };
	aio_context_t ctx = new_context(1);
	struct iocb iocb;
	uint8_t buf[1];
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = provider_open(path, modes[i]);
		prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
		iocb.aio_rw_flags = RWF_NOWAIT;
		EXPECT_EQ(-EAGAIN, run_one(ctx, &iocb));
		EXPECT_EQ(1, ioctl(fd, PROVIDER_CALLS));
	}
}

/* Requests that end in every way, in one context. */
TEST_BOTH(mixed)
{
	static const enum provider_mode modes[] = {
		PROVIDER_AT_ONCE, PROVIDER_TIMER, PROVIDER_WORK, PROVIDER_EARLY, PROVIDER_ERROR,
		/* of raio only: */
		PROVIDER_WAKES, PROVIDER_LATE_EAGAIN,
	};
	unsigned int i, count = ARRAY_SIZE(modes) - (is_native() ? 2 : 0);
	struct batch *batch = new_batch(-1, IOCB_CMD_PREAD);
	unsigned long taken = 0, rounds = stress_count(1000);
	struct iocb **list = batch->list;
	aio_context_t ctx = new_context(COUNT);
	int fds[ARRAY_SIZE(modes)], n;
	unsigned int seed = 1;

	for (i = 0; i < count; i++)
		fds[i] = provider_open(path, modes[i]);
	for (i = 0; i < COUNT; i++)
		batch->iocbs[i].aio_fildes = fds[i % count];
	ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
	for (; taken < rounds; taken += n) {
		n = be_getevents(ctx, 1, COUNT, batch->events, NULL);
		ASSERT_LE(1, n);
		for (i = 0; i < (unsigned int)n; i++) {
			struct iocb *iocb = (struct iocb *)(uintptr_t)batch->events[i].obj;
			bool fails = (int)iocb->aio_fildes == fds[4];

			ASSERT_EQ(fails ? -EIO : SIZE, (long long)batch->events[i].res);
			iocb->aio_fildes = fds[random_number(&seed) % count];
			list[i] = iocb;
		}
		ASSERT_EQ(n, be_submit(ctx, n, list));
	}
	EXPECT_EQ(COUNT, events_wait(ctx, batch->events, COUNT));
}
