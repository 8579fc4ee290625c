// SPDX-License-Identifier: GPL-2.0

//! Words that may be read and written at the same time, without order.
//!
//! The kernel crate's `Atomic` calls a C function for each access, which for a plain load or store
//! costs more than the access.
//!
//! C header: [`include/asm-generic/rwonce.h`](srctree/include/asm-generic/rwonce.h)

use core::cell::UnsafeCell;

/// Integers that a processor reads and writes as a whole.
///
/// # Safety
///
/// The size is at most that of a machine word, and any bits are a value.
pub(crate) unsafe trait Whole: Copy + Default {}

// SAFETY: Four bytes, no more than a machine word, of which any bits are a value.
unsafe impl Whole for u32 {}
#[cfg(CONFIG_64BIT)]
// SAFETY: A machine word has 64 bits here, and any bits are a value.
unsafe impl Whole for u64 {}
// SAFETY: It is a machine word, and any bits are a value.
unsafe impl Whole for usize {}

/// A word that is accessed as by READ_ONCE() and WRITE_ONCE().
#[derive(Default)]
pub(crate) struct Once<T: Whole>(UnsafeCell<T>);

// SAFETY: All accesses are volatile, and of a size that is not torn: data races are as those of
// READ_ONCE() and WRITE_ONCE() in the kernel's memory model.
unsafe impl<T: Whole + Send> Sync for Once<T> {}

impl<T: Whole> Once<T> {
    /// A word of that value.
    pub(crate) const fn new(value: T) -> Self {
        Once(UnsafeCell::new(value))
    }

    /// READ_ONCE(). Any context.
    #[inline(always)]
    pub(crate) fn get(&self) -> T {
        // SAFETY: The cell is valid and aligned, as `self` is borrowed. A write at the same time is
        // volatile as well and not torn, as `T` is `Whole`: the old or the new value is read.
        unsafe { self.0.get().read_volatile() }
    }

    /// WRITE_ONCE(). Any context.
    #[inline(always)]
    pub(crate) fn set(&self, value: T) {
        // SAFETY: The cell is valid and aligned, as `self` is borrowed. Whoever reads or writes it
        // at the same time does so as a whole, as `T` is `Whole`.
        unsafe { self.0.get().write_volatile(value) };
    }
}
