// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"

void absent_open(struct absent *absent)
{
	struct uffdio_api api = { .api = UFFD_API };

	absent->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (absent->uffd < 0)
		SKIP("no userfaultfd: %m");
	ASSERT_EQ(0, ioctl(absent->uffd, UFFDIO_API, &api));
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

void absent_wait(const struct absent *absent)
{
	struct pollfd pollfd = { .fd = absent->uffd, .events = POLLIN };

	while (poll(&pollfd, 1, -1) != 1)
		ASSERT_EQ(EINTR, errno);
}

void absent_serve(const struct absent *absent)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)absent->pages, .len = absent->size },
	};

	ASSERT_EQ(0, ioctl(absent->uffd, UFFDIO_ZEROPAGE, &zero));
}
