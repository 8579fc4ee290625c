// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whatever one user, the attacker, does to make the tasks that work for him
 * wait, the requests of another user, the victim, go on, and the victim's processes end.
 * When the attacker is killed all that he had is given back, even if another process keeps
 * the memory that he waited for.
 *
 * The bounds are generous: a failure here takes for ever.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absent.h"
#include "cgroup.h"
#include "fuse.h"
#include "harness.h"
#include "pairs.h"
#include "workers.h"

#define WHY		"it has no such workers"

#define ATTACKER	61000
#define VICTIM		61001
/* the debug kernel takes that long for the exit of 520 threads */
#define LIMIT_MS	(getenv("RAIO_QUICK") ? 30000 : 5000)

#define MANY		2048
#define SOME		64

static unsigned long nr_before;
static int told[2];		/* the attacker: it is in place */
static struct absent absent;

/* The users */

static void be_user(uid_t uid)
{
	struct rlimit memlock = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit files = { 4 * MANY, 4 * MANY };

	/* any user may open it */
	raio_close();
	ASSERT_LE(0, raio_fd());
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &memlock));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	ASSERT_EQ(0, setresgid(uid, uid, uid));
	ASSERT_EQ(0, setresuid(uid, uid, uid));
	/* so that /proc and ptrace are as for any program of that user */
	prctl(PR_SET_DUMPABLE, 1);
}

static int open_pidfd(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	ASSERT_LE(0, fd);
	return fd;
}

/* Must be over in that time. */
static bool ends(pid_t pid)
{
	struct pollfd pollfd = { .fd = open_pidfd(pid), .events = POLLIN };
	int ret = poll(&pollfd, 1, LIMIT_MS);

	close(pollfd.fd);
	return ret == 1;
}

/* The victim */

static struct iocb iocb;

static aio_context_t arm_read(const int fds[2])
{
	aio_context_t ctx = new_context(2);
	static char byte;

	prep(&iocb, IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	return ctx;
}

static void wait_readable(int fd, const char *what)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	if (poll(&pollfd, 1, LIMIT_MS) != 1)
		FAIL("no event in %d ms, watched by %s", LIMIT_MS, what);
}

static void take_one(aio_context_t ctx, const char *what)
{
	struct __kernel_timespec limit = { .tv_sec = LIMIT_MS / 1000 };
	struct io_event event;

	if (be_getevents(ctx, 1, 1, &event, &limit) != 1)
		FAIL("no event in %d ms, waited for by %s", LIMIT_MS, what);
}

static void victim_works(int file)
{
	aio_context_t ctx;
	int fds[2], event;
	pid_t pid;

	ASSERT_EQ(0, pipe(fds));
	ctx = arm_read(fds);
	pid = write_when_asleep(fds[1]);
	wait_readable(raio_fd(), "poll");
	take_one(ctx, "poll");
	test_wait(pid);

	ctx = new_context(2);
	event = eventfd(0, EFD_CLOEXEC);
	prep(&iocb, IOCB_CMD_PREAD, fds[0], &(char){ 0 }, 1, 0);
	iocb.aio_flags = IOCB_FLAG_RESFD;
	iocb.aio_resfd = event;
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	pid = write_when_asleep(fds[1]);
	wait_readable(event, "an eventfd");
	take_one(ctx, "an eventfd");
	test_wait(pid);

	ctx = arm_read(fds);
	pid = write_when_asleep(fds[1]);
	take_one(ctx, "getevents");
	test_wait(pid);

	ctx = new_context(2);
	ASSERT_EQ(4, pwrite(file, "data", 4, 0));
	prep(&iocb, IOCB_CMD_FSYNC, file, NULL, 0, 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	take_one(ctx, "getevents, of FSYNC");
	EXPECT_EQ(0, be_destroy(ctx));

	/* some are left to the end of the process */
	arm_read(fds);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	arm_read(fds);
}

/* The victim's requests are over in time, and it ends. */
static void expect_victim(const char *when)
{
	int file = new_file(4096);
	pid_t pid = test_fork();
	uint64_t start;

	if (!pid) {
		be_user(VICTIM);
		victim_works(file);
		_exit(0);
	}
	close(file);
	start = now_ns();
	/* five waits, and its end */
	while (!ends(pid))
		if (now_ns() - start > 6 * LIMIT_MS * 1000000ULL) {
			FAIL("the victim does not end, %s", when);
			kill(pid, SIGKILL);
			test_abort();
		}
	if (!EXPECT_EQ(0, test_wait(pid)))
		test_abort();
}

/* The kernel's workers */

static bool has_raio_on_stack(pid_t pid)
{
	char path[40], text[4096] = "";
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	return size > 0 && strstr(text, "[raio]");
}

static bool is_kworker(pid_t pid)
{
	char path[40], comm[32] = "";
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = read(fd, comm, sizeof(comm) - 1);
	close(fd);
	return size > 0 && !strncmp(comm, "kworker/", 8);
}

static bool is_held(pid_t pid)
{
	char state = thread_state(pid, pid);

	return state && state != 'R' && has_raio_on_stack(pid);
}

/* It sleeps in code of the module, whenever it is looked at. */
static bool stays_held(pid_t pid)
{
	int i;

	for (i = 0; i < 20; i++) {
		if (!is_held(pid))
			return false;
		usleep(10000);
	}
	return true;
}

static void expect_no_held_kworker(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	pid_t pid;

	ASSERT_TRUE(dir);
	while ((entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid > 0 && is_kworker(pid) && stays_held(pid)) {
			FAIL("a worker of the kernel is held, state %c", thread_state(pid, pid));
			break;
		}
	}
	closedir(dir);
}

/* The attacker */

static void in_place(void)
{
	ASSERT_EQ(1, write(told[1], "x", 1));
}

/* Another process has its descriptors: its exit does not close them. */
static void keep_elsewhere(void)
{
	if (!test_fork()) {
		close(told[1]);
		pause();
		_exit(0);
	}
}

/* As many contexts as the limits allow, at most that many; each is for one request. */
static unsigned int many_contexts(aio_context_t *ctx, unsigned int max)
{
	unsigned int count;

	/* the debug kernel has one CPU's worth of time for as many threads */
	if (getenv("RAIO_QUICK"))
		max = (max + 7) / 8;
	for (count = 0; count < max; count++) {
		ctx[count] = 0;
		if (be_setup(1, &ctx[count]))
			break;
	}
	ASSERT_LT(0, count);
	return count;
}

static aio_context_t ctxs[MANY];
static struct iocb iocbs[MANY];

static void arm_many(unsigned int count, unsigned int opcode, int fd, void *buf, size_t size)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		prep(&iocbs[i], opcode, fd, buf, size, 0);
		ASSERT_EQ(1, submit_one(ctxs[i], &iocbs[i]));
	}
}

/* The rest is done a moment later, so the test waits for it. */
static void settle(void)
{
	usleep(500000);
}

/* The attacker's children die after him; the last one closes the pipe that tells of them. */
static void expect_children_end(void)
{
	struct pollfd pollfd = { .fd = told[0] };

	if (poll(&pollfd, 1, LIMIT_MS) != 1)
		FAIL("a child of the attacker does not end");
}

/*
 * nr_before is set.  The attack is prepared by root where it must be, and runs as the
 * attacker until he is killed; the process that keeps his descriptors lives on.
 */
static void run_with(void (*prepare)(void), void (*attack)(void), void (*done)(void))
{
	char byte;
	pid_t pid;
	int i;

	need_root("to be other users");
	expect_victim("before");
	ASSERT_EQ(0, pipe2(told, O_CLOEXEC));
	pid = test_fork();
	if (!pid) {
		if (prepare)
			prepare();
		be_user(ATTACKER);
		attack();
		pause();
		_exit(1);
	}
	close(told[1]);
	if (read(told[0], &byte, 1) != 1)
		_exit(test_wait(pid));
	settle();
	expect_victim("while it is attacked");
	expect_no_held_kworker();
	if (done)
		done();
	ASSERT_EQ(0, kill(pid, SIGKILL));
	if (!ends(pid)) {
		FAIL("the attacker can't be killed");
		test_abort();
	}
	test_wait(pid);
	expect_children_end();
	for (i = 0; be_nr() != nr_before && i < LIMIT_MS; i++)
		usleep(1000);
	EXPECT_EQ(nr_before, be_nr());
	expect_no_held_kworker();
	expect_victim("when the attacker is gone");
}

static void run(void (*attack)(void))
{
	nr_before = be_nr();
	run_with(NULL, attack, NULL);
}

static void run_prepared(void (*prepare)(void), void (*attack)(void))
{
	nr_before = be_nr();
	run_with(prepare, attack, NULL);
}

static void open_absent(void)
{
	absent_open(&absent);
}

static bool somebody_faults(int ms)
{
	struct pollfd pollfd = { .fd = absent.uffd, .events = POLLIN };

	return poll(&pollfd, 1, ms) == 1;
}

/* Large reads of a TCP socket, into memory that is not there but for its beginning. */

#define TCP_LENGTH	(512 * 1024)
#define TCP_THERE	(128 * 1024)

static void tcp_reads(void)
{
	int fds[2], low = 180000, all = 250000, count;
	char *buf, *data = calloc(1, all);
	ssize_t done = 0, part;

	absent_map(&absent, TCP_LENGTH - TCP_THERE);
	/* a mapping before it, to which it is the end */
	buf = mmap(absent.pages - TCP_THERE, TCP_THERE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_TRUE(buf == absent.pages - TCP_THERE);
	memset(buf, 1, TCP_THERE);
	pair_open(PAIR_TCP, fds);
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	count = many_contexts(ctxs, MANY);
	test_note("%d contexts", count);
	arm_many(count, IOCB_CMD_PREAD, fds[0], buf, TCP_LENGTH);
	keep_elsewhere();
	for (; done < all; done += part) {
		part = send(fds[1], data + done, all - done, MSG_DONTWAIT);
		if (part >= 0)
			continue;
		ASSERT_EQ(EAGAIN, errno);
		part = 0;
		/* they have begun to read it */
		if (somebody_faults(1))
			break;
	}
	in_place();
}

TEST_RAIO(tcp_reads_absent, WHY)
{
	run_prepared(open_absent, tcp_reads);
}

/* Reads of a pipe for each context: small ones, and the memory is not there. */
static void pipe_reads(void)
{
	unsigned int count, i;
	int fds[2];

	absent_map(&absent, getpagesize());
	count = many_contexts(ctxs, MANY);
	for (i = 0; i < count; i++) {
		if (pipe(fds)) {
			count = i;
			break;
		}
		prep(&iocbs[i], IOCB_CMD_PREAD, fds[0], absent.pages, 64, 0);
		ASSERT_EQ(1, submit_one(ctxs[i], &iocbs[i]));
		ASSERT_EQ(1, write(fds[1], "x", 1));
	}
	test_note("%u contexts", count);
	keep_elsewhere();
	in_place();
}

TEST_RAIO(pipe_reads_absent, WHY)
{
	run_prepared(open_absent, pipe_reads);
}

/*
 * The mutex of a pipe, which the attacker holds during a page fault of his own write.  The
 * victim's requests there were woken just before, and need it.  It is not known which of
 * them is first: there are many pipes.
 */

#define PIPES	32

static int pipes[PIPES][2];

static void *hold_pipe(void *arg)
{
	const int *fds = arg;

	/* what is there, and then what is not */
	if (write(fds[1], "yy", 2) == 2 && write(fds[1], absent.pages - 16, 4096) > 0)
		FAIL("the memory is there");
	return NULL;
}

static void hold_mutexes(void)
{
	pthread_t thread;
	int i;

	absent_map(&absent, getpagesize());
	keep_elsewhere();
	for (i = 0; i < PIPES; i++)
		ASSERT_EQ(0, pthread_create(&thread, NULL, hold_pipe, pipes[i]));
	absent_wait(&absent);
	in_place();
}

static pid_t sharing;

/* Another user has requests there. */
static void start_sharing(void)
{
	static char bufs[PIPES * 2];
	aio_context_t ctx;
	char byte;
	int i;

	ASSERT_EQ(0, pipe2(told, O_CLOEXEC));
	sharing = test_fork();
	if (!sharing) {
		be_user(VICTIM);
		ctx = new_context(PIPES * 2);
		memset(bufs, 1, sizeof(bufs));
		for (i = 0; i < PIPES * 2; i++) {
			prep(&iocbs[i], IOCB_CMD_PREAD, pipes[i / 2][0], &bufs[i], 1, 0);
			ASSERT_EQ(1, submit_one(ctx, &iocbs[i]));
		}
		in_place();
		for (;;)
			pause();
	}
	close(told[1]);
	ASSERT_EQ(1, read(told[0], &byte, 1));
	close(told[0]);
}

static bool stuck;

static void kill_sharing(void)
{
	ASSERT_EQ(0, kill(sharing, SIGKILL));
	stuck = !ends(sharing);
}

/*
 * Between the check of the lock and the call the attacker may be faster, and then the victim
 * waits as in read(2): this must not happen each time.
 */
static void run_mutex(enum pair pair)
{
	int i, round;

	need_root("to be other users");
	for (round = 0; round < 3; round++) {
		for (i = 0; i < PIPES; i++)
			pair_open(pair, pipes[i]);
		nr_before = be_nr();
		start_sharing();
		run_with(open_absent, hold_mutexes, kill_sharing);
		test_wait(sharing);
		if (!stuck)
			return;
	}
	FAIL("a victim that has the same pipe can't be killed");
}

TEST_RAIO(pipe_mutex, WHY)
{
	run_mutex(PAIR_PIPE);
}

TEST_RAIO(fifo_mutex, WHY)
{
	run_mutex(PAIR_FIFO);
}

/*
 * The lock of a socket, which a read(2) holds during a page fault, while the other requests
 * that the same data has woken need it.
 */

#define HOLDERS	4

static int shared[2];

static void *hold_socket(void *arg)
{
	if (read(shared[0], absent.pages, 64) > 0)
		FAIL("the memory is there");
	return arg;
}

static void hold_lock(void)
{
	unsigned int count = many_contexts(ctxs, MANY / 4), i;
	static char byte;
	pthread_t thread;

	absent_map(&absent, getpagesize());
	arm_many(count, IOCB_CMD_PREAD, shared[0], &byte, 1);
	keep_elsewhere();
	for (i = 0; i < HOLDERS; i++)
		ASSERT_EQ(0, pthread_create(&thread, NULL, hold_socket, NULL));
	/* sooner or later one of the threads is faster than the requests */
	for (i = 0; i < count && !somebody_faults(10); i++)
		ASSERT_EQ(1, write(shared[1], "x", 1));
	if (i == count)
		test_note("no thread was faster than a request");
	ASSERT_EQ(1, write(shared[1], "x", 1));
	in_place();
}

static void run_lock(enum pair pair)
{
	pair_open(pair, shared);
	run_prepared(open_absent, hold_lock);
}

TEST_RAIO(unix_iolock, WHY)
{
	run_lock(PAIR_UNIX_STREAM);
}

TEST_RAIO(lock_sock, WHY)
{
	run_lock(PAIR_TCP);
}

/* The lock of an inode, held by a write(2) whose memory is not there. */
static int file;

static void *hold_file(void *arg)
{
	ssize_t ret = pwrite(file, absent.pages, 64, 0);

	(void)arg;
	(void)ret;
	return NULL;
}

static void hold_inode(void)
{
	unsigned int count = many_contexts(ctxs, SOME);
	static char byte;
	pthread_t thread;

	absent_map(&absent, getpagesize());
	keep_elsewhere();
	ASSERT_EQ(0, pthread_create(&thread, NULL, hold_file, NULL));
	absent_wait(&absent);
	/* its own submits may wait for it */
	in_place();
	arm_many(count, IOCB_CMD_PWRITE, file, &byte, 1);
}

static void open_file_and_absent(void)
{
	file = new_file(4096);
	open_absent();
}

TEST_RAIO(inode_lock, WHY)
{
	run_prepared(open_file_and_absent, hold_inode);
}

/* Memory of a FUSE server that does not answer: no privilege is needed for that. */
static struct fuse fuse;
static char *fuse_memory;

static void map_fuse(void)
{
	int fd;

	fuse_start(&fuse, FUSE_DEAF);
	fuse_hold(&fuse, FUSE_OP(FUSE_READ));
	fd = fuse_open(&fuse, O_RDWR);
	fuse_memory = mmap(NULL, FUSE_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_TRUE(fuse_memory != MAP_FAILED);
}

static void fuse_reads(void)
{
	unsigned int count = many_contexts(ctxs, SOME * 4), i;
	int fds[2];

	for (i = 0; i < count; i++) {
		ASSERT_EQ(0, pipe(fds));
		prep(&iocbs[i], IOCB_CMD_PREAD, fds[0], fuse_memory + i % 16 * 4096, 64, 0);
		ASSERT_EQ(1, submit_one(ctxs[i], &iocbs[i]));
		ASSERT_EQ(1, write(fds[1], "x", 1));
	}
	in_place();
}

TEST_RAIO(memory_of_fuse, WHY)
{
	run_prepared(map_fuse, fuse_reads);
}

/* Thread groups that do not run, and that others want to end. */

static int go[2];
static char stacks[SOME][16384] __attribute__((aligned(16)));

/* Another process in the same memory: no library call that keeps something there. */
static int destroy_one(void *arg)
{
	char byte;

	/* what has its memory keeps its contexts */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go[0], &byte, 1) == 1)
		be_destroy(*(aio_context_t *)arg);
	_exit(0);
}

/* Each context has had a thread, or has a claim to one. */
static unsigned int contexts_with_threads(void)
{
	unsigned int count = many_contexts(ctxs, SOME), i;
	static char byte;
	int fds[2];

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	for (i = 0; i < count; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
		ASSERT_EQ(1, submit_one(ctxs[i], &iocbs[i]));
		ASSERT_LT(0, clone(destroy_one, stacks[i] + sizeof(stacks[i]),
				   CLONE_VM | SIGCHLD, &ctxs[i]));
	}
	return count;
}

/* The children go on when it was seen that their parent has stopped. */
static void start_releaser(unsigned int count, char state)
{
	pid_t parent = getpid();

	if (test_fork())
		return;
	while (thread_state(parent, parent) != state)
		usleep(1000);
	while (count--)
		ASSERT_EQ(1, write(go[1], "x", 1));
	in_place();
	_exit(0);
}

static void stopped_group(void)
{
	start_releaser(contexts_with_threads(), 'T');
	raise(SIGSTOP);
}

TEST_RAIO(stopped, WHY)
{
	run(stopped_group);
}

/* A tracer stops all threads, when the module has made one. */
static void attach_all(pid_t pid)
{
	char path[40];
	struct dirent *entry;
	DIR *dir;
	pid_t tid;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	ASSERT_TRUE(dir);
	while ((entry = readdir(dir))) {
		tid = atoi(entry->d_name);
		if (tid <= 0)
			continue;
		/* it may be gone by now */
		if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) ||
		    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL))
			continue;
		waitpid(tid, NULL, __WALL);
	}
	closedir(dir);
}

static pid_t *tracer;

static void traced_group(void)
{
	pid_t pid = getpid();
	int ready[2], fd = new_file(4096);
	struct iocb fsync;
	char byte;

	/* where Yama asks for it */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	ASSERT_EQ(0, pipe(ready));
	if (!test_fork()) {
		*tracer = getpid();
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		attach_all(pid);
		in_place();
		pause();
	}
	many_contexts(ctxs, 1);
	prep(&fsync, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	ASSERT_EQ(0, run_one(ctxs[0], &fsync));
	ASSERT_EQ(1, write(ready[1], "x", 1));
}

/* A process that is traced is not dead before its tracer has seen that. */
static void kill_tracer(void)
{
	ASSERT_EQ(0, kill(*tracer, SIGKILL));
}

TEST_RAIO(traced, WHY)
{
	tracer = mmap(NULL, sizeof(*tracer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_TRUE(tracer != MAP_FAILED);
	nr_before = be_nr();
	run_with(NULL, traced_group, kill_tracer);
}

static struct cgroup cgroup;

static void set_frozen(bool on)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.freeze", cgroup.path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, write(fd, on ? "1" : "0", 1));
	close(fd);
	while (cgroup_figure(&cgroup, "cgroup.events", "frozen") != on)
		usleep(1000);
}

static void frozen_group(void)
{
	contexts_with_threads();
	in_place();
}

/* The threads in destroy are frozen as well, so only the idle threads are waited for. */
static void freeze_and_look(void)
{
	set_frozen(true);
	settle();
	expect_victim("while the attacker is frozen");
	expect_no_held_kworker();
}

static void enter_cgroup(void)
{
	cgroup_enter(&cgroup);
}

TEST_RAIO(frozen, WHY)
{
	cgroup_make(&cgroup, NULL);
	nr_before = be_nr();
	run_with(enter_cgroup, frozen_group, freeze_and_look);
	while (cgroup_figure(&cgroup, "cgroup.events", "populated"))
		usleep(1000);
	cgroup_remove(&cgroup);
}

/* Storms */

static void in_processes(void (*storm)(void))
{
	int i;

	for (i = 0; i < 4; i++)
		if (!test_fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				storm();
		}
	in_place();
}

static void destroy_at_once(void)
{
	aio_context_t ctx = 0;

	if (be_setup(64, &ctx) == 0)
		be_destroy(ctx);
}

static void setup_storm(void)
{
	in_processes(destroy_at_once);
}

TEST_RAIO(storm_of_setup, WHY)
{
	run(setup_storm);
}

/* Contexts that end while something waits there. */
static void arm_and_destroy(void)
{
	static char byte;
	static int fds[2] = { -1, -1 };
	aio_context_t ctx = 0;

	if (fds[0] < 0)
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	if (be_setup(8, &ctx))
		return;
	prep(&iocb, IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
	submit_one(ctx, &iocb);
	be_destroy(ctx);
}

static void destroy_storm(void)
{
	in_processes(arm_and_destroy);
}

TEST_RAIO(storm_of_destroy, WHY)
{
	run(destroy_storm);
}

static void cancel_all(void)
{
	static aio_context_t ctx;
	static char byte;
	static int fds[2];
	struct io_event event;
	int i;

	if (!ctx) {
		ctx = new_context(SOME);
		ASSERT_EQ(0, pipe(fds));
	}
	for (i = 0; i < SOME; i++) {
		prep(&iocbs[i], IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
		submit_one(ctx, &iocbs[i]);
	}
	for (i = 0; i < SOME; i++)
		be_cancel(ctx, &iocbs[i], &event);
	events_now(ctx, &event, 1);
}

static void cancel_storm(void)
{
	in_processes(cancel_all);
}

TEST_RAIO(storm_of_cancel, WHY)
{
	run(cancel_storm);
}

/* One byte wakes all, and one of them gets it. */
static void wake_all(void)
{
	static aio_context_t ctx;
	static char byte;
	static int fds[2];
	struct io_event events[SOME];
	int i, count;

	if (!ctx) {
		ctx = new_context(SOME);
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
		for (i = 0; i < SOME; i++) {
			prep(&iocbs[i], IOCB_CMD_PREAD, fds[0], &byte, 1, 0);
			submit_one(ctx, &iocbs[i]);
		}
	}
	if (send(fds[1], "x", 1, MSG_DONTWAIT) < 0)
		sched_yield();
	count = events_now(ctx, events, SOME);
	for (i = 0; i < count; i++)
		submit_one(ctx, (struct iocb *)(uintptr_t)events[i].obj);
}

static void wake_storm(void)
{
	in_processes(wake_all);
}

TEST_RAIO(storm_of_wakes, WHY)
{
	run(wake_storm);
}
