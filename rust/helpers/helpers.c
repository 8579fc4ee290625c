// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of the kernel as functions, and functions that
 * need fields of its types.
 *
 * There is a file for each header, and all are one object, as in the kernel's
 * rust/helpers/.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "helpers.h"

#include "blkdev.c"
#include "bug.c"
#include "cred.c"
#include "fs.c"
#include "ioprio.c"
#include "mm.c"
#include "net.c"
#include "nospec.c"
#include "pipe_fs_i.c"
#include "printk.c"
#include "proc_fs.c"
#include "rcupdate.c"
#include "sched.c"
#include "signal.c"
#include "spinlock.c"
#include "task_work.c"
#include "tty.c"
#include "uaccess.c"
#include "uio.c"
#include "user.c"
#include "vhost_task.c"
#include "wait.c"
#include "workqueue.c"
