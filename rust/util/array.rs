// SPDX-License-Identifier: GPL-2.0

//! Partially filled arrays. The rest is not even initialised: for an array on the stack of a call,
//! initialisation would cost more than the call.

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

    /// Initialises an empty array in place. A move into the place would set all of it to zero.
    #[inline]
    pub(crate) fn init() -> impl Init<Self> {
        let init = |slot: *mut Self| {
            // SAFETY: `slot` is valid for writes of an array, as `init_from_closure` below
            // guarantees.
            unsafe { (&raw mut (*slot).len).write(0) };
            Ok(())
        };
        // INVARIANT: There are no values.
        // SAFETY: The closure never fails. It initialises the length; the values are `MaybeUninit`
        // and need no initialisation. No reference to the slot is kept.
        unsafe { pin_init::init_from_closure(init) }
    }

    /// Whether there is no room for another.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.len >= N
    }

    /// Appends `value`. Does nothing if the array is full.
    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        if let Some(place) = self.values.get_mut(self.len) {
            place.write(value);
            // INVARIANT: The value was just written.
            self.len += 1;
        }
    }

    /// Replaces the content by `len` values that `with` writes, and returns its result. If that is
    /// false, or `len` values do not fit, the array is empty.
    ///
    /// # Safety
    ///
    /// If `with` returns true, it has written `len` values to its argument.
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
        // INVARIANT: By this function's requirements.
        self.len = len;
        true
    }

    /// Removes all values.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// The values.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: By the invariants the first `len` values are initialised; nobody writes them
        // while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.values.as_ptr().cast(), self.len) }
    }
}

/// A FIFO queue of up to `N` values.
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
    /// An empty queue.
    #[inline]
    pub(crate) fn new() -> Self {
        Stock {
            values: [const { MaybeUninit::uninit() }; N],
            next: 0,
            end: 0,
        }
    }

    /// Whether the queue is empty.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Appends `value`. Drops it if `N` values were appended since the queue was last empty.
    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        if let Some(place) = self.values.get_mut(self.end) {
            place.write(value);
            // INVARIANT: The value was just written, within bounds.
            self.end += 1;
        }
    }

    /// Removes the first value.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        // SAFETY: By the invariants the value is initialised, as `next < end`. It is read out once:
        // afterwards it is below `next`, and so counts as not initialised.
        let value = unsafe { self.values.get(self.next)?.assume_init_read() };
        // INVARIANT: `next` was less than `end`.
        self.next += 1;
        if self.is_empty() {
            self.next = 0;
            self.end = 0;
        }
        Some(value)
    }

    /// Drops all values.
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
