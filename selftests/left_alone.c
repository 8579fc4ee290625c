// SPDX-License-Identifier: GPL-2.0
/*
 * Description: what nobody waits for comes all the same while the threads that there
 * are block for ever; and who wakes a request and runs it takes nothing from a file
 * that could be lost then.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "harness.h"
#include "workers.h"

#define WHY	"io_submit blocks"
#define PAGE	4096

static char buf[2 * PAGE];
static struct io_event events[2];

static void open_tty(int *master, int *slave)
{
	struct termios mode;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || grantpt(*master) || unlockpt(*master))
		SKIP("no pty: %m");
	*slave = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		SKIP("no pty: %m");
	ASSERT_EQ(0, tcgetattr(*slave, &mode));
	cfmakeraw(&mode);
	ASSERT_EQ(0, tcsetattr(*slave, TCSANOW, &mode));
}

/* A thread that reads what never comes, and no other. */
static aio_context_t with_busy_thread(struct iocb *read)
{
	aio_context_t ctx = new_context(4);
	int master, slave;

	open_tty(&master, &slave);
	prep(read, IOCB_CMD_PREAD, slave, buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, read));
	return ctx;
}

static void wait_for_one_thread(void)
{
	while (worker_threads(getpid(), NULL, 0) != 1)
		usleep(1000);
}

/* It is asked by a thread, and its queues do not say all. */
static void check_tty_poll(bool watched)
{
	int master, slave, fd = eventfd(0, EFD_CLOEXEC);
	struct iocb first, poll;
	aio_context_t ctx;
	uint64_t count;

	ctx = with_busy_thread(&first);
	open_tty(&master, &slave);
	prep(&poll, IOCB_CMD_POLL, slave, (void *)POLLIN, 0, 0);
	if (watched) {
		poll.aio_flags = IOCB_FLAG_RESFD;
		poll.aio_resfd = fd;
	}
	ASSERT_EQ(1, submit_one(ctx, &poll));
	wait_for_one_thread();
	ASSERT_EQ(1, write(master, "x", 1));
	if (watched)
		ASSERT_EQ(sizeof(count), read(fd, &count, sizeof(count)));
	else
		wait_for_ring(ctx, 1);
	ASSERT_EQ(1, events_now(ctx, events, 1));
	EXPECT_EQ(POLLIN, (long long)events[0].res);
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST_RAIO(tty_poll, WHY)
{
	check_tty_poll(false);
}

TEST_RAIO(tty_poll_watched, WHY)
{
	check_tty_poll(true);
}

/* Another that blocks, when the one that is there does. */
TEST_RAIO(tty_reads, WHY)
{
	int master, slave;
	struct iocb first, second;
	aio_context_t ctx = with_busy_thread(&first);

	open_tty(&master, &slave);
	wait_for_one_thread();
	prep(&second, IOCB_CMD_PREAD, slave, buf + 1, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &second));
	ASSERT_EQ(1, write(master, "x", 1));
	wait_for_ring(ctx, 1);
	ASSERT_EQ(1, events_now(ctx, events, 1));
	EXPECT_EQ((uintptr_t)&second, events[0].obj);
	EXPECT_EQ(0, be_destroy(ctx));
}

/*
 * The first is run by who comes, and not by who wakes the second, though that is on its
 * way to them: its memory is absent.
 */
static void check_not_lost(int from, int to, const void *data, size_t size)
{
	aio_context_t ctx = new_context(4);
	struct iocb first, second;
	int fds[2];
	char *absent;

	absent = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(absent != MAP_FAILED);
	ASSERT_EQ(0, pipe(fds));
	prep(&first, IOCB_CMD_PREAD, from, absent, size, 0);
	prep(&second, IOCB_CMD_PREAD, fds[0], buf, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &first));
	ASSERT_EQ(1, submit_one(ctx, &second));
	ASSERT_EQ(size, write(to, data, size));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	wait_for_ring(ctx, 2);
	ASSERT_EQ(2, events_now(ctx, events, 2));
	EXPECT_EQ(size + 1, events[0].res + events[1].res);
	EXPECT_EQ(0, memcmp(absent, data, size));
	EXPECT_EQ(0, be_destroy(ctx));
	munmap(absent, PAGE);
}

TEST_RAIO(counts, WHY)
{
	uint64_t one = 1;
	int fd = eventfd(0, EFD_CLOEXEC), i;

	for (i = 0; i < 50; i++)
		check_not_lost(fd, fd, &one, sizeof(one));
}

TEST_RAIO(datagrams, WHY)
{
	int fds[2], i;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	for (i = 0; i < 50; i++)
		check_not_lost(fds[0], fds[1], "datagram", 8);
}

/* Each read of a pipe in packet mode is one of them. */
TEST_RAIO(packets, WHY)
{
	aio_context_t ctx = new_context(4);
	static char data[PAGE + 1000];
	struct iocb iocb;
	int fds[2], i;

	ASSERT_EQ(0, pipe2(fds, O_DIRECT));
	for (i = 0; i < 50; i++) {
		prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, sizeof(buf), 0);
		ASSERT_EQ(1, submit_one(ctx, &iocb));
		ASSERT_EQ(sizeof(data), write(fds[1], data, sizeof(data)));
		ASSERT_EQ(1, events_wait(ctx, events, 1));
		EXPECT_EQ(PAGE, (long long)events[0].res);
		EXPECT_EQ(1000, run_one(ctx, &iocb));
	}
}
