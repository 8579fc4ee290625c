// SPDX-License-Identifier: GPL-2.0

//! Arrays of which a part is in use. The rest is not even initialised: on the stack of a call
//! that costs more than the call.

use core::{
    mem::MaybeUninit,
    slice, //
};
use kernel::prelude::*;

/// Up to `N` values.
///
/// # Invariants
///
/// The first `len` values are initialised.
pub(crate) struct Array<T: Copy, const N: usize> {
    values: [MaybeUninit<T>; N],
    len: usize,
}

impl<T: Copy, const N: usize> Array<T, N> {
    /// An empty array.
    #[inline]
    pub(crate) fn new() -> Self {
        Array {
            values: [const { MaybeUninit::uninit() }; N],
            len: 0,
        }
    }

    /// An empty array in its place: moved there, all of it would be set to zero.
    #[inline]
    pub(crate) fn init() -> impl Init<Self> {
        let init = |slot: *mut Self| {
            // SAFETY: `slot` is valid for writes of an array: `init_from_closure` wants no less
            // below.
            unsafe { (&raw mut (*slot).len).write(0) };
            Ok(())
        };
        // INVARIANT: There are no values.
        // SAFETY: The closure never fails. It initialises the length; values, which are
        // `MaybeUninit`, need not be. No reference to the slot is kept.
        unsafe { pin_init::init_from_closure(init) }
    }

    /// Whether there is no room for another.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.len >= N
    }

    /// Appends `value`; nothing happens if it is full.
    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        if let Some(place) = self.values.get_mut(self.len) {
            place.write(value);
            // INVARIANT: It was just written.
            self.len += 1;
        }
    }

    /// Has `with` write `len` values, no more than fit, in place of what there is, and returns what
    /// it says: nothing is there if that is false.
    ///
    /// # Safety
    ///
    /// If `with` returns true, it has written `len` values where it was told to.
    #[inline]
    pub(in crate::sys) unsafe fn fill(
        &mut self,
        len: usize,
        with: impl FnOnce(*mut T) -> bool,
    ) -> bool {
        self.len = 0;
        if len > N || !with(self.values.as_mut_ptr().cast()) {
            return false;
        }
        // INVARIANT: By the requirement.
        self.len = len;
        true
    }

    /// Forgets all.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// What is there.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: By the invariants the first `len` values are initialised; nobody writes them
        // while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.values.as_ptr().cast(), self.len) }
    }
}

/// Up to `N` values that are taken out in the order in which they came.
///
/// # Invariants
///
/// `next <= end <= N`, and the values from `next` up to `end` are initialised.
pub(crate) struct Stock<T, const N: usize> {
    values: [MaybeUninit<T>; N],
    next: usize,
    end: usize,
}

impl<T, const N: usize> Stock<T, N> {
    /// An empty one.
    #[inline]
    pub(crate) fn new() -> Self {
        Stock {
            values: [const { MaybeUninit::uninit() }; N],
            next: 0,
            end: 0,
        }
    }

    /// Whether there is nothing.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Adds `value`; it is dropped if as many as fit came since there was nothing.
    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        if let Some(place) = self.values.get_mut(self.end) {
            place.write(value);
            // INVARIANT: It was just written, and was within bounds.
            self.end += 1;
        }
    }

    /// Takes out the first.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        // SAFETY: By the invariants it is initialised, as `next < end`. It is read out once: from
        // here on it is below `next`, and so counts as not initialised.
        let value = unsafe { self.values.get(self.next)?.assume_init_read() };
        // INVARIANT: It was less than `end`.
        self.next += 1;
        if self.is_empty() {
            self.next = 0;
            self.end = 0;
        }
        Some(value)
    }

    /// Drops all.
    #[inline]
    pub(crate) fn clear(&mut self) {
        while let Some(value) = self.pop() {
            drop(value);
        }
    }
}

impl<T, const N: usize> Drop for Stock<T, N> {
    #[inline]
    fn drop(&mut self) {
        self.clear();
    }
}
