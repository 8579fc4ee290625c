// SPDX-License-Identifier: GPL-2.0

//! What poll(2) asks for, and answers.

use crate::sys::bindings;

/// Events of poll(2).
pub(crate) type Mask = u32;

/// What `poll` says of a file that has none.
pub(crate) const ALWAYS_READY: Mask =
    bindings::EPOLLIN | bindings::EPOLLOUT | bindings::EPOLLRDNORM | bindings::EPOLLWRNORM;

/// What poll(2) tells whether it was asked for or not.
pub(crate) const ALWAYS: Mask = bindings::EPOLLERR | bindings::EPOLLHUP;
/// A read can go on, if only to fail.
pub(crate) const CAN_READ: Mask = bindings::EPOLLIN | bindings::EPOLLRDNORM | ALWAYS;
/// A write can.
pub(crate) const CAN_WRITE: Mask = bindings::EPOLLOUT | bindings::EPOLLWRNORM | ALWAYS;

/// The events that a program means.
pub(crate) fn from_user(mask: u16) -> Mask {
    // SAFETY: Arithmetic on a number: no memory, any context.
    unsafe { bindings::raio_helper_demangle_poll(mask) }
}

/// The events as a program sees them.
pub(crate) fn to_user(mask: Mask) -> u16 {
    // SAFETY: Arithmetic on a number: no memory, any context.
    unsafe { bindings::raio_helper_mangle_poll(mask) }
}
