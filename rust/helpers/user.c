// SPDX-License-Identifier: GPL-2.0

#include <linux/sched/user.h>

struct user_struct *raio_helper_get_current_user(void)
{
	return get_uid(current_user());
}

/* Same as __io_account_mem(). */
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
