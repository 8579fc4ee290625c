// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

aio_context_t new_context(unsigned int nr_events)
{
	aio_context_t ctx = 0;

	ASSERT_EQ(0, be_setup(nr_events, &ctx));
	ASSERT_NE(0, ctx);
	return ctx;
}

int setup_and_destroy(unsigned int nr_events)
{
	aio_context_t ctx = 0;
	int ret = be_setup(nr_events, &ctx);

	if (ret == 0)
		EXPECT_EQ(0, be_destroy(ctx));
	return ret;
}

int new_file(size_t size)
{
	const char *dir = getenv("RAIO_TEST_DIR");
	char path[200], block[4096];
	size_t done, part;
	int fd;

	snprintf(path, sizeof(path), "%s/raio-XXXXXX", dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		FAIL("%s: %m", path);
		test_abort();
	}
	unlink(path);
	for (done = 0; done < size; done += part) {
		part = size - done < sizeof(block) ? size - done : sizeof(block);
		fill_pattern(block, part, done, 0);
		ASSERT_EQ(part, pwrite(fd, block, part, done));
	}
	/* a cached read is over at once: there is no time of access to be noted */
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NOATIME));
	return fd;
}

int reopen(int fd, int flags)
{
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, flags | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

static uint8_t pattern(uint64_t offset, unsigned int seed)
{
	return (offset * 0x9e3779b97f4a7c15ULL >> 56) + seed;
}

void fill_pattern(void *buf, size_t size, uint64_t offset, unsigned int seed)
{
	uint8_t *bytes = buf;
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = pattern(offset + i, seed);
}

bool is_pattern(const void *buf, size_t size, uint64_t offset, unsigned int seed)
{
	const uint8_t *bytes = buf;
	size_t i;

	for (i = 0; i < size; i++) {
		if (bytes[i] == pattern(offset + i, seed))
			continue;
		test_note("byte %zu is %#x, should be %#x", i, bytes[i],
			  pattern(offset + i, seed));
		return false;
	}
	return true;
}

void *aligned_buffer(size_t size)
{
	void *buf = NULL;

	ASSERT_EQ(0, posix_memalign(&buf, DIRECT_ALIGN, size));
	memset(buf, 0, size);
	return buf;
}

static void *map_pages(size_t size)
{
	void *buf = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(buf != MAP_FAILED);
	return buf;
}

void *guarded_buffer(size_t size)
{
	size_t page = getpagesize(), pages = (size + page - 1) / page * page;
	uint8_t *buf = map_pages(pages + page);

	ASSERT_EQ(0, mprotect(buf + pages, page, PROT_NONE));
	return buf + pages - size;
}

void *read_only_copy(const void *bytes, size_t size)
{
	void *buf = map_pages(getpagesize());

	memcpy(buf, bytes, size);
	ASSERT_EQ(0, mprotect(buf, getpagesize(), PROT_READ));
	return buf;
}

void prep(struct iocb *iocb, unsigned int opcode, int fd, void *buf, size_t size, int64_t offset)
{
	memset(iocb, 0, sizeof(*iocb));
	iocb->aio_data = (uintptr_t)iocb;
	iocb->aio_lio_opcode = opcode;
	iocb->aio_fildes = fd;
	iocb->aio_buf = (uintptr_t)buf;
	iocb->aio_nbytes = size;
	iocb->aio_offset = offset;
}

void prep_poll(struct iocb *iocb, int fd, uint64_t events)
{
	prep(iocb, IOCB_CMD_POLL, fd, (void *)(uintptr_t)events, 0, 0);
}

int submit_one(aio_context_t ctx, struct iocb *iocb)
{
	return be_submit(ctx, 1, &iocb);
}

int64_t run_one(aio_context_t ctx, struct iocb *iocb)
{
	struct io_event event;
	int ret = submit_one(ctx, iocb);

	if (ret < 0)
		return ret;
	ASSERT_EQ(1, ret);
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((uintptr_t)iocb, event.obj);
	return event.res;
}

void expect_works(aio_context_t ctx)
{
	int fd = new_file(1);
	static char buf[1];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	EXPECT_EQ(1, run_one(ctx, &iocb));
	close(fd);
}

aio_context_t context_with_events(unsigned int events)
{
	aio_context_t ctx = new_context(8);
	int fd = new_file(1);
	static char buf[1];
	struct iocb iocb;

	prep(&iocb, IOCB_CMD_PREAD, fd, buf, 1, 0);
	while (events--)
		ASSERT_EQ(1, submit_one(ctx, &iocb));
	close(fd);
	return ctx;
}

int events_now(aio_context_t ctx, struct io_event *events, long nr)
{
	struct __kernel_timespec zero = { 0 };

	return be_getevents(ctx, 0, nr, events, &zero);
}

int events_wait(aio_context_t ctx, struct io_event *events, long nr)
{
	int ret;

	do {
		ret = be_getevents(ctx, nr, nr, events, NULL);
	} while (ret == -EINTR);
	return ret;
}

unsigned int context_figure(aio_context_t ctx, const char *name)
{
	char path[64], text[512], start[40], key[20], *at;
	unsigned int found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", raio_fd());
	snprintf(start, sizeof(start), "context:\tid=%#lx ", (unsigned long)ctx);
	snprintf(key, sizeof(key), " %s=", name);
	file = fopen(path, "re");
	ASSERT_TRUE(file);
	while (fgets(text, sizeof(text), file)) {
		at = strncmp(text, start, strlen(start)) ? NULL : strstr(text, key);
		if (at)
			found = atoi(at + strlen(key));
	}
	fclose(file);
	return found;
}

void wait_armed_count(aio_context_t ctx, unsigned int count)
{
	while (context_figure(ctx, "armed") < count)
		sched_yield();
}

void wait_armed(aio_context_t ctx)
{
	wait_armed_count(ctx, 1);
}

struct raio_ring *ring_of(aio_context_t ctx)
{
	return (struct raio_ring *)ctx;
}

struct io_event *ring_events(struct raio_ring *ring)
{
	return (struct io_event *)((uint8_t *)ring + ring->header_length);
}

unsigned int ring_reap(struct raio_ring *ring, struct io_event *events, unsigned int max)
{
	unsigned int head = ring->head, count = 0;

	while (count < max && head != __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE)) {
		events[count++] = ring_events(ring)[head];
		head = (head + 1) % ring->nr;
		__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
	}
	return count;
}

size_t mapping_size(uintptr_t address)
{
	unsigned long start, end;
	char line[256];
	size_t size = 0;
	FILE *maps = fopen("/proc/self/maps", "re");

	ASSERT_TRUE(maps);
	while (!size && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start == address)
			size = end - start;
	fclose(maps);
	return size;
}

unsigned int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	ASSERT_TRUE(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

long status_kib(const char *name)
{
	size_t len = strlen(name);
	char line[256];
	long value = -1;
	FILE *status = fopen("/proc/self/status", "re");

	ASSERT_TRUE(status);
	while (fgets(line, sizeof(line), status))
		if (!strncmp(line, name, len) && line[len] == ':')
			value = atol(line + len + 1);
	fclose(status);
	ASSERT_NE(-1, value);
	return value;
}

void wait_asleep(pid_t tid)
{
	char path[40], line[256], *state;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	do {
		usleep(1000);
		stat = fopen(path, "re");
		ASSERT_TRUE(stat);
		ASSERT_TRUE(fgets(line, sizeof(line), stat));
		fclose(stat);
		state = strrchr(line, ')');
		ASSERT_TRUE(state);
	} while (state[2] != 'S');
}

pid_t thread_id(void)
{
	return syscall(SYS_gettid);
}

static void ignore(int signal)
{
	(void)signal;
}

void catch_signal(int signal, int flags)
{
	struct sigaction action = { .sa_handler = ignore, .sa_flags = flags };

	ASSERT_EQ(0, sigaction(signal, &action, NULL));
}

pid_t write_when_asleep(int fd)
{
	pid_t parent = getpid(), pid = test_fork();

	if (!pid) {
		wait_asleep(parent);
		_exit(write(fd, "x", 1) != 1);
	}
	return pid;
}

static pid_t interrupted_tid;
static pthread_t interrupted_thread;

static void *interrupt(void *arg)
{
	(void)arg;
	wait_asleep(interrupted_tid);
	pthread_kill(interrupted_thread, SIGUSR1);
	return NULL;
}

void start_interrupter(void)
{
	pthread_t thread;

	interrupted_tid = thread_id();
	interrupted_thread = pthread_self();
	ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt, NULL));
}

void need_root(const char *what_for)
{
	if (geteuid())
		SKIP("needs root, %s", what_for);
}

bool write_control(const char *text, const char *path, ...)
{
	ssize_t len = strlen(text);
	char full[128];
	va_list args;
	bool ok;
	int fd;

	va_start(args, path);
	vsnprintf(full, sizeof(full), path, args);
	va_end(args);
	fd = open(full, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, text, len) == len;
	close(fd);
	return ok;
}

pid_t test_fork(void)
{
	pid_t pid = fork();

	ASSERT_NE(-1, pid);
	return pid;
}

int test_wait(pid_t pid)
{
	int status;

	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define PROCESSES	4

void turn_over(pid_t (*start)(unsigned int seed), unsigned int seed, unsigned long count,
	       unsigned int usecs)
{
	unsigned int state = seed;
	pid_t pid, pids[PROCESSES];
	unsigned long i;
	int status, j;

	for (j = 0; j < PROCESSES; j++)
		pids[j] = start(random_number(&state));
	for (i = 0; i < count; i++) {
		if (i % 3 == 0) {
			usleep(random_number(&state) % usecs);
			kill(pids[i % PROCESSES], SIGKILL);
		}
		pid = waitpid(-1, &status, 0);
		ASSERT_LT(0, pid);
		if (WIFSIGNALED(status))
			EXPECT_EQ(SIGKILL, WTERMSIG(status));
		else
			EXPECT_EQ(0, WEXITSTATUS(status));
		for (j = 0; j < PROCESSES; j++)
			if (pids[j] == pid)
				pids[j] = start(random_number(&state));
	}
	for (j = 0; j < PROCESSES; j++)
		test_wait(pids[j]);
}

unsigned long stress_count(unsigned long count)
{
	const char *scale = getenv("RAIO_STRESS");

	return scale && atol(scale) > 0 ? count * atol(scale) : count;
}

/* Of those that show what happens each time: fewer where each takes long. */
unsigned int test_rounds(unsigned int count)
{
	return getenv("RAIO_QUICK") ? (count + 4) / 5 : count;
}

unsigned int random_number(unsigned int *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}
