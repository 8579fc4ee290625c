// SPDX-License-Identifier: GPL-2.0

//! Grace periods.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use super::bindings;

/// When dropped, waits until every task and CPU has left the code that it was in before.
///
/// The last instructions of a completion may still run, in an interrupt or preempted, when
/// everything that it accesses is already accounted for. The module's text must outlive them, so
/// this is the last field of the module.
pub(crate) struct TextInUse;

impl Drop for TextInUse {
    /// Process context, sleeps.
    fn drop(&mut self) {
        // SAFETY: Both calls sleep. This is dropped with the module, by the task that unloads it or
        // fails to load it: in process context, without locks and outside of RCU read sections.
        unsafe {
            bindings::raio_helper_synchronize_rcu_tasks();
            bindings::synchronize_rcu();
        }
    }
}
