// SPDX-License-Identifier: GPL-2.0

#include <linux/list.h>
#include <linux/poll.h>
#include <linux/wait.h>

u32 raio_helper_demangle_poll(u16 mask)
{
	return (__force u32)demangle_poll(mask);
}

u16 raio_helper_mangle_poll(u32 mask)
{
	return mangle_poll((__force __poll_t)mask);
}

void raio_helper_init_list_head(struct list_head *list)
{
	INIT_LIST_HEAD(list);
}

void raio_helper_list_del_init(struct list_head *entry)
{
	list_del_init(entry);
}

/*
 * Same as add_wait_queue(), unless there are already max entries of the same
 * kind: a waker walks them with interrupts off.  This loop costs no more than a
 * wake.
 */
bool raio_helper_add_wait_entry(struct wait_queue_head *head, struct wait_queue_entry *entry,
				unsigned int max)
{
	struct wait_queue_entry *other;
	bool added = false;

	guard(spinlock_irqsave)(&head->lock);
	list_for_each_entry(other, &head->head, entry)
		if (other->func == entry->func && !--max)
			break;
	if (max) {
		__add_wait_queue(head, entry);
		added = true;
	}
	return added;
}

void raio_helper_remove_wait_entry(struct wait_queue_head *head, struct wait_queue_entry *entry)
{
	spin_lock_irq(&head->lock);
	list_del_init(&entry->entry);
	spin_unlock_irq(&head->lock);
}
