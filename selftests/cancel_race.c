// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a cancel that meets the completion of its request: one of them
 * wins, there is one event, and the data is either read or still there.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

/* One handshake of the threads is for so many rounds. */
#define BATCH	64
#define ROUNDS	20000	/* or RAIO_CANCEL_ROUNDS */

static int fds[BATCH][2];
static struct iocb iocbs[BATCH], *list[BATCH];
static char bytes[BATCH];
static unsigned int go, done;	/* batches */
static unsigned int written;	/* bytes of this batch */
static unsigned long batches;

static void wait_until(const unsigned int *what, unsigned int value)
{
	while (__atomic_load_n(what, __ATOMIC_ACQUIRE) != value)
		sched_yield();
}

/* Where both begin in a batch: so they meet at other places each time. */
static unsigned int first_of(unsigned int batch)
{
	return batch % 3 ? batch * 17 % BATCH : 0;
}

static void *write_bytes(void *arg)
{
	unsigned int batch, i;
	char byte;

	(void)arg;
	for (batch = 1; batch <= batches; batch++) {
		wait_until(&go, batch);
		for (i = 0; i < BATCH; i++) {
			byte = batch + i;
			ASSERT_EQ(1, write(fds[(first_of(batch) + i) % BATCH][1], &byte, 1));
			__atomic_store_n(&written, i + 1, __ATOMIC_RELEASE);
		}
		__atomic_store_n(&done, batch, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* The byte of this batch is in the file, or it is not. */
static void expect_byte(int i, bool there)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };

	EXPECT_EQ(there ? 1 : -1, preadv2(fds[i][0], &iov, 1, -1, RWF_NOWAIT));
}

struct tally {
	unsigned long cancelled, completed, running;
};

static void run_batch(aio_context_t ctx, unsigned int batch, bool poll, struct tally *tally)
{
	struct io_event events[BATCH], result;
	char seen[BATCH] = "", gone[BATCH] = "";
	int i, index, ret, expected = BATCH;
	unsigned int ahead;

	for (i = 0; i < BATCH; i++) {
		if (poll)
			prep_poll(&iocbs[i], fds[i][0], POLLIN);
		else
			prep(&iocbs[i], IOCB_CMD_PREAD, fds[i][0], &bytes[i], 1, 0);
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(BATCH, be_submit(ctx, BATCH, list));
	written = 0;
	__atomic_store_n(&go, batch, __ATOMIC_RELEASE);
	/* the writer is not there yet, a bit ahead, or comes from the other side */
	ahead = batch % 2 ? 0 : batch / 2 % 16;
	while (__atomic_load_n(&written, __ATOMIC_ACQUIRE) < ahead)
		;
	for (i = 0; i < BATCH; i++) {
		index = (first_of(batch) + (batch % 4 ? i : BATCH - 1 - i)) % BATCH;
		memset(&result, 0, sizeof(result));
		ret = be_cancel(ctx, &iocbs[index], &result);
		if (ret == -EAGAIN || ret == -EINPROGRESS)
			tally->running++;
		if (!ret || (ret == -EINPROGRESS && cancels_into_ring())) {
			EXPECT_EQ(cancels_into_ring(), ret == -EINPROGRESS);
			gone[index] = 1;
			tally->cancelled++;
		} else {
			/* EINPROGRESS: a thread runs it, and is told */
			EXPECT_TRUE(ret == -EINVAL ||
				    ((ret == -EAGAIN || ret == -EINPROGRESS) && !is_native()));
			tally->completed++;
		}
		if (!ret) {
			expected--;
			EXPECT_EQ((uintptr_t)&iocbs[index], result.obj);
			EXPECT_EQ(-ECANCELED, (long long)result.res);
		}
	}
	ASSERT_EQ(expected, expected ? events_wait(ctx, events, expected) : 0);
	wait_until(&done, batch);
	for (i = 0; i < expected; i++) {
		index = (struct iocb *)(uintptr_t)events[i].obj - iocbs;
		ASSERT_TRUE(index >= 0 && index < BATCH);
		EXPECT_EQ(0, seen[index]);
		seen[index] = 1;
		if (gone[index])
			EXPECT_TRUE(cancels_into_ring());
		else
			EXPECT_EQ(1, (long long)events[i].res & 1);
	}
	for (i = 0; i < BATCH; i++) {
		EXPECT_TRUE(seen[i] || gone[i]);
		expect_byte(i, poll || gone[i]);
	}
	EXPECT_EQ(0, events_now(ctx, events, 1));
}

static void run(bool poll)
{
	const char *rounds = getenv("RAIO_CANCEL_ROUNDS");
	aio_context_t ctx = new_context(BATCH);
	struct tally tally = { 0 };
	pthread_t writer;
	unsigned int batch;

	batches = (rounds ? strtoul(rounds, NULL, 0) : stress_count(ROUNDS)) / BATCH;
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_bytes, NULL));
	for (batch = 1; batch <= batches; batch++)
		run_batch(ctx, batch, poll, &tally);
	ASSERT_EQ(0, pthread_join(writer, NULL));
	test_note("%lu rounds: %lu cancelled, %lu not, of them %lu ran", batches * BATCH,
		  tally.cancelled, tally.completed, tally.running);
}

static void make_pipes(void)
{
	int i;

	for (i = 0; i < BATCH; i++)
		ASSERT_EQ(0, pipe(fds[i]));
}

TEST_RAIO(pipe_read, "native: blocks")
{
	make_pipes();
	run(false);
}

/* Its retries are run by something else. */
TEST_RAIO(socket_read, "native: blocks")
{
	int i;

	for (i = 0; i < BATCH; i++)
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]));
	run(false);
}

TEST(poll)
{
	make_pipes();
	run(true);
}
