// SPDX-License-Identifier: GPL-2.0
/* Inline functions and macros of the kernel, as functions; and what needs fields of its types. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/fault-inject-usercopy.h>
#include <linux/freezer.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/memcontrol.h>
#include <linux/mount.h>
#include <linux/net.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/pipe_fs_i.h>
#include <linux/proc_fs.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/shmem_fs.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>
#include <linux/tty.h>
#include <linux/uio.h>
#include <linux/userfaultfd_k.h>
#ifdef CONFIG_X86
#include <asm/pkru.h>
#endif
#include <net/af_unix.h>
#include <net/busy_poll.h>
#include <net/sock.h>
#include "helpers.h"

int raio_helper_kiocb_set_rw_flags(struct kiocb *kiocb, __kernel_rwf_t flags, int rw)
{
	return kiocb_set_rw_flags(kiocb, flags, rw);
}

void raio_helper_kiocb_start_write(struct kiocb *kiocb)
{
	kiocb_start_write(kiocb);
}

bool raio_helper_kiocb_start_write_trylock(struct kiocb *kiocb)
{
	struct super_block *sb = file_inode(kiocb->ki_filp)->i_sb;

	if (!sb_start_write_trylock(sb))
		return false;
	/* as kiocb_start_write(): somebody else may end it */
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	return true;
}

void raio_helper_kiocb_end_write(struct kiocb *kiocb)
{
	kiocb_end_write(kiocb);
}

/* As blk_start_plug_nr_ios(), under a plug that has used up what it expected before. */
void raio_helper_plug_expect(unsigned short nr)
{
#ifdef CONFIG_BLOCK
	struct blk_plug *plug = current->plug;

	if (plug && !plug->cached_rqs.head)
		plug->nr_ios = nr;
#endif
}

/* As blk_check_plugged(), without an allocation. */
bool raio_helper_plug_call_back(struct blk_plug_cb *cb)
{
#ifdef CONFIG_BLOCK
	struct blk_plug *plug = current->plug;

	if (plug) {
		list_add(&cb->list, &plug->cb_list);
		return true;
	}
#endif
	return false;
}

void raio_helper_plug_forget(struct blk_plug_cb *cb)
{
	list_del(&cb->list);
}

/* Somebody wants to be asked about each range that is read or written. */
bool raio_helper_has_permission_events(const struct file *file)
{
	return FMODE_FSNOTIFY_HSM(file->f_mode) || FMODE_FSNOTIFY_ACCESS_PERM(file->f_mode);
}

bool raio_helper_is_reg(const struct file *file)
{
	return S_ISREG(file_inode(file)->i_mode);
}

bool raio_helper_is_tcp_or_udp(const struct file *file)
{
	const struct socket *sock = sock_from_file((struct file *)file);
	const struct sock *sk = sock ? sock->sk : NULL;

	if (!sk || (sk->sk_family != AF_INET && sk->sk_family != AF_INET6))
		return false;
	return sk->sk_protocol == IPPROTO_TCP || sk->sk_protocol == IPPROTO_UDP;
}

/*
 * File systems whose reads and writes were looked at: what they use of the current
 * task is its credentials, limits, cgroups and memory.
 */
unsigned int raio_helper_regular_kind(const struct file *file)
{
	switch (file_inode(file)->i_sb->s_magic) {
	case EXT4_SUPER_MAGIC:		/* and ext2, ext3 */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case MSDOS_SUPER_MAGIC:
	case EXFAT_SUPER_MAGIC:
	case EROFS_SUPER_MAGIC_V1:
	case SQUASHFS_MAGIC:
	case ISOFS_SUPER_MAGIC:
		return RAIO_REGULAR_CACHED;
	case OVERLAYFS_SUPER_MAGIC:
		/* What is below may wait for a server. */
		return d_real_inode(file->f_path.dentry)->i_sb->s_magic == FUSE_SUPER_MAGIC ?
			RAIO_REGULAR_FUSE : RAIO_REGULAR_CACHED;
	case FUSE_SUPER_MAGIC:
		return RAIO_REGULAR_FUSE;
	case TMPFS_MAGIC:
		if (!shmem_mapping(file->f_mapping))
			return RAIO_REGULAR_CACHED;	/* ramfs, as the root may be */
		return READ_ONCE(SHMEM_I(file->f_mapping->host)->swapped) ?
			RAIO_REGULAR_CACHED : RAIO_REGULAR_IN_MEMORY;
	case RAMFS_MAGIC:
		return RAIO_REGULAR_CACHED;
	default:
		return RAIO_REGULAR_OTHER;
	}
}

static bool is_udp(const struct sock *sk)
{
	return sk->sk_type == SOCK_DGRAM && sk->sk_protocol == IPPROTO_UDP;
}

/*
 * Somebody is at work with the pipe or socket, and keeps out those who would read,
 * or write: perhaps while he waits for a page of his own.
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
 * A read or write of the socket that waits does so by rules of its own, which
 * poll does not tell: for some time only, for so many bytes, by asking the device.
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
	/* by sysctl all have that, and few have a device that could be asked */
	if (READ_ONCE(sk->sk_ll_usec) && READ_ONCE(sk->sk_napi_id) >= MIN_NAPI_ID)
		return true;
#endif
	return READ_ONCE(sk->sk_rcvtimeo) != MAX_SCHEDULE_TIMEOUT ||
	       READ_ONCE(sk->sk_rcvlowat) > 1;
}

static struct tty_struct *tty_of(const struct file *file)
{
	const struct tty_file_private *priv = file->private_data;

	return priv ? priv->tty : NULL;
}

/* It stops the current process, which is in the background. */
bool raio_helper_tty_stops(const struct file *file, bool write)
{
	struct tty_struct *tty = tty_of(file);
	bool background;

	if (!tty || READ_ONCE(current->signal->tty) != tty)
		return false;
	if (write && !(tty->termios.c_lflag & TOSTOP))
		return false;
	scoped_guard(spinlock_irqsave, &tty->ctrl.lock)
		background = tty->ctrl.pgrp && tty->ctrl.pgrp != task_pgrp(current);
	return background;
}

/* One of those that are driven by tty_io.c: not of modules that have numbers of their own. */
bool raio_helper_is_tty(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	if (!S_ISCHR(inode->i_mode) || !file->private_data)
		return false;
	switch (imajor(inode)) {
	case TTY_MAJOR:
		return true;
	case TTYAUX_MAJOR:
		return true;
	default:
		return imajor(inode) >= UNIX98_PTY_MASTER_MAJOR &&
		       imajor(inode) < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT;
	}
}

bool raio_helper_is_memory_device(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return S_ISCHR(inode->i_mode) && imajor(inode) == MEM_MAJOR;
}

bool raio_helper_is_unix(const struct file *file)
{
	const struct socket *sock = sock_from_file((struct file *)file);

	return sock && sock->sk && sock->sk->sk_family == AF_UNIX;
}

static bool is_anonymous(struct mm_struct *mm, unsigned long start, size_t len)
{
	VMA_ITERATOR(vmi, mm, start);
	unsigned long end = start + len, at = start;
	struct vm_area_struct *vma;

	for_each_vma_range(vmi, vma, end) {
		if (vma->vm_start > at || !vma_is_anonymous(vma) || userfaultfd_armed(vma))
			return false;
		at = vma->vm_end;
	}
	return at >= end;
}

/*
 * All of the memory is the process's own: a fault of it, to undo the sharing of a
 * fork say, waits for nobody else.  Of the current task; no if its lock is taken.
 */
bool raio_helper_iter_is_anonymous(const struct iov_iter *iter)
{
	struct mm_struct *mm = current->mm;
	bool anonymous = true;
	unsigned long i;

	if (iov_iter_is_bvec(iter))
		return true;
	if (!mm || !mmap_read_trylock(mm))
		return false;
	if (iter_is_ubuf(iter))
		anonymous = is_anonymous(mm, (unsigned long)iter->ubuf,
					 iter->iov_offset + iter->count);
	else
		for (i = 0; i < iter->nr_segs && anonymous; i++)
			anonymous = is_anonymous(mm, (unsigned long)iter_iov(iter)[i].iov_base,
						 iter_iov(iter)[i].iov_len);
	mmap_read_unlock(mm);
	return anonymous;
}

/* Gives back the reference unless it is the last, and somebody would have to release the file. */
bool raio_helper_fput_unless_last(struct file *file)
{
	/* Not file_ref_put(), of which it is known only afterwards. */
	long refs = atomic_long_read(&file->f_ref.refcnt);

	do {
		if (refs <= (long)FILE_REF_ONEREF)
			return false;
	} while (!atomic_long_try_cmpxchg(&file->f_ref.refcnt, &refs, refs - 1));
	return true;
}

/* The current task is one of a program, and works in mm or has just left it. */
bool raio_helper_is_of(const struct mm_struct *mm, const struct task_struct *of)
{
	if (!in_task() || (current->flags & PF_KTHREAD))
		return false;
	return current->mm == mm || current->signal == of->signal ||
	       ((current->flags & PF_EXITING) && !current->mm);
}

/* It is, and can do all that the program itself can there. */
bool raio_helper_is_full_task_of(const struct mm_struct *mm)
{
	return in_task() && current->mm == mm && current->files &&
	       !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING));
}

/* There is nothing to read, and no writer has gone. */
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
	/* Of a loss that a read tells of, poll does not. */
	if (pipe_has_watch_queue(pipe))
		return false;
#endif
	at.head_tail = READ_ONCE(pipe->head_tail);
	return pipe_empty(at.head, at.tail);
}

/* A read has to wait; poll says so as well, or says that it has not.  As of just now. */
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
	/* One that is not connected has other things to say. */
	if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED && sk->sk_protocol != IPPROTO_UDP)
		return false;
	return skb_queue_empty_lockless(&sk->sk_receive_queue) && !READ_ONCE(sk->sk_err) &&
	       !(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN);
}

/* A read has left data, and not since a packet ended.  No if somebody is at work with it. */
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

/* Without the pipe's mutex: as of just now. */
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

const char *raio_helper_dentry_name(const struct file *file)
{
	return file->f_path.dentry->d_name.name;
}

unsigned long raio_helper_super_magic(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic;
}

s64 raio_helper_mapping_size(const struct file *file)
{
	return i_size_read(file->f_mapping->host);
}

/* Its size is 0 from then on. */
bool raio_helper_is_disk_dead(struct file *file)
{
	return S_ISBLK(file_inode(file)->i_mode) &&
	       test_bit(GD_DEAD, &file_bdev(file)->bd_disk->state);
}

bool raio_helper_is_sync(const struct file *file)
{
	return IS_SYNC(file->f_mapping->host);
}

/*
 * atime_needs_update() is not exported; this says yes rather too often.  An
 * inode that is dirty already is in memory: to note more waits for nothing.
 */
bool raio_helper_atime_needs_update(const struct file *file)
{
	const struct inode *inode = file_inode(file);
	unsigned int flags = file->f_path.mnt->mnt_flags;
	struct timespec64 now, atime, mtime, ctime;

	if ((file->f_flags & O_NOATIME) || IS_NOATIME(inode) ||
	    (flags & (MNT_NOATIME | MNT_READONLY)))
		return false;
	if (inode_state_read_once((struct inode *)inode) & (I_DIRTY_INODE | I_DIRTY_TIME))
		return false;
	if (!(flags & MNT_RELATIME))
		return true;
	atime = inode_get_atime(inode);
	mtime = inode_get_mtime(inode);
	ctime = inode_get_ctime(inode);
	if (timespec64_compare(&mtime, &atime) >= 0 || timespec64_compare(&ctime, &atime) >= 0)
		return true;
	ktime_get_coarse_real_ts64(&now);
	return now.tv_sec - atime.tv_sec >= 24 * 60 * 60;
}

/* As generic_write_checks() says of a write of the current task, but for the signal. */
bool raio_helper_exceeds_fsize(const struct file *file, s64 pos, bool append)
{
	loff_t limit = rlimit(RLIMIT_FSIZE);

	/* Files like those of sysfs do not ask. */
	if (limit == RLIM_INFINITY || !S_ISREG(file_inode(file)->i_mode) ||
	    raio_helper_regular_kind(file) == RAIO_REGULAR_OTHER)
		return false;
	if (append)
		pos = i_size_read(file->f_mapping->host);
	return pos >= limit;
}

void raio_helper_pagefault_disable(void)
{
	pagefault_disable();
}

void raio_helper_pagefault_enable(void)
{
	pagefault_enable();
}

void raio_helper_import_bvec(struct iov_iter *iter, int rw, const struct bio_vec *bvec,
			     size_t nr, size_t offset, size_t len)
{
	iov_iter_bvec(iter, rw, bvec, nr, len);
	iter->iov_offset = offset;
}

void raio_helper_iter_ubuf(struct iov_iter *iter, int rw, void __user *buf, size_t len)
{
	iov_iter_ubuf(iter, rw, buf, len);
}

unsigned long raio_helper_iter_address(const struct iov_iter *iter)
{
	return (unsigned long)iter_iov_addr(iter);
}

size_t raio_helper_iter_len(const struct iov_iter *iter)
{
	return iter_iov_len(iter);
}

u32 raio_helper_demangle_poll(u16 mask)
{
	return (__force u32)demangle_poll(mask);
}

u16 raio_helper_mangle_poll(u32 mask)
{
	return mangle_poll((__force __poll_t)mask);
}

void raio_helper_init_list_head(struct list_head *list)
{
	INIT_LIST_HEAD(list);
}

void raio_helper_list_del_init(struct list_head *entry)
{
	list_del_init(entry);
}

/*
 * As add_wait_queue(); but not if there are max of the same kind already: who wakes
 * them does so with interrupts off.  To look at all costs no more than a wake does.
 */
bool raio_helper_add_wait_entry(struct wait_queue_head *head, struct wait_queue_entry *entry,
				unsigned int max)
{
	struct wait_queue_entry *other;
	bool added = false;

	guard(spinlock_irqsave)(&head->lock);
	list_for_each_entry(other, &head->head, entry)
		if (other->func == entry->func && !--max)
			break;
	if (max) {
		__add_wait_queue(head, entry);
		added = true;
	}
	return added;
}

void raio_helper_remove_wait_entry(struct wait_queue_head *head, struct wait_queue_entry *entry)
{
	spin_lock_irq(&head->lock);
	list_del_init(&entry->entry);
	spin_unlock_irq(&head->lock);
}

bool raio_helper_wake_page_match(struct wait_page_queue *queue, struct wait_page_key *key)
{
	return wake_page_match(queue, key);
}

/* As copy_from_user(), but for the call and the loop. */
static __always_inline bool get_iocb(struct iocb *to, const struct iocb __user *from)
{
	const u64 __user *words = (const u64 __user *)from;
	u64 *into = (u64 *)to;

	static_assert(sizeof(*to) == 8 * sizeof(*into));
	if (!user_read_access_begin(words, sizeof(*to)))
		return false;
	unsafe_get_user(into[0], &words[0], fault);
	unsafe_get_user(into[1], &words[1], fault);
	unsafe_get_user(into[2], &words[2], fault);
	unsafe_get_user(into[3], &words[3], fault);
	unsafe_get_user(into[4], &words[4], fault);
	unsafe_get_user(into[5], &words[5], fault);
	unsafe_get_user(into[6], &words[6], fault);
	unsafe_get_user(into[7], &words[7], fault);
	user_read_access_end();
	return true;
fault:
	user_read_access_end();
	return false;
}

bool raio_helper_get_iocb(struct iocb *to, const struct iocb __user *from)
{
	might_fault();
	return get_iocb(to, from);
}

/* Each of them only grows, and is written by the task itself. */
static __always_inline unsigned long current_stamp(void)
{
	const struct task_struct *task = current;

	return task->nvcsw + task->min_flt + task->maj_flt;
}

bool raio_helper_get_iocb_now(struct iocb *to, const struct iocb __user *from,
			      unsigned long *stamp)
{
	bool done;

	*stamp = current_stamp();
	pagefault_disable();
	done = get_iocb(to, from);
	pagefault_enable();
	return done;
}

static __always_inline bool get_words(u64 *to, const u64 __user *from, size_t nr)
{
	size_t i;

	if (!user_read_access_begin(from, nr * sizeof(*from)))
		return false;
	for (i = 0; i < nr; i++)
		unsafe_get_user(to[i], &from[i], fault);
	user_read_access_end();
	return true;
fault:
	user_read_access_end();
	return false;
}

/* As copy_from_user() of a few words; those numbers of them are frequent. */
bool raio_helper_get_words(u64 *to, const u64 __user *from, size_t nr)
{
	might_fault();
	if (should_fail_usercopy())
		return false;
	switch (nr) {
	case 1:
		return get_words(to, from, 1);
	case sizeof(struct raio_submit) / sizeof(*to):
		return get_words(to, from, sizeof(struct raio_submit) / sizeof(*to));
	case sizeof(struct raio_enter) / sizeof(*to):
		return get_words(to, from, sizeof(struct raio_enter) / sizeof(*to));
	default:
		return get_words(to, from, nr);
	}
}

/* As copy_to_user() of a few events, which may change meanwhile. */
bool raio_helper_put_events(struct io_event __user *to, const struct io_event *from, size_t nr)
{
	const struct io_event __user *end = to + nr;

	might_fault();
	if (should_fail_usercopy() || !user_write_access_begin(to, nr * sizeof(*to)))
		return false;
	for (; to != end; to++, from++) {
		unsafe_put_user(READ_ONCE(from->data), &to->data, fault);
		unsafe_put_user(READ_ONCE(from->obj), &to->obj, fault);
		unsafe_put_user(READ_ONCE(from->res), &to->res, fault);
		unsafe_put_user(READ_ONCE(from->res2), &to->res2, fault);
	}
	user_write_access_end();
	return true;
fault:
	user_write_access_end();
	return false;
}

bool raio_helper_put_u32(u32 value, u32 __user *to)
{
	might_fault();
	if (!user_write_access_begin(to, sizeof(*to)))
		return false;
	unsafe_put_user(value, to, fault);
	user_write_access_end();
	return true;
fault:
	user_write_access_end();
	return false;
}

bool raio_helper_put_u64(u64 value, u64 __user *to)
{
	return !put_user(value, to);
}

u16 raio_helper_get_current_ioprio(void)
{
	return get_current_ioprio();
}

bool raio_helper_charge_pinned(struct mm_struct *mm, unsigned long pages, bool limited)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic64_add_return(pages, &mm->pinned_vm) <= limit || !limited)
		return true;
	atomic64_sub(pages, &mm->pinned_vm);
	return false;
}

void raio_helper_uncharge_pinned(struct mm_struct *mm, unsigned long pages)
{
	atomic64_sub(pages, &mm->pinned_vm);
}

struct user_struct *raio_helper_get_current_user(void)
{
	return get_uid(current_user());
}

/* As __io_account_mem(). */
bool raio_helper_charge_locked(struct user_struct *user, unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long sum, now = atomic_long_read(&user->locked_vm);

	do {
		sum = now + pages;
		if (sum > limit)
			return false;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &now, sum));
	return true;
}

void raio_helper_uncharge_locked(struct user_struct *user, unsigned long pages)
{
	atomic_long_sub(pages, &user->locked_vm);
}

unsigned long raio_helper_totalram_pages(void)
{
	return totalram_pages();
}

void *raio_helper_page_address(struct page *page)
{
	return page_address(page);
}

void raio_helper_get_page(struct page *page)
{
	get_page(page);
}

/* Each has a rate limit of its own. */
void raio_helper_notice_max_nr(unsigned long max)
{
	pr_notice_ratelimited("%s[%d]: fs.raio-max-nr (%lu) is reached\n",
			      current->comm, task_tgid_nr(current), max);
}

void raio_helper_notice_max_user_nr(unsigned long max)
{
	pr_notice_ratelimited("%s[%d]: fs.raio-max-user-nr (%lu) is reached\n",
			      current->comm, task_tgid_nr(current), max);
}

void raio_helper_notice_memlock(void)
{
	pr_notice_ratelimited("%s[%d]: RLIMIT_MEMLOCK is reached\n",
			      current->comm, task_tgid_nr(current));
}

unsigned int raio_helper_folio_shift(const struct page *page)
{
	return folio_shift(page_folio(page));
}

unsigned long raio_helper_folio_page_index(const struct page *page)
{
	return folio_page_idx(page_folio(page), page);
}

unsigned long raio_helper_folio_id(const struct page *page)
{
	return (unsigned long)page_folio(page);
}

bool raio_helper_is_same_folio(const struct page *page, const struct page *other)
{
	return page_folio(page) == page_folio(other);
}

size_t raio_helper_index_nospec(size_t index, size_t size)
{
	return array_index_nospec(index, size);
}

unsigned long raio_helper_current_stamp(void)
{
	return current_stamp();
}

u64 raio_helper_timer_slack(void)
{
	return current->timer_slack_ns;
}

unsigned long raio_helper_max_open_files(void)
{
	return rlimit(RLIMIT_NOFILE);
}

struct pid *raio_helper_get_current_tgid(void)
{
	return get_pid(task_tgid(current));
}

bool raio_helper_is_current_tgid(const struct pid *tgid)
{
	return tgid == task_tgid(current);
}

bool raio_helper_is_mm_of_current_group(const struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	const struct task_struct *owner;

	/* Handed over to another task that runs in it, if there is one. */
	guard(rcu)();
	owner = rcu_dereference(mm->owner);
	return !owner || owner->signal == current->signal;
#else
	return true;
#endif
}

/*
 * It has left its CPU for good: then nothing counts it any more for its process, be
 * it that a tracer wants its status.  pid_alive() says so too early.
 */
bool raio_helper_is_dead(const struct task_struct *task)
{
#ifdef CONFIG_SMP
	/* Pairs with finish_task(). */
	if (smp_load_acquire(&task->on_cpu))
		return false;
#endif
	return READ_ONCE(task->__state) == TASK_DEAD;
}

/* It is stopped, traced or frozen, or will be when it is next awake. */
bool raio_helper_is_stopped(const struct task_struct *task)
{
	return (READ_ONCE(task->jobctl) &
		(JOBCTL_STOP_PENDING | JOBCTL_STOPPED | JOBCTL_TRAP_FREEZE |
		 JOBCTL_TRAP_MASK | JOBCTL_TRACED)) ||
	       (READ_ONCE(task->__state) & TASK_FROZEN) || freezing((struct task_struct *)task);
}

/* It sleeps, and a signal would wake it. */
bool raio_helper_is_asleep(const struct task_struct *task)
{
	return (READ_ONCE(task->__state) & TASK_INTERRUPTIBLE) && !READ_ONCE(task->on_rq);
}

/* A worker never returns to user space. */
bool raio_helper_is_left_alone(const struct task_struct *worker)
{
	struct task_struct *task;

	guard(rcu)();
	for_each_thread(worker, task)
		if (!(READ_ONCE(task->flags) & (PF_EXITING | PF_USER_WORKER)))
			return false;
	return true;
}

bool raio_helper_is_group_exiting(void)
{
	return (current->flags & (PF_EXITING | PF_USER_WORKER)) == PF_EXITING &&
	       raio_helper_is_left_alone(current);
}

void raio_helper_current_identity(unsigned long *group, unsigned long *namespaces)
{
	*group = (unsigned long)current->signal;
	*namespaces = (unsigned long)current->nsproxy;
}

void raio_helper_raise_xfsz(bool group)
{
	if (group)
		kill_pid(task_tgid(current), SIGXFSZ, 0);
	else
		send_sig(SIGXFSZ, current, 0);
}

void raio_helper_unblock_unblockable(sigset_t *set)
{
	sigdelsetmask(set, sigmask(SIGKILL) | sigmask(SIGSTOP));
}

void raio_helper_set_restore_sigmask(void)
{
	set_restore_sigmask();
}

bool raio_helper_test_and_clear_restore_sigmask(void)
{
	return test_and_clear_restore_sigmask();
}

/*
 * What a task has of its own that file code or a copy to user space looks at: the
 * rights of protection keys, and whether it is in a system call of 32 bits.
 */
u64 raio_helper_thread_state(void)
{
	u64 state = 0;

#ifdef CONFIG_X86
	state = read_pkru();
#ifdef CONFIG_IA32_EMULATION
	if (current_thread_info()->status & TS_COMPAT)
		state |= 1ULL << 32;
#endif
#endif
	return state;
}

void raio_helper_set_thread_state(u64 state)
{
#ifdef CONFIG_X86
	write_pkru((u32)state);
#ifdef CONFIG_IA32_EMULATION
	if (state >> 32)
		current_thread_info()->status |= TS_COMPAT;
	else
		current_thread_info()->status &= ~TS_COMPAT;
#endif
#endif
}

struct workqueue_struct *raio_helper_alloc_workqueue(const char *name)
{
	return alloc_workqueue("%s", WQ_UNBOUND, 0, name);
}

bool raio_helper_is_only_notified(void)
{
	return test_thread_flag(TIF_NOTIFY_SIGNAL) && !task_sigpending(current);
}

bool raio_helper_fatal_signal_pending(void)
{
	return fatal_signal_pending(current);
}

bool raio_helper_task_work_pending(void)
{
	return task_work_pending(current);
}

/* The current task is one of a program, in that address space, and goes back to user space. */
bool raio_helper_goes_back_to(const struct mm_struct *mm)
{
	return in_task() && current->mm == mm &&
	       !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING));
}

/* The current task is on its way back to get_signal(). */
void raio_helper_notify_current(void)
{
	set_tsk_thread_flag(current, TIF_NOTIFY_SIGNAL);
}

bool raio_helper_is_uninterruptible(const struct task_struct *task)
{
	return READ_ONCE(task->__state) & TASK_UNINTERRUPTIBLE;
}

/* What vhost_task_stop() does at its end, and the last of vhost_task_fn(). */
void __noreturn raio_helper_vhost_task_exit(struct vhost_task *vhost)
{
	kfree(vhost);
	put_task_struct(current);
	do_exit(0);
}

static bool is_at_hand(const struct task_struct *task)
{
	return !raio_helper_is_uninterruptible(task) && !raio_helper_is_stopped(task);
}

static bool give_work(struct task_struct *task, const struct mm_struct *mm,
		      struct callback_head *work)
{
	return READ_ONCE(task->mm) == mm &&
	       !(READ_ONCE(task->flags) & (PF_EXITING | PF_USER_WORKER | PF_KTHREAD)) &&
	       !task_work_add(task, work, TWA_SIGNAL);
}

/*
 * Has an ordinary task of that process, or else of another that runs in mm, do
 * the work before it is back in user space; it is woken for that.  First one of
 * those that can come at once: another may wait for what it would do.
 */
bool raio_helper_task_work_of(struct task_struct *of, const struct mm_struct *mm,
			      struct callback_head *work)
{
	struct task_struct *task;

	guard(rcu)();
	if (is_at_hand(of) && give_work(of, mm, work))
		return true;
	for_each_thread(of, task)
		if (is_at_hand(task) && give_work(task, mm, work))
			return true;
	for_each_thread(of, task)
		if (give_work(task, mm, work))
			return true;
#ifdef CONFIG_MEMCG
	of = rcu_dereference(mm->owner);
	if (of && of->mm == mm && !(READ_ONCE(of->flags) & (PF_EXITING | PF_USER_WORKER)) &&
	    !task_work_add(of, work, TWA_SIGNAL))
		return true;
#endif
	return false;
}

void raio_helper_set_running(void)
{
	__set_current_state(TASK_RUNNING);
}

bool raio_helper_has_vhost_tasks(void)
{
	return IS_ENABLED(CONFIG_VHOST_TASK);
}

/*
 * ptrace_may_access() is not exported.  But who opens /proc/PID/fdinfo/N was asked
 * for it, so that he may read /proc/PID/maps just as well.
 */
static bool is_fdinfo_of(const struct seq_file *seq, const struct mm_struct *mm)
{
	const struct dentry *dentry = seq->file->f_path.dentry;
	const struct task_struct *task;
	int nr;

	if (dentry->d_sb->s_magic != PROC_SUPER_MAGIC)
		return false;
	guard(rcu)();
	if (kstrtoint(READ_ONCE(dentry->d_parent)->d_parent->d_name.name, 10, &nr))
		return false;
	task = pid_task(find_pid_ns(nr, proc_pid_ns(dentry->d_sb)), PIDTYPE_PID);
	return task && READ_ONCE(task->mm) == mm;
}

bool raio_helper_may_know_addresses(const struct seq_file *seq, const struct mm_struct *mm)
{
	return is_fdinfo_of(seq, mm) || file_ns_capable(seq->file, &init_user_ns, CAP_SYS_PTRACE);
}

void raio_helper_synchronize_rcu_tasks(void)
{
	synchronize_rcu_tasks();
}

const struct cred *raio_helper_current_cred(void)
{
	return current_cred();
}

const struct cred *raio_helper_current_real_cred(void)
{
	return current_real_cred();
}

const struct cred *raio_helper_get_current_cred(void)
{
	return get_current_cred();
}

const struct cred *raio_helper_override_creds(const struct cred *cred)
{
	return override_creds(cred);
}

void raio_helper_revert_creds(const struct cred *old)
{
	revert_creds(old);
}
