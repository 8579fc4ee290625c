// SPDX-License-Identifier: GPL-2.0

//! Warnings about states that must not be.
//!
//! `kernel::warn_on!` includes files of the kernel build that the headers of some distributions
//! lack.
//!
//! C header: [`include/linux/bug.h`](srctree/include/linux/bug.h)

use super::bindings;
use core::panic::Location;

/// WARN_ON(): prints the place of the caller with a stack trace, and taints the kernel.
///
/// Any context.
#[track_caller]
#[inline(always)]
pub(crate) fn warn_on(condition: bool) {
    if condition {
        warn(Location::caller());
    }
}

#[cold]
#[inline(never)]
fn warn(place: &Location<'_>) {
    let file = place.file();
    let length = i32::try_from(file.len()).unwrap_or(0);
    // SAFETY: The helper reads `length` bytes of `file`, which are borrowed and no more than it has.
    // WARN() may be called in any context.
    unsafe { bindings::raio_helper_warn(file.as_ptr(), length, place.line()) };
}
