// SPDX-License-Identifier: MIT OR Apache-2.0

use std::{
    alloc::{alloc_zeroed, dealloc, handle_alloc_error, Layout},
    fmt,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
};

/// Memory for a request, aligned so that it is fit for `O_DIRECT`.
///
/// It does not move when the `Buffer` does, and there is no way to borrow it
/// while a request has it: a request owns its buffer.
pub struct Buffer {
    ptr: NonNull<u8>,
    len: usize,
    capacity: usize,
}

impl Buffer {
    /// The alignment of every buffer.
    pub const ALIGN: usize = 4096;

    /// A buffer of that many zeroes.
    ///
    /// # Panics
    ///
    /// If `len` is 0 or more than an allocation can be.
    pub fn new(len: usize) -> Self {
        assert!(len > 0, "a buffer of no bytes");
        let layout = Self::layout(len);
        // SAFETY: The size is not 0.
        let ptr = unsafe { alloc_zeroed(layout) };
        let ptr = NonNull::new(ptr).unwrap_or_else(|| handle_alloc_error(layout));
        Self {
            ptr,
            len,
            capacity: len,
        }
    }

    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, Self::ALIGN).expect("buffer too large")
    }

    /// The largest length it can be set to: that of its creation.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sets the number of bytes that are used.  What was there before is kept.
    ///
    /// # Panics
    ///
    /// If `len` is more than the capacity.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity, "more than the capacity");
        self.len = len;
    }

    pub(crate) fn address(&self) -> u64 {
        self.ptr.as_ptr() as u64
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` is at most the size of the allocation, which was
        // initialised as a whole, and is ours alone: no request has it.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: As in `deref`, and `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `new` allocated it with this layout.
        unsafe { dealloc(self.ptr.as_ptr(), Self::layout(self.capacity)) }
    }
}

// SAFETY: It owns its memory, as `Box<[u8]>` does.
unsafe impl Send for Buffer {}
// SAFETY: Without `&mut` it can only be read.
unsafe impl Sync for Buffer {}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("len", &self.len)
            .field("capacity", &self.capacity)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_and_zeroed() {
        let buffer = Buffer::new(5000);
        assert_eq!(buffer.address() % Buffer::ALIGN as u64, 0);
        assert!(buffer.iter().all(|&byte| byte == 0));
    }

    #[test]
    fn keeps_its_bytes_when_shortened() {
        let mut buffer = Buffer::new(8);
        buffer.copy_from_slice(b"database");
        buffer.set_len(4);
        assert_eq!(&buffer[..], b"data");
        buffer.set_len(8);
        assert_eq!(&buffer[..], b"database");
    }

    #[test]
    #[should_panic(expected = "more than the capacity")]
    fn does_not_grow() {
        Buffer::new(8).set_len(9);
    }
}
