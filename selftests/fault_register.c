// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whichever operation fails while buffers or files are registered or
 * unregistered, all of them are or none, and nothing stays pinned or open.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fail_nth.h"
#include "harness.h"
#include "registered.h"

#define WHY	"it registers nothing"
#define BUFFERS	3
#define SIZE	(20 * 4096)

static bool may_be_errno(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT;
}

static void *map_buffer(void)
{
	void *buf = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	ASSERT_TRUE(buf != MAP_FAILED);
	return buf;
}

static void read_into(aio_context_t ctx, int fd, void *buf)
{
	struct iovec parts[4];
	struct iocb iocb;
	int i;

	for (i = 0; i < 4; i++)
		parts[i] = (struct iovec){ (char *)buf + i * 1000, 1000 };
	memset(buf, 0, 4000);
	prep(&iocb, IOCB_CMD_PREADV, fd, parts, 4, 0);
	fix_buffer(&iocb, 2);
	EXPECT_EQ(4000, run_one(ctx, &iocb));
	EXPECT_TRUE(is_pattern(buf, 4000, 0, 0));
}

TEST_RAIO(buffers, WHY)
{
	struct iovec iovecs[BUFFERS] = {
		{ map_buffer(), SIZE }, { NULL, 0 }, { map_buffer(), SIZE - 100 },
	};
	aio_context_t ctx = new_context(8);
	int fd = new_file(4000), ret;
	struct left before;

	left_look(&before);
	for (fail_nth_start(); fail_nth_next();) {
		fail_nth_arm();
		ret = register_buffers(ctx, iovecs, BUFFERS);
		if (fail_nth_disarm() && ret) {
			EXPECT_TRUE(may_be_errno(ret));
			EXPECT_EQ(before.pinned, status_kib("VmPin"));
			EXPECT_EQ(-ENXIO, unregister_buffers(ctx));
		} else {
			ASSERT_EQ(0, ret);
			EXPECT_LE(before.pinned + 2 * SIZE / 1024, status_kib("VmPin"));
			read_into(ctx, fd, iovecs[2].iov_base);
			EXPECT_EQ(0, unregister_buffers(ctx));
		}
	}
	left_expect(&before, "buffers");
	test_note("%u operations failed", fail_nth_count());
	EXPECT_LE(8, fail_nth_count());

	for (fail_nth_start(); fail_nth_next();) {
		ASSERT_EQ(0, register_buffers(ctx, iovecs, BUFFERS));
		fail_nth_arm();
		ret = unregister_buffers(ctx);
		if (fail_nth_disarm() && ret) {
			EXPECT_EQ(-EFAULT, ret);
			read_into(ctx, fd, iovecs[2].iov_base);
			ret = unregister_buffers(ctx);
		}
		ASSERT_EQ(0, ret);
	}
	left_expect(&before, "buffers");
	EXPECT_EQ(0, be_destroy(ctx));
}

/* All of them, by index; what is refused anyhow keeps none of those that come before. */
static void register_all(aio_context_t ctx, const int32_t *fds, unsigned int nr)
{
	struct iocb iocb;
	char byte;
	int ret;

	for (fail_nth_start(); fail_nth_next();) {
		fail_nth_arm();
		ret = register_files(ctx, fds, nr);
		if (fail_nth_disarm() && ret) {
			EXPECT_TRUE(may_be_errno(ret) || (nr > 3 && ret == -EINVAL));
			EXPECT_EQ(-ENXIO, unregister_files(ctx));
		} else if (nr > 3) {
			EXPECT_EQ(-EINVAL, ret);
		} else {
			ASSERT_EQ(0, ret);
			prep(&iocb, IOCB_CMD_PREAD, -1, &byte, 1, 0);
			fix_file(&iocb, 2);
			EXPECT_EQ(1, run_one(ctx, &iocb));
			EXPECT_EQ(0, unregister_files(ctx));
		}
	}
	EXPECT_LE(6, fail_nth_count());
}

TEST_RAIO(files, WHY)
{
	aio_context_t ctx = new_context(8);
	struct left before;
	int ret;

	left_look(&before);
	int32_t fds[] = { new_file(1), -1, new_file(1), raio_fd() };

	register_all(ctx, fds, 3);
	register_all(ctx, fds, 4);
	for (fail_nth_start(); fail_nth_next();) {
		ASSERT_EQ(0, register_files(ctx, fds, 3));
		fail_nth_arm();
		ret = unregister_files(ctx);
		if (fail_nth_disarm() && ret) {
			EXPECT_EQ(-EFAULT, ret);
			ret = unregister_files(ctx);
		}
		ASSERT_EQ(0, ret);
	}
	/* a reference that is kept keeps a file that is closed */
	close(fds[0]);
	close(fds[2]);
	left_expect(&before, "files");
	EXPECT_EQ(0, be_destroy(ctx));
}

/*
 * More than kmalloc() has, so that it is vmalloc()'s, with areas, pages and their tables.
 * Only one page of the array is there: it fails when the table is allocated already, which
 * is freed then.
 *
 * vmalloc() gets over any single failure here, as it tries large pages first.  So then all
 * pages after some are refused.
 */
TEST_RAIO(large_table, WHY)
{
	unsigned int nr = 4 * 1024 * 1024 / sizeof(void *) + 1, pages;
	struct rlimit limit = { 1048576, 1048576 };
	aio_context_t ctx = new_context(8);
	int32_t *fds = guarded_buffer(4096);
	struct left before;
	int ret;

	memset(fds, 0xff, 4096);
	if (setrlimit(RLIMIT_NOFILE, &limit))
		SKIP("the table of files can't be as large");
	left_look(&before);
	/* the first ones, of all kinds, and some more of a thousand pages */
	for (fail_nth_start(); fail_nth_next();) {
		if (fail_nth() == 20)
			fail_nth_stride(61);
		fail_nth_arm();
		ret = register_files(ctx, fds, nr);
		fail_nth_disarm();
		EXPECT_TRUE(may_be_errno(ret));
		EXPECT_EQ(-ENXIO, unregister_files(ctx));
	}
	EXPECT_LE(20, fail_nth_count());
	for (pages = 0; pages < 1000; pages = 2 * pages + 1) {
		fail_pages_after(pages);
		ret = register_files(ctx, fds, nr);
		fail_pages_end();
		EXPECT_EQ(-ENOMEM, ret);
		EXPECT_EQ(-ENXIO, unregister_files(ctx));
	}
	left_expect(&before, "files");
	EXPECT_EQ(0, be_destroy(ctx));
}
