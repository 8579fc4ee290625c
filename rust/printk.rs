// SPDX-License-Identifier: GPL-2.0

//! Rate-limited messages in the kernel log, which name the current process.
//!
//! C header: [`include/linux/printk.h`](srctree/include/linux/printk.h)

use super::bindings;

/// `fs.raio-max-nr` is reached, which is `max`. Process context.
pub(crate) fn notice_max_nr(max: usize) {
    // SAFETY: Prints a number, and name and id of the current task, which only the task itself
    // changes. The format is in the helper. Printing never sleeps.
    unsafe { bindings::raio_helper_notice_max_nr(max) };
}

/// `fs.raio-max-user-nr` is reached, which is `max`. Process context.
pub(crate) fn notice_max_user_nr(max: usize) {
    // SAFETY: Prints a number, and name and id of the current task, which only the task itself
    // changes. The format is in the helper. Printing never sleeps.
    unsafe { bindings::raio_helper_notice_max_user_nr(max) };
}

/// RLIMIT_MEMLOCK is reached. Process context.
pub(crate) fn notice_memlock() {
    // SAFETY: Prints name and id of the current task, which only the task itself changes. The
    // format is in the helper. Printing never sleeps.
    unsafe { bindings::raio_helper_notice_memlock() };
}
