// SPDX-License-Identifier: GPL-2.0
/*
 * Description: many contexts of one process keep their events apart, in whatever
 * order they are used and destroyed.
 */
#include "harness.h"

#define CONTEXTS 20
#define EVENTS 8

TEST(interleaved)
{
	unsigned int submitted[CONTEXTS] = { 0 }, taken[CONTEXTS] = { 0 };
	aio_context_t ctxs[CONTEXTS];
	struct io_event events[EVENTS];
	unsigned int state = 7, round, i, j;
	int fd = new_file(1), got;
	struct iocb iocb;
	char buf[1];

	for (i = 0; i < CONTEXTS; i++)
		ctxs[i] = new_context(EVENTS);
	for (round = 0; round < 5000; round++) {
		i = random_number(&state) % CONTEXTS;
		if (random_number(&state) % 2 && submitted[i] - taken[i] < EVENTS) {
			prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
			iocb.aio_data = (uint64_t)i << 32 | submitted[i]++;
			ASSERT_EQ(1, submit_one(ctxs[i], &iocb));
			continue;
		}
		got = events_now(ctxs[i], events, 1 + random_number(&state) % EVENTS);
		ASSERT_LE(0, got);
		for (j = 0; j < (unsigned int)got; j++)
			EXPECT_EQ((uint64_t)i << 32 | taken[i]++, events[j].data);
		/* now and then one goes, and another comes, perhaps at its place */
		if (round % 97 == 0) {
			EXPECT_EQ(0, be_destroy(ctxs[i]));
			ctxs[i] = new_context(EVENTS);
			submitted[i] = 0;
			taken[i] = 0;
		}
	}
	for (i = 0; i < CONTEXTS; i++) {
		j = (i * 7 + 3) % CONTEXTS;
		EXPECT_EQ(submitted[j] - taken[j], events_now(ctxs[j], events, EVENTS));
		EXPECT_EQ(0, be_destroy(ctxs[j]));
	}
}

/* A full context does not fill its neighbour. */
TEST(full_neighbour)
{
	aio_context_t full = new_context(1), other = new_context(EVENTS);
	int fd = new_file(1), i;
	struct iocb iocb;
	char buf[1];

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	while (submit_one(full, &iocb) == 1)
		;
	for (i = 0; i < 1000; i++)
		ASSERT_EQ(1, run_one(other, &iocb));
	EXPECT_EQ(-EAGAIN, submit_one(full, &iocb));
}
