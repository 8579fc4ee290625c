// SPDX-License-Identifier: GPL-2.0

//! Kernel threads that act in the address space of a process.
//!
//! C header: [`include/linux/kthread.h`](srctree/include/linux/kthread.h)

use super::bindings;
use core::mem::ManuallyDrop;
use kernel::mm::Mm;

/// The use of an address space by the current task.
pub(crate) struct Use(*mut bindings::mm_struct, *mut kernel::ffi::c_void);

impl Use {
    /// Whether nobody else uses it any more.
    pub(crate) fn is_last(&self) -> bool {
        // SAFETY: It is valid while it is used.
        unsafe { bindings::raio_helper_mm_users(self.0) == 1 }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        // SAFETY: `with_mm` uses this address space in this task. The last user may be this one:
        // then its end, which waits for much, is a worker's.
        unsafe {
            bindings::raio_helper_charge_as_before(self.1);
            bindings::kthread_unuse_mm(self.0);
            bindings::mmput_async(self.0);
        }
    }
}

/// Calls `f` in the address space `mm`, its memory cgroup being charged. `None` if the address
/// space has no users any more.
///
/// Process context, a kernel thread.
pub(crate) fn with_mm<R>(mm: &Mm, f: impl FnOnce(&Use) -> R) -> Option<R> {
    let user = ManuallyDrop::new(mm.mmget_not_zero()?);
    let mm = user.as_raw();
    // SAFETY: The reference that was just taken goes to `Use`.
    let used = unsafe {
        bindings::kthread_use_mm(mm);
        Use(mm, bindings::raio_helper_charge_to_mm(mm))
    };
    Some(f(&used))
}
