// SPDX-License-Identifier: GPL-2.0

#include <linux/printk.h>

/* Each message has its own rate limit. */
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
