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
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/sysctl.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/raio.h>

static const int RAIO_CONST_IOCB_HIPRI = (__force int)IOCB_HIPRI;
static const int RAIO_CONST_IOCB_WRITE = (__force int)IOCB_WRITE;
static const unsigned int RAIO_CONST_FMODE_READ = (__force unsigned int)FMODE_READ;
static const unsigned int RAIO_CONST_FMODE_WRITE = (__force unsigned int)FMODE_WRITE;
static const unsigned int RAIO_CONST_RING_GFP =
	(__force unsigned int)(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN |
			       __GFP_RETRY_MAYFAIL);
static const unsigned long RAIO_CONST_RING_PROT = PROT_READ | PROT_WRITE;
static const unsigned long RAIO_CONST_RING_MAP = MAP_SHARED | MAP_POPULATE;
static const unsigned int RAIO_CONST_VM_FAULT_SIGBUS = (__force unsigned int)VM_FAULT_SIGBUS;

/* linux/fs.h */
int raio_helper_kiocb_set_rw_flags(struct kiocb *kiocb, __kernel_rwf_t flags, int rw);
void raio_helper_kiocb_start_write(struct kiocb *kiocb);
void raio_helper_kiocb_end_write(struct kiocb *kiocb);
bool raio_helper_is_reg(const struct file *file);

/* linux/ioprio.h */
u16 raio_helper_get_current_ioprio(void);

/* linux/mm.h, linux/sched/signal.h */
bool raio_helper_charge_pinned(struct mm_struct *mm, unsigned long pages);
void raio_helper_uncharge_pinned(struct mm_struct *mm, unsigned long pages);
void *raio_helper_page_address(struct page *page);
void raio_helper_get_page(struct page *page);

/* linux/sched.h */
u64 raio_helper_timer_slack(void);

/* linux/wait.h */
bool raio_helper_wq_has_sleeper(struct wait_queue_head *head);

/* linux/workqueue.h */
void raio_helper_init_work(struct work_struct *work, work_func_t func);

/* linux/rcupdate.h */
void raio_helper_synchronize_rcu_tasks(void);

/* linux/cred.h */
const struct cred *raio_helper_get_current_cred(void);
const struct cred *raio_helper_override_creds(const struct cred *cred);
void raio_helper_revert_creds(const struct cred *old);

#endif /* _RAIO_HELPERS_H */
