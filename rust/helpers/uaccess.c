// SPDX-License-Identifier: GPL-2.0

#include <linux/fault-inject-usercopy.h>
#include <linux/uaccess.h>

void raio_helper_pagefault_disable(void)
{
	pagefault_disable();
}

void raio_helper_pagefault_enable(void)
{
	pagefault_enable();
}

/* Same as copy_from_user(), without the call and the loop. */
static __always_inline bool get_iocb(struct iocb *to, const struct iocb __user *from)
{
	const u64 __user *words = (const u64 __user *)from;
	u64 *into = (u64 *)to;

	static_assert(sizeof(*to) == 8 * sizeof(*into));
	if (!user_read_access_begin(words, sizeof(*to)))
		return false;
	unsafe_get_user(into[0], &words[0], fault);
	unsafe_get_user(into[1], &words[1], fault);
	unsafe_get_user(into[2], &words[2], fault);
	unsafe_get_user(into[3], &words[3], fault);
	unsafe_get_user(into[4], &words[4], fault);
	unsafe_get_user(into[5], &words[5], fault);
	unsafe_get_user(into[6], &words[6], fault);
	unsafe_get_user(into[7], &words[7], fault);
	user_read_access_end();
	return true;
fault:
	user_read_access_end();
	return false;
}

bool raio_helper_get_iocb(struct iocb *to, const struct iocb __user *from)
{
	might_fault();
	return get_iocb(to, from);
}

/* Each of these counters only grows, and only the task itself writes it. */
static __always_inline unsigned long current_stamp(void)
{
	const struct task_struct *task = current;

	return task->nvcsw + task->min_flt + task->maj_flt;
}

bool raio_helper_get_iocb_now(struct iocb *to, const struct iocb __user *from,
			      unsigned long *stamp)
{
	bool done;

	*stamp = current_stamp();
	pagefault_disable();
	done = get_iocb(to, from);
	pagefault_enable();
	return done;
}

static __always_inline bool get_words(u64 *to, const u64 __user *from, size_t nr)
{
	size_t i;

	if (!user_read_access_begin(from, nr * sizeof(*from)))
		return false;
	for (i = 0; i < nr; i++)
		unsafe_get_user(to[i], &from[i], fault);
	user_read_access_end();
	return true;
fault:
	user_read_access_end();
	return false;
}

/* Same as copy_from_user() for a few words; the numbers listed are frequent. */
bool raio_helper_get_words(u64 *to, const u64 __user *from, size_t nr)
{
	might_fault();
	if (should_fail_usercopy())
		return false;
	switch (nr) {
	case 1:
		return get_words(to, from, 1);
	case sizeof(struct raio_submit) / sizeof(*to):
		return get_words(to, from, sizeof(struct raio_submit) / sizeof(*to));
	case sizeof(struct raio_enter) / sizeof(*to):
		return get_words(to, from, sizeof(struct raio_enter) / sizeof(*to));
	default:
		return get_words(to, from, nr);
	}
}

/* Same as copy_to_user() for a few events, which may change meanwhile. */
bool raio_helper_put_events(struct io_event __user *to, const struct io_event *from, size_t nr)
{
	const struct io_event __user *end = to + nr;

	might_fault();
	if (should_fail_usercopy() || !user_write_access_begin(to, nr * sizeof(*to)))
		return false;
	for (; to != end; to++, from++) {
		unsafe_put_user(READ_ONCE(from->data), &to->data, fault);
		unsafe_put_user(READ_ONCE(from->obj), &to->obj, fault);
		unsafe_put_user(READ_ONCE(from->res), &to->res, fault);
		unsafe_put_user(READ_ONCE(from->res2), &to->res2, fault);
	}
	user_write_access_end();
	return true;
fault:
	user_write_access_end();
	return false;
}

bool raio_helper_put_u32(u32 value, u32 __user *to)
{
	might_fault();
	if (!user_write_access_begin(to, sizeof(*to)))
		return false;
	unsafe_put_user(value, to, fault);
	user_write_access_end();
	return true;
fault:
	user_write_access_end();
	return false;
}

bool raio_helper_put_u64(u64 value, u64 __user *to)
{
	return !put_user(value, to);
}

unsigned long raio_helper_current_stamp(void)
{
	return current_stamp();
}
