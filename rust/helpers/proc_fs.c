// SPDX-License-Identifier: GPL-2.0

#include <linux/pid.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>

/*
 * ptrace_may_access() is not exported.  But the open of /proc/PID/fdinfo/N has
 * checked it, so the reader may read /proc/PID/maps as well.
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
