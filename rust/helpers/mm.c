// SPDX-License-Identifier: GPL-2.0

#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

bool raio_helper_wake_page_match(struct wait_page_queue *queue, struct wait_page_key *key)
{
	return wake_page_match(queue, key);
}

bool raio_helper_charge_pinned(struct mm_struct *mm, unsigned long pages, bool limited)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic64_add_return(pages, &mm->pinned_vm) <= limit || !limited)
		return true;
	atomic64_sub(pages, &mm->pinned_vm);
	return false;
}

void raio_helper_uncharge_pinned(struct mm_struct *mm, unsigned long pages)
{
	atomic64_sub(pages, &mm->pinned_vm);
}

unsigned long raio_helper_totalram_pages(void)
{
	return totalram_pages();
}

void *raio_helper_page_address(struct page *page)
{
	return page_address(page);
}

void raio_helper_get_page(struct page *page)
{
	get_page(page);
}

unsigned int raio_helper_folio_shift(const struct page *page)
{
	return folio_shift(page_folio(page));
}

unsigned long raio_helper_folio_page_index(const struct page *page)
{
	return folio_page_idx(page_folio(page), page);
}

unsigned long raio_helper_folio_id(const struct page *page)
{
	return (unsigned long)page_folio(page);
}

bool raio_helper_is_same_folio(const struct page *page, const struct page *other)
{
	return page_folio(page) == page_folio(other);
}

bool raio_helper_is_mm_of_current_group(const struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	const struct task_struct *owner;

	/*
	 * When the owner leaves, another task that uses mm becomes the owner,
	 * if there is one.
	 */
	guard(rcu)();
	owner = rcu_dereference(mm->owner);
	return !owner || owner->signal == current->signal;
#else
	return true;
#endif
}
