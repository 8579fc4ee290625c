// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"

void absent_open_features(struct absent *absent, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int ret;

	absent->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (absent->uffd < 0)
		SKIP("no userfaultfd: %m");
	ret = ioctl(absent->uffd, UFFDIO_API, &api);
	if (ret && features)
		SKIP("no such userfaultfd: %m");
	ASSERT_EQ(0, ret);
}

void absent_open(struct absent *absent)
{
	absent_open_features(absent, 0);
}

void absent_map(struct absent *absent, size_t size)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	size_t page = getpagesize();

	absent->size = size;
	absent->there = mmap(NULL, page + size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(absent->there != MAP_FAILED);
	absent->pages = absent->there + page;
	/* or the first page would come with others, on a kernel that has huge ones */
	if (madvise(absent->there, page + size, MADV_NOHUGEPAGE))
		ASSERT_EQ(EINVAL, errno);
	absent->there[0] = 0;
	reg.range.start = (uintptr_t)absent->pages;
	reg.range.len = size;
	ASSERT_EQ(0, ioctl(absent->uffd, UFFDIO_REGISTER, &reg));
}

char *absent_open_page(struct absent *absent)
{
	absent_open(absent);
	absent_map(absent, getpagesize());
	return absent->pages;
}

void absent_wait(const struct absent *absent)
{
	struct pollfd pollfd = { .fd = absent->uffd, .events = POLLIN };
	struct uffd_msg msg;
	ssize_t ret;

	do {
		while (poll(&pollfd, 1, -1) != 1)
			ASSERT_EQ(EINTR, errno);
		ret = read(absent->uffd, &msg, sizeof(msg));
		/* it was killed meanwhile */
	} while (ret < 0 && errno == EAGAIN);
	ASSERT_EQ(sizeof(msg), ret);
	ASSERT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
	/* somewhere in its page */
	EXPECT_LT(msg.arg.pagefault.address - (uintptr_t)absent->pages, absent->size);
}

void absent_serve(const struct absent *absent)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)absent->pages, .len = absent->size },
	};

	ASSERT_EQ(0, ioctl(absent->uffd, UFFDIO_ZEROPAGE, &zero));
}

void absent_serve_bytes(const struct absent *absent, const void *bytes, size_t size)
{
	char *source = aligned_buffer(absent->size);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)absent->pages, .src = (uintptr_t)source, .len = absent->size,
	};

	memcpy(source, bytes, size);
	ASSERT_EQ(0, ioctl(absent->uffd, UFFDIO_COPY, &copy));
	free(source);
}
