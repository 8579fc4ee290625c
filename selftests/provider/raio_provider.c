// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/raio_provider: a driver that ends requests in the ways of provider.h.
 *
 * A request lives until its file is released, which waits for its timer and its
 * work: no code of this module runs when the last file is gone.
 */
#include <linux/aio.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "provider.h"

struct provider_file {
	enum provider_mode mode;
	unsigned long delay_us;
	atomic_t calls;
	atomic_t nowait_calls;
	atomic_t pending;
	bool cancel;
	atomic_t cancels;

	spinlock_t lock;		/* of requests */
	struct list_head requests;

	bool ready;
	struct hrtimer waker;
	wait_queue_head_t wait;
};

struct provider_request {
	struct list_head entry;
	struct provider_file *file;
	struct kiocb *iocb;		/* who takes it out completes it */
	bool held;
	ssize_t result;
	struct hrtimer timer;
	struct work_struct work;
};

/* The file may be closed before this returns; release waits for whoever called. */
static bool provider_complete(struct provider_request *request, ssize_t result)
{
	struct kiocb *iocb = xchg(&request->iocb, NULL);

	if (!iocb)
		return false;
	atomic_dec(&request->file->pending);
	if (result > 0)
		iocb->ki_pos += result;
	iocb->ki_complete(iocb, result);
	return true;
}

static enum hrtimer_restart provider_timer(struct hrtimer *timer)
{
	struct provider_request *request = container_of(timer, struct provider_request, timer);

	provider_complete(request, request->held ? -ETIMEDOUT : request->result);
	return HRTIMER_NORESTART;
}

static void provider_work(struct work_struct *work)
{
	struct provider_request *request = container_of(work, struct provider_request, work);

	provider_complete(request, request->result);
}

static enum hrtimer_restart provider_waker(struct hrtimer *timer)
{
	struct provider_file *pf = container_of(timer, struct provider_file, waker);

	WRITE_ONCE(pf->ready, true);
	wake_up_poll(&pf->wait, EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM);
	return HRTIMER_NORESTART;
}

static ktime_t provider_delay(const struct provider_file *pf)
{
	return us_to_ktime(READ_ONCE(pf->delay_us));
}

static int provider_wait_ready(struct provider_file *pf, const struct kiocb *iocb)
{
	int ret;

	while (!xchg(&pf->ready, false)) {
		hrtimer_start(&pf->waker, provider_delay(pf), HRTIMER_MODE_REL);
		if (iocb->ki_flags & IOCB_NOWAIT)
			return -EAGAIN;
		ret = wait_event_interruptible(pf->wait, READ_ONCE(pf->ready));
		if (ret)
			return ret;
	}
	return 0;
}

/* The bytes that were moved, or an error if none were. */
static ssize_t provider_copy(const struct kiocb *iocb, struct iov_iter *iter)
{
	u8 bytes[64], from_user[64];
	ssize_t done = 0;
	size_t i, part, moved;

	while (iov_iter_count(iter)) {
		part = min(iov_iter_count(iter), sizeof(bytes));
		for (i = 0; i < part; i++)
			bytes[i] = PROVIDER_BYTE(iocb->ki_pos + done + i);
		if (iov_iter_rw(iter) == ITER_DEST) {
			moved = copy_to_iter(bytes, part, iter);
		} else {
			moved = copy_from_iter(from_user, part, iter);
			if (memcmp(bytes, from_user, moved))
				return -EILSEQ;
		}
		done += moved;
		if (moved < part)
			return done ?: -EFAULT;
	}
	return done;
}

static struct provider_request *provider_request(struct provider_file *pf, struct kiocb *iocb,
						 ssize_t result, bool held)
{
	struct provider_request *request = kzalloc(sizeof(*request), GFP_KERNEL);

	if (!request)
		return NULL;
	request->file = pf;
	request->iocb = iocb;
	request->result = result;
	request->held = held;
	hrtimer_setup(&request->timer, provider_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	INIT_WORK(&request->work, provider_work);
	atomic_inc(&pf->pending);
	spin_lock(&pf->lock);
	list_add_tail(&request->entry, &pf->requests);
	spin_unlock(&pf->lock);
	return request;
}

/* The request goes on: it is about who calls this, and with what. */
static int provider_cancel(struct kiocb *iocb)
{
	struct provider_file *pf = iocb->ki_filp->private_data;

	atomic_inc(&pf->cancels);
	return 0;
}

static ssize_t provider_rw_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct provider_file *pf = iocb->ki_filp->private_data;
	enum provider_mode mode = READ_ONCE(pf->mode);
	ktime_t delay = provider_delay(pf);
	struct provider_request *request;
	ssize_t result;

	atomic_inc(&pf->calls);
	if (iocb->ki_flags & IOCB_NOWAIT)
		atomic_inc(&pf->nowait_calls);
	if (READ_ONCE(pf->cancel))
		kiocb_set_cancel_fn(iocb, provider_cancel);

	if (mode == PROVIDER_WAKES) {
		result = provider_wait_ready(pf, iocb);
		if (result)
			return result;
		mode = PROVIDER_AT_ONCE;
	}
	result = provider_copy(iocb, iter);
	if (mode == PROVIDER_ERROR && result >= 0)
		result = -EIO;
	/* The iterator has moved all the same, as a block driver's has. */
	if (mode == PROVIDER_LATE_EAGAIN && (iocb->ki_flags & IOCB_NOWAIT))
		result = -EAGAIN;
	if (mode == PROVIDER_AT_ONCE || is_sync_kiocb(iocb)) {
		if (result > 0)
			iocb->ki_pos += result;
		return result;
	}

	request = provider_request(pf, iocb, result, mode == PROVIDER_HELD);
	if (!request)
		return -ENOMEM;
	switch (mode) {
	case PROVIDER_WORK:
		queue_work(system_dfl_wq, &request->work);
		break;
	case PROVIDER_EARLY:
		provider_complete(request, result);
		break;
	case PROVIDER_HELD:
		delay = ktime_set(PROVIDER_HELD_SECONDS, 0);
		fallthrough;
	default:
		hrtimer_start(&request->timer, delay, HRTIMER_MODE_REL);
		break;
	}
	return -EIOCBQUEUED;
}

static long provider_answer(struct provider_file *pf)
{
	struct provider_request *request;
	long count = 0;

	/* The list only grows, until the file is released, which the caller prevents. */
	spin_lock(&pf->lock);
	list_for_each_entry(request, &pf->requests, entry) {
		if (!request->held)
			continue;
		spin_unlock(&pf->lock);
		count += provider_complete(request, request->result);
		spin_lock(&pf->lock);
	}
	spin_unlock(&pf->lock);
	return count;
}

static long provider_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct provider_file *pf = file->private_data;

	switch (cmd) {
	case PROVIDER_SET_MODE:
		if (arg >= PROVIDER_MODES)
			return -EINVAL;
		WRITE_ONCE(pf->mode, arg);
		return 0;
	case PROVIDER_SET_DELAY:
		WRITE_ONCE(pf->delay_us, arg);
		return 0;
	case PROVIDER_ANSWER:
		return provider_answer(pf);
	case PROVIDER_CALLS:
		return atomic_read(&pf->calls);
	case PROVIDER_NOWAIT_CALLS:
		return atomic_read(&pf->nowait_calls);
	case PROVIDER_PENDING:
		return atomic_read(&pf->pending);
	case PROVIDER_SET_CANCEL:
		WRITE_ONCE(pf->cancel, arg);
		return 0;
	case PROVIDER_CANCELS:
		return atomic_read(&pf->cancels);
	}
	return -ENOTTY;
}

static __poll_t provider_poll(struct file *file, poll_table *table)
{
	struct provider_file *pf = file->private_data;

	poll_wait(file, &pf->wait, table);
	if (READ_ONCE(pf->mode) == PROVIDER_WAKES && !READ_ONCE(pf->ready))
		return 0;
	return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
}

static int provider_open(struct inode *inode, struct file *file)
{
	struct provider_file *pf = kzalloc(sizeof(*pf), GFP_KERNEL);

	if (!pf)
		return -ENOMEM;
	pf->delay_us = 1000;
	spin_lock_init(&pf->lock);
	INIT_LIST_HEAD(&pf->requests);
	init_waitqueue_head(&pf->wait);
	hrtimer_setup(&pf->waker, provider_waker, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	file->private_data = pf;
	file->f_mode |= FMODE_NOWAIT;
	return 0;
}

static int provider_release(struct inode *inode, struct file *file)
{
	struct provider_file *pf = file->private_data;
	struct provider_request *request, *next;

	/* Every request is complete, since it held the file; its completer may still run. */
	list_for_each_entry_safe(request, next, &pf->requests, entry) {
		hrtimer_cancel(&request->timer);
		cancel_work_sync(&request->work);
		kfree(request);
	}
	hrtimer_cancel(&pf->waker);
	kfree(pf);
	return 0;
}

static const struct file_operations provider_fops = {
	.owner		= THIS_MODULE,
	.open		= provider_open,
	.release	= provider_release,
	.llseek		= default_llseek,
	.read_iter	= provider_rw_iter,
	.write_iter	= provider_rw_iter,
	.poll		= provider_poll,
	.unlocked_ioctl	= provider_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice provider_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "raio_provider",
	.fops	= &provider_fops,
	.mode	= 0666,
};
module_misc_device(provider_device);

MODULE_DESCRIPTION("Ends requests in every way that a driver may choose, for raio's tests");
MODULE_LICENSE("GPL");
