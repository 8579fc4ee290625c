// SPDX-License-Identifier: GPL-2.0
/* The server speaks the protocol of /dev/fuse itself: there is no library in the guest. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "fuse.h"

#define FILE_NAME	"file"
#define FILE_NODE	2
#define MAX_WRITE	(128 * 1024)
#define VALID_SECONDS	3600

/* The server's descriptors. */
enum { DEV_FD = 3, WAKE_FD, HELD_FD, END_FD };

struct request {
	struct request *next;
	union {
		struct fuse_in_header header;
		uint8_t bytes[4096 + MAX_WRITE];
	};
};

static struct fuse_shared *shared;
static unsigned int server_flags;
/* In the order in which they came. */
static struct request *held, **held_end = &held;

static void answer(uint64_t unique, int error, const void *out, size_t size)
{
	uint8_t buf[sizeof(struct fuse_out_header) + MAX_WRITE];
	struct fuse_out_header header = {
		.len = sizeof(header) + size, .error = error, .unique = unique,
	};

	memcpy(buf, &header, sizeof(header));
	memcpy(buf + sizeof(header), out, size);
	/* ENOENT: its caller has given up */
	if (write(DEV_FD, buf, header.len) < 0 && errno != ENOENT && errno != ENODEV)
		test_note("the FUSE server: write: %m");
}

static struct fuse_attr attr_of(uint64_t node)
{
	bool dir = node == FUSE_ROOT_ID;

	return (struct fuse_attr){
		.ino = node, .mode = dir ? S_IFDIR | 0777 : S_IFREG | 0666, .nlink = 1,
		.size = dir ? 0 : shared->size, .blksize = 4096,
	};
}

static void serve_init(const struct fuse_in_header *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = MAX_WRITE,
		.flags = server_flags & FUSE_SYNC_READ ? 0 : FUSE_ASYNC_READ,
		.max_background = 1024, .congestion_threshold = 1024,
		.max_write = MAX_WRITE, .time_gran = 1,
	};

	answer(in->unique, 0, &out, sizeof(out));
}

static void serve_lookup(const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = {
		.nodeid = FILE_NODE, .entry_valid = VALID_SECONDS, .attr_valid = VALID_SECONDS,
		.attr = attr_of(FILE_NODE),
	};

	if (in->nodeid == FUSE_ROOT_ID && !strcmp(name, FILE_NAME))
		answer(in->unique, 0, &out, sizeof(out));
	else
		answer(in->unique, -ENOENT, NULL, 0);
}

static void serve_attr(const struct fuse_in_header *in)
{
	struct fuse_attr_out out = {
		.attr_valid = VALID_SECONDS, .attr = attr_of(in->nodeid),
	};

	answer(in->unique, 0, &out, sizeof(out));
}

static void serve_setattr(const struct fuse_in_header *in, const struct fuse_setattr_in *arg)
{
	if (arg->valid & FATTR_SIZE && arg->size <= FUSE_FILE_MAX)
		shared->size = arg->size;
	serve_attr(in);
}

static void serve_open(const struct fuse_in_header *in)
{
	struct fuse_open_out out = {
		.open_flags = server_flags & FUSE_DIRECT_IO ? FOPEN_DIRECT_IO : 0,
	};

	answer(in->unique, 0, &out, sizeof(out));
}

static void serve_read(const struct fuse_in_header *in, const struct fuse_read_in *arg)
{
	uint64_t left = arg->offset < shared->size ? shared->size - arg->offset : 0;

	if (server_flags & FUSE_SHORT_READ && left > FUSE_SHORT_SIZE)
		left = FUSE_SHORT_SIZE;
	answer(in->unique, 0, shared->data + arg->offset, arg->size < left ? arg->size : left);
}

static void serve_write(const struct fuse_in_header *in, const struct fuse_write_in *arg)
{
	struct fuse_write_out out = { .size = arg->size };

	if (arg->offset > FUSE_FILE_MAX || arg->size > FUSE_FILE_MAX - arg->offset) {
		answer(in->unique, -EFBIG, NULL, 0);
		return;
	}
	memcpy(shared->data + arg->offset, arg + 1, arg->size);
	if (shared->size < arg->offset + arg->size)
		shared->size = arg->offset + arg->size;
	answer(in->unique, 0, &out, sizeof(out));
}

static void serve_poll(const struct fuse_in_header *in)
{
	struct fuse_poll_out out = { .revents = POLLIN | POLLOUT };

	answer(in->unique, 0, &out, sizeof(out));
}

static void serve(const struct fuse_in_header *in)
{
	const void *arg = in + 1;

	switch (in->opcode) {
	case FUSE_INIT:
		return serve_init(in);
	case FUSE_LOOKUP:
		return serve_lookup(in, arg);
	case FUSE_GETATTR:
		return serve_attr(in);
	case FUSE_SETATTR:
		return serve_setattr(in, arg);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return serve_open(in);
	case FUSE_READ:
		return serve_read(in, arg);
	case FUSE_WRITE:
		return serve_write(in, arg);
	case FUSE_POLL:
		return serve_poll(in);
	case FUSE_FSYNC:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return answer(in->unique, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		return;
	default:
		return answer(in->unique, -ENOSYS, NULL, 0);
	}
}

static void hold(const struct request *request)
{
	struct request *copy = malloc(sizeof(*copy));
	uint64_t one = 1;

	if (!copy)
		_exit(1);
	memcpy(copy->bytes, request->bytes, request->header.len);
	copy->next = NULL;
	*held_end = copy;
	held_end = &copy->next;
	shared->held++;
	if (write(HELD_FD, &one, sizeof(one)) < 0)
		_exit(1);
}

static struct request *unhold(struct request **link)
{
	struct request *request = *link;

	*link = request->next;
	if (held_end == &request->next)
		held_end = link;
	shared->held--;
	return request;
}

/* A caller was hit by a signal: it goes on when it has its answer. */
static void serve_interrupt(uint64_t unique)
{
	struct request **link = &held;

	while (*link && (*link)->header.unique != unique)
		link = &(*link)->next;
	if (!*link || server_flags & FUSE_DEAF)
		return;
	free(unhold(link));
	answer(unique, -EINTR, NULL, 0);
}

static uint64_t ops_to_hold(void)
{
	return __atomic_load_n(&shared->hold, __ATOMIC_ACQUIRE);
}

static void serve_next(void)
{
	static struct request request;
	const struct fuse_interrupt_in *interrupt = (void *)(&request.header + 1);
	ssize_t size = read(DEV_FD, request.bytes, sizeof(request.bytes));

	if (size < 0 && errno == ENODEV)
		_exit(0);
	if (size < (ssize_t)sizeof(request.header))
		return;
	if (request.header.opcode < 64) {
		shared->not_root[request.header.opcode] += request.header.uid != 0;
		__atomic_add_fetch(&shared->seen[request.header.opcode], 1, __ATOMIC_SEQ_CST);
	}
	if (request.header.opcode == FUSE_INTERRUPT)
		serve_interrupt(interrupt->unique);
	else if (request.header.opcode < 64 && ops_to_hold() & FUSE_OP(request.header.opcode))
		hold(&request);
	else
		serve(&request.header);
}

static void serve_held(void)
{
	struct request **link = &held, *request;
	uint64_t value;

	if (read(WAKE_FD, &value, sizeof(value)) < 0)
		return;
	while (*link) {
		if (ops_to_hold() & FUSE_OP((*link)->header.opcode)) {
			link = &(*link)->next;
			continue;
		}
		request = unhold(link);
		serve(&request->header);
		free(request);
	}
}

static __noreturn void run_server(const struct fuse *fuse, int dev)
{
	struct pollfd fds[] = {
		{ .fd = DEV_FD, .events = POLLIN }, { .fd = WAKE_FD, .events = POLLIN },
	};
	int high[] = { fcntl(dev, F_DUPFD, 100), fcntl(fuse->wake, F_DUPFD, 100),
		       fcntl(fuse->held, F_DUPFD, 100) };
	int i;

	/* it must not keep the test's pipes open */
	for (i = 0; i < 3; i++)
		dup2(high[i], DEV_FD + i);
	close_range(END_FD, ~0U, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	shared = fuse->shared;
	server_flags = fuse->flags;
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			_exit(1);
		if (fds[1].revents)
			serve_held();
		if (fds[0].revents)
			serve_next();
	}
}

void fuse_start(struct fuse *fuse, unsigned int flags)
{
	char dir[] = "/tmp/raio-fuse-XXXXXX", options[80];
	int dev;

	*fuse = (struct fuse){ .flags = flags };
	dev = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (dev < 0)
		SKIP("needs FUSE: /dev/fuse: %m");
	fuse->shared = mmap(NULL, sizeof(*fuse->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(fuse->shared != MAP_FAILED);
	fuse->shared->size = FUSE_FILE_SIZE;
	fill_pattern(fuse->shared->data, FUSE_FILE_SIZE, 0, 0);
	fuse->wake = eventfd(0, EFD_CLOEXEC);
	fuse->held = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	ASSERT_LE(0, fuse->held);

	ASSERT_TRUE(mkdtemp(dir));
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", dev);
	if (mount("raio", dir, "fuse", MS_NOSUID | MS_NODEV, options)) {
		rmdir(dir);
		SKIP("needs FUSE: mount: %m");
	}
	fuse->server = test_fork();
	if (!fuse->server)
		run_server(fuse, dev);
	close(dev);
	fuse->root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, fuse->root);
	/* nothing is left to clean up, whatever becomes of the test */
	ASSERT_EQ(0, umount2(dir, MNT_DETACH));
	ASSERT_EQ(0, rmdir(dir));
}

int fuse_open(const struct fuse *fuse, int flags)
{
	int fd = openat(fuse->root, FILE_NAME, flags | O_CLOEXEC);

	if (fd < 0) {
		FAIL("open of the FUSE file: %m");
		test_abort();
	}
	return fd;
}

void fuse_hold(struct fuse *fuse, uint64_t ops)
{
	uint64_t one = 1;

	__atomic_store_n(&fuse->shared->hold, ops, __ATOMIC_RELEASE);
	ASSERT_EQ(sizeof(one), write(fuse->wake, &one, sizeof(one)));
}

void fuse_wait_held(struct fuse *fuse, unsigned int count)
{
	uint64_t one;

	while (count--)
		ASSERT_EQ(sizeof(one), read(fuse->held, &one, sizeof(one)));
}

void fuse_release(struct fuse *fuse)
{
	fuse_hold(fuse, 0);
}

void fuse_kill(struct fuse *fuse)
{
	ASSERT_EQ(0, kill(fuse->server, SIGKILL));
	test_wait(fuse->server);
}
