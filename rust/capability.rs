// SPDX-License-Identifier: GPL-2.0

//! Capabilities of the current task.
//!
//! C header: [`include/linux/capability.h`](srctree/include/linux/capability.h)

use super::bindings;
use kernel::prelude::*;

/// Whether the current task has CAP_SYS_RESOURCE. To be called only when the answer matters, as it
/// marks the task as having used the capability. Process context.
pub(crate) fn has_sys_resource() -> bool {
    // SAFETY: The number is a valid capability, as `capable()` requires. The call checks the
    // credentials of the current task and asks the security modules, which do not sleep for that.
    unsafe { bindings::capable(bindings::CAP_SYS_RESOURCE as c_int) }
}

/// Whether the current task has CAP_IPC_LOCK, and so no RLIMIT_MEMLOCK. Process context.
pub(crate) fn has_ipc_lock() -> bool {
    // Most tasks do not have it, and nothing is refused yet, so do not audit.
    // SAFETY: The number is a valid capability, and the initial user namespace always exists. The
    // call checks the current task's credentials and asks the security modules, without sleeping.
    unsafe {
        bindings::ns_capable_noaudit(
            &raw mut bindings::init_user_ns,
            bindings::CAP_IPC_LOCK as c_int,
        )
    }
}

/// Whether the current task may set a real-time I/O priority: CAP_SYS_ADMIN or CAP_SYS_NICE.
/// Process context.
pub(crate) fn may_set_rt_ioprio() -> bool {
    let capable = |cap: u32| {
        // SAFETY: Both callers below pass a valid capability. The call checks the current task's
        // credentials and asks the security modules, without sleeping.
        unsafe { bindings::capable(cap as c_int) }
    };
    capable(bindings::CAP_SYS_ADMIN) || capable(bindings::CAP_SYS_NICE)
}
