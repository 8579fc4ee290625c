// SPDX-License-Identifier: GPL-2.0

//! Words that may be read and written concurrently, without ordering.
//!
//! The kernel crate's `Atomic` calls a C function for each access, which costs more than a plain
//! load or store.
//!
//! C header: [`include/asm-generic/rwonce.h`](srctree/include/asm-generic/rwonce.h)

use core::cell::UnsafeCell;

/// Integers that are read and written as a whole.
///
/// # Safety
///
/// The size is at most that of a machine word, and any bits are a valid value.
pub(crate) unsafe trait Whole: Copy + Default {}

// SAFETY: The size is four bytes, no more than a machine word, and any bits are a valid value.
unsafe impl Whole for u32 {}
#[cfg(CONFIG_64BIT)]
// SAFETY: A machine word has 64 bits here, and any bits are a valid value.
unsafe impl Whole for u64 {}
// SAFETY: This is a machine word, and any bits are a valid value.
unsafe impl Whole for usize {}

/// A word that is accessed like with READ_ONCE() and WRITE_ONCE().
#[derive(Default)]
pub(crate) struct Once<T: Whole>(UnsafeCell<T>);

// SAFETY: All accesses are volatile, and of a size that is not torn, so data races are those of
// READ_ONCE() and WRITE_ONCE() in the kernel's memory model.
unsafe impl<T: Whole + Send> Sync for Once<T> {}

impl<T: Whole> Once<T> {
    /// Creates a word.
    pub(crate) const fn new(value: T) -> Self {
        Once(UnsafeCell::new(value))
    }

    /// READ_ONCE(). Any context.
    #[inline(always)]
    pub(crate) fn get(&self) -> T {
        // SAFETY: The cell is valid and aligned, as `self` is borrowed. A concurrent write is also
        // volatile, and not torn, as `T` is `Whole`: this reads the old or the new value.
        unsafe { self.0.get().read_volatile() }
    }

    /// WRITE_ONCE(). Any context.
    #[inline(always)]
    pub(crate) fn set(&self, value: T) {
        // SAFETY: The cell is valid and aligned, as `self` is borrowed. Concurrent reads and writes
        // access it as a whole, as `T` is `Whole`.
        unsafe { self.0.get().write_volatile(value) };
    }
}
