// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whichever allocation or access to the program's memory fails in
 * a call, the call says so, and nothing is lost or left behind.
 *
 * The kernel's fail-nth makes the nth such operation of a task fail; each test
 * fails the first, the second ... until a pass has no more of them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

#define MAX_NTH	2000
#define COUNT	8

static const char fail_nth[] = "/proc/thread-self/fail-nth";

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		SKIP("no %s: the kernel has no fault injection", path);
	ASSERT_EQ(strlen(text), write(fd, text, strlen(text)));
	close(fd);
}

static int fail_fd;

static void fail_from(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	ASSERT_EQ(len, pwrite(fail_fd, text, len, 0));
}

/* Ends the injection; whether there was one. */
static bool failed(void)
{
	char text[16] = "";
	bool injected;

	/* Both calls may be what fails, if the one before had fewer operations. */
	injected = pread(fail_fd, text, sizeof(text) - 1, 0) > 0 && !strcmp(text, "0\n");
	if (pwrite(fail_fd, "0", 1, 0) != 1)
		ASSERT_EQ(1, pwrite(fail_fd, "0", 1, 0));
	return injected;
}

static void start(void)
{
	write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	fail_fd = open(fail_nth, O_RDWR);
	if (fail_fd < 0)
		SKIP("no %s: the kernel has no fault injection", fail_nth);
	ASSERT_LE(0, raio_fd());
}

TEST_RAIO(setup, "its way of failing is not what is tested")
{
	unsigned long before = be_nr();
	long pinned = status_kib("VmPin");
	unsigned int n, done = 0;
	bool injected = true;

	start();
	for (n = 1; injected && n < MAX_NTH; n++) {
		aio_context_t ctx = 0;
		int ret;

		fail_from(n);
		ret = be_setup(1000, &ctx);
		injected = failed();
		if (ret) {
			EXPECT_TRUE(injected);
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
			EXPECT_EQ(0, ctx);
		} else {
			EXPECT_EQ(0, be_destroy(ctx));
			done++;
		}
		EXPECT_EQ(before, be_nr());
		EXPECT_EQ(pinned, status_kib("VmPin"));
	}
	test_note("%u operations failed, %u setups did not mind", n - 2, done - 1);
	EXPECT_TRUE(!injected);
	/* the argument, the pages, the tables, the file: it did fail */
	EXPECT_LT(10, n);
}

#define SEGMENTS	8

/* Of all that a call does, at least so much can fail. */
static void fail_requests(unsigned int opcode, int fd, size_t size, unsigned int least)
{
	struct iovec iov[COUNT][SEGMENTS];
	bool vectored = opcode == IOCB_CMD_PREADV;
	struct iocb iocbs[COUNT], *list[COUNT];
	unsigned long before = be_nr();
	char buf[COUNT][512];
	bool injected = true;
	unsigned int n;
	int i, j;

	for (i = 0; i < COUNT; i++) {
		for (j = 0; j < SEGMENTS; j++)
			iov[i][j] = (struct iovec){ buf[i] + j, 1 };
		prep(&iocbs[i], opcode, fd, vectored ? (void *)iov[i] : size ? buf[i] : NULL,
		     vectored ? SEGMENTS : size, 0);
		iocbs[i].aio_data = i;
		list[i] = &iocbs[i];
	}
	for (n = 1; injected && n < MAX_NTH; n++) {
		aio_context_t ctx = new_context(COUNT);
		struct io_event events[COUNT + 1];
		unsigned int seen = 0;
		int taken, got;

		fail_from(n);
		taken = be_submit(ctx, COUNT, list);
		injected = failed();
		if (taken < 0) {
			EXPECT_TRUE(injected);
			EXPECT_TRUE(taken == -EAGAIN || taken == -EFAULT ||
				    (vectored && taken == -ENOMEM));
			taken = 0;
		}
		/* one event for each that was taken, and no other */
		ASSERT_EQ(taken, events_wait(ctx, events, taken));
		for (i = 0; i < taken; i++) {
			EXPECT_LT(events[i].data, taken);
			seen |= 1U << events[i].data;
		}
		EXPECT_EQ((1U << taken) - 1, seen);
		EXPECT_EQ(0, events_now(ctx, events, COUNT + 1));

		/* and the next ones are none the worse for it */
		ASSERT_EQ(COUNT, be_submit(ctx, COUNT, list));
		fail_from(1);
		got = be_getevents(ctx, COUNT, COUNT, events, NULL);
		if (failed())
			EXPECT_EQ(-EFAULT, got);
		ASSERT_EQ(COUNT, got < 0 ? events_wait(ctx, events, COUNT) : got);
		EXPECT_EQ(0, be_destroy(ctx));
		EXPECT_EQ(before, be_nr());
	}
	EXPECT_TRUE(!injected);
	EXPECT_LT(least, n);
}

TEST_RAIO(reads, "its way of failing is not what is tested")
{
	start();
	fail_requests(IOCB_CMD_PREAD, new_file(512), 512, COUNT);
}

TEST_RAIO(writes, "its way of failing is not what is tested")
{
	start();
	fail_requests(IOCB_CMD_PWRITE, new_file(512), 512, COUNT);
}

TEST_RAIO(vectored_reads, "its way of failing is not what is tested")
{
	start();
	fail_requests(IOCB_CMD_PREADV, new_file(512), 512, COUNT);
}

TEST_RAIO(fsyncs, "its way of failing is not what is tested")
{
	start();
	fail_requests(IOCB_CMD_FSYNC, new_file(512), 0, COUNT);
}

TEST_RAIO(noops, "NOOP is EINVAL")
{
	start();
	/* the argument and the pointers: there is no request that could not be had */
	fail_requests(IOCB_CMD_NOOP, -1, 0, 2);
}
