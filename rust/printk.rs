// SPDX-License-Identifier: GPL-2.0

//! Lines in the kernel log, a few in a while, that name the current process.
//!
//! C header: [`include/linux/printk.h`](srctree/include/linux/printk.h)

use super::bindings;

/// `fs.raio-max-nr`, which is `max`, is reached. Process context.
pub(crate) fn notice_max_nr(max: usize) {
    // SAFETY: Prints a number, and name and id of the current task, which only itself changes, by a
    // format of its own. To print never sleeps.
    unsafe { bindings::raio_helper_notice_max_nr(max) };
}

/// `fs.raio-max-user-nr`, which is `max`, is reached. Process context.
pub(crate) fn notice_max_user_nr(max: usize) {
    // SAFETY: Prints a number, and name and id of the current task, which only itself changes, by a
    // format of its own. To print never sleeps.
    unsafe { bindings::raio_helper_notice_max_user_nr(max) };
}

/// RLIMIT_MEMLOCK is reached. Process context.
pub(crate) fn notice_memlock() {
    // SAFETY: Prints name and id of the current task, which only itself changes, by a format of its
    // own. To print never sleeps.
    unsafe { bindings::raio_helper_notice_memlock() };
}
