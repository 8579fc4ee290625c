// SPDX-License-Identifier: GPL-2.0

//! Events of poll(2).

use crate::sys::bindings;

/// A mask of events of poll(2).
pub(crate) type Mask = u32;

/// The events of a file without `poll`.
pub(crate) const ALWAYS_READY: Mask =
    bindings::EPOLLIN | bindings::EPOLLOUT | bindings::EPOLLRDNORM | bindings::EPOLLWRNORM;

/// The events that poll(2) reports even if they were not requested.
pub(crate) const ALWAYS: Mask = bindings::EPOLLERR | bindings::EPOLLHUP;
/// The events after which a read can go on, if only to fail.
pub(crate) const CAN_READ: Mask = bindings::EPOLLIN | bindings::EPOLLRDNORM | ALWAYS;
/// The events after which a write can go on, if only to fail.
pub(crate) const CAN_WRITE: Mask = bindings::EPOLLOUT | bindings::EPOLLWRNORM | ALWAYS;

/// Converts a mask from user space.
pub(crate) fn from_user(mask: u16) -> Mask {
    // SAFETY: Arithmetic on a number: no memory, any context.
    unsafe { bindings::raio_helper_demangle_poll(mask) }
}

/// Converts a mask for user space.
pub(crate) fn to_user(mask: Mask) -> u16 {
    // SAFETY: Arithmetic on a number: no memory, any context.
    unsafe { bindings::raio_helper_mangle_poll(mask) }
}
