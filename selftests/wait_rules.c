// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a request waits as long as read(2) or write(2) of its file would: the
 * timeouts and low-water marks of sockets, VMIN and VTIME, and job control count.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "harness.h"
#include "pairs.h"
#include "workers.h"

#define TIMEOUT_MS	300
#define LIMIT_S		5	/* for what never comes */
#define LOW_WATER	10
#define SIZE		100
#define BIG		(4 << 20)

/* Results that no file has. */
#define PART		100000001	/* more than nothing, less than asked for */
#define NO_EVENT	100000002

struct rule {
	enum pair pair;
	unsigned int opcode;
	size_t size;
	void (*set)(const int fds[2]);
	/* What others do when it waits, and a while after that; may be NULL. */
	void (*first)(const int fds[2]);
	void (*then)(const int fds[2]);
	bool timeout;		/* it waits for its end */
	long long expected;
};

static char buf[BIG];
static const struct rule *rule;
static int fds[2];
static bool over;

static void *others(void *arg)
{
	pid_t tid = *(pid_t *)arg;

	wait_asleep(tid);
	if (rule->first)
		rule->first(fds);
	/* a request that ends too early has the time to do so */
	usleep(100000);
	if (rule->then)
		rule->then(fds);
	return NULL;
}

static int request_fd(void)
{
	return fds[rule->opcode == IOCB_CMD_PWRITE];
}

static long long plain(void)
{
	ssize_t ret = rule->opcode == IOCB_CMD_PWRITE ? write(request_fd(), buf, rule->size) :
							read(request_fd(), buf, rule->size);

	return ret < 0 ? -errno : ret;
}

/* The ring is read, and no task is in a call that could do the work. */
static int look(aio_context_t ctx, struct io_event *event)
{
	uint64_t end = now_ns() + LIMIT_S * 1000000000ULL;

	while (!events_in_ring(ctx)) {
		if (now_ns() > end)
			return 0;
		usleep(1000);
	}
	return events_now(ctx, event, 1);
}

static long long request(bool looks)
{
	struct __kernel_timespec limit = { .tv_sec = LIMIT_S };
	aio_context_t ctx = new_context(2);
	struct io_event event;
	struct iocb iocb;
	int ret;

	prep(&iocb, rule->opcode, request_fd(), buf, rule->size, 0);
	ret = submit_one(ctx, &iocb);
	if (ret < 0)
		return ret;
	ret = looks ? look(ctx, &event) : be_getevents(ctx, 1, 1, &event, &limit);
	if (ret != 1)
		be_cancel(ctx, &iocb, &event);
	EXPECT_EQ(0, be_destroy(ctx));
	return ret == 1 ? (long long)event.res : NO_EVENT;
}

static long long request_waiting(void)
{
	return request(false);
}

static long long request_looking(void)
{
	return request(true);
}

static void run_as(const char *how, long long (*fn)(void))
{
	pid_t tid = thread_id();
	pthread_t thread;
	long long result;
	uint64_t start;

	pair_open(rule->pair, fds);
	rule->set(fds);
	over = false;
	ASSERT_EQ(0, pthread_create(&thread, NULL, others, &tid));
	start = now_ns();
	result = fn();
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	/* there is no upper bound but that of an event at all */
	if (rule->timeout)
		EXPECT_LE(TIMEOUT_MS / 2, (now_ns() - start) / 1000000);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	if (rule->expected == PART)
		result = result > 0 && result < (long long)rule->size ? PART : result;
	if (!EXPECT_EQ(rule->expected, result))
		test_note("%s: %s%s", pair_name(rule->pair), how,
			  result == NO_EVENT ? ": there was no event" : "");
	close(fds[0]);
	close(fds[1]);
}

static void run(struct rule of)
{
	rule = &of;
	if (!rule->opcode)
		of.opcode = IOCB_CMD_PREAD;
	if (!rule->size)
		of.size = SIZE;
	run_as("the call itself", plain);
	run_as("a request that is waited for", request_waiting);
	if (!is_native())
		run_as("a request whose ring is looked at", request_looking);
}

#define RUN(...)	run((struct rule){ __VA_ARGS__ })

static void write_some(const int fds[2])
{
	ASSERT_EQ(4, write(fds[1], "abcd", 4));
}

static void write_more(const int fds[2])
{
	ASSERT_EQ(10, write(fds[1], "0123456789", 10));
}

/* sockets */

static void set_timeout(int fd, int option, unsigned int ms)
{
	struct timeval timeout = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, option, &timeout, sizeof(timeout)));
}

static void set_rcvtimeo(const int fds[2])
{
	set_timeout(fds[0], SO_RCVTIMEO, TIMEOUT_MS);
}

/* There is data before it is over. */
static void set_rcvtimeo_long(const int fds[2])
{
	set_timeout(fds[0], SO_RCVTIMEO, 1000 * TIMEOUT_MS);
}

static void run_rcvtimeo(enum pair pair)
{
	RUN(.pair = pair, .set = set_rcvtimeo, .timeout = true, .expected = -EAGAIN);
	RUN(.pair = pair, .set = set_rcvtimeo_long, .first = write_some, .expected = 4);
}

TEST(rcvtimeo_tcp)
{
	run_rcvtimeo(PAIR_TCP);
}

TEST(rcvtimeo_tcp6)
{
	run_rcvtimeo(PAIR_TCP6);
}

TEST(rcvtimeo_udp)
{
	run_rcvtimeo(PAIR_UDP);
}

TEST(rcvtimeo_unix_stream)
{
	run_rcvtimeo(PAIR_UNIX_STREAM);
}

TEST(rcvtimeo_unix_datagram)
{
	run_rcvtimeo(PAIR_UNIX_DGRAM);
}

TEST(rcvtimeo_unix_seqpacket)
{
	run_rcvtimeo(PAIR_UNIX_SEQPACKET);
}

/* No thread may run these: submit waits, as with native aio. */
TEST(rcvtimeo_netlink)
{
	run_rcvtimeo(PAIR_NETLINK);
}

TEST(rcvtimeo_mptcp)
{
	run_rcvtimeo(PAIR_MPTCP);
}

static void set_small(const int fds[2])
{
	int small = 4096;

	ASSERT_EQ(0, setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
}

static void set_sndtimeo_small(const int fds[2])
{
	set_small(fds);
	set_timeout(fds[1], SO_SNDTIMEO, TIMEOUT_MS);
}

static void set_sndtimeo_full(const int fds[2])
{
	set_sndtimeo_small(fds);
	pair_fill(fds[1]);
}

/* There is space before it is over. */
static void set_sndtimeo_long(const int fds[2])
{
	set_small(fds);
	set_timeout(fds[1], SO_SNDTIMEO, 1000 * TIMEOUT_MS);
	pair_fill(fds[1]);
}

static void drain(const int fds[2])
{
	pair_drain(fds[0]);
}

/* TCP delivers it in small parts. */
static void drain_to_end(const int fds[2])
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		pair_drain(fds[0]);
		usleep(1000);
	}
}

static void run_sndtimeo(enum pair pair)
{
	RUN(.pair = pair, .opcode = IOCB_CMD_PWRITE, .set = set_sndtimeo_full, .timeout = true,
	    .expected = -EAGAIN);
	RUN(.pair = pair, .opcode = IOCB_CMD_PWRITE, .set = set_sndtimeo_long, .first = drain,
	    .then = drain_to_end, .expected = SIZE);
}

/* What was moved before the timeout is the result. */
static void run_sndtimeo_part(enum pair pair)
{
	RUN(.pair = pair, .opcode = IOCB_CMD_PWRITE, .size = BIG, .set = set_sndtimeo_small,
	    .timeout = true, .expected = PART);
}

TEST(sndtimeo_tcp)
{
	run_sndtimeo(PAIR_TCP);
}

TEST(sndtimeo_tcp_part)
{
	run_sndtimeo_part(PAIR_TCP);
}

TEST(sndtimeo_unix_stream)
{
	run_sndtimeo(PAIR_UNIX_STREAM);
}

TEST(sndtimeo_unix_stream_part)
{
	run_sndtimeo_part(PAIR_UNIX_STREAM);
}

TEST(sndtimeo_unix_datagram)
{
	run_sndtimeo(PAIR_UNIX_DGRAM);
}

TEST(sndtimeo_unix_seqpacket)
{
	run_sndtimeo(PAIR_UNIX_SEQPACKET);
}

TEST(sndtimeo_mptcp_part)
{
	run_sndtimeo_part(PAIR_MPTCP);
}

static void set_rcvlowat(const int fds[2])
{
	int low = LOW_WATER;

	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
}

static void set_rcvlowat_some(const int fds[2])
{
	set_rcvlowat(fds);
	write_some(fds);
}

static void set_rcvlowat_timeout(const int fds[2])
{
	set_rcvlowat_some(fds);
	set_rcvtimeo(fds);
}

static void end_of_stream(const int fds[2])
{
	ASSERT_EQ(0, shutdown(fds[1], SHUT_WR));
}

/* Less than the mark is there before, or arrives first. */
static void run_rcvlowat(enum pair pair)
{
	RUN(.pair = pair, .set = set_rcvlowat_some, .first = write_more, .expected = 14);
	RUN(.pair = pair, .set = set_rcvlowat, .first = write_some, .then = write_more,
	    .expected = 14);
}

/* What ends the wait before. */
static void run_rcvlowat_ends(enum pair pair)
{
	RUN(.pair = pair, .set = set_rcvlowat_some, .size = 4, .expected = 4);
	RUN(.pair = pair, .set = set_rcvlowat_some, .first = end_of_stream, .expected = 4);
	RUN(.pair = pair, .set = set_rcvlowat_timeout, .timeout = true, .expected = 4);
}

TEST(rcvlowat_tcp)
{
	run_rcvlowat(PAIR_TCP);
}

TEST(rcvlowat_tcp6)
{
	run_rcvlowat(PAIR_TCP6);
}

TEST(rcvlowat_tcp_ends)
{
	run_rcvlowat_ends(PAIR_TCP);
}

TEST(rcvlowat_unix)
{
	run_rcvlowat(PAIR_UNIX_STREAM);
}

TEST(rcvlowat_unix_ends)
{
	run_rcvlowat_ends(PAIR_UNIX_STREAM);
	/* TCP wakes nobody for less than the mark, whatever mark it has */
	RUN(.pair = PAIR_UNIX_STREAM, .set = set_rcvlowat, .size = 4, .first = write_some,
	    .expected = 4);
}

/* terminals: see termios(3) */

static void set_min0(const int fds[2])
{
	terminal_set_min_time(fds[0], 0, 0);
}

TEST(tty_min0_time0)
{
	RUN(.pair = PAIR_TTY, .set = set_min0, .expected = 0);
}

/* In tenths of a second. */
static void set_min0_time(const int fds[2])
{
	terminal_set_min_time(fds[0], 0, TIMEOUT_MS / 100);
}

static void set_min0_long(const int fds[2])
{
	terminal_set_min_time(fds[0], 0, 255);
}

TEST(tty_min0_time)
{
	RUN(.pair = PAIR_TTY, .set = set_min0_time, .timeout = true, .expected = 0);
	RUN(.pair = PAIR_TTY, .set = set_min0_long, .first = write_some, .expected = 4);
}

static void set_min(const int fds[2])
{
	terminal_set_min_time(fds[0], LOW_WATER, 0);
}

static void set_min_some(const int fds[2])
{
	set_min(fds);
	write_some(fds);
}

TEST(tty_min)
{
	RUN(.pair = PAIR_TTY, .set = set_min_some, .first = write_more, .expected = 14);
	RUN(.pair = PAIR_TTY, .set = set_min, .first = write_some, .then = write_more,
	    .expected = 14);
	/* as many as there is room for are enough */
	RUN(.pair = PAIR_TTY, .set = set_min, .size = 4, .first = write_some, .expected = 4);
}

/* The time is that after the last byte. */
static void set_min_time_some(const int fds[2])
{
	terminal_set_min_time(fds[0], LOW_WATER, TIMEOUT_MS / 100);
	write_some(fds);
}

static void set_min_time_none(const int fds[2])
{
	terminal_set_min_time(fds[0], LOW_WATER, TIMEOUT_MS / 100);
}

TEST(tty_min_time)
{
	RUN(.pair = PAIR_TTY, .set = set_min_time_some, .timeout = true, .expected = 4);
	RUN(.pair = PAIR_TTY, .set = set_min_time_none, .first = write_some, .timeout = true,
	    .expected = 4);
	RUN(.pair = PAIR_TTY, .set = set_min_time_some, .first = write_more, .expected = 14);
}

/* job control */

/* A session of its own, whose terminal that is; its child is in the background. */
static void in_session(void (*background)(void), void (*leader)(pid_t child))
{
	pid_t pid = test_fork(), child;

	if (pid) {
		EXPECT_EQ(0, test_wait(pid));
		return;
	}
	ASSERT_EQ(getpid(), setsid());
	pair_open(PAIR_TTY, fds);
	ASSERT_EQ(0, ioctl(fds[0], TIOCSCTTY, 0));
	/* it changes the foreground group from the background */
	signal(SIGTTOU, SIG_IGN);
	child = test_fork();
	if (!child) {
		ASSERT_EQ(0, setpgid(0, 0));
		signal(SIGTTOU, SIG_DFL);
		background();
		_exit(0);
	}
	leader(child);
	_exit(0);
}

static void expect_exit(pid_t child)
{
	EXPECT_EQ(0, test_wait(child));
}

static struct rule background_rule = { .pair = PAIR_TTY, .opcode = IOCB_CMD_PREAD, .size = SIZE };

/* Whether there is data or not. */
static void read_ignoring(void)
{
	int i;

	rule = &background_rule;
	signal(SIGTTIN, SIG_IGN);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EIO, plain());
		EXPECT_EQ(-EIO, request_waiting());
		if (!is_native())
			EXPECT_EQ(-EIO, request_looking());
		write_some(fds);
	}
}

TEST(background_read_ignored)
{
	in_session(read_ignoring, expect_exit);
}

/*
 * It stops, is put into the foreground, and goes on: the signal has interrupted the
 * request, unless that is one that starts again.
 */
static void read_stopping(void)
{
	long long result;

	rule = &background_rule;
	result = request_waiting();
	if (result != -EINTR)
		EXPECT_EQ(4, result);
}

/* If it does not stop, it ends. */
static void expect_stop(pid_t child, int signal)
{
	int status;

	ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
	if (!EXPECT_TRUE(WIFSTOPPED(status)))
		_exit(1);
	EXPECT_EQ(signal, WSTOPSIG(status));
	ASSERT_EQ(0, tcsetpgrp(fds[0], child));
	write_some(fds);
	ASSERT_EQ(0, kill(child, SIGCONT));
	EXPECT_EQ(0, test_wait(child));
}

static void expect_stop_in(pid_t child)
{
	expect_stop(child, SIGTTIN);
}

TEST(background_read_stops)
{
	in_session(read_stopping, expect_stop_in);
}

static int bytes_to_read(void)
{
	int bytes;

	ASSERT_EQ(0, ioctl(fds[0], FIONREAD, &bytes));
	return bytes;
}

/* In the foreground once there is something to read, but less than it waits for. */
static void foreground_first(void)
{
	signal(SIGTTOU, SIG_IGN);
	rule = &background_rule;
	set_min_some(fds);
	while (bytes_to_read() != 4)
		usleep(1000);
	ASSERT_EQ(0, tcsetpgrp(fds[0], getpid()));
	EXPECT_EQ(14, request_waiting());
}

/* Job control checks a read when it begins: a read that has taken something has begun. */
static void put_into_background(pid_t child)
{
	while (tcgetpgrp(fds[0]) != child || bytes_to_read())
		usleep(1000);
	ASSERT_EQ(0, tcsetpgrp(fds[0], getpid()));
	write_more(fds);
	EXPECT_EQ(0, test_wait(child));
}

TEST(background_after_start)
{
	in_session(foreground_first, put_into_background);
}

static void set_tostop(void)
{
	struct termios termios;

	ASSERT_EQ(0, tcgetattr(fds[0], &termios));
	termios.c_lflag |= TOSTOP;
	ASSERT_EQ(0, tcsetattr(fds[0], TCSANOW, &termios));
}

static long long write_slave(void)
{
	static struct rule write_rule = { .opcode = IOCB_CMD_PWRITE, .size = 4 };
	int swapped[2] = { fds[1], fds[0] };
	long long result;

	rule = &write_rule;
	memcpy(fds, swapped, sizeof(fds));
	result = request_waiting();
	swapped[0] = fds[1];
	swapped[1] = fds[0];
	memcpy(fds, swapped, sizeof(fds));
	return result;
}

static void write_ignoring(void)
{
	signal(SIGTTOU, SIG_IGN);
	set_tostop();
	EXPECT_EQ(4, write_slave());
}

TEST(background_write_ignored)
{
	in_session(write_ignoring, expect_exit);
}

static void write_stopping(void)
{
	long long result;

	signal(SIGTTOU, SIG_IGN);
	set_tostop();
	signal(SIGTTOU, SIG_DFL);
	result = write_slave();
	if (result != -EINTR)
		EXPECT_EQ(4, result);
}

static void expect_stop_out(pid_t child)
{
	expect_stop(child, SIGTTOU);
}

TEST(background_write_stops)
{
	in_session(write_stopping, expect_stop_out);
}
