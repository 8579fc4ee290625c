// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the library's open /dev/raio is out of the program's way; the
 * program may close it, and use its number, and the calls go on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "libraio.h"

static const struct __kernel_timespec zero;

/* The highest number of an open /dev/raio, or -1. */
static int device_fd(void)
{
	char path[32], target[32];
	int fd, found = -1;
	ssize_t len;

	for (fd = 0; fd < 4096; fd++) {
		/* most are not open, and this says so sooner */
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = 0;
		if (!strcmp(target, "/dev/raio"))
			found = fd;
	}
	return found;
}

static aio_context_t start(void)
{
	aio_context_t ctx = 0;

	ASSERT_EQ(0, io_setup(8, &ctx));
	return ctx;
}

/* Each of the calls, through whatever is open now. */
static void expect_all_work(aio_context_t ctx, void (*meddle)(int fd))
{
	struct iocb iocb, *list[] = { &iocb };
	aio_context_t other = 0;
	struct io_event event;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep_poll(&iocb, fds[0], 1);
	meddle(device_fd());
	ASSERT_EQ(1, io_submit(ctx, 1, list));
	meddle(device_fd());
	EXPECT_EQ(-EINPROGRESS, io_cancel(ctx, &iocb, &event));
	meddle(device_fd());
	EXPECT_EQ(-EINVAL, io_cancel(ctx, &iocb, &event));
	EXPECT_EQ(1, io_getevents(ctx, 1, 1, &event, NULL));
	meddle(device_fd());
	EXPECT_EQ(0, io_getevents(ctx, 0, 1, &event, NULL));
	meddle(device_fd());
	EXPECT_EQ(0, raio_register(ctx, RAIO_REGISTER_FILES, fds, 2));
	meddle(device_fd());
	EXPECT_EQ(0, raio_register(ctx, RAIO_UNREGISTER_FILES, NULL, 0));
	meddle(device_fd());
	EXPECT_EQ(0, io_setup(8, &other));
	meddle(device_fd());
	EXPECT_EQ(0, io_destroy(other));
	EXPECT_EQ(0, io_destroy(ctx));
	EXPECT_LE(0, device_fd());
}

TEST_RAIO(high_and_cloexec, "libraio's")
{
	struct rlimit limit;

	ASSERT_EQ(-1, device_fd());
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	start();
	EXPECT_LE((limit.rlim_cur < 1024 ? limit.rlim_cur : 1024) * 31 / 32, device_fd());
	EXPECT_EQ(FD_CLOEXEC, fcntl(device_fd(), F_GETFD));
}

TEST_RAIO(small_limit, "libraio's")
{
	struct rlimit limit = { .rlim_cur = 8, .rlim_max = 8 };
	aio_context_t ctx = 0;
	int fd;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ctx = start();
	EXPECT_EQ(7, device_fd());
	EXPECT_EQ(0, io_destroy(ctx));

	/* the highest is taken */
	closefrom(3);
	ASSERT_EQ(7, fcntl(0, F_DUPFD, 7));
	ctx = start();
	EXPECT_EQ(3, device_fd());
	closefrom(3);

	/* none is left: an error, and no fallback */
	do {
		fd = dup(0);
	} while (fd >= 0);
	EXPECT_EQ(-EMFILE, io_destroy(ctx));
	close(5);
	EXPECT_EQ(0, io_destroy(ctx));
	EXPECT_EQ(0, raio_is_native());
}

TEST_RAIO(no_number_for_the_first, "libraio's")
{
	struct rlimit limit = { .rlim_cur = 3, .rlim_max = 64 };
	aio_context_t ctx = 0;

	closefrom(3);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, io_setup(8, &ctx));
	EXPECT_EQ(0, ctx);
	limit.rlim_cur = 64;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(0, io_setup(8, &ctx));
	EXPECT_EQ(0, raio_is_native());
}

static void close_all(int fd)
{
	(void)fd;
	closefrom(3);
}

static void close_one(int fd)
{
	close(fd);
}

TEST_RAIO(closed, "libraio's")
{
	expect_all_work(start(), close_one);
}

TEST_RAIO(all_closed, "libraio's")
{
	aio_context_t ctx = start(), other = 0;
	struct io_event event;
	struct iocb iocb, *list[] = { &iocb };

	closefrom(3);
	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	EXPECT_EQ(1, io_submit(ctx, 1, list));
	closefrom(3);
	EXPECT_EQ(0, io_setup(8, &other));
	close_all(-1);
	EXPECT_EQ(1, io_getevents(ctx, 1, 2, &event, &zero));
	EXPECT_EQ(0, io_destroy(ctx));
}

/* What is at the number now stays there. */
static int replacement;

static void replace(int fd)
{
	struct stat before, after;
	struct iocb iocb, *list[] = { &iocb };

	if (fd < 0)
		return;
	ASSERT_EQ(fd, dup2(replacement, fd));
	ASSERT_EQ(0, fstat(fd, &before));
	/* an error, whatever it is; the library looks at the number */
	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	EXPECT_EQ(-EINVAL, io_submit(0x1000, 1, list));
	EXPECT_EQ(0, fstat(fd, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_NE(fd, device_fd());
	ASSERT_EQ(device_fd(), dup2(replacement, device_fd()));
}

static void replaced_by(int fd)
{
	ASSERT_LE(0, fd);
	replacement = fd;
	expect_all_work(start(), replace);
}

TEST_RAIO(replaced_by_file, "libraio's")
{
	replaced_by(new_file(4096));
}

TEST_RAIO(replaced_by_directory, "libraio's")
{
	replaced_by(open("/", O_RDONLY));
}

TEST_RAIO(replaced_by_null, "libraio's")
{
	replaced_by(open("/dev/null", O_RDWR));
}

TEST_RAIO(replaced_by_pipe, "libraio's")
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	replaced_by(fds[0]);
}

TEST_RAIO(replaced_by_socket, "libraio's")
{
	replaced_by(socket(AF_UNIX, SOCK_STREAM, 0));
}

TEST_RAIO(replaced_by_eventfd, "libraio's")
{
	replaced_by(eventfd(0, 0));
}

TEST_RAIO(replaced_by_terminal, "libraio's")
{
	replaced_by(open("/dev/ptmx", O_RDWR | O_NOCTTY));
}

/* It is the device, and no way to it. */
TEST_RAIO(replaced_by_path, "libraio's")
{
	aio_context_t ctx = start();
	int path = open("/dev/raio", O_PATH), fd;

	ASSERT_LE(0, path);
	fd = device_fd();
	ASSERT_EQ(fd, dup2(path, fd));
	EXPECT_EQ(0, io_submit(ctx, 0, NULL));
	EXPECT_EQ(0, io_destroy(ctx));
}

/* Any other /dev/raio will do. */
TEST_RAIO(replaced_by_device, "libraio's")
{
	aio_context_t ctx = start();
	int fd = device_fd();

	ASSERT_EQ(fd, dup2(raio_fd(), fd));
	expect_works(ctx);
	EXPECT_EQ(0, io_destroy(ctx));
}
