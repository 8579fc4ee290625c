// SPDX-License-Identifier: GPL-2.0

//! Grace periods.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use super::bindings;

/// Waits, when it is dropped, until no task and no CPU is inside code that it was in before.
///
/// A completion's last instructions may still run, in an interrupt or preempted, when all that it
/// touches is accounted for. The text of the module must outlive them: this is the module's last
/// field.
pub(crate) struct TextInUse;

impl Drop for TextInUse {
    /// Process context, sleeps.
    fn drop(&mut self) {
        // SAFETY: Both sleep: this is dropped with the module, by the task that unloads it or fails
        // to load it, in process context, with no lock held and outside of RCU read sections.
        unsafe {
            bindings::raio_helper_synchronize_rcu_tasks();
            bindings::synchronize_rcu();
        }
    }
}
