// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a process whose address space somebody holds at its exit, as a
 * reader of /proc/PID/mem does, has no request left either when wait4() tells of
 * it; but a process that shares its contexts and lives on keeps them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absent.h"
#include "harness.h"
#include "medium.h"

#define WHY "its contexts end when the holder drops the address space"

/* A page whose first write waits until it is served. */
static struct absent page;

static char byte_of_child = 'x';

/* Holds the child's address space from the first fault until the page is served. */
static void *read_child(void *arg)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)(intptr_t)arg);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(1, pread(fd, page.pages, 1, (uintptr_t)&byte_of_child));
	close(fd);
	return NULL;
}

static void run(void (*make)(struct medium *), bool killed)
{
	unsigned long before = be_nr();
	struct medium medium;
	pthread_t thread;
	int ready[2], go[2];
	char byte = 0;
	pid_t pid;

	absent_open_page(&page);
	make(&medium);
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = test_fork();
	if (pid == 0) {
		close(go[1]);
		if (killed)
			medium_write(&medium, ready[1], 0);
		medium_write(&medium, ready[1], 5);
		ASSERT_EQ(0, read(go[0], &byte, 1));
		_exit(0);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_child, (void *)(intptr_t)pid));
	absent_wait(&page);

	if (killed)
		kill(pid, SIGKILL);
	close(go[1]);
	EXPECT_EQ(killed ? 128 + SIGKILL : 0, test_wait(pid));
	EXPECT_EQ(before, be_nr());
	medium_expect_rest(&medium);

	absent_serve(&page);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(before, be_nr());
}

TEST_RAIO(killed, WHY)
{
	run(medium_nullb, true);
}

TEST_RAIO(killed_buffered, WHY)
{
	run(medium_file, true);
}

TEST_RAIO(exits, WHY)
{
	run(medium_nullb, false);
}

static char stack[64 << 10] __attribute__((aligned(16)));
static aio_context_t shared;
static int dead[2], told[2];

/* Shares the memory and nothing else, and has closed the file. */
static int use_shared(void *arg)
{
	char byte;

	(void)arg;
	close(raio_fd());
	close(dead[1]);
	if (read(dead[0], &byte, 1) == 0) {
		struct raio_getevents get = {
			.ctx_id = shared, .min_nr = 1, .nr = 1,
			.events = (uintptr_t)&(struct io_event){ 0 },
		};
		int fd = open("/dev/raio", O_RDWR | O_CLOEXEC);

		byte = ioctl(fd, RAIO_IOC_GETEVENTS, &get) == 1;
		syscall(SYS_write, told[1], &byte, 1);
	}
	syscall(SYS_exit, 0);
	return 0;
}

/* The process that set it up is gone, and so is the file. */
TEST_RAIO(shared_memory, "it has no open file")
{
	unsigned long before = be_nr();
	char byte = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(dead));
	ASSERT_EQ(0, pipe(told));
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = test_fork();
	if (pid == 0) {
		shared = context_with_events(1);
		ASSERT_LT(0, clone(use_shared, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL));
		_exit(0);
	}
	close(told[1]);
	EXPECT_EQ(0, test_wait(pid));
	EXPECT_LT(before, be_nr());
	close(dead[0]);
	close(dead[1]);
	ASSERT_EQ(1, read(told[0], &byte, 1));
	EXPECT_EQ(1, byte);
	while (waitpid(-1, NULL, 0) > 0)
		;
	EXPECT_EQ(before, be_nr());
}
