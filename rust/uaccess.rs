// SPDX-License-Identifier: GPL-2.0

//! Inlined copies of small structures from and to user space.
//!
//! The kernel crate's `UserSlice` calls `copy_from_user()`, which doubles the cost of copying an
//! iocb.
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

/// Reads a structure that consists of whole words at `address` of the current address space.
/// EFAULT. Process context, may sleep.
#[inline]
pub(crate) fn read_struct<T: FromBytes>(address: u64) -> Result<T> {
    const {
        assert!(size_of::<T>() % size_of::<u64>() == 0);
        assert!(align_of::<T>() >= align_of::<u64>());
    }
    let mut value = MaybeUninit::<T>::uninit();
    let nr = size_of::<T>() / size_of::<u64>();
    // SAFETY: `value` is aligned and valid for writes of `nr` words. The helper checks that
    // `address` is in user space. A fault there may sleep, as this function may, or fails where
    // page faults are disabled.
    if unsafe {
        bindings::raio_helper_get_words(value.as_mut_ptr().cast(), address as *const u64, nr)
    } {
        // SAFETY: The helper wrote all of it, as the size is `nr` words. Any bytes are a valid
        // value, as `T` is `FromBytes`.
        Ok(unsafe { value.assume_init() })
    } else {
        Err(EFAULT)
    }
}

/// Replaces the content of `into` by `nr` words at `address` of the current address space, or as
/// many as fit. EFAULT: then `into` is empty. Process context, may sleep.
#[inline]
pub(crate) fn read_words<const N: usize>(
    address: u64,
    nr: usize,
    into: &mut Array<u64, N>,
) -> Result {
    let nr = nr.min(N);
    // SAFETY: The helper writes `nr` words, for which `fill` makes room, or returns false. It
    // checks that `address` is in user space. A fault there may sleep, as this function may, or
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
    // SAFETY: `into` is valid for writes of any bytes. The helper checks that `address` is in user
    // space. A fault there may sleep, as this function may, or fails where page faults are
    // disabled.
    if unsafe { bindings::raio_helper_get_iocb(into, address as *const iocb) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// Like [`read_iocb`], but does not serve page faults: `None` if one would be needed. Returns the
/// stamp from just before the read. Process context.
#[inline]
pub(crate) fn read_iocb_now(address: u64, into: &mut iocb) -> Option<Stamp> {
    let mut stamp = 0;
    // SAFETY: `into` and `stamp` are valid for writes, `into` of any bytes. The helper checks that
    // `address` is in user space, and disables page faults meanwhile, so it does not sleep. The
    // counters that it writes to `stamp` are those of the current task.
    unsafe { bindings::raio_helper_get_iocb_now(into, address as *const iocb, &raw mut stamp) }
        .then_some(Stamp(stamp))
}

/// Like [`write_u32`].
#[inline]
pub(crate) fn write_u64(address: u64, value: u64) -> Result {
    // SAFETY: The helper checks that `address` is in user space, so it does not write kernel
    // memory. A fault there may sleep, as this function may, or fails where page faults are
    // disabled.
    if unsafe { bindings::raio_helper_put_u64(value, address as *mut u64) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// Writes `value` to `address` of the current address space. EFAULT. Process context, may sleep.
#[inline]
pub(crate) fn write_u32(address: u64, value: u32) -> Result {
    // SAFETY: The helper checks that `address` is in user space, so it does not write kernel
    // memory. A fault there may sleep, as this function may, or fails where page faults are
    // disabled.
    if unsafe { bindings::raio_helper_put_u32(value, address as *mut u32) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}
