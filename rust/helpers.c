// SPDX-License-Identifier: GPL-2.0
/* Inline functions and macros of the kernel, as functions.  Nothing else. */

#include <linux/cred.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include "helpers.h"

int raio_helper_kiocb_set_rw_flags(struct kiocb *kiocb, __kernel_rwf_t flags, int rw)
{
	return kiocb_set_rw_flags(kiocb, flags, rw);
}

void raio_helper_kiocb_start_write(struct kiocb *kiocb)
{
	kiocb_start_write(kiocb);
}

void raio_helper_kiocb_end_write(struct kiocb *kiocb)
{
	kiocb_end_write(kiocb);
}

bool raio_helper_is_reg(const struct file *file)
{
	return S_ISREG(file_inode(file)->i_mode);
}

u16 raio_helper_get_current_ioprio(void)
{
	return get_current_ioprio();
}

bool raio_helper_charge_pinned(struct mm_struct *mm, unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic64_add_return(pages, &mm->pinned_vm) <= limit || capable(CAP_IPC_LOCK))
		return true;
	atomic64_sub(pages, &mm->pinned_vm);
	return false;
}

void raio_helper_uncharge_pinned(struct mm_struct *mm, unsigned long pages)
{
	atomic64_sub(pages, &mm->pinned_vm);
}

void *raio_helper_page_address(struct page *page)
{
	return page_address(page);
}

void raio_helper_get_page(struct page *page)
{
	get_page(page);
}

u64 raio_helper_timer_slack(void)
{
	return current->timer_slack_ns;
}

bool raio_helper_wq_has_sleeper(struct wait_queue_head *head)
{
	return wq_has_sleeper(head);
}

void raio_helper_init_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

void raio_helper_synchronize_rcu_tasks(void)
{
	synchronize_rcu_tasks();
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
