// SPDX-License-Identifier: GPL-2.0
/* The files: of each kind one, and what goes on at their other ends. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include "../selftests/fuse.h"
#include "victim.h"

#define SIZE		(256 * 1024)

struct file files[KINDS];

static char directory[KINDS][64];
static struct fuse fuse;
/* Who feeds it; of this process. */
static char stream_lock[KINDS];

/* Each byte of a file tells where it is. */
uint8_t file_byte(uint64_t offset)
{
	return (offset >> 3) * 0x9d ^ offset ^ 0x5a;
}

static void fill(uint8_t *buf, unsigned int n, uint64_t offset)
{
	for (unsigned int i = 0; i < n; i++)
		buf[i] = file_byte(offset + i);
}

static void make_file(const char *path)
{
	uint8_t *buf = malloc(SIZE);
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0666);

	fill(buf, SIZE, 0);
	if (fd >= 0) {
		if (write(fd, buf, SIZE) != SIZE)
			fprintf(stderr, "torture: %s: %m\n", path);
		fchmod(fd, 0666);
		close(fd);
	}
	free(buf);
}

static void make_device(const char *path)
{
	uint8_t *buf = malloc(SIZE);
	int fd = open(path, O_RDWR);

	fill(buf, SIZE, 0);
	if (fd >= 0) {
		if (pwrite(fd, buf, SIZE, 0) == SIZE)
			fsync(fd);
		close(fd);
		chmod(path, 0666);
	}
	free(buf);
}

static const char *const places[KINDS] = {
	[EXT4] = "/test", [EXT4_WRITE] = "/test", [EXT4_DIRECT] = "/test", [XFS] = "/xfs",
	[XFS_DIRECT] = "/xfs", [TMPFS] = "/tmp", [VFAT] = "/vfat", [OVERLAY] = "/overlay",
};

/* As root, in the lane: what victims of any user open. */
void files_prepare(unsigned int number)
{
	char path[96];

	for (unsigned int i = 0; i < KINDS; i++) {
		if (!places[i])
			continue;
		snprintf(directory[i], sizeof(directory[i]), "%s/lane%u", places[i], number);
		mkdir(directory[i], 0777);
		chmod(directory[i], 0777);
		snprintf(path, sizeof(path), "%.*s/%u", (int)sizeof(directory[i]) - 1,
			 directory[i], i);
		make_file(path);
	}
	snprintf(path, sizeof(path), "/tmp/fifo%u", number);
	unlink(path);
	mkfifo(path, 0666);
	chmod(path, 0666);
	snprintf(path, sizeof(path), NULLB_PATH "%u", number);
	make_device(path);
	snprintf(path, sizeof(path), "/dev/ram%u", number);
	make_device(path);
	fuse_start(&fuse, number & 1 ? FUSE_DIRECT_IO : 0);
}

static int open_at(unsigned int kind, int flags)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%u", directory[kind], kind);
	return open(path, flags | O_CLOEXEC);
}

static int open_named(const char *format, int flags)
{
	char path[96];

	snprintf(path, sizeof(path), format, lane_number);
	return open(path, flags | O_CLOEXEC);
}

static int open_pair(int domain, int type, int *other)
{
	int fds[2];

	if (socketpair(domain, type | SOCK_CLOEXEC, 0, fds))
		return -1;
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	*other = fds[1];
	return fds[0];
}

static int open_inet(int type, int *other)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	bind(listener, (struct sockaddr *)&addr, len);
	getsockname(listener, (struct sockaddr *)&addr, &len);
	if (type == SOCK_STREAM)
		listen(listener, 1);
	if (connect(fd, (struct sockaddr *)&addr, len)) {
		close(fd);
		close(listener);
		return -1;
	}
	if (type == SOCK_STREAM) {
		*other = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		close(listener);
	} else {
		len = sizeof(addr);
		getsockname(fd, (struct sockaddr *)&addr, &len);
		connect(listener, (struct sockaddr *)&addr, len);
		fcntl(listener, F_SETFL, O_NONBLOCK);
		*other = listener;
	}
	return fd;
}

/* One end; the other does not wait. */
static int open_pipe(unsigned int end, int *other)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	fcntl(fds[!end], F_SETFL, O_NONBLOCK);
	*other = fds[!end];
	return fds[end];
}

static int open_spliced(int *other)
{
	int fd = open_pipe(0, other), file = open_at(EXT4, O_RDONLY);
	loff_t offset = 0;

	if (file >= 0) {
		splice(file, &offset, *other, NULL, 4096, SPLICE_F_NONBLOCK);
		close(file);
	}
	return fd;
}

static int open_timeout_socket(int *other)
{
	struct timeval time = { .tv_usec = 20000 };
	int fd = open_pair(AF_UNIX, SOCK_STREAM, other);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
	return fd;
}

static int open_netlink(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	connect(fd, (struct sockaddr *)&nl, sizeof(nl));
	return fd;
}

static int open_timerfd(void)
{
	struct itimerspec times = { { 0, 3000000 }, { 0, 1000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	timerfd_settime(fd, 0, &times, NULL);
	return fd;
}

static int open_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The master; the slave is opened with those flags. */
static int open_pty(int flags, int *slave)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), zero = 0;

	if (master >= 0) {
		ioctl(master, TIOCSPTLCK, &zero);
		*slave = ioctl(master, TIOCGPTPEER, flags | O_NOCTTY | O_CLOEXEC);
	}
	return master;
}

/* No byte stops it, or sends a signal. */
static void set_mode(int slave, bool raw)
{
	struct termios mode;

	if (tcgetattr(slave, &mode))
		return;
	mode.c_iflag &= ~IXON;
	mode.c_lflag &= ~(ISIG | ECHO);
	if (raw)
		cfmakeraw(&mode);
	tcsetattr(slave, TCSANOW, &mode);
}

static int open_memfd(void)
{
	int fd = memfd_create("torture", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, SIZE))
		fd = -1;
	return fd;
}

static int open_kind(enum kind_id kind, int *other)
{
	int fd = -1;

	switch (kind) {
	case EXT4: return open_at(EXT4, O_RDONLY);
	case EXT4_DIRECT:
	case XFS_DIRECT: return open_at(kind, O_RDWR | O_DIRECT);
	case EXT4_WRITE:
	case XFS:
	case TMPFS:
	case VFAT:
	case OVERLAY: return open_at(kind, O_RDWR);
	case MEMFD: return open_memfd();
	case FUSE: return fuse_open(&fuse, O_RDWR);
	case NULLB: return open_named(NULLB_PATH "%u", O_RDWR | O_DIRECT);
	case BRD: return open_named("/dev/ram%u", O_RDWR);
	case PIPE: return open_pipe(0, other);
	case PIPE_IN: return open_pipe(1, other);
	case SPLICED_PIPE: return open_spliced(other);
	case FIFO:
		*other = open_named("/tmp/fifo%u", O_RDWR | O_NONBLOCK);
		return open_named("/tmp/fifo%u", O_RDWR);
	case UNIX: return open_pair(AF_UNIX, SOCK_STREAM, other);
	case UNIX_DGRAM: return open_pair(AF_UNIX, SOCK_DGRAM, other);
	case TCP: return open_inet(SOCK_STREAM, other);
	case UDP: return open_inet(SOCK_DGRAM, other);
	case TIMEOUT_SOCKET: return open_timeout_socket(other);
	case NETLINK: return open_netlink();
	case PACKET: return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	case VSOCK:
		fd = open_pair(AF_VSOCK, SOCK_STREAM, other);
		return fd >= 0 ? fd : socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case EVENTFD:
		fd = eventfd(0, EFD_CLOEXEC);
		*other = dup(fd);
		return fd;
	case TIMERFD: return open_timerfd();
	case SIGNALFD: return open_signalfd();
	case PTY:
		fd = open_pty(O_RDWR | O_NONBLOCK, other);
		set_mode(*other, true);
		return fd;
	case PTS:
		*other = open_pty(O_RDWR, &fd);
		set_mode(fd, false);
		fcntl(*other, F_SETFL, O_NONBLOCK);
		return *other >= 0 ? fd : -1;
	case EPOLL: return epoll_create1(EPOLL_CLOEXEC);
	case INOTIFY:
		fd = inotify_init1(IN_CLOEXEC);
		inotify_add_watch(fd, directory[EXT4], IN_ALL_EVENTS);
		return fd;
	case PIDFD: return syscall(SYS_pidfd_open, getpid(), 0);
	case USERFAULTFD: return syscall(SYS_userfaultfd, O_CLOEXEC);
	case PROC: return open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	case SYSFS: return open("/sys/kernel/fscaps", O_RDONLY | O_CLOEXEC);
	case CGROUP: return open("/sys/fs/cgroup/cgroup.procs", O_RDONLY | O_CLOEXEC);
	case ZERO: return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case FULL: return open("/dev/full", O_RDWR | O_CLOEXEC);
	case RANDOM: return open("/dev/urandom", O_RDWR | O_CLOEXEC);
	case DOOR: return open("/dev/raio", O_RDWR | O_CLOEXEC);
	case DIRECTORY: return open(directory[EXT4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case PATH_ONLY: return open(directory[EXT4], O_PATH | O_CLOEXEC);
	default: return -1;
	}
}

static void open_file(unsigned int kind)
{
	int other = -1;

	files[kind].fd = open_kind(kind, &other);
	files[kind].other = other;
	files[kind].opened = true;
}

/* In the victim, before it is the user that the program says: what only root can open. */
void files_prepare_victim(void)
{
	static const enum kind_id streams[] = { PIPE, UNIX, TCP, TIMEOUT_SOCKET };

	for (unsigned int i = 0; i < KINDS; i++) {
		files[i].fd = -1;
		files[i].other = -1;
	}
	open_file(FUSE);
	/* They are the lane's: a request for a wrong number must not keep its server. */
	close(fuse.root);
	close(fuse.wake);
	close(fuse.held);
	munmap(fuse.shared, sizeof(*fuse.shared));
	for (unsigned int i = EXT4; i <= BRD; i++)
		files[i].pattern = true;
	files[EXT4_DIRECT].is_direct = true;
	files[XFS_DIRECT].is_direct = true;
	files[NULLB].is_direct = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(streams); i++)
		files[streams[i]].stream = true;
}

/* Opened when it is first asked for. */
struct file *file_of(enum kind_id kind)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct file *file = &files[kind];

	if (!file->opened) {
		pthread_mutex_lock(&lock);
		if (!file->opened)
			open_file(kind);
		pthread_mutex_unlock(&lock);
	}
	return file;
}

static atomic_bool split;

/*
 * Threads are about to have tables of their own: all is opened before, and the numbers stay what
 * they are.
 */
void files_split(void)
{
	for (unsigned int i = 0; i < KINDS; i++)
		file_of(i);
	doors_open();
	split = true;
}

bool files_are_split(void)
{
	return split;
}

struct file *file_get(unsigned int selector)
{
	return file_of(selector % KINDS);
}

void file_feed(struct file *file, unsigned int n)
{
	uint8_t buf[512];
	long done;

	if (file->other < 0)
		return;
	if (file == &files[EVENTFD]) {
		uint64_t one = 1;

		COUNTED(write(file->other, &one, sizeof(one)));
		return;
	}
	n = n % sizeof(buf) + 1;
	/* Whoever feeds a stream goes on where the last one ended. */
	while (file->stream && __atomic_exchange_n(&stream_lock[file - files], 1, __ATOMIC_ACQUIRE))
		;
	for (unsigned int i = 0; i < n; i++)
		buf[i] = atomic_load(&file->fed) + i;
	done = COUNTED(send(file->other, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL));
	if (done < 0 && errno == ENOTSOCK)
		done = COUNTED(write(file->other, buf, n));
	if (done > 0)
		atomic_fetch_add(&file->fed, done);
	if (file->stream)
		__atomic_store_n(&stream_lock[file - files], 0, __ATOMIC_RELEASE);
}

void file_drain(struct file *file)
{
	uint8_t buf[4096];
	unsigned int times = 0;

	if (file->other < 0 || file == &files[PIPE] || file == &files[SPLICED_PIPE] ||
	    file == &files[EVENTFD])
		return;
	while (times++ < 64) {
		long done = COUNTED(recv(file->other, buf, sizeof(buf), MSG_DONTWAIT));

		if (done < 0 && errno == ENOTSOCK)
			done = COUNTED(read(file->other, buf, sizeof(buf)));
		if (done <= 0)
			break;
	}
}

/*
 * Of a context without threads a task that waits is the one who runs what can't be tried: each of a
 * hundred reads of a terminal would keep it until a signal.
 */
void files_unblock(void)
{
	for (unsigned int i = 0; i < KINDS; i++) {
		int flags = files[i].opened ? COUNTED(fcntl(files[i].fd, F_GETFL)) : -1;

		if (flags >= 0 && !(flags & O_NONBLOCK))
			COUNTED(fcntl(files[i].fd, F_SETFL, flags | O_NONBLOCK));
	}
}

pid_t fuse_server(void)
{
	return fuse.server;
}

void fuse_keep(bool keep)
{
	if (keep)
		fuse_hold(&fuse, FUSE_OPS_DATA);
	else
		fuse_release(&fuse);
}
