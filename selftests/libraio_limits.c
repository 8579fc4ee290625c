// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a line on stderr says which limit has refused a call, once in a
 * process for each limit, and not if the user does not want it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"
#include "libraio.h"
#include "said.h"

#define WHY	"libraio's"
#define MEMLOCK	"RLIMIT_MEMLOCK (8192) is reached, or there is no memory\n"

/* A user who has nothing else here. */
#define ANN 61007

/* stderr is a pipe from now on. */
static void start(const char *quiet)
{
	if (quiet)
		setenv("RAIO_QUIET", quiet, 1);
	else
		unsetenv("RAIO_QUIET");
	said_start();
}

static void become_ann(rlim_t memlock)
{
	struct rlimit limit = { memlock, memlock };

	need_root("to be another user");
	/* what the library has, and so that it has it */
	EXPECT_EQ(0, raio_is_native());
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, setresuid(ANN, ANN, ANN));
}

static int setup(unsigned int nr_events)
{
	aio_context_t ctx = 0;
	int ret = io_setup(nr_events, &ctx);

	if (ret == 0)
		EXPECT_EQ(0, io_destroy(ctx));
	return ret;
}

TEST_RAIO(max_nr, WHY)
{
	char line[100];
	pid_t pid;

	snprintf(line, sizeof(line), "libraio: io_setup: fs.raio-max-nr (%lu) is reached\n",
		 be_max_nr());
	start(NULL);
	EXPECT_EQ(0, setup(1));
	EXPECT_EQ(-EINVAL, setup(0));
	expect_said("");
	EXPECT_EQ(-EAGAIN, setup(be_max_nr() + 1));
	expect_said(line);
	EXPECT_EQ(-EAGAIN, setup(be_max_nr() + 1));
	expect_said("");
	/* a process of its own */
	pid = test_fork();
	if (pid == 0) {
		EXPECT_EQ(-EAGAIN, setup(be_max_nr() + 1));
		EXPECT_EQ(-EAGAIN, setup(be_max_nr() + 1));
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
	expect_said(line);
}

TEST_RAIO(max_user_nr, WHY)
{
	unsigned long max = raio_info().max_user_nr;
	char line[100];

	start(NULL);
	become_ann(RLIM_INFINITY);
	/* it is what the context counts as that is too much */
	ASSERT_LT(max, be_share(max));
	EXPECT_EQ(-EAGAIN, setup(max));
	snprintf(line, sizeof(line), "libraio: io_setup: fs.raio-max-user-nr (%lu) is reached\n",
		 max);
	expect_said(line);
	EXPECT_EQ(-EAGAIN, setup(max));
	expect_said("");
	/* another limit */
	EXPECT_EQ(-EAGAIN, setup(be_max_nr() + 1));
	snprintf(line, sizeof(line), "libraio: io_setup: fs.raio-max-nr (%lu) is reached\n",
		 be_max_nr());
	expect_said(line);
}

TEST_RAIO(memlock, WHY)
{
	struct iovec iovec = { aligned_buffer(2 * 4096), 2 * 4096 };
	aio_context_t ctx = 0;

	start(NULL);
	become_ann(8192);
	ASSERT_EQ(0, io_setup(1, &ctx));
	expect_said("");
	EXPECT_EQ(-ENOMEM, raio_register(ctx, RAIO_REGISTER_BUFFERS, &iovec, 1));
	expect_said("libraio: raio_register: " MEMLOCK);
	EXPECT_EQ(-ENOMEM, setup(1000));
	expect_said("");
	EXPECT_EQ(0, io_destroy(ctx));
}

TEST_RAIO(memlock_of_a_ring, WHY)
{
	start("0");
	become_ann(8192);
	EXPECT_EQ(-ENOMEM, setup(1000));
	EXPECT_EQ(-ENOMEM, setup(1000));
	expect_said("libraio: io_setup: " MEMLOCK);
}

TEST_RAIO(quiet, WHY)
{
	unsigned long max = raio_info().max_user_nr;

	start("1");
	become_ann(8192);
	EXPECT_EQ(-EAGAIN, setup(be_max_nr() + 1));
	EXPECT_EQ(-EAGAIN, setup(max));
	EXPECT_EQ(-ENOMEM, setup(1000));
	expect_said("");
}
