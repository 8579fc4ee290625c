// SPDX-License-Identifier: GPL-2.0
/*
 * Description: contexts that come and go with requests of all kinds in flight, in
 * processes that fork, exec, exit and are killed, leave nothing behind at the open file
 * that they were set up through.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "special.h"

#define WHY "its contexts have no open file"

#define EVENTS 32
#define SIZE 4096
#define BLOCKS 64

/* What all processes have open: a wake of one is another's as well. */
static int file, direct, device, pipe_ends[2], sockets[2], event;
static char buf[SIZE] __attribute__((__aligned__(DIRECT_ALIGN)));

/* One of those that are over at once, by a driver, by a thread, when something comes, or never. */
static void prep_any(struct iocb *iocb, struct raio_deadline *deadline, unsigned int *state)
{
	int64_t at = random_number(state) % BLOCKS * SIZE;
	unsigned int kind = random_number(state) % 10;

	switch (kind) {
	case 0:
		/* whoever reads it next finds it cold */
		posix_fadvise(file, at, SIZE, POSIX_FADV_DONTNEED);
		__attribute__((__fallthrough__));
	case 1:
		prep(iocb, IOCB_CMD_PREAD, file, buf, SIZE, at);
		break;
	case 2:
		prep(iocb, IOCB_CMD_PWRITE, file, buf, SIZE, at);
		break;
	case 3:
		prep(iocb, IOCB_CMD_FDSYNC, file, NULL, 0, 0);
		break;
	case 4:
		prep(iocb, IOCB_CMD_PREAD, direct, buf, SIZE, at);
		break;
	case 5:
		prep(iocb, IOCB_CMD_PWRITE, device, buf, SIZE, at);
		break;
	case 6:
		prep(iocb, IOCB_CMD_PREAD, pipe_ends[0], buf, 1, 0);
		break;
	case 7:
		prep(iocb, IOCB_CMD_PREAD, sockets[0], buf, 1, 0);
		break;
	case 8:
		prep(iocb, IOCB_CMD_PREAD, event, buf, sizeof(uint64_t), 0);
		break;
	default:
		prep_poll(iocb, sockets[0], 1 /* POLLIN */);
		break;
	}
	if (random_number(state) % 8 == 0)
		set_deadline(iocb, deadline, random_number(state) % 4);
	if (random_number(state) % 16 == 0)
		iocb->aio_flags |= RAIO_IOCB_FLAG_BARRIER;
}

/* Something for those who wait, in whatever process. */
static void wake(unsigned int *state)
{
	static const uint64_t one = 1;
	int fd = ((int[]){ pipe_ends[1], sockets[1], event })[random_number(state) % 3];

	/* it may be full: nobody reads what is left */
	if (write(fd, &one, fd == event ? sizeof(one) : 1) < 0)
		ASSERT_EQ(EAGAIN, errno);
}

/* One context, which may be left as it is. */
static void use_context(unsigned int *state)
{
	unsigned int i, nr = 1 + random_number(state) % EVENTS;
	struct iocb iocbs[EVENTS], *list[EVENTS];
	struct raio_deadline deadlines[EVENTS];
	struct io_event events[EVENTS];
	aio_context_t ctx = 0;

	ASSERT_EQ(0, be_setup(EVENTS, &ctx));
	for (i = 0; i < nr; i++) {
		prep_any(&iocbs[i], &deadlines[i], state);
		list[i] = &iocbs[i];
	}
	EXPECT_EQ(nr, be_submit(ctx, nr, list));
	wake(state);
	EXPECT_LE(0, events_now(ctx, events, nr));
	for (i = random_number(state) % 4; i < nr; i += 4)
		be_cancel(ctx, &iocbs[i], &events[0]);
	switch (random_number(state) % 4) {
	case 0:
		EXPECT_EQ(0, munmap((void *)ctx, mapping_size(ctx)));
		break;
	case 1:
		break;
	default:
		EXPECT_EQ(0, be_destroy(ctx));
	}
}

static void *use_in_thread(void *arg)
{
	unsigned int state = (uintptr_t)arg, i;

	for (i = 0; i < 4; i++)
		use_context(&state);
	return NULL;
}

int test_helper(int argc, char **argv)
{
	aio_context_t ctx;

	(void)argc;
	(void)argv;
	ctx = new_context(EVENTS);
	expect_works(ctx);
	return 0;
}

static void live(unsigned int state)
{
	unsigned int i, rounds = 1 + random_number(&state) % 4;
	char *no_args[] = { NULL };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, use_in_thread,
				    (void *)(uintptr_t)random_number(&state)));
	for (i = 0; i < rounds; i++)
		use_context(&state);
	switch (random_number(&state) % 4) {
	case 0:
		test_exec_helper(no_args);
	case 1:
		/* the child has none of them, and the parent has not waited for it */
		if (test_fork() == 0)
			use_context(&state);
		break;
	case 2:
		pthread_join(thread, NULL);
		break;
	}
	_exit(0);
}

/* The contexts that were set up through the open file, and how many requests of it are over. */
static unsigned int look_at_open_file(unsigned long *contexts, unsigned long *completed)
{
	unsigned int there = 0;
	char path[48], text[512];
	unsigned long ending;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", raio_fd());
	info = fopen(path, "re");
	ASSERT_TRUE(info);
	while (fgets(text, sizeof(text), info)) {
		const char *at = strstr(text, "completed=");

		there += !strncmp(text, "context:", 8);
		if (strncmp(text, "ended:", 6))
			continue;
		ASSERT_TRUE(at);
		*completed = strtoul(at + strlen("completed="), NULL, 10);
		at = strstr(text, "contexts=");
		ASSERT_TRUE(at);
		*contexts = strtoul(at + strlen("contexts="), NULL, 10);
		at = strstr(text, "ending=");
		ASSERT_TRUE(at);
		ending = strtoul(at + strlen("ending="), NULL, 10);
		there += ending;
	}
	fclose(info);
	return there;
}

static pid_t start(unsigned int state)
{
	pid_t pid = test_fork();

	if (pid == 0)
		live(state);
	return pid;
}

static void open_all(struct nullb *nullb)
{
	nullb_create(nullb, &(struct nullb_options){ .size_mb = 1, .completion_nsec = 1000000 });
	device = nullb_open(nullb, true);
	file = new_file(BLOCKS * SIZE);
	direct = reopen(file, O_RDWR | O_DIRECT);
	ASSERT_LE(0, direct);
	ASSERT_EQ(0, pipe2(pipe_ends, O_CLOEXEC));
	ASSERT_EQ(0, fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	ASSERT_EQ(0, fcntl(sockets[1], F_SETFL, O_NONBLOCK));
	event = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, event);
}

TEST_RAIO(churn, WHY)
{
	unsigned long count = stress_count(40), contexts = 0, completed = 0;
	struct nullb nullb;

	open_all(&nullb);
	ASSERT_LE(0, raio_fd());
	turn_over(start, getpid(), count, 20000);
	/* a reader of /proc may have had the memory, and orphans run on: the watchdog ends it */
	while (look_at_open_file(&contexts, &completed) > 0)
		usleep(10000);
	EXPECT_LT(count, contexts);
	EXPECT_LT(0, (long long)completed);
	test_note("contexts=%lu completed=%lu", contexts, completed);
	close(device);
	nullb_remove(&nullb);
}
