// SPDX-License-Identifier: GPL-2.0
/*
 * Description: where there is no /dev/raio the calls are native aio's, or fail if
 * that is wished, and one line says why.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "libraio.h"
#include "said.h"

#define NOBODY	65534

static const struct __kernel_timespec zero;

/* stderr is a pipe from now on, and /dev is empty, for this process. */
static void start(const char *choice)
{
	need_root("for a /dev of its own");
	if (choice)
		setenv("RAIO_FALLBACK", choice, 1);
	else
		unsetenv("RAIO_FALLBACK");
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("none", "/dev", "tmpfs", 0, NULL));
	said_start();
}

static void expect_native(void)
{
	char buf[8];
	struct iocb iocb, *list[] = { &iocb };
	struct io_event event = { 0 };
	aio_context_t ctx = 0;
	int fd = new_file(8);

	ASSERT_EQ(0, io_setup(8, &ctx));
	EXPECT_EQ(1, raio_is_native());
	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 8, 0);
	EXPECT_EQ(1, io_submit(ctx, 1, list));
	EXPECT_EQ(1, io_getevents(ctx, 1, 1, &event, NULL));
	EXPECT_EQ(8, event.res);
	EXPECT_EQ(0, io_getevents(ctx, 1, 1, &event, &zero));
	EXPECT_EQ(0, io_getevents(ctx, 0, 1, &event, NULL));
	/* native aio knows no such request */
	prep(&iocb, IOCB_CMD_NOOP, fd, buf, 8, 0);
	EXPECT_EQ(-EINVAL, io_submit(ctx, 1, list));
	EXPECT_EQ(-EINVAL, io_cancel(ctx, &iocb, &event));
	EXPECT_EQ(-ENOSYS, raio_register(ctx, RAIO_REGISTER_FILES, &fd, 1));
	EXPECT_EQ(0, io_destroy(ctx));
	EXPECT_EQ(-EINVAL, io_destroy(ctx));
	EXPECT_EQ(-EINVAL, io_getevents(ctx, 1, 1, &event, &zero));
	close(fd);
}

#define NONE	"libraio: /dev/raio: No such file or directory: "

TEST_RAIO(native, "libraio's")
{
	start(NULL);
	expect_native();
	expect_native();
	expect_said(NONE "native aio is used\n");
}

TEST_RAIO(native_by_name, "libraio's")
{
	start("native");
	expect_native();
	expect_said(NONE "native aio is used\n");
}

TEST_RAIO(invalid, "libraio's")
{
	start("nativ");
	expect_native();
	expect_said(NONE "native aio is used (RAIO_FALLBACK is neither native nor fail)\n");
}

TEST_RAIO(quiet, "libraio's")
{
	setenv("RAIO_QUIET", "1", 1);
	start(NULL);
	expect_native();
	expect_said("");
}

TEST_RAIO(refused, "libraio's")
{
	aio_context_t ctx = 0;
	struct io_event event;

	start("fail");
	EXPECT_EQ(-ENOSYS, io_setup(8, &ctx));
	EXPECT_EQ(0, ctx);
	EXPECT_EQ(-ENOSYS, io_setup(8, &ctx));
	EXPECT_EQ(-ENOSYS, io_submit(0, 0, NULL));
	EXPECT_EQ(-ENOSYS, io_getevents(0, 1, 1, &event, NULL));
	EXPECT_EQ(-ENOSYS, io_cancel(0, NULL, NULL));
	EXPECT_EQ(-ENOSYS, io_destroy(0));
	EXPECT_EQ(-ENOSYS, raio_register(0, RAIO_UNREGISTER_FILES, NULL, 0));
	EXPECT_EQ(-ENOSYS, raio_is_native());
	expect_said(NONE "no aio\n");
}

/* It is decided once: not when the device comes. */
TEST_RAIO(sticky, "libraio's")
{
	start(NULL);
	expect_native();
	ASSERT_EQ(0, umount("/dev"));
	ASSERT_EQ(0, access("/dev/raio", R_OK | W_OK));
	expect_native();
	expect_said(NONE "native aio is used\n");
}

/* A child does not say it again, nor is it of another opinion. */
TEST_RAIO(child, "libraio's")
{
	pid_t pid;

	start(NULL);
	expect_native();
	ASSERT_EQ(0, umount("/dev"));
	pid = test_fork();
	if (!pid) {
		expect_native();
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	expect_said(NONE "native aio is used\n");
}

/* But if the parent had it, and the child has not, the child decides for itself. */
TEST_RAIO(child_without, "libraio's")
{
	aio_context_t ctx = 0;
	pid_t pid;

	ASSERT_EQ(0, io_setup(8, &ctx));
	EXPECT_EQ(0, raio_is_native());
	pid = test_fork();
	if (!pid) {
		/* where the library has it, see libraio_fd */
		ASSERT_EQ(0, close_range(960, 1023, 0));
		start(NULL);
		expect_native();
		expect_said(NONE "native aio is used\n");
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_EQ(0, raio_is_native());
}

static void *setup_in_thread(void *arg)
{
	pthread_barrier_t *barrier = arg;
	aio_context_t ctx = 0;

	pthread_barrier_wait(barrier);
	EXPECT_EQ(0, io_setup(8, &ctx));
	EXPECT_EQ(0, io_destroy(ctx));
	return NULL;
}

TEST_RAIO(threads, "libraio's")
{
	pthread_barrier_t barrier;
	pthread_t threads[8];
	unsigned int i;

	start(NULL);
	pthread_barrier_init(&barrier, NULL, ARRAY_SIZE(threads));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, setup_in_thread, &barrier));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	expect_said(NONE "native aio is used\n");
}

TEST_RAIO(not_allowed, "libraio's")
{
	start(NULL);
	ASSERT_EQ(0, mknod("/dev/raio", S_IFCHR | 0600, makedev(1, 3)));
	ASSERT_EQ(0, chmod("/dev", 0755));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	expect_native();
	expect_said("libraio: /dev/raio: Permission denied: native aio is used\n");
}

TEST_RAIO(no_driver, "libraio's")
{
	start(NULL);
	/* of the numbers for local use */
	ASSERT_EQ(0, mknod("/dev/raio", S_IFCHR | 0600, makedev(60, 1)));
	expect_native();
	expect_said("libraio: /dev/raio: No such device or address: native aio is used\n");
}

TEST_RAIO(another_device, "libraio's")
{
	start(NULL);
	ASSERT_EQ(0, mknod("/dev/raio", S_IFCHR | 0600, makedev(1, 3)));
	expect_native();
	expect_said("libraio: /dev/raio: it is not raio's: native aio is used\n");
}

TEST_RAIO(a_file, "libraio's")
{
	start(NULL);
	close(open("/dev/raio", O_CREAT | O_RDWR, 0600));
	expect_native();
	expect_said("libraio: /dev/raio: it is not raio's: native aio is used\n");
}

/* Nobody reads what is said. */
TEST_RAIO(broken_stderr, "libraio's")
{
	sigset_t pending;

	start(NULL);
	signal(SIGPIPE, SIG_DFL);
	said_close();
	expect_native();
	EXPECT_EQ(0, sigpending(&pending));
	EXPECT_EQ(0, sigismember(&pending, SIGPIPE));
}

TEST_RAIO(no_stderr, "libraio's")
{
	start(NULL);
	close(2);
	expect_native();
}
