// SPDX-License-Identifier: GPL-2.0

#include <linux/compat.h>
#include <linux/freezer.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#ifdef CONFIG_X86
#include <asm/pkru.h>
#endif

/* The current task is a task of a program, and runs in mm or has just left it. */
bool raio_helper_is_of(const struct mm_struct *mm, const struct task_struct *of)
{
	if (!in_task() || (current->flags & PF_KTHREAD))
		return false;
	return current->mm == mm || current->signal == of->signal ||
	       ((current->flags & PF_EXITING) && !current->mm);
}

/*
 * The current task runs in mm, and can do there all that the program itself
 * can.
 */
bool raio_helper_is_full_task_of(const struct mm_struct *mm)
{
	return in_task() && current->mm == mm && current->files &&
	       !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING));
}

/* The current task is an ordinary one, in a call of a program of the kernel's own pointer size. */
bool raio_helper_is_native_call(void)
{
	return !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING)) &&
	       !in_compat_syscall();
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

/*
 * The task has left its CPU for good: from then on its process does not count
 * it any more, even if a tracer still waits for its status.  pid_alive()
 * returns false too early.
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

/* The task is stopped, traced or frozen, or will be as soon as it wakes up. */
bool raio_helper_is_stopped(const struct task_struct *task)
{
	return (READ_ONCE(task->jobctl) &
		(JOBCTL_STOP_PENDING | JOBCTL_STOPPED | JOBCTL_TRAP_FREEZE |
		 JOBCTL_TRAP_MASK | JOBCTL_TRACED)) ||
	       (READ_ONCE(task->__state) & TASK_FROZEN) || freezing((struct task_struct *)task);
}

/* The task sleeps, and a signal would wake it. */
bool raio_helper_is_asleep(const struct task_struct *task)
{
	return (READ_ONCE(task->__state) & TASK_INTERRUPTIBLE) && !READ_ONCE(task->on_rq);
}

/*
 * Only workers are left in the thread group, and these never return to user
 * space.
 */
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

/*
 * The state of a thread that file code and copies to user space depend on: the
 * rights of protection keys, and whether the system call is a 32-bit one.
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

bool raio_helper_is_uninterruptible(const struct task_struct *task)
{
	return READ_ONCE(task->__state) & TASK_UNINTERRUPTIBLE;
}

void raio_helper_set_running(void)
{
	__set_current_state(TASK_RUNNING);
}
