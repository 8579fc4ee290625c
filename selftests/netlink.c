// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a write to a netlink socket that has to wait, and one whose message
 * carries a descriptor of the caller: the kernel's answer is the one to write(2), and so
 * is what a cgroup file says that takes a descriptor as text.
 *
 * A kernel where a thread without a file table does that write dies of it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "pairs.h"

#define JUNK	512
#define REPLY	4096

/* They are of a network namespace of the test. */
static int sender, receiver;
static struct sockaddr_nl receiver_address;
static char junk[JUNK];

static int open_netlink(struct sockaddr_nl *address)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		SKIP("no netlink: %m");
	*address = (struct sockaddr_nl){ .nl_family = AF_NETLINK };
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)address, size));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)address, &size));
	return fd;
}

static void send_to(const struct sockaddr_nl *address)
{
	ASSERT_EQ(0, connect(sender, (const struct sockaddr *)address, sizeof(*address)));
}

static void send_to_kernel(void)
{
	send_to(&(struct sockaddr_nl){ .nl_family = AF_NETLINK });
}

static void start(void)
{
	struct sockaddr_nl address;
	int small = 4096;

	if (unshare(CLONE_NEWNET))
		SKIP("needs root, for a network namespace: %m");
	receiver = open_netlink(&receiver_address);
	sender = open_netlink(&address);
	ASSERT_EQ(0, setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	((struct nlmsghdr *)junk)->nlmsg_len = JUNK;
	send_to(&receiver_address);
}

static void fill(void)
{
	while (send(sender, junk, JUNK, MSG_DONTWAIT) == JUNK)
		;
	EXPECT_EQ(EAGAIN, errno);
}

/* Once the task waits, there is space. */
static void *drain_when_asleep(void *arg)
{
	wait_asleep(*(pid_t *)arg);
	pair_drain(receiver);
	return NULL;
}

static pthread_t start_drain(void)
{
	static pid_t tid;
	pthread_t thread;

	tid = thread_id();
	ASSERT_EQ(0, pthread_create(&thread, NULL, drain_when_asleep, &tid));
	return thread;
}

TEST(write_waits)
{
	aio_context_t ctx = new_context(1);
	pthread_t thread;
	struct iocb iocb;
	int round;

	start();
	for (round = 0; round < 10; round++) {
		fill();
		thread = start_drain();
		prep(&iocb, IOCB_CMD_PWRITE, sender, junk, JUNK, 0);
		EXPECT_EQ(JUNK, run_one(ctx, &iocb));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		pair_drain(receiver);
	}
	EXPECT_EQ(0, be_destroy(ctx));
}

struct message {
	struct nlmsghdr header;
	char body[128];
};

static void *add(struct message *message, const void *data, size_t size)
{
	void *at = (char *)message + message->header.nlmsg_len;

	memcpy(at, data, size);
	message->header.nlmsg_len += NLMSG_ALIGN(size);
	ASSERT_LE(message->header.nlmsg_len, sizeof(*message));
	return at;
}

static void add_attribute(struct message *message, unsigned short type, uint32_t value)
{
	struct rtattr header = { .rta_len = RTA_LENGTH(sizeof(value)), .rta_type = type };

	add(message, &header, sizeof(header));
	add(message, &value, sizeof(value));
}

static void begin(struct message *message, unsigned short type, unsigned short flags)
{
	memset(message, 0, sizeof(*message));
	message->header.nlmsg_len = sizeof(message->header);
	message->header.nlmsg_type = type;
	message->header.nlmsg_flags = NLM_F_REQUEST | flags;
}

/* The program is looked up when the device is, and this is not one. */
static void xdp_message(struct message *message, int fd)
{
	struct ifinfomsg info = { .ifi_index = 1 };
	struct rtattr nest = { .rta_type = IFLA_XDP | NLA_F_NESTED }, *at;

	begin(message, RTM_SETLINK, NLM_F_ACK);
	add(message, &info, sizeof(info));
	at = add(message, &nest, sizeof(nest));
	add_attribute(message, IFLA_XDP_FD, fd);
	add_attribute(message, IFLA_XDP_FLAGS, XDP_FLAGS_SKB_MODE);
	at->rta_len = (char *)message + message->header.nlmsg_len - (char *)at;
}

static void nsid_message(struct message *message, int fd)
{
	struct rtgenmsg general = { .rtgen_family = AF_UNSPEC };

	begin(message, RTM_GETNSID, 0);
	add(message, &general, sizeof(general));
	add_attribute(message, NETNSA_FD, fd);
}

static size_t reply(char *into)
{
	ssize_t size = recv(sender, into, REPLY, 0);

	ASSERT_LT(0, size);
	return size;
}

/* The same message by write(2), as request, and as one that waits behind another. */
static void run_message(struct message *message)
{
	static char expected[REPLY], seen[REPLY];
	size_t size, length = message->header.nlmsg_len;
	aio_context_t ctx = new_context(2);
	struct iocb first, second;
	struct io_event events[2];
	pthread_t thread;
	int i;

	send_to_kernel();
	ASSERT_EQ(length, write(sender, message, length));
	size = reply(expected);

	prep(&second, IOCB_CMD_PWRITE, sender, message, length, 0);
	EXPECT_EQ(length, run_one(ctx, &second));
	EXPECT_EQ(size, reply(seen));
	EXPECT_EQ(0, memcmp(expected, seen, size));

	for (i = 0; i < 3; i++) {
		send_to(&receiver_address);
		fill();
		thread = start_drain();
		prep(&first, IOCB_CMD_PWRITE, sender, junk, JUNK, 0);
		ASSERT_EQ(1, submit_one(ctx, &first));
		send_to_kernel();
		ASSERT_EQ(1, submit_one(ctx, &second));
		ASSERT_EQ(2, events_wait(ctx, events, 2));
		EXPECT_EQ(JUNK + length, (long long)(events[0].res + events[1].res));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		pair_drain(receiver);
		memset(seen, 0, size);
		EXPECT_EQ(size, reply(seen));
		EXPECT_EQ(0, memcmp(expected, seen, size));
	}
	EXPECT_EQ(0, be_destroy(ctx));
}

TEST(xdp_descriptor)
{
	struct message message;
	int fds[2];

	start();
	ASSERT_EQ(0, pipe(fds));
	xdp_message(&message, fds[0]);
	run_message(&message);
}

TEST(xdp_no_descriptor)
{
	struct message message;

	start();
	xdp_message(&message, 1000);
	run_message(&message);
}

TEST(namespace_descriptor)
{
	struct message message;
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	start();
	nsid_message(&message, fd);
	run_message(&message);
}

TEST(namespace_no_descriptor)
{
	struct message message;

	start();
	nsid_message(&message, 1000);
	run_message(&message);
}

/* Of the first version of cgroups: "eventfd file threshold". */
TEST(cgroup_event)
{
	char dir[] = "/tmp/raio-cgroup-XXXXXX", path[80], text[64];
	int control, usage, event, plain;
	aio_context_t ctx = new_context(1);
	struct iocb iocb;

	ASSERT_TRUE(mkdtemp(dir));
	if (mount("raio", dir, "cgroup", 0, "memory")) {
		rmdir(dir);
		SKIP("no file of a cgroup takes a descriptor here: %m");
	}
	snprintf(path, sizeof(path), "%s/cgroup.event_control", dir);
	control = open(path, O_WRONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/memory.usage_in_bytes", dir);
	usage = open(path, O_RDONLY | O_CLOEXEC);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	if (control < 0 || usage < 0)
		SKIP("no file of a cgroup takes a descriptor here");
	event = eventfd(0, EFD_CLOEXEC);
	snprintf(text, sizeof(text), "%d %d 1099511627776", event, usage);
	plain = write(control, text, strlen(text));
	prep(&iocb, IOCB_CMD_PWRITE, control, text, strlen(text), 0);
	EXPECT_EQ(plain, run_one(ctx, &iocb));
	snprintf(text, sizeof(text), "%d %d 1099511627776", usage, usage);
	plain = write(control, text, strlen(text)) < 0 ? -errno : 0;
	prep(&iocb, IOCB_CMD_PWRITE, control, text, strlen(text), 0);
	EXPECT_EQ(plain, run_one(ctx, &iocb));
}
