// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whichever allocation or access to the program's memory fails in
 * a call that makes, moves or looks at a context, the call says so, and nothing is lost
 * or left behind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fail_nth.h"
#include "harness.h"
#include "workers.h"

#define WHY	"its way of failing is not what is tested"

static int result(long ret)
{
	return ret < 0 ? -errno : (int)ret;
}

static void setups(unsigned int nr_events, unsigned int flags, unsigned int least)
{
	struct left before;

	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		struct raio_setup setup = { .nr_events = nr_events, .flags = flags };
		int ret;

		fail_nth_arm();
		ret = raio_ioctl(RAIO_IOC_SETUP, &setup);
		if (fail_nth_disarm() && ret) {
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
			EXPECT_EQ(0, setup.ctx_id);
		} else {
			ASSERT_EQ(0, ret);
			expect_works(setup.ctx_id);
			EXPECT_EQ(0, be_destroy(setup.ctx_id));
		}
		if (be_nr() != before.nr || status_kib("VmPin") != before.pinned)
			left_expect(&before, "setup");
	}
	test_note("%u events: %u operations failed", nr_events, fail_nth_count());
	left_expect(&before, "setup");
	EXPECT_LE(least, fail_nth_count());
}

TEST_RAIO(setup, WHY)
{
	/* the argument, the pages, the tables, the file, its mapping */
	setups(1, 0, 10);
	setups(1000, RAIO_SETUP_NO_THREADS | RAIO_SETUP_CANCEL_EVENT, 20);
}

/* There is no page any more: none for the ring, or for the tables of a large one. */
TEST_RAIO(setup_without_pages, WHY)
{
	struct left before;
	unsigned int pages;

	left_look(&before);
	/* the ring alone has more */
	for (pages = 0; pages < 700; pages = 2 * pages + 1) {
		struct raio_setup setup = { .nr_events = 100000 };
		int ret;

		fail_pages_after(pages);
		ret = raio_ioctl(RAIO_IOC_SETUP, &setup);
		fail_pages_end();
		EXPECT_EQ(-ENOMEM, ret);
		EXPECT_EQ(0, setup.ctx_id);
	}
	left_expect(&before, "setup");
}

TEST_RAIO(info, WHY)
{
	struct raio_info info;
	int ret;

	for (fail_nth_start(); fail_nth_next();) {
		memset(&info, 0xff, sizeof(info));
		fail_nth_arm();
		ret = raio_ioctl(RAIO_IOC_INFO, &info);
		if (fail_nth_disarm())
			EXPECT_EQ(-EFAULT, ret);
		else
			EXPECT_TRUE(ret == 0 && info.flags == 0);
	}
	EXPECT_EQ(1, fail_nth_count());
}

TEST_RAIO(door, WHY)
{
	struct left before;
	int fd;

	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		fail_nth_arm();
		fd = syscall(SYS_openat, AT_FDCWD, "/dev/raio", O_RDWR | O_CLOEXEC);
		if (fail_nth_disarm() && fd < 0)
			EXPECT_TRUE(errno == ENOMEM || errno == EFAULT);
		else
			ASSERT_LE(0, fd);
		if (fd >= 0)
			close(fd);
	}
	left_expect(&before, "open");
	EXPECT_LE(3, fail_nth_count());
}

/* Who polls the device is told, or has an error. */
TEST_RAIO(door_poll, WHY)
{
	aio_context_t ctx = context_with_events(1);
	struct left before;

	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		struct pollfd pollfd = { .fd = raio_fd(), .events = POLLIN };
		struct timespec now = {};
		int ret;

		fail_nth_arm();
		ret = result(syscall(SYS_ppoll, &pollfd, 1, &now, NULL, 0));
		if (fail_nth_disarm() && ret < 0)
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
		else
			EXPECT_EQ(1, ret);
	}
	left_expect(&before, "poll");
	EXPECT_LE(1, fail_nth_count());
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST_RAIO(door_epoll, WHY)
{
	aio_context_t ctx = context_with_events(1);
	struct left before;

	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		struct epoll_event event = { .events = EPOLLIN }, seen;
		int ret, epoll = epoll_create1(EPOLL_CLOEXEC);

		ASSERT_LE(0, epoll);
		fail_nth_arm();
		ret = result(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, raio_fd(), &event));
		if (fail_nth_disarm() && ret)
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
		else
			EXPECT_EQ(1, ret ?: epoll_wait(epoll, &seen, 1, 0));
		close(epoll);
	}
	left_expect(&before, "epoll");
	EXPECT_LE(2, fail_nth_count());
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST_RAIO(fdinfo, WHY)
{
	aio_context_t ctx = new_context(1);
	char path[40], text[1024];
	struct left before;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", raio_fd());
	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t ret;

		ASSERT_LE(0, fd);
		fail_nth_arm();
		ret = result(syscall(SYS_read, fd, text, sizeof(text) - 1));
		if (fail_nth_disarm() && ret < 0) {
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
		} else {
			ASSERT_LT(0, ret);
			text[ret] = 0;
			EXPECT_TRUE(strstr(text, "context:\t"));
		}
		close(fd);
	}
	left_expect(&before, "fdinfo");
	EXPECT_EQ(0, be_destroy(ctx));
}

/* A limit is the old one or the new one. */
static void limits(const char *path)
{
	char old[32] = "", now[32], text[32];
	int fd = open(path, O_RDWR | O_CLOEXEC), len;
	ssize_t ret;

	ASSERT_LE(0, fd);
	ASSERT_LT(0, pread(fd, old, sizeof(old) - 1, 0));
	len = snprintf(text, sizeof(text), "%lu\n", strtoul(old, NULL, 10) - 1);
	for (fail_nth_start(); fail_nth_next();) {
		ASSERT_EQ(strlen(old), pwrite(fd, old, strlen(old), 0));
		fail_nth_arm();
		ret = result(syscall(SYS_pwrite64, fd, text, len, 0));
		if (fail_nth_disarm() && ret < 0)
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
		else
			EXPECT_EQ(len, ret);
		memset(now, 0, sizeof(now));
		ASSERT_LT(0, pread(fd, now, sizeof(now) - 1, 0));
		EXPECT_TRUE(!strcmp(ret < 0 ? old : text, now));
	}
	EXPECT_LE(2, fail_nth_count());
	ASSERT_EQ(strlen(old), pwrite(fd, old, strlen(old), 0));
	close(fd);
}

TEST_RAIO(sysctls, WHY)
{
	limits("/proc/sys/fs/raio-max-nr");
	limits("/proc/sys/fs/raio-max-user-nr");
}

/* The ring is where it was, or where it was to go, and is the context there. */
TEST_RAIO(moves, WHY)
{
	struct left before;

	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context(300), now;
		size_t size = mapping_size(ctx);
		void *to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		long ret;

		ASSERT_TRUE(to != MAP_FAILED);
		fail_nth_arm();
		ret = syscall(SYS_mremap, ctx, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		if (fail_nth_disarm() && ret < 0) {
			EXPECT_EQ(ENOMEM, errno);
			now = ctx;
			/* what was there has gone, or has not */
			munmap(to, size);
		} else {
			ASSERT_EQ((long)to, ret);
			now = ret;
			/* the kernel leaves it if it can't unmap it */
			if (mapping_size(ctx))
				ASSERT_EQ(0, munmap((void *)ctx, size));
		}
		EXPECT_EQ(size, mapping_size(now));
		expect_works(now);
		EXPECT_EQ(0, be_destroy(now));
		EXPECT_EQ(0, mapping_size(now));
		if (be_nr() != before.nr)
			left_expect(&before, "mremap");
	}
	left_expect(&before, "mremap");
	EXPECT_LE(5, fail_nth_count());
}

TEST_RAIO(protections, WHY)
{
	struct left before;

	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context(300);
		size_t size = mapping_size(ctx);
		int ret;

		fail_nth_arm();
		ret = result(syscall(SYS_mprotect, ctx, size, PROT_READ));
		if (fail_nth_disarm() && ret)
			EXPECT_EQ(-ENOMEM, ret);
		else
			EXPECT_EQ(0, ret);
		expect_works(ctx);
		EXPECT_EQ(0, be_destroy(ctx));
	}
	left_expect(&before, "mprotect");
}

/* munmap either does not, and it is a context as before, or it ends it. */
TEST_RAIO(unmaps, WHY)
{
	struct left before;

	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		aio_context_t ctx = new_context(300);
		size_t size = mapping_size(ctx);
		int ret;

		fail_nth_arm();
		ret = result(syscall(SYS_munmap, ctx, size));
		if (fail_nth_disarm() && ret) {
			EXPECT_EQ(-ENOMEM, ret);
			expect_works(ctx);
			EXPECT_EQ(0, be_destroy(ctx));
		} else {
			EXPECT_EQ(0, ret);
		}
		EXPECT_EQ(0, mapping_size(ctx));
		EXPECT_EQ(before.nr, be_nr());
	}
	left_expect(&before, "munmap");
	test_note("%u operations failed", fail_nth_count());
	EXPECT_LE(1, fail_nth_count());
}

/* The parent keeps its context, whether there is a child or not. */
TEST_RAIO(forks, WHY)
{
	aio_context_t ctx = new_context(8);
	struct left before;

	expect_works(ctx);
	wait_worker_threads(getpid(), false);
	left_look(&before);
	/* each of its pages has a table and more: some of them stand for all */
	for (fail_nth_start(), fail_nth_stride(3); fail_nth_next();) {
		pid_t pid;

		fail_nth_arm();
		pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid == 0) {
			struct io_event event;

			_exit(events_now(ctx, &event, 1) == -EINVAL ? 0 : 1);
		}
		if (fail_nth_disarm() && pid < 0)
			EXPECT_TRUE(errno == ENOMEM || errno == EAGAIN);
		else
			ASSERT_LT(0, pid);
		if (pid > 0)
			EXPECT_EQ(0, test_wait(pid));
		expect_works(ctx);
	}
	test_note("%u operations failed", fail_nth_count());
	left_expect(&before, "fork");
	EXPECT_LE(20, fail_nth_count());
	EXPECT_EQ(0, be_destroy(ctx));
}
