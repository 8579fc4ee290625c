/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What Rust can't call or read itself: inline functions and macros.  A name
 * RAIO_CONST_X becomes the constant X in the bindings (see Kbuild).
 */
#ifndef _RAIO_HELPERS_H
#define _RAIO_HELPERS_H

#include <linux/aio_abi.h>
#include <linux/anon_inodes.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/ioprio.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/magic.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sched/vhost_task.h>
#include <linux/signal.h>
#include <linux/spinlock.h>
#include <linux/sysctl.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/raio.h>
#include "../trace.h"

static const int RAIO_CONST_IOCB_HIPRI = (__force int)IOCB_HIPRI;
static const int RAIO_CONST_IOCB_WRITE = (__force int)IOCB_WRITE;
static const int RAIO_CONST_IOCB_NOWAIT = (__force int)IOCB_NOWAIT;
static const int RAIO_CONST_IOCB_NOIO = (__force int)IOCB_NOIO;
static const int RAIO_CONST_IOCB_WAITQ = (__force int)IOCB_WAITQ;
static const int RAIO_CONST_IOCB_NOSIGNAL = (__force int)IOCB_NOSIGNAL;
static const int RAIO_CONST_IOCB_DIRECT = (__force int)IOCB_DIRECT;
static const int RAIO_CONST_IOCB_APPEND = (__force int)IOCB_APPEND;
static const int RAIO_CONST_IOCB_DSYNC = (__force int)IOCB_DSYNC;
static const int RAIO_CONST_IOCB_ATOMIC = (__force int)IOCB_ATOMIC;
static const unsigned int RAIO_CONST_FMODE_LSEEK = (__force unsigned int)FMODE_LSEEK;
static const unsigned int RAIO_CONST_FMODE_NOWAIT = (__force unsigned int)FMODE_NOWAIT;
static const unsigned int RAIO_CONST_FOP_BUFFER_RASYNC =
	(__force unsigned int)FOP_BUFFER_RASYNC;
static const unsigned int RAIO_CONST_EPOLLIN = (__force unsigned int)EPOLLIN;
static const unsigned int RAIO_CONST_EPOLLOUT = (__force unsigned int)EPOLLOUT;
static const unsigned int RAIO_CONST_EPOLLERR = (__force unsigned int)EPOLLERR;
static const unsigned int RAIO_CONST_EPOLLHUP = (__force unsigned int)EPOLLHUP;
static const unsigned int RAIO_CONST_EPOLLRDNORM = (__force unsigned int)EPOLLRDNORM;
static const unsigned int RAIO_CONST_EPOLLWRNORM = (__force unsigned int)EPOLLWRNORM;
static const unsigned int RAIO_CONST_POLLFREE = (__force unsigned int)POLLFREE;
static const unsigned int RAIO_CONST_FMODE_READ = (__force unsigned int)FMODE_READ;
static const unsigned int RAIO_CONST_FMODE_WRITE = (__force unsigned int)FMODE_WRITE;
static const unsigned int RAIO_CONST_RING_GFP =
	(__force unsigned int)(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN |
			       __GFP_RETRY_MAYFAIL);
static const unsigned long RAIO_CONST_RING_PROT = PROT_READ | PROT_WRITE;
static const unsigned long RAIO_CONST_RING_MAP = MAP_SHARED | MAP_POPULATE;
static const unsigned int RAIO_CONST_VM_FAULT_SIGBUS = (__force unsigned int)VM_FAULT_SIGBUS;

/* linux/bug.h */
void raio_helper_warn(const u8 *file, int length, unsigned int line);

/* linux/blkdev.h */
void raio_helper_plug_expect(unsigned short nr);
bool raio_helper_plug_call_back(struct blk_plug_cb *cb);
void raio_helper_plug_forget(struct blk_plug_cb *cb);

/* linux/fs.h */
int raio_helper_kiocb_set_rw_flags(struct kiocb *kiocb, __kernel_rwf_t flags, int rw);
void raio_helper_kiocb_start_write(struct kiocb *kiocb);
bool raio_helper_kiocb_start_write_trylock(struct kiocb *kiocb);
void raio_helper_kiocb_end_write(struct kiocb *kiocb);
bool raio_helper_is_reg(const struct file *file);
bool raio_helper_has_permission_events(const struct file *file);
bool raio_helper_is_tcp_or_udp(const struct file *file);
/* Where the data of a regular file is. */
enum raio_regular {
	RAIO_REGULAR_OTHER,
	RAIO_REGULAR_CACHED,	/* in the page cache of a reviewed file system */
	RAIO_REGULAR_IN_MEMORY,	/* only in the page cache */
	RAIO_REGULAR_FUSE,	/* wherever a server has it */
};

unsigned int raio_helper_regular_kind(const struct file *file);
bool raio_helper_is_stream_locked(const struct file *file, bool write);
bool raio_helper_has_socket_rules(const struct file *file, bool write);
bool raio_helper_tty_stops(const struct file *file, bool write);
bool raio_helper_is_tty(const struct file *file);
bool raio_helper_is_memory_device(const struct file *file);
bool raio_helper_is_unix(const struct file *file);
bool raio_helper_fput_unless_last(struct file *file);
bool raio_helper_is_pipe_full(const struct file *file);
bool raio_helper_is_only_notified(void);
bool raio_helper_iter_is_anonymous(const struct iov_iter *iter);
bool raio_helper_is_pipe_unread(const struct file *file);
bool raio_helper_is_stream_idle(const struct file *file);
const char *raio_helper_dentry_name(const struct file *file);
unsigned long raio_helper_super_magic(const struct file *file);
s64 raio_helper_mapping_size(const struct file *file);
bool raio_helper_is_disk_dead(struct file *file);
bool raio_helper_is_sync(const struct file *file);
bool raio_helper_atime_needs_update(const struct file *file);
bool raio_helper_exceeds_fsize(const struct file *file, s64 pos, bool append);

/* linux/uaccess.h, linux/uio.h */
bool raio_helper_get_iocb(struct iocb *to, const struct iocb __user *from);
bool raio_helper_get_iocb_now(struct iocb *to, const struct iocb __user *from,
			      unsigned long *stamp);
bool raio_helper_get_words(u64 *to, const u64 __user *from, size_t nr);
bool raio_helper_put_events(struct io_event __user *to, const struct io_event *from, size_t nr);
bool raio_helper_put_u32(u32 value, u32 __user *to);
bool raio_helper_put_u64(u64 value, u64 __user *to);
void raio_helper_pagefault_disable(void);
void raio_helper_pagefault_enable(void);
void raio_helper_import_bvec(struct iov_iter *iter, int rw, const struct bio_vec *bvec,
			     size_t nr, size_t offset, size_t len);
void raio_helper_iter_ubuf(struct iov_iter *iter, int rw, void __user *buf, size_t len);
unsigned long raio_helper_iter_address(const struct iov_iter *iter);
size_t raio_helper_iter_len(const struct iov_iter *iter);

/* linux/poll.h, linux/list.h, linux/pagemap.h */
u32 raio_helper_demangle_poll(u16 mask);
u16 raio_helper_mangle_poll(u32 mask);
void raio_helper_init_list_head(struct list_head *list);
void raio_helper_list_del_init(struct list_head *entry);
bool raio_helper_add_wait_entry(struct wait_queue_head *head, struct wait_queue_entry *entry,
				unsigned int max);
void raio_helper_remove_wait_entry(struct wait_queue_head *head, struct wait_queue_entry *entry);
bool raio_helper_wake_page_match(struct wait_page_queue *queue, struct wait_page_key *key);

/* linux/ioprio.h */
u16 raio_helper_get_current_ioprio(void);

/* linux/mm.h, linux/sched/signal.h */
bool raio_helper_charge_pinned(struct mm_struct *mm, unsigned long pages, bool limited);
void raio_helper_uncharge_pinned(struct mm_struct *mm, unsigned long pages);
unsigned long raio_helper_totalram_pages(void);
void *raio_helper_page_address(struct page *page);
void raio_helper_get_page(struct page *page);
unsigned int raio_helper_folio_shift(const struct page *page);
unsigned long raio_helper_folio_page_index(const struct page *page);
unsigned long raio_helper_folio_id(const struct page *page);
bool raio_helper_is_same_folio(const struct page *page, const struct page *other);

/* linux/sched/user.h */
struct user_struct *raio_helper_get_current_user(void);
bool raio_helper_charge_locked(struct user_struct *user, unsigned long pages);
void raio_helper_uncharge_locked(struct user_struct *user, unsigned long pages);

/* linux/nospec.h */
size_t raio_helper_index_nospec(size_t index, size_t size);

/* linux/printk.h */
void raio_helper_notice_max_nr(unsigned long max);
void raio_helper_notice_max_user_nr(unsigned long max);
void raio_helper_notice_memlock(void);

/* linux/sched.h */
unsigned long raio_helper_current_stamp(void);
u64 raio_helper_timer_slack(void);
unsigned long raio_helper_max_open_files(void);

/* linux/sched/signal.h */
struct pid *raio_helper_get_current_tgid(void);
bool raio_helper_is_current_tgid(const struct pid *tgid);
bool raio_helper_is_mm_of_current_group(const struct mm_struct *mm);
bool raio_helper_is_dead(const struct task_struct *task);
bool raio_helper_is_asleep(const struct task_struct *task);
bool raio_helper_is_stopped(const struct task_struct *task);
bool raio_helper_is_left_alone(const struct task_struct *worker);
bool raio_helper_is_group_exiting(void);
void raio_helper_current_identity(unsigned long *group, unsigned long *namespaces);

bool raio_helper_is_of(const struct mm_struct *mm, const struct task_struct *of);
bool raio_helper_is_full_task_of(const struct mm_struct *mm);
bool raio_helper_is_native_call(void);
u64 raio_helper_thread_state(void);
void raio_helper_set_thread_state(u64 state);

/* linux/signal.h */
void raio_helper_raise_xfsz(bool group);
void raio_helper_unblock_unblockable(sigset_t *set);
void raio_helper_set_restore_sigmask(void);
bool raio_helper_test_and_clear_restore_sigmask(void);

/* linux/spinlock.h: of kernels before 7.3 */
unsigned long raio_helper_spin_lock_irqsave(spinlock_t *lock);
void raio_helper_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags);

/* linux/workqueue.h */
struct workqueue_struct *raio_helper_alloc_workqueue(const char *name);

/* linux/sched/signal.h, linux/task_work.h */
bool raio_helper_fatal_signal_pending(void);
bool raio_helper_task_work_pending(void);
bool raio_helper_goes_back_to(const struct mm_struct *mm);
void raio_helper_notify_current(void);
bool raio_helper_is_uninterruptible(const struct task_struct *task);
void __noreturn raio_helper_vhost_task_exit(struct vhost_task *vhost);
bool raio_helper_task_work_of(struct task_struct *of, const struct mm_struct *mm,
			      struct callback_head *work);
void raio_helper_set_running(void);
bool raio_helper_has_vhost_tasks(void);

/* linux/proc_fs.h, linux/seq_file.h */
bool raio_helper_may_know_addresses(const struct seq_file *seq, const struct mm_struct *mm);

/* linux/rcupdate.h */
void raio_helper_synchronize_rcu_tasks(void);

/* linux/cred.h */
const struct cred *raio_helper_current_cred(void);
const struct cred *raio_helper_current_real_cred(void);
const struct cred *raio_helper_get_current_cred(void);
const struct cred *raio_helper_override_creds(const struct cred *cred);
void raio_helper_revert_creds(const struct cred *old);

#endif /* _RAIO_HELPERS_H */
