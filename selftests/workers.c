// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "workers.h"

#define WORKER_COMM	"raio-worker"

/* The first line of a file below /proc; false if its process is gone. */
static bool first_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool ok;

	if (!file)
		return false;
	ok = fgets(line, size, file);
	fclose(file);
	if (ok)
		line[strcspn(line, "\n")] = 0;
	return ok;
}

static bool is_worker(pid_t pid, pid_t tid)
{
	char path[64], comm[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	return first_line(path, comm, sizeof(comm)) && !strcmp(comm, WORKER_COMM);
}

/* The next entry of a directory that is a number, 0 at its end. */
static pid_t next_number(DIR *dir)
{
	struct dirent *entry;
	pid_t number;

	while ((entry = readdir(dir))) {
		number = atoi(entry->d_name);
		if (number > 0)
			return number;
	}
	return 0;
}

static DIR *open_tasks(pid_t pid)
{
	char path[40];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	ASSERT_TRUE(dir);
	return dir;
}

unsigned int worker_threads(pid_t pid, pid_t *tids, unsigned int max)
{
	DIR *dir = open_tasks(pid);
	unsigned int count = 0;
	pid_t tid;

	while ((tid = next_number(dir))) {
		if (!is_worker(pid, tid))
			continue;
		if (tids && count < max)
			tids[count] = tid;
		count++;
	}
	closedir(dir);
	return count;
}

unsigned int all_threads(pid_t pid)
{
	DIR *dir = open_tasks(pid);
	unsigned int count = 0;

	while (next_number(dir))
		count++;
	closedir(dir);
	return count;
}

char thread_state(pid_t pid, pid_t tid)
{
	char path[64], line[256], *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (!first_line(path, line, sizeof(line)))
		return 0;
	end = strrchr(line, ')');
	return end ? end[2] : 0;
}

/* Its name has the queue of what it runs: "kworker/u8:1+raio". */
static bool is_busy_kworker(pid_t pid)
{
	char path[40], comm[80];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	return first_line(path, comm, sizeof(comm)) && !strncmp(comm, "kworker/", 8) &&
	       strstr(comm, "+raio");
}

unsigned int busy_workers(pid_t pid)
{
	pid_t tids[64], other;
	unsigned int i, count, busy = 0;
	char state;
	DIR *dir;

	count = worker_threads(pid, tids, ARRAY_SIZE(tids));
	for (i = 0; i < count && i < ARRAY_SIZE(tids); i++) {
		state = thread_state(pid, tids[i]);
		busy += state == 'R' || state == 'D';
	}
	dir = opendir("/proc");
	ASSERT_TRUE(dir);
	while ((other = next_number(dir)))
		busy += is_busy_kworker(other);
	closedir(dir);
	return busy;
}

static bool kworker_waits(void)
{
	bool waits = false;
	pid_t pid;
	DIR *dir;

	dir = opendir("/proc");
	ASSERT_TRUE(dir);
	while (!waits && (pid = next_number(dir)))
		waits = is_busy_kworker(pid) && thread_state(pid, pid) == 'D';
	closedir(dir);
	return waits;
}

void wait_no_kworker_waits(void)
{
	while (kworker_waits())
		usleep(1000);
}

void wait_worker_threads(pid_t pid, bool some)
{
	while (!worker_threads(pid, NULL, 0) == some)
		usleep(1000);
}

aio_context_t new_context_flags(unsigned int nr_events, unsigned int flags)
{
	struct raio_setup arg = { .nr_events = nr_events, .flags = flags };

	ASSERT_EQ(0, raio_ioctl(RAIO_IOC_SETUP, &arg));
	ASSERT_NE(0, arg.ctx_id);
	return arg.ctx_id;
}

unsigned int events_in_ring(aio_context_t ctx)
{
	struct raio_ring *ring = ring_of(ctx);
	unsigned int tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

	return (tail + ring->nr - ring->head) % ring->nr;
}

void wait_for_ring(aio_context_t ctx, unsigned int count)
{
	while (events_in_ring(ctx) < count)
		usleep(1000);
}
