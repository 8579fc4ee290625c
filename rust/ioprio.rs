// SPDX-License-Identifier: GPL-2.0

//! I/O priorities.
//!
//! C header: [`include/linux/ioprio.h`](srctree/include/linux/ioprio.h)

use super::{
    bindings,
    capability, //
};
use kernel::prelude::*;

/// An I/O priority, and who chose it.
#[derive(Clone, Copy)]
pub(crate) enum Ioprio {
    /// The program chose it in the iocb.
    Chosen(u16),
    /// It is that of the task, see [`current()`].
    Current(u16),
}

/// The I/O priority of the current task. Process context.
pub(crate) fn current() -> u16 {
    // SAFETY: Reads the current task's own I/O context, or its scheduling class, which only the
    // task itself changes.
    unsafe { bindings::raio_helper_get_current_ioprio() }
}

/// The checks of `ioprio_check_cap()`, which is not exported.
pub(super) fn check(ioprio: u16) -> Result {
    let (class, level) = (
        u32::from(ioprio) >> bindings::IOPRIO_CLASS_SHIFT,
        u32::from(ioprio) & bindings::IOPRIO_LEVEL_MASK,
    );
    match class {
        bindings::IOPRIO_CLASS_NONE if level == 0 => Ok(()),
        bindings::IOPRIO_CLASS_RT if capability::may_set_rt_ioprio() => Ok(()),
        bindings::IOPRIO_CLASS_RT => Err(EPERM),
        bindings::IOPRIO_CLASS_BE | bindings::IOPRIO_CLASS_IDLE => Ok(()),
        _ => Err(EINVAL),
    }
}
