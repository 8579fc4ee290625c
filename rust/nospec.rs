// SPDX-License-Identifier: GPL-2.0

//! Indices from a program, which a processor might use speculatively before their check.
//!
//! C header: [`include/linux/nospec.h`](srctree/include/linux/nospec.h)

use super::bindings;

/// Like `slice.get()`, but does not access anything beyond the end speculatively either.
#[inline]
pub(crate) fn get<T>(slice: &[T], index: usize) -> Option<&T> {
    if index >= slice.len() {
        return None;
    }
    // SAFETY: Arithmetic on two numbers: no memory, any context.
    slice.get(unsafe { bindings::raio_helper_index_nospec(index, slice.len()) })
}
