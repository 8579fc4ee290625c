// SPDX-License-Identifier: GPL-2.0
/*
 * Description: rmmod waits for a work item that has ended a context and still runs code of the
 * module, without a reference to it.  Then the module can be loaded again.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"
#include "window.h"
#include "workers.h"

#define LOOKS	20

static struct absent absent;
static pid_t remover;
static int removed;
static char byte_of_child = 'x';

/* Has the last reference to the child's address space, until the page is served. */
static void *hold_memory(void *arg)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)(intptr_t)arg);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(1, pread(fd, absent.pages, 1, (uintptr_t)&byte_of_child));
	close(fd);
	return NULL;
}

/* A process exits, and the work queue ends its context. */
static void leave_context(void)
{
	pthread_t thread;
	int ready[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	pid = test_fork();
	if (!pid) {
		new_context(8);
		raio_close();
		ASSERT_EQ(1, write(ready[1], "", 1));
		pause();
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, hold_memory, (void *)(intptr_t)pid));
	absent_wait(&absent);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, test_wait(pid));
	absent_serve(&absent);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

static void *remove_module(void *arg)
{
	(void)arg;
	__atomic_store_n(&remover, thread_id(), __ATOMIC_RELEASE);
	if (syscall(SYS_delete_module, "raio", O_NONBLOCK))
		FAIL("rmmod: %m");
	__atomic_store_n(&removed, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* The module's file is beside the directory of the tests. */
static void find_module(char *path, size_t size)
{
	char self[200];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ASSERT_LT(0, len);
	self[len] = 0;
	snprintf(path, size, "%s/../raio.ko", dirname(self));
	if (access(path, R_OK))
		SKIP("needs %s, to load it again", path);
}

TEST_RAIO(last, "it is no module")
{
	char path[256], command[300];
	pthread_t thread;
	int look, waits = 0;

	find_module(path, sizeof(path));
	snprintf(command, sizeof(command), "insmod %s", path);
	window_need();
	absent_open_page(&absent);
	window_hold("last");
	leave_context();
	ASSERT_TRUE(window_wait_held("last"));

	ASSERT_EQ(0, pthread_create(&thread, NULL, remove_module, NULL));
	for (look = 0; look < LOOKS; look++) {
		pid_t tid = __atomic_load_n(&remover, __ATOMIC_ACQUIRE);

		waits += tid && thread_state(getpid(), tid) != 'R';
		usleep(1000);
	}
	EXPECT_TRUE(!__atomic_load_n(&removed, __ATOMIC_ACQUIRE));
	EXPECT_LT(0, waits);
	EXPECT_TRUE(window_is_held("last"));
	window_release();
	window_forget();
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(!be_present());

	ASSERT_EQ(0, system(command));
	expect_works(new_context(1));
}
