// SPDX-License-Identifier: GPL-2.0

//! Small structures from and to a program's memory, without a call for each.
//!
//! The kernel crate's `UserSlice` is a `copy_from_user()`, which costs as much again as the copy of
//! an iocb.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use super::{
    bindings,
    sched::Stamp,
    uapi::iocb,
    util::array::Array, //
};
use core::mem::MaybeUninit;
use kernel::{
    prelude::*,
    transmute::FromBytes, //
};

/// Reads a structure of whole words at `address` of the current address space. EFAULT. Process
/// context, may sleep.
#[inline]
pub(crate) fn read_struct<T: FromBytes>(address: u64) -> Result<T> {
    const {
        assert!(size_of::<T>() % size_of::<u64>() == 0);
        assert!(align_of::<T>() >= align_of::<u64>());
    }
    let mut value = MaybeUninit::<T>::uninit();
    let nr = size_of::<T>() / size_of::<u64>();
    // SAFETY: `value` is aligned and valid for writes of `nr` words. The helper checks that
    // `address` is the program's; a fault there may sleep, as this function may, or fails where it
    // must not.
    if unsafe {
        bindings::raio_helper_get_words(value.as_mut_ptr().cast(), address as *const u64, nr)
    } {
        // SAFETY: The helper wrote all of it, as the size is `nr` words, and any bytes are a value,
        // as `T` is `FromBytes`.
        Ok(unsafe { value.assume_init() })
    } else {
        Err(EFAULT)
    }
}

/// Reads `nr` words at `address` of the current address space, or as many as fit, in place of what
/// `into` has. EFAULT: then it is empty. Process context, may sleep.
#[inline]
pub(crate) fn read_words<const N: usize>(
    address: u64,
    nr: usize,
    into: &mut Array<u64, N>,
) -> Result {
    let nr = nr.min(N);
    // SAFETY: The helper writes `nr` words, for which `fill` gives room, or returns false. It
    // checks that `address` is the program's; a fault there may sleep, as this function may, or
    // fails.
    if unsafe {
        into.fill(nr, |to| {
            bindings::raio_helper_get_words(to, address as *const u64, nr)
        })
    } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// Reads the iocb at `address` of the current address space. EFAULT. Process context, may sleep.
#[inline]
pub(crate) fn read_iocb(address: u64, into: &mut iocb) -> Result {
    // SAFETY: `into` is valid for writes of any bytes. The helper checks that `address` is the
    // program's; a fault there may sleep, as this function may, or fails where it must not.
    if unsafe { bindings::raio_helper_get_iocb(into, address as *const iocb) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// As [`read_iocb`], if that needs no page fault to be served: else `None`. Tells when it was.
/// Process context.
#[inline]
pub(crate) fn read_iocb_now(address: u64, into: &mut iocb) -> Option<Stamp> {
    let mut stamp = 0;
    // SAFETY: `into` and `stamp` are valid for writes, `into` of any bytes. The helper checks that
    // `address` is the program's, and disables faults for the time: it does not sleep. The counts
    // that it writes to `stamp` are the current task's.
    unsafe { bindings::raio_helper_get_iocb_now(into, address as *const iocb, &raw mut stamp) }
        .then_some(Stamp(stamp))
}

/// As [`write_u32`].
#[inline]
pub(crate) fn write_u64(address: u64, value: u64) -> Result {
    // SAFETY: Memory of the kernel is not touched: the helper checks that `address` is the
    // program's. A fault there may sleep, as this function may, or fails where it must not.
    if unsafe { bindings::raio_helper_put_u64(value, address as *mut u64) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// Writes `value` to `address` of the current address space. EFAULT. Process context, may sleep.
#[inline]
pub(crate) fn write_u32(address: u64, value: u32) -> Result {
    // SAFETY: Memory of the kernel is not touched: the helper checks that `address` is the
    // program's. A fault there may sleep, as this function may, or fails where it must not.
    if unsafe { bindings::raio_helper_put_u32(value, address as *mut u32) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}
