// SPDX-License-Identifier: GPL-2.0

#include <linux/memcontrol.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>

bool raio_helper_task_work_pending(void)
{
	return task_work_pending(current);
}

/*
 * The current task is a task of a program in that address space, and returns to
 * user space.
 */
bool raio_helper_goes_back_to(const struct mm_struct *mm)
{
	return in_task() && current->mm == mm &&
	       !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING));
}

/* Makes the current task run its task work in get_signal(), where it goes next. */
void raio_helper_notify_current(void)
{
	set_tsk_thread_flag(current, TIF_NOTIFY_SIGNAL);
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
 * Has an ordinary task of that process, or else another task that runs in mm,
 * do the work before it returns to user space, and wakes it for that.  Tries
 * tasks that can do it at once first: others may be waiting for the result of
 * the work.
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
