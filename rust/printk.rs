// SPDX-License-Identifier: GPL-2.0

//! Lines in the kernel log, a few in a while, that name the current process.
//!
//! C header: [`include/linux/printk.h`](srctree/include/linux/printk.h)

use super::bindings;

/// `fs.raio-max-nr`, which is `max`, is reached. Process context.
pub(crate) fn notice_max_nr(max: usize) {
    // SAFETY: May be called in any task.
    unsafe { bindings::raio_helper_notice_max_nr(max) };
}

/// `fs.raio-max-user-nr`, which is `max`, is reached. Process context.
pub(crate) fn notice_max_user_nr(max: usize) {
    // SAFETY: May be called in any task.
    unsafe { bindings::raio_helper_notice_max_user_nr(max) };
}

/// RLIMIT_MEMLOCK is reached. Process context.
pub(crate) fn notice_memlock() {
    // SAFETY: May be called in any task.
    unsafe { bindings::raio_helper_notice_memlock() };
}
