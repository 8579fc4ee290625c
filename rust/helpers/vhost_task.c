// SPDX-License-Identifier: GPL-2.0

#include <linux/sched/vhost_task.h>

/* The last steps of vhost_task_stop() and of vhost_task_fn(). */
void __noreturn raio_helper_vhost_task_exit(struct vhost_task *vhost)
{
	kfree(vhost);
	put_task_struct(current);
	do_exit(0);
}

bool raio_helper_has_vhost_tasks(void)
{
	return IS_ENABLED(CONFIG_VHOST_TASK);
}
