// SPDX-License-Identifier: GPL-2.0
/* What happens to files while requests use them. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "victim.h"

OP(feed)
{
	struct file *file = file_get(arg[0]);

	for (unsigned int i = 0; i < 1 + (arg[2] & 7); i++)
		file_feed(file, arg[1]);
}

OP(drain)
{
	file_drain(file_get(arg[0]));
}

/* From here on it is not known what its number is. */
static void forget(struct file *file)
{
	file->unchecked = true;
}

OP(close)
{
	struct file *file = file_get(arg[0]);

	forget(file);
	if (files_are_split())
		return;
	if (arg[1] & 1) {
		int other = atomic_exchange(&file->other, -1);

		if (other >= 0)
			COUNTED(close(other));
	} else {
		int fd = atomic_exchange(&file->fd, -1);

		if (fd >= 0)
			COUNTED(close(fd));
	}
}

/* Another file under the number. */
OP(reuse)
{
	struct file *file = file_get(arg[0]), *from = file_get(arg[1]);

	forget(file);
	if (from->unchecked || files_are_split())
		return;
	if (file->fd >= 0 && from->fd >= 0)
		COUNTED(dup3(from->fd, file->fd, O_CLOEXEC));
}

OP(fcntl)
{
	static const int flags[4] = { O_NONBLOCK, O_APPEND, O_DIRECT, O_NOATIME };
	struct file *file = file_get(arg[0]);
	int flag = flags[arg[1] & 3], now = COUNTED(fcntl(file->fd, F_GETFL));

	/* What is appended was meant for another place. */
	if (flag == O_APPEND && file->pattern)
		return;
	if (flag == O_DIRECT)
		file->is_direct = true;
	COUNTED(fcntl(file->fd, F_SETFL, now ^ flag));
}

OP(truncate)
{
	struct file *file = file_get(arg[0] % TMPFS);

	if (arg[1] & 1)
		COUNTED(ftruncate(file->fd, (arg[2] & 63) * 4096));
	else
		COUNTED(fallocate(file->fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				  (arg[2] & 63) * 4096, 4096));
	COUNTED(posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED));
}

OP(shutdown)
{
	struct file *file = file_get(arg[0]);

	forget(file);
	COUNTED(shutdown(arg[1] & 4 ? file->other : file->fd, arg[1] & 3));
}

/* By a plain call, beside the requests. */
OP(read)
{
	struct file *file = file_get(arg[0]);
	char buf[512];

	/* It may wait for ever: not for what is empty. */
	if (!file->pattern && file != &files[ZERO])
		return;
	if (arg[1] & 1)
		COUNTED(lseek(file->fd, arg[2] & 63, SEEK_SET));
	COUNTED(read(file->fd, buf, sizeof(buf)));
}

/* Rings of files and sockets, for the garbage collector of AF_UNIX. */
OP(scm)
{
	struct file *file = file_get(arg[0]);
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 2)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &(char){ 0 }, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int fds[2] = { file->fd, file_of(UNIX_DGRAM)->fd };

	if (fds[0] < 0 || fds[1] < 0 || file->unchecked)
		return;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(head), fds, sizeof(fds));
	COUNTED(sendmsg(files[UNIX_DGRAM].other, &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
}
