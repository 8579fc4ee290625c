// SPDX-License-Identifier: GPL-2.0
/* Files of every kind. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fuse.h"
#include "harness.h"
#include "nullb.h"
#include "pairs.h"
#include "targets.h"

#define FILE_SIZE	(2 * TARGET_MAX)

/* Files and devices: what is there is a pattern of the seed of the last write to it. */

static bool open_file(struct target *target)
{
	target->look = new_file(FILE_SIZE);
	target->fds[0] = reopen(target->look, O_RDWR | O_NOATIME);
	target->fds[1] = target->fds[0];
	return true;
}

static bool open_direct(struct target *target)
{
	target->look = new_file(FILE_SIZE);
	target->fds[0] = reopen(target->look, O_RDWR | O_DIRECT | O_NOATIME);
	target->fds[1] = target->fds[0];
	return target->fds[0] >= 0;
}

static bool open_xfs(struct target *target)
{
	const char *dir = getenv("RAIO_TEST_DIR"), *xfs = getenv("RAIO_XFS_DIR");
	char *saved = strdup(dir ? dir : "/tmp");
	bool ok;

	if (!xfs)
		return false;
	setenv("RAIO_TEST_DIR", xfs, 1);
	ok = open_file(target);
	setenv("RAIO_TEST_DIR", saved, 1);
	free(saved);
	return ok;
}

static bool open_tmpfs(struct target *target)
{
	target->look = memfd_create("raio", MFD_CLOEXEC);
	target->fds[0] = reopen(target->look, O_RDWR);
	target->fds[1] = target->fds[0];
	return target->fds[0] >= 0 && ftruncate(target->look, FILE_SIZE) == 0;
}

/* arg: O_DIRECT or 0 */
static bool open_device(struct target *target)
{
	struct nullb_options options = { .size_mb = 4, .memory_backed = true };
	static struct nullb nullb;

	if (!nullb.name[0]) {
		nullb_create(&nullb, &options);
		fail_requests_of(nullb.name);
	}
	/* what is looked at is not cached by the one who looks */
	target->look = nullb_open(&nullb, true);
	target->fds[0] = open(nullb.dev, O_RDWR | O_CLOEXEC | target->kind->arg);
	target->fds[1] = target->fds[0];
	return target->fds[0] >= 0;
}

static bool open_fuse(struct target *target)
{
	static struct fuse fuse;

	if (!fuse.shared)
		fuse_start(&fuse, 0);
	target->look = fuse_open(&fuse, O_RDWR);
	target->fds[0] = fuse_open(&fuse, O_RDWR);
	target->fds[1] = target->fds[0];
	return target->fds[0] >= 0;
}

/* A sysctl that holds what is written to it; of a namespace of its own. */
static bool open_proc(struct target *target)
{
	static const char path[] = "/proc/sys/kernel/domainname";
	static bool is_own;

	if (!is_own && unshare(CLONE_NEWUTS))
		return false;
	is_own = true;
	target->look = open(path, O_RDWR | O_CLOEXEC);
	target->fds[0] = open(path, O_RDWR | O_CLOEXEC);
	target->fds[1] = target->fds[0];
	return target->fds[0] >= 0;
}

static size_t look_at(struct target *target, void *buf)
{
	ssize_t size;

	/* what is cached of a device that is written otherwise is of no use */
	if (target->kind->open == open_device)
		ASSERT_EQ(0, fsync(target->fds[0]));
	size = pread(target->look, buf, target->kind->size, 0);
	ASSERT_LE(0, size);
	return size;
}

static void feed_file(struct target *target, unsigned int seed)
{
	static uint8_t *page;

	(void)seed;
	page = page ?: aligned_buffer(TARGET_MAX);
	EXPECT_EQ(target->kind->size, look_at(target, page));
	memcpy(target->expected, page, target->kind->size);
}

static void feed_cold(struct target *target, unsigned int seed)
{
	feed_file(target, seed);
	ASSERT_EQ(0, fdatasync(target->look));
	ASSERT_EQ(0, posix_fadvise(target->look, 0, 0, POSIX_FADV_DONTNEED));
}

static void feed_proc(struct target *target, unsigned int seed)
{
	(void)seed;
	ASSERT_EQ(8, pwrite(target->look, "nothing\n", 8, 0));
	memcpy(target->expected, "nothing\n", 8);
}

static void drain_nothing(struct target *target)
{
	(void)target;
}

/* So much of it is there; of the rest some may be. */
static void check_file(struct target *target, const void *buf, int64_t moved)
{
	static uint8_t *page;

	page = page ?: aligned_buffer(TARGET_MAX);
	look_at(target, page);
	if (moved > 0)
		EXPECT_TRUE(!memcmp(page, buf, moved));
}

/* Streams and messages: what is written to one end is read from the other. */

static bool open_pair(struct target *target)
{
	target->look = -1;
	return pair_try(target->kind->arg, target->fds);
}

static void wait_readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	ASSERT_EQ(1, poll(&pollfd, 1, -1));
}

static void drain_pair(struct target *target)
{
	pair_drain(target->fds[0]);
}

static void put_pair(struct target *target, unsigned int seed)
{
	size_t size = target->kind->size;

	fill_pattern(target->expected, size, 0, seed);
	ASSERT_EQ(size, write(target->fds[1], target->expected, size));
}

static bool is_terminal(const struct target *target)
{
	return target->kind->arg == PAIR_TTY || target->kind->arg == PAIR_PTY;
}

static void feed_pair(struct target *target, unsigned int seed)
{
	int there = 0;

	drain_pair(target);
	put_pair(target, seed);
	wait_readable(target->fds[0]);
	/* it may come in parts */
	while (is_terminal(target) && there < (int)target->kind->size)
		ASSERT_EQ(0, ioctl(target->fds[0], FIONREAD, &there));
}

static void check_pair(struct target *target, const void *buf, int64_t moved)
{
	uint8_t page[TARGET_MAX];
	ssize_t part;
	int64_t got;

	for (got = 0; got < moved; got += part) {
		wait_readable(target->fds[0]);
		part = read(target->fds[0], page + got, sizeof(page) - got);
		ASSERT_LT(0, part);
	}
	if (moved > 0) {
		EXPECT_EQ(moved, got);
		EXPECT_TRUE(!memcmp(page, buf, moved));
	}
	EXPECT_EQ(0, pair_drain(target->fds[0]));
}

/* Counts. */

static bool open_eventfd(struct target *target)
{
	target->look = -1;
	target->fds[0] = eventfd(0, EFD_CLOEXEC);
	target->fds[1] = target->fds[0];
	return target->fds[0] >= 0;
}

static bool open_timerfd(struct target *target)
{
	target->look = -1;
	target->fds[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	target->fds[1] = target->fds[0];
	return target->fds[0] >= 0;
}

static void put_eventfd(struct target *target, unsigned int seed)
{
	uint64_t count = seed + 1;

	memcpy(target->expected, &count, sizeof(count));
	ASSERT_EQ(sizeof(count), write(target->fds[0], &count, sizeof(count)));
}

static void feed_eventfd(struct target *target, unsigned int seed)
{
	drain_pair(target);
	put_eventfd(target, seed);
}

static void put_timerfd(struct target *target, unsigned int seed)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1 };
	uint64_t count = 1;

	(void)seed;
	memcpy(target->expected, &count, sizeof(count));
	ASSERT_EQ(0, timerfd_settime(target->fds[0], 0, &soon, NULL));
}

static void feed_timerfd(struct target *target, unsigned int seed)
{
	put_timerfd(target, seed);
	wait_readable(target->fds[0]);
}

#define IN_FILE(_name, _open, _feed, _more, _arg)					\
	{ _name, TARGET_READ | TARGET_WRITE | TARGET_AT | (_more), TARGET_MAX, _arg,	\
	  _open, _feed, NULL, drain_nothing, check_file }
#define SYNC	(TARGET_FSYNC | TARGET_SYNC_RANGE)
#define IN_PAIR(_pair, _size, _more)							\
	{ NULL, TARGET_READ | TARGET_WRITE | TARGET_POLL | (_more), _size, _pair,	\
	  open_pair, feed_pair, put_pair, drain_pair, check_pair }

const struct target_kind target_kinds[] = {
	IN_FILE("ext4", open_file, feed_file, SYNC | TARGET_POLL | TARGET_QUICK, 0),
	IN_FILE("cold ext4", open_file, feed_cold, TARGET_QUICK, 0),
	IN_FILE("direct ext4", open_direct, feed_file, TARGET_FSYNC | TARGET_QUICK, 0),
	IN_FILE("XFS", open_xfs, feed_file, SYNC, 0),
	IN_FILE("tmpfs", open_tmpfs, feed_file, SYNC, 0),
	IN_FILE("device", open_device, feed_file, SYNC | TARGET_POLL | TARGET_DEVICE, 0),
	IN_FILE("direct device", open_device, feed_file,
		TARGET_FSYNC | TARGET_DEVICE | TARGET_QUICK, O_DIRECT),
	IN_FILE("FUSE", open_fuse, feed_file, TARGET_FSYNC | TARGET_POLL, 0),
	IN_PAIR(PAIR_PIPE, 4096, TARGET_QUICK),
	IN_PAIR(PAIR_FIFO, 4096, 0),
	IN_PAIR(PAIR_UNIX_STREAM, 4096, TARGET_SOCKET),
	IN_PAIR(PAIR_TCP, 4096, TARGET_SOCKET | TARGET_QUICK),
	IN_PAIR(PAIR_UDP, 1024, TARGET_SOCKET),
	IN_PAIR(PAIR_NETLINK, 1024, TARGET_SOCKET),
	IN_PAIR(PAIR_TTY, 64, 0),
	IN_PAIR(PAIR_PTY, 64, 0),
	{ "eventfd", TARGET_READ | TARGET_POLL | TARGET_QUICK, 8, 0,
	  open_eventfd, feed_eventfd, put_eventfd, drain_pair, NULL },
	{ "timerfd", TARGET_READ | TARGET_POLL, 8, 0,
	  open_timerfd, feed_timerfd, put_timerfd, drain_pair, NULL },
	{ "proc", TARGET_READ | TARGET_WRITE | TARGET_POLL, 8, 0,
	  open_proc, feed_proc, NULL, drain_nothing, check_file },
};

const unsigned int target_kinds_count = ARRAY_SIZE(target_kinds);

static const char *name_of(const struct target_kind *kind)
{
	return kind->name ?: pair_name(kind->arg);
}

const struct target_kind *target_kind(const char *name)
{
	unsigned int i;

	for (i = 0; i < target_kinds_count; i++)
		if (!strcmp(name, name_of(&target_kinds[i])))
			return &target_kinds[i];
	FAIL("no kind of file is called %s", name);
	test_abort();
}

bool target_open(struct target *target, const struct target_kind *kind)
{
	memset(target, 0, sizeof(*target));
	target->kind = kind;
	if (kind->open(target))
		return true;
	test_note("no %s here", name_of(kind));
	return false;
}

const char *target_name(const struct target *target)
{
	return name_of(target->kind);
}

void target_close(struct target *target)
{
	if (target->look >= 0)
		close(target->look);
	close(target->fds[0]);
	if (target->fds[1] != target->fds[0])
		close(target->fds[1]);
}
