// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the requests of one context on one stream and one direction are
 * served in the order in which they were submitted, byte by byte.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

#define DEPTH		16
#define MAX_SIZE	6000	/* more than a pipe takes in one piece */
#define TOTAL		(512 * 1024)

struct slot {
	struct iocb iocb;
	struct io_event event;
	bool over;
	uint8_t buf[MAX_SIZE];
};

/* Up to DEPTH requests on a stream, in order. */
struct queue {
	aio_context_t ctx;
	int fd;
	unsigned int random;
	uint64_t offset;	/* of the stream: all before it was moved */
	unsigned int head, tail;
	struct slot slots[DEPTH];
};

static struct queue *new_queue(aio_context_t ctx, int fd)
{
	struct queue *queue = calloc(1, sizeof(*queue));

	ASSERT_TRUE(queue);
	queue->ctx = ctx;
	queue->fd = fd;
	queue->random = fd + 1;
	return queue;
}

static struct slot *slot_of(struct queue *queue, unsigned int index)
{
	return &queue->slots[index % DEPTH];
}

static size_t random_size(unsigned int *random)
{
	unsigned int number = random_number(random);

	/* small ones and large ones in turn */
	return 1 + number % (number & 0x100 ? MAX_SIZE : 50);
}

static void push(struct queue *queue, unsigned int opcode, size_t size)
{
	struct slot *slot = slot_of(queue, queue->tail++);

	slot->over = false;
	prep(&slot->iocb, opcode, queue->fd, slot->buf, size, 0);
	slot->iocb.aio_data = (uintptr_t)slot;
	ASSERT_EQ(1, submit_one(queue->ctx, &slot->iocb));
}

static void take_events(aio_context_t ctx)
{
	struct io_event events[2 * DEPTH];
	struct slot *slot;
	int count, i;

	count = be_getevents(ctx, 1, 2 * DEPTH, events, NULL);
	ASSERT_LE(1, count);
	for (i = 0; i < count; i++) {
		slot = (struct slot *)(uintptr_t)events[i].data;
		EXPECT_TRUE(!slot->over);
		slot->over = true;
		slot->event = events[i];
	}
}

/* The oldest of them if it is over. */
static struct slot *pop(struct queue *queue)
{
	struct slot *slot = slot_of(queue, queue->head);

	if (queue->head == queue->tail || !slot->over)
		return NULL;
	queue->head++;
	return slot;
}

/* True at the end of the stream. */
static bool take_reads(struct queue *queue)
{
	struct slot *slot;
	bool end = false;
	int64_t res;

	while ((slot = pop(queue))) {
		res = slot->event.res;
		ASSERT_LE(0, res);
		ASSERT_LE(res, (int64_t)slot->iocb.aio_nbytes);
		/* nothing comes behind the end */
		EXPECT_TRUE(!end || !res);
		end |= !res;
		ASSERT_TRUE(is_pattern(slot->buf, res, queue->offset, 0));
		queue->offset += res;
	}
	return end;
}

static void read_to_end(struct queue *queue)
{
	bool end = false;

	while (!end || queue->head != queue->tail) {
		while (!end && queue->tail - queue->head < DEPTH)
			push(queue, IOCB_CMD_PREAD, random_size(&queue->random));
		take_events(queue->ctx);
		end |= take_reads(queue);
	}
}

static void push_write(struct queue *queue, uint64_t *queued, uint64_t total)
{
	size_t size = random_size(&queue->random);

	if (size > total - *queued)
		size = total - *queued;
	fill_pattern(slot_of(queue, queue->tail)->buf, size, *queued, 0);
	push(queue, IOCB_CMD_PWRITE, size);
	*queued += size;
}

static void take_writes(struct queue *queue)
{
	struct slot *slot;

	while ((slot = pop(queue))) {
		ASSERT_EQ(slot->iocb.aio_nbytes, (long long)slot->event.res);
		queue->offset += slot->event.res;
	}
}

static void write_all(struct queue *queue, uint64_t total)
{
	uint64_t queued = 0;

	while (queue->offset < total) {
		while (queued < total && queue->tail - queue->head < DEPTH)
			push_write(queue, &queued, total);
		take_events(queue->ctx);
		take_writes(queue);
	}
}

static void new_stream(int fds[2], bool sockets)
{
	if (sockets)
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	else
		ASSERT_EQ(0, pipe(fds));
}

/* The other side, by plain calls: it returns how much it has moved. */
struct peer {
	pthread_t thread;
	int fd;
	uint64_t total;
};

static void *write_plain(void *arg)
{
	struct peer *peer = arg;
	unsigned int random = peer->fd;
	uint8_t buf[MAX_SIZE];
	uint64_t offset;
	ssize_t size;

	for (offset = 0; offset < peer->total; offset += size) {
		size = random_size(&random);
		fill_pattern(buf, size, offset, 0);
		size = write(peer->fd, buf, size);
		ASSERT_LT(0, size);
	}
	peer->total = offset;
	close(peer->fd);
	return NULL;
}

static void *read_plain(void *arg)
{
	struct peer *peer = arg;
	unsigned int random = peer->fd;
	uint8_t buf[MAX_SIZE];
	uint64_t offset;
	ssize_t size;

	for (offset = 0; offset < peer->total; offset += size) {
		size = read(peer->fd, buf, random_size(&random));
		ASSERT_LT(0, size);
		ASSERT_TRUE(is_pattern(buf, size, offset, 0));
	}
	return NULL;
}

static void start(struct peer *peer, void *(*fn)(void *), int fd, uint64_t total)
{
	*peer = (struct peer){ .fd = fd, .total = total };
	ASSERT_EQ(0, pthread_create(&peer->thread, NULL, fn, peer));
}

static void stress_reads(bool sockets, uint64_t total)
{
	aio_context_t ctx = new_context(DEPTH);
	struct queue *queue;
	struct peer peer;
	int fds[2];

	new_stream(fds, sockets);
	queue = new_queue(ctx, fds[0]);
	start(&peer, write_plain, fds[1], total);
	read_to_end(queue);
	pthread_join(peer.thread, NULL);
	EXPECT_EQ(peer.total, queue->offset);
	close(fds[0]);
	EXPECT_EQ(0, be_destroy(ctx));
}

static void stress_writes(bool sockets, uint64_t total)
{
	aio_context_t ctx = new_context(DEPTH);
	struct queue *queue;
	struct peer peer;
	int fds[2];
	char byte;

	new_stream(fds, sockets);
	queue = new_queue(ctx, fds[1]);
	start(&peer, read_plain, fds[0], total);
	write_all(queue, total);
	pthread_join(peer.thread, NULL);
	/* and nothing was written twice */
	close(fds[1]);
	EXPECT_EQ(0, read(fds[0], &byte, 1));
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST(pipe_reads)
{
	stress_reads(false, stress_count(TOTAL));
}

TEST(pipe_writes)
{
	stress_writes(false, stress_count(TOTAL));
}

TEST(socket_reads)
{
	stress_reads(true, stress_count(TOTAL));
}

TEST(socket_writes)
{
	stress_writes(true, stress_count(TOTAL));
}

static void *stress_in_thread(void *arg)
{
	uintptr_t index = (uintptr_t)arg;

	if (index & 1)
		stress_reads(index & 2, TOTAL / 4);
	else
		stress_writes(index & 2, TOTAL / 4);
	return NULL;
}

/* Contexts do not mix each other's streams up. */
TEST(contexts)
{
	pthread_t threads[8];
	uintptr_t i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, stress_in_thread, (void *)i));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

/* Both ends by one context: the directions do not wait for each other. */
static void both_ends(bool sockets)
{
	aio_context_t ctx = new_context(2 * DEPTH);
	struct queue *reads, *writes;
	uint64_t queued = 0;
	int fds[2];

	new_stream(fds, sockets);
	reads = new_queue(ctx, fds[0]);
	writes = new_queue(ctx, fds[1]);
	while (reads->offset < TOTAL || writes->head != writes->tail) {
		while (reads->offset < TOTAL && reads->tail - reads->head < DEPTH)
			push(reads, IOCB_CMD_PREAD, random_size(&reads->random));
		while (queued < TOTAL && writes->tail - writes->head < DEPTH)
			push_write(writes, &queued, TOTAL);
		take_events(ctx);
		take_writes(writes);
		EXPECT_TRUE(!take_reads(reads));
	}
	EXPECT_EQ(TOTAL, reads->offset);
	EXPECT_EQ(TOTAL, writes->offset);
	/* what still waits sees the end */
	close(fds[1]);
	while (reads->head != reads->tail) {
		take_events(ctx);
		take_reads(reads);
	}
}

TEST_RAIO(pipe_both_ends, "native: blocks until there is data")
{
	both_ends(false);
}

TEST_RAIO(socket_both_ends, "native: blocks until there is data")
{
	both_ends(true);
}

/* All wait before the first byte comes. */
static void queued_reads(bool sockets)
{
	aio_context_t ctx = new_context(DEPTH);
	struct io_event event;
	struct queue *queue;
	uint8_t bytes[3000];
	unsigned int done, part;
	int fds[2], i;

	new_stream(fds, sockets);
	queue = new_queue(ctx, fds[0]);
	for (i = 0; i < DEPTH; i++)
		push(queue, IOCB_CMD_PREAD, 10 + i * 7);
	ASSERT_EQ(0, events_now(ctx, &event, 1));
	fill_pattern(bytes, sizeof(bytes), 0, 0);
	for (done = 0; done < sizeof(bytes); done += part) {
		part = 1 + done % 90;
		if (part > sizeof(bytes) - done)
			part = sizeof(bytes) - done;
		ASSERT_EQ(part, write(fds[1], bytes + done, part));
	}
	while (queue->head != queue->tail) {
		take_events(ctx);
		EXPECT_TRUE(!take_reads(queue));
	}
	/* and what is left is what follows */
	ASSERT_LT(queue->offset, sizeof(bytes));
	ASSERT_EQ(sizeof(bytes) - queue->offset, read(fds[0], bytes, sizeof(bytes)));
	EXPECT_TRUE(is_pattern(bytes, sizeof(bytes) - queue->offset, queue->offset, 0));
}

TEST_RAIO(pipe_queued_reads, "native: blocks until there is data")
{
	queued_reads(false);
}

TEST_RAIO(socket_queued_reads, "native: blocks until there is data")
{
	queued_reads(true);
}

/* All wait until there is space: the ones that would fit do not overtake. */
static void queued_writes(bool sockets)
{
	aio_context_t ctx = new_context(DEPTH);
	uint64_t total = 0, offset;
	struct queue *queue;
	uint8_t buf[MAX_SIZE];
	ssize_t size;
	int fds[2], i;

	new_stream(fds, sockets);
	/* more than there is room for, so that it ends in the middle of one */
	ASSERT_EQ(0, fcntl(fds[1], F_SETFL, O_NONBLOCK));
	do {
		fill_pattern(buf, 1000, total, 0);
		size = write(fds[1], buf, 1000);
		total += size > 0 ? size : 0;
	} while (size > 0);
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(fds[1], F_SETFL, 0));

	queue = new_queue(ctx, fds[1]);
	for (i = 0; i < DEPTH; i++) {
		size = i & 1 ? 1 + i : MAX_SIZE - i;
		fill_pattern(slot_of(queue, queue->tail)->buf, size, total, 0);
		push(queue, IOCB_CMD_PWRITE, size);
		total += size;
	}
	for (offset = 0; offset < total; offset += size) {
		size = read(fds[0], buf, 1 + offset % MAX_SIZE);
		ASSERT_LT(0, size);
		ASSERT_TRUE(is_pattern(buf, size, offset, 0));
	}
	while (queue->head != queue->tail) {
		take_events(ctx);
		take_writes(queue);
	}
	close(fds[1]);
	EXPECT_EQ(0, read(fds[0], buf, 1));
}

TEST_RAIO(pipe_queued_writes, "native: blocks until there is space")
{
	queued_writes(false);
}

TEST_RAIO(socket_queued_writes, "native: blocks until there is space")
{
	queued_writes(true);
}

/* It is one try: it does not wait behind another. */
TEST_RAIO(nowait_behind_another, "native: blocks until there is data")
{
	aio_context_t ctx = new_context(4);
	struct iocb first, second;
	struct io_event event;
	char bufs[2][8];
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	prep(&first, IOCB_CMD_PREAD, fds[0], bufs[0], sizeof(bufs[0]), 0);
	prep(&second, IOCB_CMD_PREAD, fds[0], bufs[1], sizeof(bufs[1]), 0);
	second.aio_rw_flags = RWF_NOWAIT;
	ASSERT_EQ(1, submit_one(ctx, &first));
	ASSERT_EQ(1, submit_one(ctx, &second));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&second, event.obj);
	EXPECT_EQ(-EAGAIN, event.res);
	ASSERT_EQ(3, write(fds[1], "abc", 3));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)&first, event.obj);
	EXPECT_EQ(3, event.res);
}
