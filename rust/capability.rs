// SPDX-License-Identifier: GPL-2.0

//! What the current task may do.
//!
//! C header: [`include/linux/capability.h`](srctree/include/linux/capability.h)

use super::bindings;
use kernel::prelude::*;

/// Whether the current task has CAP_SYS_RESOURCE. Asked only when it makes the difference: the
/// task is noted as having used it. Process context.
pub(crate) fn has_sys_resource() -> bool {
    // SAFETY: The number is a capability, else `capable()` is a bug. It looks at the credentials of
    // the current task and asks the security modules, which do not sleep for that.
    unsafe { bindings::capable(bindings::CAP_SYS_RESOURCE as c_int) }
}

/// Whether the current task has CAP_IPC_LOCK, and so no RLIMIT_MEMLOCK. Process context.
pub(crate) fn has_ipc_lock() -> bool {
    // Most have not: no audit, as nothing is refused yet.
    // SAFETY: The number is a capability. The current task's credentials are looked at, and the
    // security modules asked, without a sleep.
    unsafe { bindings::capable_noaudit(bindings::CAP_IPC_LOCK as c_int) }
}

/// Whether the current task may set a real-time I/O priority: CAP_SYS_ADMIN or CAP_SYS_NICE.
/// Process context.
pub(crate) fn may_set_rt_ioprio() -> bool {
    let capable = |cap: u32| {
        // SAFETY: Both callers below name a capability. The current task's credentials are looked
        // at, and the security modules asked, without a sleep.
        unsafe { bindings::capable(cap as c_int) }
    };
    capable(bindings::CAP_SYS_ADMIN) || capable(bindings::CAP_SYS_NICE)
}
