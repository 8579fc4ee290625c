// SPDX-License-Identifier: GPL-2.0

//! Small structures from and to a program's memory, without a call for each.
//!
//! The kernel crate's `UserSlice` is a `copy_from_user()`, which costs as much again as the copy of
//! an iocb.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use super::{
    bindings,
    uapi::iocb, //
};
use kernel::prelude::*;

/// Reads the iocb at `address` of the current address space. EFAULT. Process context, may sleep.
#[inline]
pub(crate) fn read_iocb(address: u64, into: &mut iocb) -> Result {
    // SAFETY: `into` is valid for writes of any bytes; the helper checks the address.
    if unsafe { bindings::raio_helper_get_iocb(into, address as *const iocb) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// As [`read_iocb`], if that needs no page fault to be served: else false. Process context.
#[inline]
pub(crate) fn read_iocb_now(address: u64, into: &mut iocb) -> bool {
    // SAFETY: As above.
    unsafe { bindings::raio_helper_get_iocb_now(into, address as *const iocb) }
}

/// Writes `value` to `address` of the current address space. EFAULT. Process context, may sleep.
#[inline]
pub(crate) fn write_u32(address: u64, value: u32) -> Result {
    // SAFETY: The helper checks the address.
    if unsafe { bindings::raio_helper_put_u32(value, address as *mut u32) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}
