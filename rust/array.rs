// SPDX-License-Identifier: GPL-2.0

//! Arrays of which a part is in use. The rest is not even initialised: on the stack of a call
//! that costs more than the call.

use core::{
    mem::MaybeUninit,
    slice, //
};

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

    /// Forgets all.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// What is there.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: By the invariants.
        unsafe { slice::from_raw_parts(self.values.as_ptr().cast(), self.len) }
    }
}
