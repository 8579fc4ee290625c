// SPDX-License-Identifier: GPL-2.0
/*
 * Description: each user has a share of fs.raio-max-nr, fs.raio-max-user-nr, that
 * others can't use up; and the kernel log says which limit a process has met.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"

#define WHY "its limit is one for all users, and says nothing"

/* Users that have nothing else here. */
#define ANN 61001
#define BOB 61002

/* RLIMIT_MEMLOCK is not what is tested. */
static void become(uid_t uid)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	ASSERT_LE(0, raio_fd());
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &unlimited));
	ASSERT_EQ(0, setresuid(uid, uid, uid));
}

/* A child that is another user. */
static void as_user(uid_t uid, void (*fn)(void))
{
	pid_t pid = test_fork();

	if (pid == 0) {
		become(uid);
		fn();
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
}

/* Sets contexts up until one of that size is the last that may come; 0: until none may. */
static void leave_room_for(unsigned int nr_events)
{
	unsigned long max = raio_info().max_user_nr;
	unsigned int part;

	if (max > 1 << 20)
		SKIP("the limit is too high to be reached: %lu", max);
	while ((part = be_fitting(max - be_share(nr_events) - raio_info().user_nr)))
		new_context(part);
}

static void expect_nothing(void)
{
	EXPECT_EQ(0, raio_info().user_nr);
}

TEST_RAIO(user_nr, WHY)
{
	unsigned long before = raio_info().user_nr;
	aio_context_t ctx = new_context(100);

	EXPECT_EQ(before + be_share(100), raio_info().user_nr);
	need_root("to be other users");
	as_user(ANN, expect_nothing);
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(before, raio_info().user_nr);
}

static void reach_limit(void)
{
	pid_t pid;

	leave_room_for(8);
	EXPECT_EQ(-EAGAIN, setup_and_destroy(200));
	EXPECT_EQ(0, setup_and_destroy(8));
	EXPECT_LE(be_share(8), raio_info().max_user_nr - raio_info().user_nr);
	EXPECT_LT(raio_info().max_user_nr - raio_info().user_nr, be_share(200));
	/* another process is still the same user */
	pid = test_fork();
	if (pid == 0) {
		EXPECT_EQ(-EAGAIN, setup_and_destroy(200));
		EXPECT_EQ(0, setup_and_destroy(8));
		_exit(0);
	}
	EXPECT_EQ(0, test_wait(pid));
}

TEST_RAIO(limit, WHY)
{
	need_root("to be other users");
	as_user(ANN, reach_limit);
}

static void expect_room(void)
{
	EXPECT_EQ(0, setup_and_destroy(100));
}

static void use_all(void)
{
	leave_room_for(0);
	EXPECT_EQ(-EAGAIN, setup_and_destroy(1));
}

TEST_RAIO(other_user, WHY)
{
	int ready[2], go[2];
	char byte = 0;
	pid_t pid;

	need_root("to be other users");
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = test_fork();
	if (pid == 0) {
		become(ANN);
		use_all();
		ASSERT_EQ(1, write(ready[1], &byte, 1));
		ASSERT_EQ(1, read(go[0], &byte, 1));
		_exit(0);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	as_user(BOB, expect_room);
	expect_room();
	ASSERT_EQ(1, write(go[1], &byte, 1));
	EXPECT_EQ(0, test_wait(pid));
	/* all of it was given back */
	as_user(ANN, expect_nothing);
	as_user(ANN, expect_room);
}

/* CAP_SYS_RESOURCE. */
TEST_RAIO(privileged, WHY)
{
	need_root("to be other users");
	if (raio_info().max_user_nr + be_share(100) > raio_info().max_nr - be_nr())
		SKIP("fs.raio-max-nr is less than that");
	leave_room_for(0);
	new_context(100);
	EXPECT_LT(raio_info().max_user_nr, raio_info().user_nr);
	EXPECT_EQ(0, setup_and_destroy(100));
}

/* Who was charged gets it back, whoever destroys. */
TEST_RAIO(charged_at_setup, WHY)
{
	unsigned long before;
	int ready[2], go[2];
	char byte = 0;
	pid_t pid;

	need_root("to be other users");
	before = raio_info().user_nr;
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = test_fork();
	if (pid == 0) {
		aio_context_t ctx = new_context(100);

		become(ANN);
		EXPECT_EQ(0, raio_info().user_nr);
		ASSERT_EQ(1, write(ready[1], &byte, 1));
		ASSERT_EQ(1, read(go[0], &byte, 1));
		EXPECT_EQ(0, be_destroy(ctx));
		EXPECT_EQ(0, raio_info().user_nr);
		_exit(0);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(before + be_share(100), raio_info().user_nr);
	ASSERT_EQ(1, write(go[1], &byte, 1));
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_EQ(before, raio_info().user_nr);
}

static void set_max_user_nr(unsigned long value)
{
	FILE *file = fopen("/proc/sys/fs/raio-max-user-nr", "we");

	ASSERT_TRUE(file);
	fprintf(file, "%lu\n", value);
	ASSERT_EQ(0, fclose(file));
}

/* The smallest context counts as 126, the next as 254. */
static void expect_room_for_253(void)
{
	EXPECT_EQ(0, setup_and_destroy(125));
	EXPECT_EQ(-EAGAIN, setup_and_destroy(126));
	EXPECT_EQ(-1, open("/proc/sys/fs/raio-max-user-nr", O_WRONLY));
}

TEST_RAIO(sysctl, WHY)
{
	unsigned long old;

	need_root("to be other users");
	old = raio_info().max_user_nr;
	set_max_user_nr(253);
	EXPECT_EQ(253, raio_info().max_user_nr);
	as_user(ANN, expect_room_for_253);
	set_max_user_nr(old);
}

/* Read by who may: opened before the user changes. */
static int kmsg;

static void open_log(void)
{
	need_root("to be other users");
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, kmsg);
	lseek(kmsg, 0, SEEK_END);
}

static bool is_in_log(const char *expected)
{
	char record[1024];
	ssize_t len;

	/* EPIPE: the record was overwritten */
	while ((len = read(kmsg, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (len < 0)
			continue;
		record[len] = 0;
		/* the level is notice */
		if (strstr(record, expected))
			return EXPECT_EQ(0, strncmp(record, "5,", 2));
	}
	return false;
}

/* Meets the limit until the line is not held back for its rate. */
static void expect_message(int (*meet)(void), const char *text)
{
	uint64_t end = now_ns() + 20000000000ULL;
	char expected[100];

	snprintf(expected, sizeof(expected), ";raio: %s[%d]: %s is reached\n",
		 program_invocation_short_name, getpid(), text);
	do {
		EXPECT_LT(meet(), 0);
		if (is_in_log(expected))
			return;
		usleep(200000);
	} while (now_ns() < end);
	FAIL("no line \"%s\"", expected + 1);
}

static int exceed_max_nr(void)
{
	return setup_and_destroy(be_max_nr() + 1);
}

TEST_RAIO(message_max_nr, WHY)
{
	char text[80];

	open_log();
	snprintf(text, sizeof(text), "fs.raio-max-nr (%lu)", be_max_nr());
	expect_message(exceed_max_nr, text);
}

static int exceed_max_user_nr(void)
{
	return setup_and_destroy(raio_info().max_user_nr + 1);
}

TEST_RAIO(message_max_user_nr, WHY)
{
	char text[80];

	open_log();
	if (raio_info().max_user_nr >= raio_info().max_nr - be_nr())
		SKIP("fs.raio-max-nr is less than that");
	become(ANN);
	snprintf(text, sizeof(text), "fs.raio-max-user-nr (%lu)",
		 (unsigned long)raio_info().max_user_nr);
	expect_message(exceed_max_user_nr, text);
}

static int exceed_memlock(void)
{
	return setup_and_destroy(1000);
}

TEST_RAIO(message_memlock, WHY)
{
	struct rlimit none = { 0, 0 };

	open_log();
	become(ANN);
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	expect_message(exceed_memlock, "RLIMIT_MEMLOCK");
}
