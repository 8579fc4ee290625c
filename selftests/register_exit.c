// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the end of a context releases its registered files before it waits for
 * requests: one of them may be the server's end of what a request waits for.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuse.h"
#include "harness.h"
#include "registered.h"

#define WHY "it registers nothing"

static struct fuse fuse;

static void be_registered(aio_context_t ctx, int dev)
{
	register_file(ctx, dev);
}

static void be_polled(aio_context_t ctx, int dev)
{
	static struct iocb iocb;

	prep_poll(&iocb, dev, POLLPRI);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
}

/* The only reference to /dev/fuse is that of a context with a request which nobody answers. */
static aio_context_t serve_self(unsigned int flags, void (*refer)(aio_context_t ctx, int dev))
{
	aio_context_t ctx = new_context(8);
	static struct iocb iocb;
	static uint8_t buf[100];
	int pidfd, dev, fd;

	fuse_start(&fuse, flags);
	/* it has its descriptors when it answers */
	fd = fuse_open(&fuse, O_RDONLY);
	pidfd = syscall(SYS_pidfd_open, fuse.server, 0);
	dev = syscall(SYS_pidfd_getfd, pidfd, 3, 0);
	if (dev < 0)
		SKIP("needs to take the server's descriptor: %m");
	refer(ctx, dev);
	EXPECT_EQ(0, close(dev));
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, sizeof(buf), 0);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	fuse_wait_held(&fuse, 1);
	/* close(2) asks the server, too, which nobody but the request should */
	EXPECT_EQ(0, close(fd));
	fuse_kill(&fuse);
	return ctx;
}

TEST_RAIO(destroyed, WHY)
{
	EXPECT_EQ(0, be_destroy(serve_self(FUSE_DIRECT_IO, be_registered)));
}

/* The page that is read never comes. */
TEST_RAIO(destroyed_buffered, WHY)
{
	EXPECT_EQ(0, be_destroy(serve_self(0, be_registered)));
}

/* An armed request has the file as well. */
TEST_RAIO(destroyed_armed, WHY)
{
	EXPECT_EQ(0, be_destroy(serve_self(FUSE_DIRECT_IO, be_polled)));
}

TEST_RAIO(killed, WHY)
{
	unsigned long before = be_nr();
	pid_t pid = test_fork();

	if (!pid) {
		/* its own one, which tells of its exit */
		raio_close();
		serve_self(FUSE_DIRECT_IO, be_registered);
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	EXPECT_EQ(before, be_nr());
}
