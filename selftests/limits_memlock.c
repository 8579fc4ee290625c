// SPDX-License-Identifier: GPL-2.0
/*
 * Description: rings and registered buffers of all processes of a user are within
 * RLIMIT_MEMLOCK together, and what was charged is given back however it goes.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"
#include "registered.h"

#define WHY "its ring is not charged to RLIMIT_MEMLOCK"

/* Users that have nothing else here. */
#define ANN 61005
#define BOB 61006

#define LIMIT	(128 << 10)
/* Their rings: 17 pages, of 32. */
#define HALF	2048
#define HALF_SIZE	(17 * 4096)

static void set_limit(void)
{
	struct rlimit limit = { LIMIT, LIMIT };

	ASSERT_LE(0, raio_fd());
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
}

static pid_t start_user(uid_t uid, void (*fn)(void))
{
	pid_t pid = test_fork();

	if (pid == 0) {
		set_limit();
		ASSERT_EQ(0, setresuid(uid, uid, uid));
		fn();
		_exit(0);
	}
	return pid;
}

static void as_user(uid_t uid, void (*fn)(void))
{
	EXPECT_EQ(0, test_wait(start_user(uid, fn)));
}

static void expect_room(void)
{
	aio_context_t ctx = 0;

	EXPECT_EQ(0, be_setup(HALF, &ctx));
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, status_kib("VmPin"));
}

static void expect_none(void)
{
	aio_context_t ctx = 0;

	EXPECT_EQ(-ENOMEM, be_setup(HALF, &ctx));
	EXPECT_EQ(0, status_kib("VmPin"));
	/* a smaller one is within */
	EXPECT_EQ(0, be_setup(1, &ctx));
	EXPECT_EQ(4, status_kib("VmPin"));
	EXPECT_EQ(0, be_destroy(ctx));
}

static int ready[2];

static void say_and_wait(void)
{
	ASSERT_EQ(1, write(ready[1], "", 1));
	for (;;)
		pause();
}

static void keep_ring(void)
{
	new_context(HALF);
	EXPECT_EQ(HALF_SIZE / 1024, status_kib("VmPin"));
	say_and_wait();
}

static void keep_buffer(void)
{
	aio_context_t ctx = new_context(1);
	uint8_t *buf = aligned_buffer(HALF_SIZE);

	register_buffer(ctx, buf, HALF_SIZE - 4096);
	EXPECT_EQ(HALF_SIZE / 1024, status_kib("VmPin"));
	say_and_wait();
}

static void expect_counted(void (*keep)(void))
{
	char byte;
	pid_t pid;

	need_root("to be other users");
	ASSERT_EQ(0, pipe(ready));
	pid = start_user(ANN, keep);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	as_user(ANN, expect_none);
	as_user(BOB, expect_room);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	as_user(ANN, expect_room);
}

TEST_RAIO(rings, WHY)
{
	expect_counted(keep_ring);
}

TEST_RAIO(buffers, WHY)
{
	expect_counted(keep_buffer);
}

/* A page for each that is not given back would soon be all that she may have. */
static void fail_often(void)
{
	aio_context_t ctx = new_context(1), big = 0;
	const struct iovec nothing = { NULL, 4096 }, much = { aligned_buffer(1 << 20), 1 << 20 };
	struct iovec iovecs[2] = { { aligned_buffer(4096), 4096 } };
	unsigned int i;

	for (i = 0; i < 100; i++) {
		EXPECT_EQ(-ENOMEM, be_setup(16384, &big));
		iovecs[1] = nothing;
		EXPECT_EQ(-EFAULT, register_buffers(ctx, iovecs, 2));
		iovecs[1] = much;
		EXPECT_EQ(-ENOMEM, register_buffers(ctx, iovecs, 2));
	}
	EXPECT_EQ(0, be_destroy(ctx));
	expect_room();
}

TEST_RAIO(failures, WHY)
{
	need_root("to be other users");
	as_user(ANN, fail_often);
	as_user(ANN, expect_room);
}

/* The last reference is that of a request whose buffer is not registered any more. */
static void unregister_in_use(void)
{
	uint8_t *buf = aligned_buffer(HALF_SIZE);
	aio_context_t ctx = new_context(1), big = 0;
	struct io_event event;
	struct iocb iocb;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	register_buffer(ctx, buf, HALF_SIZE - 4096);
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	fix_buffer(&iocb, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	wait_armed(ctx);
	EXPECT_EQ(0, unregister_buffers(ctx));
	EXPECT_EQ(-ENOMEM, be_setup(HALF, &big));
	EXPECT_EQ(1, write(fds[1], "a", 1));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ(1, event.res);
	EXPECT_EQ(0, be_destroy(ctx));
	/* what is left to others comes a moment later */
	while (status_kib("VmPin"))
		usleep(1000);
	expect_room();
}

TEST_RAIO(buffer_in_use, WHY)
{
	need_root("to be other users");
	as_user(ANN, unregister_in_use);
	as_user(ANN, expect_room);
}

/* CAP_IPC_LOCK: as with io_uring, it is not the user's. */
TEST_RAIO(privileged, WHY)
{
	pid_t pid;

	need_root("to be other users");
	pid = test_fork();
	if (pid == 0) {
		set_limit();
		ASSERT_EQ(0, setresuid(ANN, 0, 0));
		new_context(16384);
		EXPECT_LT(LIMIT / 1024, status_kib("VmPin"));
		as_user(ANN, expect_room);
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
}
