// SPDX-License-Identifier: GPL-2.0

#include <linux/net.h>
#include <linux/pipe_fs_i.h>
#include <net/sock.h>

/* The pipe is empty, and still has a writer. */
static bool is_pipe_idle(const struct file *file)
{
	const struct pipe_inode_info *pipe;
	union pipe_index at;

	if (!S_ISFIFO(file_inode(file)->i_mode))
		return false;
	pipe = file->private_data;
	if (!pipe || !READ_ONCE(pipe->writers))
		return false;
#ifdef CONFIG_WATCH_QUEUE
	/* A read reports a lost notification, but poll does not. */
	if (pipe_has_watch_queue(pipe))
		return false;
#endif
	at.head_tail = READ_ONCE(pipe->head_tail);
	return pipe_empty(at.head, at.tail);
}

/* A read would wait until poll reports the file as ready.  This is a snapshot. */
bool raio_helper_is_stream_idle(const struct file *file)
{
	const struct socket *sock;
	const struct sock *sk;

	if (S_ISFIFO(file_inode(file)->i_mode))
		return is_pipe_idle(file);
	sock = sock_from_file((struct file *)file);
	sk = sock ? sock->sk : NULL;
	if (!sk)
		return false;
	/* A socket that is not connected has other states to report. */
	if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED && sk->sk_protocol != IPPROTO_UDP)
		return false;
	return skb_queue_empty_lockless(&sk->sk_receive_queue) && !READ_ONCE(sk->sk_err) &&
	       !(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN);
}

/*
 * A read left data in the pipe, and not at the end of a packet.  False if
 * another task holds the mutex.
 */
bool raio_helper_is_pipe_unread(const struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;
	bool unread;

	if (!S_ISFIFO(file_inode(file)->i_mode) || !pipe || !mutex_trylock(&pipe->mutex))
		return false;
	unread = !pipe_empty(pipe->head, pipe->tail) &&
		 !(pipe_buf(pipe, pipe->tail)->flags & PIPE_BUF_FLAG_PACKET);
	mutex_unlock(&pipe->mutex);
	return unread;
}

/* A snapshot, without the pipe's mutex. */
bool raio_helper_is_pipe_full(const struct file *file)
{
	const struct pipe_inode_info *pipe;
	union pipe_index at;

	if (!S_ISFIFO(file_inode(file)->i_mode))
		return false;
	pipe = file->private_data;
	if (!pipe)
		return false;
	at.head_tail = READ_ONCE(pipe->head_tail);
	return pipe_full(at.head, at.tail, READ_ONCE(pipe->max_usage));
}
