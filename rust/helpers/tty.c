// SPDX-License-Identifier: GPL-2.0

#include <linux/major.h>
#include <linux/sched/signal.h>
#include <linux/tty.h>

static struct tty_struct *tty_of(const struct file *file)
{
	const struct tty_file_private *priv = file->private_data;

	return priv ? priv->tty : NULL;
}

/* Job control would stop the current process, which is in the background. */
bool raio_helper_tty_stops(const struct file *file, bool write)
{
	struct tty_struct *tty = tty_of(file);
	bool background;

	if (!tty || READ_ONCE(current->signal->tty) != tty)
		return false;
	if (write && !(tty->termios.c_lflag & TOSTOP))
		return false;
	scoped_guard(spinlock_irqsave, &tty->ctrl.lock)
		background = tty->ctrl.pgrp && tty->ctrl.pgrp != task_pgrp(current);
	return background;
}

/* A tty of tty_io.c, but none of a driver with its own major number. */
bool raio_helper_is_tty(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	if (!S_ISCHR(inode->i_mode) || !file->private_data)
		return false;
	switch (imajor(inode)) {
	case TTY_MAJOR:
		return true;
	case TTYAUX_MAJOR:
		return true;
	default:
		return imajor(inode) >= UNIX98_PTY_MASTER_MAJOR &&
		       imajor(inode) < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT;
	}
}
