// SPDX-License-Identifier: GPL-2.0

#include <linux/spinlock.h>

/* The kernel crate has a lock of its own for it since 7.3. */
unsigned long raio_helper_spin_lock_irqsave(spinlock_t *lock)
{
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	return flags;
}

void raio_helper_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
{
	spin_unlock_irqrestore(lock, flags);
}
