// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a user's share of fs.raio-max-nr is one, whatever user namespaces he
 * makes and whatever ids he has in them; and all of it is given back.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"

#define WHY "it has no limit for a user"

/* Users that have nothing else here. */
#define ANN 61003
#define BOB 61004
/* Ann's subordinate ids: 1 to 1000 in her namespace. */
#define FIRST 6100000

/* Its /proc/self stays its own, to write a map. */
static void set_user(uid_t uid)
{
	ASSERT_EQ(0, setresuid(uid, uid, uid));
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
}

/* RLIMIT_MEMLOCK is not what is tested. */
static void become(uid_t uid)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	ASSERT_LE(0, raio_fd());
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &unlimited));
	set_user(uid);
}

static void need_namespaces(void)
{
	pid_t pid;

	need_root("to be other users");
	pid = test_fork();
	if (pid == 0) {
		set_user(ANN);
		_exit(unshare(CLONE_NEWUSER) != 0);
	}
	if (test_wait(pid))
		SKIP("users may make no user namespaces");
}

/* Of the ids of a process in its new namespace; of its groups just the one that it has. */
static void write_maps(pid_t pid, const char *uids)
{
	ASSERT_TRUE(write_control(uids, "/proc/%d/uid_map", pid));
	ASSERT_TRUE(write_control("deny", "/proc/%d/setgroups", pid));
	ASSERT_TRUE(write_control("0 0 1\n", "/proc/%d/gid_map", pid));
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

/* A child that is that id in a namespace of Ann's; newuidmap(1) has written its map. */
static void as_id(uid_t id, void (*fn)(void))
{
	int ready[2], go[2];
	char map[64], byte = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = test_fork();
	if (pid == 0) {
		become(ANN);
		ASSERT_EQ(0, unshare(CLONE_NEWUSER));
		ASSERT_EQ(1, write(ready[1], &byte, 1));
		ASSERT_EQ(1, read(go[0], &byte, 1));
		set_user(id);
		fn();
		_exit(0);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	snprintf(map, sizeof(map), "0 %d 1\n1 %d 1000\n", ANN, FIRST);
	write_maps(pid, map);
	ASSERT_EQ(1, write(go[1], &byte, 1));
	EXPECT_EQ(0, test_wait(pid));
}

static void expect_room(void)
{
	EXPECT_EQ(0, setup_and_destroy(100));
}

static void expect_none(void)
{
	EXPECT_EQ(-EAGAIN, setup_and_destroy(1));
	/* that of the one who has no room left */
	EXPECT_LT(raio_info().max_user_nr - be_share(1), raio_info().user_nr);
}

static void expect_nothing(void)
{
	EXPECT_EQ(0, raio_info().user_nr);
}

static void use_all(void)
{
	unsigned int part;

	while ((part = be_fitting(raio_info().max_user_nr - raio_info().user_nr)))
		new_context(part);
	expect_none();
}

static void (*kept)(void);
static int kept_ready[2], kept_go[2];

static void keep(void)
{
	char byte = 0;

	kept();
	ASSERT_EQ(1, write(kept_ready[1], &byte, 1));
	ASSERT_EQ(1, read(kept_go[0], &byte, 1));
}

/* Calls check while another has what fn has set up. */
static void while_kept(void (*as)(uid_t, void (*)(void)), uid_t who, void (*fn)(void),
		       void (*check)(void))
{
	char byte = 0;
	pid_t pid;

	if (raio_info().max_user_nr > 1 << 20)
		SKIP("the limit is too high to be reached");
	ASSERT_EQ(0, pipe(kept_ready));
	ASSERT_EQ(0, pipe(kept_go));
	kept = fn;
	pid = test_fork();
	if (pid == 0) {
		as(who, keep);
		_exit(0);
	}
	ASSERT_EQ(1, read(kept_ready[0], &byte, 1));
	check();
	ASSERT_EQ(1, write(kept_go[1], &byte, 1));
	EXPECT_EQ(0, test_wait(pid));
	/* all of it was given back */
	as_user(ANN, expect_nothing);
	as_user(FIRST + 4, expect_nothing);
}

static void no_id_has_room(void)
{
	/* 0 has all capabilities, there */
	as_id(0, expect_none);
	as_id(1, expect_none);
	as_id(5, expect_none);
	as_user(BOB, expect_room);
}

TEST_RAIO(no_way_in, WHY)
{
	need_namespaces();
	while_kept(as_user, ANN, use_all, no_id_has_room);
	as_id(5, expect_room);
}

static void ann_has_none(void)
{
	as_user(ANN, expect_none);
	as_id(6, expect_none);
	/* who is the same one, by another way */
	as_user(FIRST + 4, expect_none);
	as_user(FIRST + 5, expect_room);
}

/* What is taken inside counts for both, the id and who owns the namespace. */
TEST_RAIO(no_way_out, WHY)
{
	need_namespaces();
	while_kept(as_id, 5, use_all, ann_has_none);
}

/* From id 5 on: a namespace, where 0 is the id that it is made by. */
static void nest(unsigned int id)
{
	char map[20];

	ASSERT_EQ(0, unshare(CLONE_NEWUSER));
	snprintf(map, sizeof(map), "0 %u 1\n", id);
	write_maps(getpid(), map);
	ASSERT_EQ(0, getuid());
}

static void nest_and_expect_none(void)
{
	nest(5);
	expect_none();
	nest(0);
	expect_none();
}

static void nested_has_no_room(void)
{
	as_id(5, nest_and_expect_none);
}

static void nest_and_use_all(void)
{
	nest(5);
	nest(0);
	use_all();
}

TEST_RAIO(nested, WHY)
{
	need_namespaces();
	while_kept(as_user, ANN, use_all, nested_has_no_room);
	while_kept(as_id, 5, nest_and_use_all, ann_has_none);
}

static void count(void)
{
	aio_context_t ctx = new_context(100);

	EXPECT_EQ(be_share(100), raio_info().user_nr);
	EXPECT_EQ(0, be_destroy(ctx));
	EXPECT_EQ(0, raio_info().user_nr);
}

/* Ann is 0 there, and owns it: she is charged once. */
TEST_RAIO(counts_once, WHY)
{
	need_namespaces();
	as_id(0, count);
	as_id(5, count);
}
