// SPDX-License-Identifier: GPL-2.0

//! Indices from a program, which a processor may use before it has checked them.
//!
//! C header: [`include/linux/nospec.h`](srctree/include/linux/nospec.h)

use super::bindings;

/// As `slice.get()`: what is beyond the end is not read ahead of the check either.
#[inline]
pub(crate) fn get<T>(slice: &[T], index: usize) -> Option<&T> {
    if index >= slice.len() {
        return None;
    }
    // SAFETY: Arithmetic on two numbers: no memory, any context.
    slice.get(unsafe { bindings::raio_helper_index_nospec(index, slice.len()) })
}
