// SPDX-License-Identifier: GPL-2.0

#include <linux/net.h>
#include <linux/pipe_fs_i.h>
#include <net/af_unix.h>
#include <net/busy_poll.h>
#include <net/sock.h>

bool raio_helper_is_tcp_or_udp(const struct file *file)
{
	const struct socket *sock = sock_from_file((struct file *)file);
	const struct sock *sk = sock ? sock->sk : NULL;

	if (!sk || (sk->sk_family != AF_INET && sk->sk_family != AF_INET6))
		return false;
	return sk->sk_protocol == IPPROTO_TCP || sk->sk_protocol == IPPROTO_UDP;
}

static bool is_udp(const struct sock *sk)
{
	return sk->sk_type == SOCK_DGRAM && sk->sk_protocol == IPPROTO_UDP;
}

/*
 * A task has locked the pipe or socket, and keeps out other readers or writers,
 * perhaps while it waits for a page of its own.
 */
bool raio_helper_is_stream_locked(const struct file *file, bool write)
{
	const struct socket *sock;
	const struct sock *sk;

	if (S_ISFIFO(file_inode(file)->i_mode)) {
		struct pipe_inode_info *pipe = file->private_data;

		return pipe && mutex_is_locked(&pipe->mutex);
	}
	sock = sock_from_file((struct file *)file);
	sk = sock ? sock->sk : NULL;
	if (!sk)
		return false;
	if (sk->sk_family == AF_UNIX)
		return !write && mutex_is_locked(&((struct unix_sock *)sk)->iolock);
	if (!write && is_udp(sk))
		return false;
	return READ_ONCE(sk->sk_lock.owned);
}

/*
 * A read or write of the socket waits by rules that poll does not report: a
 * timeout, a minimum number of bytes, or busy polling of the device.
 */
bool raio_helper_has_socket_rules(const struct file *file, bool write)
{
	const struct socket *sock = sock_from_file((struct file *)file);
	const struct sock *sk = sock ? sock->sk : NULL;

	if (!sk)
		return false;
	if (write)
		return READ_ONCE(sk->sk_sndtimeo) != MAX_SCHEDULE_TIMEOUT;
#ifdef CONFIG_NET_RX_BUSY_POLL
	/*
	 * A sysctl may set this for all sockets, but few have a device that can
	 * be polled.
	 */
	if (READ_ONCE(sk->sk_ll_usec) && READ_ONCE(sk->sk_napi_id) >= MIN_NAPI_ID)
		return true;
#endif
	return READ_ONCE(sk->sk_rcvtimeo) != MAX_SCHEDULE_TIMEOUT ||
	       READ_ONCE(sk->sk_rcvlowat) > 1;
}

bool raio_helper_is_unix(const struct file *file)
{
	const struct socket *sock = sock_from_file((struct file *)file);

	return sock && sock->sk && sock->sk->sk_family == AF_UNIX;
}
