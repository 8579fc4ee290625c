// SPDX-License-Identifier: GPL-2.0
/*
 * Description: requests of a file of every kind, when it is ready, when they have to wait
 * and it gets ready, or they are cancelled, or their context ends: the result is that of
 * the system call on such a file, and there is one event.
 *
 * A submit may wait for the file, as native aio's does; then a thread waits in it, and the
 * file gets ready.  A kind that is not there is skipped.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "absent.h"
#include "cgroup.h"
#include "fuse.h"
#include "harness.h"
#include "nullb.h"
#include "pairs.h"
#include "provider_open.h"
#include "workers.h"

#define SIZE	4096
#define MAX_SIZE (16 * 1024)	/* /dev/fuse wants more than a page */
#define TEXT	"kinds\n"

struct object {
	int fd;			/* of the requests */
	int other;		/* the other end, or what makes it ready; -1 */
	pid_t pid;
	char dir[64];		/* a mount, or a directory; "" */
	struct absent absent;
	pthread_t thread;
};

struct kind {
	/* false if there is no such file, with errno; it has a new one each time */
	bool (*open)(struct object *object);
	void (*close)(struct object *object);
	unsigned int opcode;	/* 0: PREAD */
	size_t size;		/* 0: SIZE, or strlen(data) */
	off_t offset;
	const void *data;	/* of a write; NULL: TEXT */
	short events;		/* of a POLL; 0: POLLIN */
	/*
	 * A file without ready() never waits.  Without wait() it waits as it is opened;
	 * with it, it is ready before.
	 */
	void (*wait)(struct object *object);
	void (*ready)(struct object *object);
	bool varies;		/* the result is not the same each time: only its sign is */
	bool deaf;		/* what waits for it may end by SIGKILL alone */
};

static const struct kind *kind;
static char buf[MAX_SIZE];

static size_t kind_size(void)
{
	if (kind->size)
		return kind->size;
	if (kind->opcode == IOCB_CMD_PWRITE)
		return strlen(kind->data ?: TEXT);
	return SIZE;
}

static short kind_events(void)
{
	return kind->events ?: POLLIN;
}

static void open_object(struct object *object)
{
	memset(object, 0, sizeof(*object));
	object->fd = -1;
	object->other = -1;
	if (!kind->open(object))
		SKIP("there is none: %m");
}

static void close_object(struct object *object)
{
	if (kind->close)
		kind->close(object);
	if (object->fd >= 0)
		close(object->fd);
	if (object->other >= 0)
		close(object->other);
}

/* What may wait, in a thread of its own */

struct call {
	long long (*fn)(struct call *call);
	struct object *object;
	aio_context_t ctx;
	struct iocb iocb;
	pthread_t thread;
	pid_t tid;
	bool over;
	long long result;
};

static void *run_call(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, thread_id(), __ATOMIC_RELEASE);
	call->result = call->fn(call);
	__atomic_store_n(&call->over, true, __ATOMIC_RELEASE);
	return NULL;
}

/* In ms: a wait for something else is over by then, or is taken for this one; and for ever. */
#define MOMENT	50
#define LONG	20000

/* Returns when it is over, or has waited for so long: whether it is over. */
static bool start_call(struct call *call, long long (*fn)(struct call *call), int patience)
{
	int asleep = 0;
	char state;

	call->fn = fn;
	call->tid = 0;
	call->over = false;
	ASSERT_EQ(0, pthread_create(&call->thread, NULL, run_call, call));
	while (!__atomic_load_n(&call->over, __ATOMIC_ACQUIRE)) {
		state = call->tid ? thread_state(getpid(), call->tid) : 'R';
		asleep = state == 'S' || state == 'D' ? asleep + 1 : 0;
		if (asleep > patience)
			return false;
		usleep(1000);
	}
	return true;
}

static long long end_call(struct call *call)
{
	ASSERT_EQ(0, pthread_join(call->thread, NULL));
	return call->result;
}

static long long plain(struct call *call)
{
	struct pollfd pollfd = { .fd = call->object->fd, .events = kind_events() };
	ssize_t ret;

	if (kind->opcode == IOCB_CMD_POLL) {
		ASSERT_EQ(1, poll(&pollfd, 1, -1));
		return pollfd.revents;
	}
	if (kind->opcode == IOCB_CMD_FSYNC)
		return fsync(call->object->fd) ? -errno : 0;
	if (kind->opcode == IOCB_CMD_PWRITE) {
		ret = pwrite(call->object->fd, buf, kind_size(), kind->offset);
		if (ret < 0 && errno == ESPIPE)
			ret = write(call->object->fd, buf, kind_size());
	} else {
		ret = pread(call->object->fd, buf, kind_size(), kind->offset);
		if (ret < 0 && errno == ESPIPE)
			ret = read(call->object->fd, buf, kind_size());
	}
	return ret < 0 ? -errno : ret;
}

static long long submit(struct call *call)
{
	return submit_one(call->ctx, &call->iocb);
}

static long long destroy(struct call *call)
{
	return be_destroy(call->ctx);
}

static void prepare_iocb(struct call *call)
{
	unsigned int opcode = kind->opcode;

	if (opcode == IOCB_CMD_POLL)
		prep(&call->iocb, opcode, call->object->fd, (void *)(uintptr_t)kind_events(), 0, 0);
	else if (opcode == IOCB_CMD_FSYNC)
		prep(&call->iocb, opcode, call->object->fd, NULL, 0, 0);
	else
		prep(&call->iocb, opcode, call->object->fd, buf, kind_size(), kind->offset);
}

static void prepare(struct call *call)
{
	call->ctx = new_context(2);
	prepare_iocb(call);
}

static void fill_buffer(void)
{
	memset(buf, 0, sizeof(buf));
	if (kind->opcode == IOCB_CMD_PWRITE)
		memcpy(buf, kind->data ?: TEXT, kind_size());
}

/* The one event. */
static long long finish(struct call *call)
{
	struct __kernel_timespec limit = { .tv_sec = 20 };
	struct io_event event;

	if (be_getevents(call->ctx, 1, 1, &event, &limit) != 1) {
		FAIL("there is no event, of opcode %u", kind->opcode);
		test_abort();
	}
	EXPECT_EQ((uintptr_t)&call->iocb, event.obj);
	return event.res;
}

static void expect_no_more(struct call *call)
{
	struct io_event event;

	EXPECT_EQ(0, events_now(call->ctx, &event, 1));
}

static void expect_result(long long expected, long long result, const char *when)
{
	bool ok;

	/* a wake tells more than what was asked for */
	if (kind->opcode == IOCB_CMD_POLL)
		ok = EXPECT_EQ(expected & kind_events(), result & kind_events());
	else if (kind->varies && expected > 0)
		ok = EXPECT_LT(0, result);
	else
		ok = EXPECT_EQ(expected, result);
	if (!ok)
		test_note("when %s", when);
}

/* The situations */

static void get_ready(struct object *object)
{
	if (kind->ready && !kind->wait)
		kind->ready(object);
}

static void get_waiting(struct object *object)
{
	if (kind->wait)
		kind->wait(object);
}

static long long plain_result(bool waits)
{
	struct object object;
	struct call call = { .object = &object };

	open_object(&object);
	fill_buffer();
	if (waits)
		get_waiting(&object);
	else
		get_ready(&object);
	if (!start_call(&call, plain, waits ? MOMENT : LONG)) {
		if (!waits) {
			FAIL("the system call waits");
			test_abort();
		}
		kind->ready(&object);
	} else if (waits) {
		FAIL("the system call does not wait");
	}
	end_call(&call);
	close_object(&object);
	return call.result;
}

static void run_ready(void)
{
	struct object object;
	struct call call = { .object = &object };
	static char expected[MAX_SIZE];
	long long result = plain_result(false);

	memcpy(expected, buf, sizeof(buf));
	open_object(&object);
	fill_buffer();
	get_ready(&object);
	prepare(&call);
	/* what is needed for that may wait, but not for the file */
	start_call(&call, submit, MOMENT);
	ASSERT_EQ(1, end_call(&call));
	expect_result(result, finish(&call), "it is ready");
	if (!kind->varies)
		EXPECT_EQ(0, memcmp(expected, buf, sizeof(buf)));
	expect_no_more(&call);
	EXPECT_EQ(0, be_destroy(call.ctx));
	close_object(&object);
}

/* Native: it can't be polled, because that takes more than one queue. */
static bool is_taken(struct call *call)
{
	if (!is_native() || kind->opcode != IOCB_CMD_POLL || call->result != -EINVAL)
		return true;
	end_call(call);
	return false;
}

static void run_gets_ready(void)
{
	struct object object;
	struct call call = { .object = &object };
	long long result = plain_result(true);
	struct io_event event;

	open_object(&object);
	fill_buffer();
	get_waiting(&object);
	prepare(&call);
	if (start_call(&call, submit, MOMENT)) {
		if (!is_taken(&call))
			goto out;
		EXPECT_EQ(0, events_now(call.ctx, &event, 1));
	}
	kind->ready(&object);
	ASSERT_EQ(1, end_call(&call));
	expect_result(result, finish(&call), "it gets ready");
out:
	expect_no_more(&call);
	EXPECT_EQ(0, be_destroy(call.ctx));
	close_object(&object);
}

static void run_cancelled(void)
{
	struct object object;
	struct call call = { .object = &object };
	struct io_event event;
	long long result;
	int ret;

	open_object(&object);
	fill_buffer();
	get_waiting(&object);
	prepare(&call);
	if (!start_call(&call, submit, MOMENT)) {
		/* there is nobody who could be told that it is cancelled */
		kind->ready(&object);
		end_call(&call);
		finish(&call);
		goto out;
	}
	if (!is_taken(&call))
		goto out;
	ASSERT_EQ(1, end_call(&call));
	ret = be_cancel(call.ctx, &call.iocb, &event);
	if (ret == 0) {
		EXPECT_EQ((uintptr_t)&call.iocb, event.obj);
		EXPECT_EQ(-ECANCELED, (long long)event.res);
	} else if (ret == -EINPROGRESS) {
		/* the thread may have been on its way into such a wait */
		if (kind->deaf)
			kind->ready(&object);
		result = finish(&call);
		/* native: a poll that is cancelled has seen nothing */
		if (is_native() && kind->opcode == IOCB_CMD_POLL)
			EXPECT_EQ(0, result);
		else if (result < 0)
			EXPECT_EQ(-ECANCELED, result);
	} else {
		EXPECT_EQ(is_native() ? -EINVAL : -EAGAIN, ret);
		kind->ready(&object);
		finish(&call);
	}
out:
	expect_no_more(&call);
	EXPECT_EQ(0, be_destroy(call.ctx));
	close_object(&object);
}

static void run_destroyed(void)
{
	struct object object;
	struct call call = { .object = &object };
	bool is_ready = false;

	open_object(&object);
	fill_buffer();
	get_waiting(&object);
	prepare(&call);
	if (!start_call(&call, submit, MOMENT)) {
		kind->ready(&object);
		is_ready = true;
	}
	if (!is_native() || kind->opcode != IOCB_CMD_POLL)
		ASSERT_EQ(1, end_call(&call));
	else
		end_call(&call);
	if (!start_call(&call, destroy, MOMENT) && !is_ready)
		kind->ready(&object);
	EXPECT_EQ(0, end_call(&call));
	EXPECT_EQ(0, mapping_size(call.ctx));
	close_object(&object);
}

/* Files without the calls that take a struct kiocb: native aio says that, and nothing else. */
static bool native_refuses(void)
{
	struct object object;
	struct call call = { .object = &object };
	struct iocb *list = &call.iocb;
	bool refuses;

	open_object(&object);
	fill_buffer();
	get_ready(&object);
	call.ctx = 0;
	if (syscall(SYS_io_setup, 2, &call.ctx)) {
		test_note("no native aio: %m");
		refuses = false;
	} else {
		prepare_iocb(&call);
		refuses = syscall(SYS_io_submit, call.ctx, 1, &list) < 0 && errno == EINVAL;
		ASSERT_EQ(0, syscall(SYS_io_destroy, call.ctx));
	}
	close_object(&object);
	return refuses;
}

static void run_refused(void)
{
	struct object object;
	struct call call = { .object = &object };

	open_object(&object);
	fill_buffer();
	prepare(&call);
	EXPECT_EQ(-EINVAL, submit_one(call.ctx, &call.iocb));
	expect_no_more(&call);
	EXPECT_EQ(0, be_destroy(call.ctx));
	close_object(&object);
}

static void run(struct kind of)
{
	kind = &of;
	if (!of.opcode)
		of.opcode = IOCB_CMD_PREAD;
	if (native_refuses()) {
		run_refused();
		return;
	}
	run_ready();
	if (!of.ready)
		return;
	run_gets_ready();
	run_cancelled();
	run_destroyed();
}

static void run_poll(struct kind of)
{
	of.opcode = IOCB_CMD_POLL;
	run(of);
}

#define RUN(...)	run((struct kind){ __VA_ARGS__ })
#define RUN_POLL(...)	run_poll((struct kind){ __VA_ARGS__ })

static void write_text(struct object *object)
{
	ASSERT_EQ(strlen(TEXT), write(object->other, TEXT, strlen(TEXT)));
}

/* Two ends */

static enum pair pair;

static bool open_reader(struct object *object)
{
	int fds[2];

	if (!pair_try(pair, fds))
		return false;
	object->fd = fds[0];
	object->other = fds[1];
	return true;
}

static bool open_writer(struct object *object)
{
	int fds[2], small = 4096;

	if (!pair_try(pair, fds))
		return false;
	object->fd = fds[1];
	object->other = fds[0];
	/* where there is such a thing */
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	return true;
}

/* What is on its way leaves space behind it for a while. */
static void fill(struct object *object)
{
	struct pollfd pollfd = { .fd = object->fd, .events = POLLOUT };

	do
		pair_fill(object->fd);
	while (poll(&pollfd, 1, 100) || pair_fill(object->fd));
}

static void drain(struct object *object)
{
	struct pollfd pollfd = { .fd = object->fd, .events = POLLOUT };

	do
		pair_drain(object->other);
	while (poll(&pollfd, 1, 1) == 0);
}

static void run_pair(enum pair which)
{
	pair = which;
	RUN(.open = open_reader, .ready = write_text);
	RUN_POLL(.open = open_reader, .ready = write_text);
	if (!pair_fills(pair)) {
		RUN(.open = open_writer, .opcode = IOCB_CMD_PWRITE);
		return;
	}
	/* a terminal is full for a moment only */
	if (pair == PAIR_TTY || pair == PAIR_PTY) {
		RUN(.open = open_writer, .opcode = IOCB_CMD_PWRITE);
		return;
	}
	RUN(.open = open_writer, .opcode = IOCB_CMD_PWRITE, .wait = fill, .ready = drain);
	RUN_POLL(.open = open_writer, .events = POLLOUT, .wait = fill, .ready = drain);
}

TEST(pipe)
{
	run_pair(PAIR_PIPE);
}

TEST(fifo)
{
	run_pair(PAIR_FIFO);
}

TEST(inet_tcp)
{
	run_pair(PAIR_TCP);
}

TEST(inet6_tcp)
{
	run_pair(PAIR_TCP6);
}

TEST(inet_udp)
{
	run_pair(PAIR_UDP);
}

TEST(inet6_udp)
{
	run_pair(PAIR_UDP6);
}

TEST(unix_stream)
{
	run_pair(PAIR_UNIX_STREAM);
}

TEST(unix_datagram)
{
	run_pair(PAIR_UNIX_DGRAM);
}

TEST(unix_seqpacket)
{
	run_pair(PAIR_UNIX_SEQPACKET);
}

TEST(tty)
{
	run_pair(PAIR_TTY);
}

TEST(pty)
{
	run_pair(PAIR_PTY);
}

/* Other sockets */

static int netlink_socket(struct sockaddr_nl *address)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	*address = (struct sockaddr_nl){ .nl_family = AF_NETLINK };
	if (fd < 0 || bind(fd, (struct sockaddr *)address, size) ||
	    getsockname(fd, (struct sockaddr *)address, &size))
		return -1;
	return fd;
}

static bool open_netlink(struct object *object)
{
	struct sockaddr_nl address, own;

	object->fd = netlink_socket(&address);
	object->other = netlink_socket(&own);
	return object->fd >= 0 && object->other >= 0 &&
	       !connect(object->other, (struct sockaddr *)&address, sizeof(address));
}

static void send_netlink(struct object *object)
{
	struct nlmsghdr message = { .nlmsg_len = sizeof(message), .nlmsg_type = NLMSG_NOOP };

	ASSERT_EQ(sizeof(message), write(object->other, &message, sizeof(message)));
}

/* To the kernel, which answers it. */
static bool open_netlink_kernel(struct object *object)
{
	struct sockaddr_nl address;

	object->fd = netlink_socket(&address);
	return object->fd >= 0;
}

TEST(netlink)
{
	static const struct nlmsghdr message = {
		.nlmsg_len = sizeof(message), .nlmsg_type = NLMSG_NOOP,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
	};

	RUN(.open = open_netlink, .ready = send_netlink);
	RUN_POLL(.open = open_netlink, .ready = send_netlink);
	RUN(.open = open_netlink_kernel, .opcode = IOCB_CMD_PWRITE, .data = &message,
	    .size = sizeof(message));
}

#define ETHERTYPE_TEST	0x88b5

static int packet_socket(void)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_TEST), .sll_ifindex = 1,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static const struct {
	struct ethhdr header;
	char data[50];
} frame = {
	.header.h_proto = __builtin_bswap16(ETHERTYPE_TEST),
};

static bool open_packet(struct object *object)
{
	object->fd = packet_socket();
	object->other = object->fd < 0 ? -1 : packet_socket();
	return object->other >= 0;
}

static void send_frame(struct object *object)
{
	ASSERT_EQ(sizeof(frame), write(object->other, &frame, sizeof(frame)));
}

TEST(packet)
{
	RUN(.open = open_packet, .ready = send_frame);
	RUN_POLL(.open = open_packet, .ready = send_frame);
	RUN(.open = open_packet, .opcode = IOCB_CMD_PWRITE, .data = &frame,
	    .size = sizeof(frame));
}

static bool open_vsock(struct object *object)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = VMADDR_PORT_ANY,
	};
	socklen_t size = sizeof(address);
	int listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&address, &size))
		return false;
	object->other = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(object->other, (struct sockaddr *)&address, size))
		return false;
	object->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return object->fd >= 0;
}

static void load_module(const char *name)
{
	char command[64];

	snprintf(command, sizeof(command), "modprobe -q %s 2>/dev/null", name);
	if (system(command))
		test_note("no module %s", name);
}

TEST(vsock)
{
	load_module("vsock_loopback");
	RUN(.open = open_vsock, .ready = write_text);
	RUN_POLL(.open = open_vsock, .ready = write_text);
	RUN(.open = open_vsock, .opcode = IOCB_CMD_PWRITE);
}

/* Descriptors of the kernel's own */

static bool open_eventfd(struct object *object)
{
	object->fd = eventfd(0, EFD_CLOEXEC);
	return object->fd >= 0;
}

static void add(struct object *object)
{
	ASSERT_EQ(0, eventfd_write(object->fd, 3));
}

static void add_most(struct object *object)
{
	ASSERT_EQ(0, eventfd_write(object->fd, 0xfffffffffffffffeULL));
}

static void take_all(struct object *object)
{
	eventfd_t value;

	ASSERT_EQ(0, eventfd_read(object->fd, &value));
}

TEST(event)
{
	static const uint64_t one = 1;

	RUN(.open = open_eventfd, .ready = add);
	RUN_POLL(.open = open_eventfd, .ready = add);
	RUN(.open = open_eventfd, .opcode = IOCB_CMD_PWRITE, .data = &one, .size = 8,
	    .wait = add_most, .ready = take_all);
}

static bool open_timerfd(struct object *object)
{
	object->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	return object->fd >= 0;
}

static void fire(struct object *object)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1 };
	struct pollfd pollfd = { .fd = object->fd, .events = POLLIN };

	ASSERT_EQ(0, timerfd_settime(object->fd, 0, &soon, NULL));
	/* who waits may have taken it */
	poll(&pollfd, 1, 100);
}

TEST(timer)
{
	RUN(.open = open_timerfd, .ready = fire);
	RUN_POLL(.open = open_timerfd, .ready = fire);
}

static bool open_signalfd(struct object *object)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	object->fd = signalfd(-1, &set, SFD_CLOEXEC);
	return object->fd >= 0;
}

static void send_signal(struct object *object)
{
	(void)object;
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
}

/* None is left for the next one. */
static void take_signal(struct object *object)
{
	struct timespec none = { 0 };
	sigset_t set;

	(void)object;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigtimedwait(&set, NULL, &none);
}

TEST(signal)
{
	RUN(.open = open_signalfd, .ready = send_signal, .close = take_signal);
	/* native aio looks whether a worker of the kernel has the signal */
	if (!is_native())
		RUN_POLL(.open = open_signalfd, .ready = send_signal, .close = take_signal);
}

static bool open_pidfd(struct object *object)
{
	object->pid = test_fork();
	if (!object->pid) {
		pause();
		_exit(0);
	}
	object->fd = syscall(SYS_pidfd_open, object->pid, 0);
	return object->fd >= 0;
}

static void kill_child(struct object *object)
{
	ASSERT_EQ(0, kill(object->pid, SIGKILL));
}

static void reap_child(struct object *object)
{
	kill(object->pid, SIGKILL);
	test_wait(object->pid);
}

TEST(pid)
{
	RUN(.open = open_pidfd, .close = reap_child);
	RUN_POLL(.open = open_pidfd, .ready = kill_child, .close = reap_child);
}

static bool open_epoll(struct object *object)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return false;
	object->other = fds[1];
	object->pid = fds[0];
	object->fd = epoll_create1(EPOLL_CLOEXEC);
	return object->fd >= 0 && !epoll_ctl(object->fd, EPOLL_CTL_ADD, fds[0], &event);
}

static void close_inner(struct object *object)
{
	close(object->pid);
}

TEST(epoll)
{
	RUN(.open = open_epoll, .close = close_inner);
	RUN_POLL(.open = open_epoll, .ready = write_text, .close = close_inner);
}

static bool make_dir(struct object *object)
{
	snprintf(object->dir, sizeof(object->dir), "/tmp/raio-kinds-XXXXXX");
	return mkdtemp(object->dir);
}

static bool open_inotify(struct object *object)
{
	object->fd = inotify_init1(IN_CLOEXEC);
	return object->fd >= 0 && make_dir(object) &&
	       inotify_add_watch(object->fd, object->dir, IN_CREATE) >= 0;
}

static void create_file(struct object *object)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "%s/file", object->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
}

static void remove_dir(struct object *object)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/file", object->dir);
	unlink(path);
	rmdir(object->dir);
}

TEST(inotify)
{
	RUN(.open = open_inotify, .ready = create_file, .close = remove_dir);
	RUN_POLL(.open = open_inotify, .ready = create_file, .close = remove_dir);
}

static bool open_userfaultfd(struct object *object)
{
	absent_open_page(&object->absent);
	/* it is not O_NONBLOCK */
	object->fd = object->absent.uffd;
	return fcntl(object->fd, F_SETFL, 0) == 0;
}

static void *touch(void *arg)
{
	*(volatile char *)arg = 1;
	return NULL;
}

static void fault(struct object *object)
{
	ASSERT_EQ(0, pthread_create(&object->thread, NULL, touch, object->absent.pages));
}

static void serve_fault(struct object *object)
{
	if (!object->thread)
		return;
	absent_serve(&object->absent);
	ASSERT_EQ(0, pthread_join(object->thread, NULL));
}

TEST(userfault)
{
	RUN(.open = open_userfaultfd, .ready = fault, .close = serve_fault, .varies = true);
}

/* Devices */

static const char *path;

static bool open_path(struct object *object)
{
	object->fd = open(path, O_RDWR | O_CLOEXEC);
	if (object->fd < 0 && (errno == EACCES || errno == EPERM || errno == EINVAL))
		object->fd = open(path, O_RDONLY | O_CLOEXEC);
	return object->fd >= 0;
}

static bool open_write_only(struct object *object)
{
	object->fd = open(path, O_WRONLY | O_CLOEXEC);
	return object->fd >= 0;
}

static void run_reads(const char *name)
{
	path = name;
	RUN(.open = open_path);
	RUN_POLL(.open = open_path, .events = POLLIN);
}

static void run_write(const char *name)
{
	path = name;
	RUN(.open = open_write_only, .opcode = IOCB_CMD_PWRITE);
}

TEST(dev_zero)
{
	run_reads("/dev/zero");
	run_write("/dev/zero");
}

/* A read of nothing is the end of the file. */
TEST(dev_null)
{
	run_reads("/dev/null");
	run_write("/dev/null");
}

TEST(dev_full)
{
	run_reads("/dev/full");
	run_write("/dev/full");
}

TEST(dev_urandom)
{
	path = "/dev/urandom";
	RUN(.open = open_path, .varies = true);
	run_write(path);
}

static bool open_kmsg(struct object *object)
{
	object->fd = open("/dev/kmsg", O_RDONLY | O_CLOEXEC);
	object->other = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	return object->fd >= 0 && object->other >= 0 && lseek(object->fd, 0, SEEK_END) >= 0;
}

TEST(dev_kmsg)
{
	RUN(.open = open_kmsg, .ready = write_text, .varies = true);
	RUN_POLL(.open = open_kmsg, .ready = write_text);
	/* its poll never says that it can be written */
	run_write("/dev/kmsg");
}

static bool mount_fuse(struct object *object)
{
	char options[80];

	if (!make_dir(object))
		return false;
	object->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0",
		 object->fd);
	return object->fd >= 0 && !mount("raio", object->dir, "fuse", 0, options);
}

static void unmount(struct object *object)
{
	umount2(object->dir, MNT_DETACH);
	rmdir(object->dir);
}

/* Its first request is taken, and there is no second one until it goes. */
static bool mount_fuse_begun(struct object *object)
{
	static char request[MAX_SIZE];

	return mount_fuse(object) && read(object->fd, request, sizeof(request)) > 0;
}

static void end_fuse(struct object *object)
{
	ASSERT_EQ(0, umount2(object->dir, MNT_FORCE));
}

TEST(dev_fuse)
{
	RUN(.open = mount_fuse, .close = unmount, .size = MAX_SIZE, .varies = true);
	RUN(.open = mount_fuse_begun, .ready = end_fuse, .close = unmount, .size = MAX_SIZE);
}

/* Its first message is there at once. */
TEST(dev_cuse)
{
	load_module("cuse");
	path = "/dev/cuse";
	RUN(.open = open_path, .size = MAX_SIZE, .varies = true);
}

static bool open_provider(struct object *object)
{
	path = PROVIDER_PATH;
	return open_path(object);
}

/* An answer to each request that is held. */
static bool open_provider_held(struct object *object)
{
	return open_provider(object) &&
	       !ioctl(object->fd, PROVIDER_SET_MODE, PROVIDER_HELD);
}

static void answer(struct object *object)
{
	ASSERT_LE(0, ioctl(object->fd, PROVIDER_ANSWER, 0));
}

TEST(provider)
{
	RUN(.open = open_provider);
	RUN(.open = open_provider, .opcode = IOCB_CMD_PWRITE, .size = 1,
	    .data = (const char[]){ PROVIDER_BYTE(0) });
}

/* A synchronous call does not wait for it. */
TEST(provider_held)
{
	struct object object;
	struct call call = { .object = &object };
	struct kind of = { .open = open_provider_held, .ready = answer, .size = 1,
			   .opcode = IOCB_CMD_PREAD };

	kind = &of;
	open_object(&object);
	prepare(&call);
	start_call(&call, submit, MOMENT);
	while (ioctl(object.fd, PROVIDER_PENDING, 0) != 1)
		usleep(1000);
	answer(&object);
	ASSERT_EQ(1, end_call(&call));
	EXPECT_EQ(1, finish(&call));
	expect_no_more(&call);
	close_object(&object);
}

/* File systems of the kernel's own */

TEST(procfs)
{
	run_reads("/proc/version");
	path = "/proc/self/status";
	RUN(.open = open_path, .varies = true);
	path = "/proc/sys/kernel/hostname";
	RUN(.open = open_path);
	path = "/proc/self/comm";
	RUN(.open = open_write_only, .opcode = IOCB_CMD_PWRITE, .data = "kinds");
}

static bool open_mounts(struct object *object)
{
	static char text[65536];

	object->fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	/* what has been before is known */
	return object->fd >= 0 && read(object->fd, text, sizeof(text)) > 0 &&
	       poll(&(struct pollfd){ .fd = object->fd, .events = POLLPRI }, 1, 0) >= 0 &&
	       make_dir(object);
}

static void mount_something(struct object *object)
{
	ASSERT_EQ(0, mount("raio", object->dir, "tmpfs", 0, NULL));
}

TEST(procfs_poll)
{
	if (geteuid())
		SKIP("needs root");
	RUN_POLL(.open = open_mounts, .events = POLLPRI, .ready = mount_something,
		 .close = unmount);
}

TEST(sysfs)
{
	run_reads("/sys/kernel/notes");
	path = "/sys/kernel/mm/transparent_hugepage/enabled";
	RUN(.open = open_path);
}

TEST(sysfs_write)
{
	path = "/sys/kernel/mm/transparent_hugepage/defrag";
	RUN(.open = open_write_only, .opcode = IOCB_CMD_PWRITE, .data = "madvise");
}

static struct cgroup cgroup;
static char cgroup_path[100];

static void cgroup_file(const char *name)
{
	if (!cgroup.path[0])
		cgroup_make(&cgroup, NULL);
	snprintf(cgroup_path, sizeof(cgroup_path), "%s/%s", cgroup.path, name);
	path = cgroup_path;
}

static void set_freeze(struct object *object)
{
	int fd;

	(void)object;
	snprintf(cgroup_path, sizeof(cgroup_path), "%s/cgroup.freeze", cgroup.path);
	fd = open(cgroup_path, O_WRONLY | O_CLOEXEC);
	snprintf(cgroup_path, sizeof(cgroup_path), "%s/cgroup.events", cgroup.path);
	ASSERT_LE(0, fd);
	/* the other one of both is a change */
	if (cgroup_figure(&cgroup, "cgroup.freeze", NULL))
		ASSERT_EQ(1, write(fd, "0", 1));
	else
		ASSERT_EQ(1, write(fd, "1", 1));
	close(fd);
}

static bool open_cgroup_events(struct object *object)
{
	static char text[256];

	return open_path(object) && read(object->fd, text, sizeof(text)) > 0;
}

TEST(cgroup)
{
	cgroup_file("cgroup.procs");
	RUN(.open = open_path);
	cgroup_file("cgroup.freeze");
	RUN(.open = open_write_only, .opcode = IOCB_CMD_PWRITE, .data = "0");
	cgroup_file("cgroup.events");
	RUN(.open = open_path);
	RUN_POLL(.open = open_cgroup_events, .events = POLLPRI, .ready = set_freeze);
	cgroup_remove(&cgroup);
}

/* "0" is who writes it. */
TEST(cgroup_move)
{
	cgroup_file("cgroup.procs");
	RUN(.open = open_write_only, .opcode = IOCB_CMD_PWRITE, .data = "0");
	EXPECT_EQ(getpid(), cgroup_figure(&cgroup, "cgroup.procs", NULL));
	path = "/sys/fs/cgroup/cgroup.procs";
	RUN(.open = open_write_only, .opcode = IOCB_CMD_PWRITE, .data = "0");
	cgroup_remove(&cgroup);
}

TEST(configfs)
{
	static char name[80];
	struct nullb nullb;

	nullb_create(&nullb, &(struct nullb_options){ .size_mb = 1 });
	snprintf(name, sizeof(name), "/sys/kernel/config/nullb/%s/completion_nsec", nullb.name);
	run_reads(name);
	snprintf(name, sizeof(name), "/sys/kernel/config/nullb/%s/badblocks", nullb.name);
	RUN(.open = open_write_only, .opcode = IOCB_CMD_PWRITE, .data = "-0-1");
}

#define TRACING	"/sys/kernel/tracing/"

static bool open_trace(struct object *object)
{
	object->fd = open(TRACING "trace_pipe", O_RDONLY | O_CLOEXEC);
	object->other = open(TRACING "trace_marker", O_WRONLY | O_CLOEXEC);
	if (object->fd < 0 || object->other < 0)
		return false;
	pair_drain(object->fd);
	return true;
}

TEST(tracefs)
{
	run_write(TRACING "trace_marker");
	RUN(.open = open_trace, .ready = write_text, .varies = true);
	RUN_POLL(.open = open_trace, .ready = write_text);
	run_reads(TRACING "current_tracer");
}

TEST(debugfs)
{
	static const char *const names[] = {
		"/sys/kernel/debug/sleep_time", "/sys/kernel/debug/fault_around_bytes",
		"/sys/kernel/debug/devices_deferred", "/sys/kernel/debug/wakeup_sources",
		"/sys/kernel/debug/clk/clk_summary", "/sys/kernel/debug/suspend_stats",
	};
	unsigned int i, seen = 0;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (access(names[i], R_OK))
			continue;
		path = names[i];
		RUN(.open = open_path);
		seen++;
	}
	if (!seen)
		SKIP("no debugfs");
}

/* Files, of file systems that have some */

static const char *directory;

/* It has something in it. */
static bool open_file(struct object *object)
{
	char name[100];

	snprintf(name, sizeof(name), "%s/raio-XXXXXX", directory);
	object->fd = mkostemp(name, O_CLOEXEC);
	if (object->fd < 0)
		return false;
	unlink(name);
	fill_pattern(buf, SIZE, 0, 0);
	return pwrite(object->fd, buf, SIZE, 0) == SIZE;
}

static bool open_direct(struct object *object)
{
	return open_file(object) && fsync(object->fd) == 0 &&
	       fcntl(object->fd, F_SETFL, O_DIRECT) == 0;
}

static void run_files(const char *dir)
{
	if (!dir)
		SKIP("there is none");
	directory = dir;
	RUN(.open = open_file);
	RUN(.open = open_file, .offset = SIZE);
	RUN(.open = open_file, .opcode = IOCB_CMD_PWRITE);
	RUN(.open = open_file, .opcode = IOCB_CMD_FSYNC);
}

TEST(ext4)
{
	run_files(getenv("RAIO_TEST_DIR") ?: "/tmp");
}

TEST(xfs)
{
	run_files(getenv("RAIO_XFS_DIR"));
}

TEST(tmpfs)
{
	run_files("/dev/shm");
}

static char mounted[64];

static void mount_kind(const char *source, const char *type, const char *options)
{
	snprintf(mounted, sizeof(mounted), "/tmp/raio-kinds-XXXXXX");
	ASSERT_TRUE(mkdtemp(mounted));
	if (mount(source, mounted, type, 0, options)) {
		rmdir(mounted);
		SKIP("can't mount %s: %m", type);
	}
}

static void unmount_kind(void)
{
	EXPECT_EQ(0, umount2(mounted, MNT_DETACH));
	rmdir(mounted);
}

static bool open_huge(struct object *object)
{
	char name[80];

	snprintf(name, sizeof(name), "%s/file", mounted);
	object->fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return object->fd >= 0 && ftruncate(object->fd, 2 << 20) == 0;
}

TEST(hugetlbfs)
{
	mount_kind("raio", "hugetlbfs", NULL);
	RUN(.open = open_huge);
	RUN(.open = open_huge, .opcode = IOCB_CMD_PWRITE);
	RUN(.open = open_huge, .opcode = IOCB_CMD_FSYNC);
	unmount_kind();
}

TEST(overlay)
{
	char base[] = "/tmp/raio-layers-XXXXXX", name[80], options[300];
	static const char *const parts[] = { "lower", "upper", "work" };
	unsigned int i;

	ASSERT_TRUE(mkdtemp(base));
	ASSERT_EQ(0, mount("raio", base, "tmpfs", 0, NULL));
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(name, sizeof(name), "%s/%s", base, parts[i]);
		ASSERT_EQ(0, mkdir(name, 0755));
	}
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 base, base, base);
	mount_kind("raio", "overlay", options);
	run_files(mounted);
	unmount_kind();
	umount2(base, MNT_DETACH);
	rmdir(base);
}

static struct nullb nullb;

/* The least that is a FAT file system: nothing in it. */
static void make_fat(void)
{
	static const uint8_t boot[] = {
		0xeb, 0x3c, 0x90, 'r', 'a', 'i', 'o', ' ', ' ', ' ', ' ',
		0x00, 0x02,		/* bytes of a sector */
		4,			/* sectors of a cluster */
		1, 0,			/* sectors before the FATs */
		2,			/* FATs */
		0x00, 0x02,		/* entries of the root directory */
		0x00, 0x80,		/* sectors: 16 MB */
		0xf8,			/* medium */
		32, 0,			/* sectors of a FAT */
	};
	static const uint8_t fat[] = { 0xf8, 0xff, 0xff, 0xff };
	int fd;

	nullb_create(&nullb, &(struct nullb_options){ .size_mb = 16, .memory_backed = true });
	fd = open(nullb.dev, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(sizeof(boot), pwrite(fd, boot, sizeof(boot), 0));
	ASSERT_EQ(2, pwrite(fd, "\x55\xaa", 2, 510));
	ASSERT_EQ(sizeof(fat), pwrite(fd, fat, sizeof(fat), 512));
	ASSERT_EQ(sizeof(fat), pwrite(fd, fat, sizeof(fat), 512 * 33));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
}

TEST(vfat)
{
	make_fat();
	mount_kind(nullb.dev, "vfat", NULL);
	run_files(mounted);
	unmount_kind();
}

/* There is no program in the guest that makes one. */
TEST(btrfs)
{
	run_files(getenv("RAIO_BTRFS_DIR"));
}

static bool open_device(struct object *object)
{
	object->fd = open(nullb.dev, O_RDWR | O_CLOEXEC);
	return object->fd >= 0;
}

static bool open_device_direct(struct object *object)
{
	object->fd = open(nullb.dev, O_RDWR | O_DIRECT | O_CLOEXEC);
	return object->fd >= 0;
}

TEST(block)
{
	nullb_create(&nullb, &(struct nullb_options){
		.size_mb = 1, .completion_nsec = 10000000, .memory_backed = true });
	RUN(.open = open_device);
	RUN(.open = open_device, .offset = 1 << 20);
	RUN(.open = open_device, .opcode = IOCB_CMD_PWRITE);
	RUN(.open = open_device, .opcode = IOCB_CMD_FSYNC);
	/* the size is not a multiple of a sector's */
	RUN(.open = open_device_direct, .opcode = IOCB_CMD_PWRITE);
}

TEST(ext4_direct)
{
	directory = getenv("RAIO_TEST_DIR") ?: "/tmp";
	/* the buffer is not aligned */
	RUN(.open = open_direct, .size = 100);
}

/* A FUSE server that answers when it is told to. */
static struct fuse fuse;
static uint64_t fuse_ops;

static bool open_fuse(struct object *object)
{
	object->fd = fuse_open(&fuse, O_RDWR);
	return true;
}

static void hold_fuse(struct object *object)
{
	/* or it has the page from before */
	posix_fadvise(object->fd, 0, 0, POSIX_FADV_DONTNEED);
	fuse_hold(&fuse, fuse_ops);
}

static void release_fuse(struct object *object)
{
	(void)object;
	fuse_release(&fuse);
}

static void run_fuse(unsigned int flags)
{
	fuse_start(&fuse, flags);
	fuse_ops = FUSE_OP(FUSE_READ);
	/* a page is waited for as for that of a disk */
	RUN(.open = open_fuse, .wait = hold_fuse, .ready = release_fuse, .close = release_fuse,
	    .deaf = !(flags & FUSE_DIRECT_IO));
	if (flags & FUSE_DIRECT_IO)
		fuse_ops = FUSE_OP(FUSE_WRITE);
	RUN(.open = open_fuse, .opcode = IOCB_CMD_PWRITE,
	    .wait = flags & FUSE_DIRECT_IO ? hold_fuse : NULL,
	    .ready = flags & FUSE_DIRECT_IO ? release_fuse : NULL, .close = release_fuse);
	fuse_ops = FUSE_OP(FUSE_FSYNC);
	RUN(.open = open_fuse, .opcode = IOCB_CMD_FSYNC, .wait = hold_fuse,
	    .ready = release_fuse, .close = release_fuse);
}

TEST(fuse)
{
	run_fuse(0);
}

TEST(fuse_direct)
{
	run_fuse(FUSE_DIRECT_IO);
}

/* Its reads are synchronous, whoever asks for what. */
TEST(fuse_sync_read)
{
	run_fuse(FUSE_SYNC_READ);
}
