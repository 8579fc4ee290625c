// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whether a request may use memory that has a protection key is asked for
 * the thread that submits it: whoever runs it, later, and whatever that one may.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "nullb.h"
#include "pairs.h"
#include "slowfile.h"
#include "workers.h"

#define SIZE	4096
#define TTY_SIZE	64

static int key;
static char *buf;

/* A page that has a key of its own, which the caller may use. */
static void start(void)
{
	key = pkey_alloc(0, 0);
	if (key < 0)
		SKIP("no protection keys: %m");
	buf = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(buf != MAP_FAILED);
	fill_pattern(buf, SIZE, 0, 1);
	ASSERT_EQ(0, pkey_mprotect(buf, SIZE, PROT_READ | PROT_WRITE, key));
}

static void allow(bool access)
{
	ASSERT_EQ(0, pkey_set(key, access ? 0 : PKEY_DISABLE_ACCESS));
}

/* A transfer: what makes it go on when it waits. */
struct transfer {
	unsigned int opcode;
	int fd;
	size_t size;
	void (*go_on)(int other);
	int other;
	/* the data has come, or has been written */
	bool (*is_done)(const struct transfer *transfer);
};

struct reaper {
	aio_context_t ctx;
	const struct transfer *transfer;
	pid_t submitter;
	bool access;
	int64_t result;
};

static void *reap(void *arg)
{
	struct reaper *reaper = arg;
	struct io_event event;

	allow(reaper->access);
	ASSERT_EQ(1, events_wait(reaper->ctx, &event, 1));
	reaper->result = event.res;
	return NULL;
}

/* Native aio does it in submit, so another thread has to make it go on there as well. */
static void *go_on(void *arg)
{
	struct reaper *reaper = arg;

	wait_asleep(reaper->submitter);
	if (reaper->transfer->go_on)
		reaper->transfer->go_on(reaper->transfer->other);
	return NULL;
}

/* The thread that submits may or may not, and all others are the other way round. */
static int64_t transfer_as(const struct transfer *transfer, bool access)
{
	struct reaper reaper = {
		.ctx = new_context(1), .transfer = transfer, .submitter = thread_id(),
		.access = !access,
	};
	pthread_t threads[2];
	struct iocb iocb;

	allow(!access);
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, go_on, &reaper));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, reap, &reaper));
	allow(access);
	prep(&iocb, transfer->opcode, transfer->fd, buf, transfer->size, 0);
	ASSERT_EQ(1, submit_one(reaper.ctx, &iocb));
	allow(!access);
	ASSERT_EQ(0, pthread_join(threads[0], NULL));
	ASSERT_EQ(0, pthread_join(threads[1], NULL));
	allow(true);
	EXPECT_EQ(0, be_destroy(reaper.ctx));
	return reaper.result;
}

/* And one that nobody reaps before it is in the ring. */
static int64_t transfer_alone(const struct transfer *transfer, bool access)
{
	aio_context_t ctx = new_context(1);
	struct io_event event;
	struct iocb iocb;

	allow(access);
	prep(&iocb, transfer->opcode, transfer->fd, buf, transfer->size, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	allow(!access);
	if (transfer->go_on)
		transfer->go_on(transfer->other);
	wait_for_ring(ctx, 1);
	allow(true);
	ASSERT_EQ(1, events_now(ctx, &event, 1));
	EXPECT_EQ(0, be_destroy(ctx));
	return event.res;
}

static void drain_all(int fd)
{
	pair_drain(fd);
}

static void write_data(int fd)
{
	static char data[SIZE];

	fill_pattern(data, SIZE, 0, 0);
	ASSERT_EQ(SIZE, write(fd, data, SIZE));
}

/* A round of each: open() makes one of it, in the state of the first. */
static void run(struct transfer (*open)(void))
{
	struct transfer transfer;
	int64_t (*const ways[])(const struct transfer *, bool) = {
		transfer_as, transfer_alone,
	};
	unsigned int i;

	start();
	for (i = 0; i < (is_native() ? 1 : ARRAY_SIZE(ways)); i++) {
		transfer = open();
		EXPECT_EQ(transfer.size, ways[i](&transfer, true));
		if (transfer.is_done)
			EXPECT_TRUE(transfer.is_done(&transfer));
		transfer = open();
		EXPECT_EQ(-EFAULT, ways[i](&transfer, false));
	}
}

static bool is_read(const struct transfer *transfer)
{
	return is_pattern(buf, transfer->size, 0, 0);
}

static struct transfer read_of(enum pair pair)
{
	struct transfer transfer = {
		.opcode = IOCB_CMD_PREAD, .size = SIZE, .go_on = write_data, .is_done = is_read,
	};
	int fds[2];

	pair_open(pair, fds);
	memset(buf, 0, SIZE);
	transfer.fd = fds[0];
	transfer.other = fds[1];
	return transfer;
}

static struct transfer write_to(enum pair pair)
{
	struct transfer transfer = {
		.opcode = IOCB_CMD_PWRITE, .size = SIZE, .go_on = drain_all,
	};
	int fds[2], small = 4096;

	pair_open(pair, fds);
	transfer.fd = fds[1];
	transfer.other = fds[0];
	if (pair != PAIR_PIPE)
		ASSERT_EQ(0, setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	pair_fill(fds[1]);
	return transfer;
}

static struct transfer pipe_read(void)
{
	return read_of(PAIR_PIPE);
}

static struct transfer unix_read(void)
{
	return read_of(PAIR_UNIX_STREAM);
}

static struct transfer tcp_read(void)
{
	return read_of(PAIR_TCP);
}

static struct transfer udp_read(void)
{
	return read_of(PAIR_UDP);
}

static void write_line(int fd)
{
	static char data[TTY_SIZE];

	fill_pattern(data, TTY_SIZE, 0, 0);
	ASSERT_EQ(TTY_SIZE, write(fd, data, TTY_SIZE));
}

/* A terminal passes more than that on in parts. */
static struct transfer tty_read(void)
{
	struct transfer transfer = read_of(PAIR_TTY);

	transfer.size = TTY_SIZE;
	transfer.go_on = write_line;
	return transfer;
}

static struct transfer pipe_write(void)
{
	return write_to(PAIR_PIPE);
}

static struct transfer unix_write(void)
{
	return write_to(PAIR_UNIX_STREAM);
}

TEST(read_pipe)
{
	run(pipe_read);
}

TEST(read_unix)
{
	run(unix_read);
}

TEST(read_tcp)
{
	run(tcp_read);
}

TEST(read_udp)
{
	run(udp_read);
}

TEST(read_tty)
{
	run(tty_read);
}

TEST(write_pipe)
{
	run(pipe_write);
}

TEST(write_unix)
{
	run(unix_write);
}

/* The pages come from a device, and are then copied. */
static struct transfer cold_read(void)
{
	static struct slowfile slow;
	struct transfer transfer = {
		.opcode = IOCB_CMD_PREAD, .size = SIZE,
	};

	if (!slow.fd)
		slowfile_make(&slow, NULL, 20000000);
	/* none that has been read */
	ASSERT_EQ(0, posix_fadvise(slow.fd, 0, 0, POSIX_FADV_DONTNEED));
	transfer.fd = slow.fd;
	return transfer;
}

TEST(read_cold)
{
	run(cold_read);
}

static struct transfer direct_read(void)
{
	static struct nullb nullb;
	static int fd;

	if (!fd) {
		nullb_create(&nullb, &(struct nullb_options){
			.size_mb = 1, .completion_nsec = 20000000, .memory_backed = true });
		fd = nullb_open(&nullb, true);
	}
	return (struct transfer){ .opcode = IOCB_CMD_PREAD, .size = SIZE, .fd = fd };
}

TEST(read_direct)
{
	run(direct_read);
}

static bool is_written(const struct transfer *transfer)
{
	static char seen[SIZE];

	return pread(transfer->fd, seen, SIZE, 0) == SIZE && !memcmp(seen, buf, SIZE);
}

static struct transfer buffered_write(void)
{
	return (struct transfer){
		.opcode = IOCB_CMD_PWRITE, .size = SIZE, .fd = new_file(0), .is_done = is_written,
	};
}

TEST(write_buffered)
{
	run(buffered_write);
}
