/* SPDX-License-Identifier: GPL-2.0 */
/* Streams and messages with two ends: what is written to one is read from the other. */
#ifndef RAIO_PAIRS_H
#define RAIO_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

enum pair {
	PAIR_PIPE,
	PAIR_FIFO,
	PAIR_TCP,
	PAIR_TCP6,
	PAIR_UDP,
	PAIR_UDP6,
	PAIR_UNIX_STREAM,
	PAIR_UNIX_DGRAM,
	PAIR_UNIX_SEQPACKET,
	PAIR_TTY,	/* a raw one, read at its slave */
	PAIR_PTY,	/* the same, read at its master */
	PAIR_COUNT,	/* of those that threads of the process may serve; and others: */
	PAIR_NETLINK = PAIR_COUNT,
	PAIR_MPTCP,
	PAIR_ALL,
};

const char *pair_name(enum pair pair);
/* fds[0] is to be read, fds[1] to be written; false if there is none, with errno. */
bool pair_try(enum pair pair, int fds[2]);
/* Skips the test where there is none. */
void pair_open(enum pair pair, int fds[2]);
/* A terminal as it is at first: it passes on lines, and echoes; skips where there is none. */
void terminal_open(int *master, int *slave);
/* What a read of it waits for: termios(3). */
void terminal_set_min_time(int slave, unsigned int min, unsigned int time);
/* A write waits for who reads, which datagrams of UDP don't. */
bool pair_fills(enum pair pair);
/* Writes until there is no space, and says how much that was. */
size_t pair_fill(int fd);
/* Reads until there is nothing; the same. */
size_t pair_drain(int fd);

#endif /* RAIO_PAIRS_H */
