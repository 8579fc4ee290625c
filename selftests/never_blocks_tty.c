// SPDX-License-Identifier: GPL-2.0
/*
 * Description: submit does not wait for input of a terminal, nor for space to
 * write to it; both ends of a pseudo terminal.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "harness.h"
#include "pairs.h"
#include "switches.h"

#define SIZE 4096

static uint8_t buf[SIZE];
static int master, slave;
static aio_context_t ctx;

static void start(void)
{
	ctx = new_context(4);
	memset(buf, 0, SIZE);
}

static void start_raw(void)
{
	int fds[2];

	start();
	pair_open(PAIR_PTY, fds);
	master = fds[0];
	slave = fds[1];
}

/* With lines, but without echo. */
static void start_lines(void)
{
	struct termios termios;

	start();
	terminal_open(&master, &slave);
	ASSERT_EQ(0, tcgetattr(slave, &termios));
	termios.c_lflag &= ~ECHO;
	ASSERT_EQ(0, tcsetattr(slave, TCSANOW, &termios));
}

static void check_read(int in, int out)
{
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, in, buf, SIZE, 0);
	submit_unfinished(ctx, &iocb);
	ASSERT_EQ(6, write(out, "hello\n", 6));
	EXPECT_EQ(6, finish_one(ctx, &iocb));
	EXPECT_EQ(0, memcmp(buf, "hello\n", 6));
}

TEST_RAIO(read_master, "native: blocks until there is data")
{
	start_raw();
	check_read(master, slave);
}

TEST_RAIO(read_slave, "native: blocks until there is data")
{
	start_raw();
	check_read(slave, master);
}

TEST_RAIO(read_line, "native: blocks until there is a line")
{
	struct iocb iocb;

	start_lines();
	/* some of it is there, but no line */
	ASSERT_EQ(4, write(master, "half", 4));
	prep(&iocb, IOCB_CMD_PREAD, slave, buf, SIZE, 0);
	submit_unfinished(ctx, &iocb);
	ASSERT_EQ(5, write(master, "line\n", 5));
	EXPECT_EQ(9, finish_one(ctx, &iocb));
	EXPECT_EQ(0, memcmp(buf, "halfline\n", 9));
}

/* Another reader may take what there was when it was polled. */
TEST_RAIO(two_reads, "native: blocks until there is data")
{
	struct iocb iocbs[2];
	static uint8_t bufs[2][SIZE];

	start_raw();
	prep(&iocbs[0], IOCB_CMD_PREAD, slave, bufs[0], SIZE, 0);
	prep(&iocbs[1], IOCB_CMD_PREAD, slave, bufs[1], SIZE, 0);
	submit_unfinished(ctx, &iocbs[0]);
	submit_unfinished(ctx, &iocbs[1]);
	ASSERT_EQ(3, write(master, "one", 3));
	EXPECT_EQ(3, finish_one(ctx, &iocbs[0]));
	ASSERT_EQ(5, write(master, "three", 5));
	EXPECT_EQ(5, finish_one(ctx, &iocbs[1]));
	EXPECT_EQ(0, memcmp(bufs[0], "one", 3));
	EXPECT_EQ(0, memcmp(bufs[1], "three", 5));
}

static void check_write(int in, int out)
{
	uint8_t page[SIZE];
	size_t size = 0, done;
	struct iocb iocb;
	ssize_t ret;

	ASSERT_EQ(0, fcntl(out, F_SETFL, O_NONBLOCK));
	for (;;) {
		fill_pattern(page, SIZE, size, 0);
		ret = write(out, page, SIZE);
		if (ret < 0)
			break;
		size += ret;
	}
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(out, F_SETFL, 0));

	fill_pattern(buf, SIZE, size, 0);
	prep(&iocb, IOCB_CMD_PWRITE, out, buf, SIZE, 0);
	submit_unfinished(ctx, &iocb);
	for (done = 0; done < size + SIZE; done += ret) {
		ret = read(in, page, SIZE);
		ASSERT_LT(0, ret);
		EXPECT_TRUE(is_pattern(page, ret, done, 0));
	}
	EXPECT_EQ(SIZE, finish_one(ctx, &iocb));
}

TEST_RAIO(write_master, "native: blocks until there is space")
{
	start_raw();
	check_write(slave, master);
}

TEST_RAIO(write_slave, "native: blocks until there is space")
{
	start_raw();
	check_write(master, slave);
}
