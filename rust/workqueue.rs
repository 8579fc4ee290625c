// SPDX-License-Identifier: GPL-2.0

//! Where requests are run that may sleep.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::bindings;
use kernel::workqueue::Queue;

/// The system's unbound work queue. The kernel crate knows it by a name that is deprecated.
pub(crate) fn unbound() -> &'static Queue {
    // SAFETY: The queue was made at boot and is never destroyed.
    unsafe { Queue::from_raw(bindings::system_dfl_wq) }
}
