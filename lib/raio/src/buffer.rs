// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{iovec::IoVec, registered::Place};
use std::{
    alloc::{alloc_zeroed, dealloc, handle_alloc_error, Layout},
    fmt,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
};

/// Memory for a request.
///
/// It does not move when the `Buffer` does, and there is no way to borrow it
/// while a request has it: a request owns its buffer.
///
/// One made by [`new`](Self::new) is aligned so that it is fit for `O_DIRECT`.
/// One made from a `Vec<u8>` is the vector's own memory, with its alignment,
/// and goes back by [`into_vec`](Self::into_vec) without a copy.
///
/// A context can pin the memory of buffers that are used again and again:
/// [`Context::register_buffers`](crate::Context::register_buffers).
///
/// What is in flight can't be touched:
///
/// ```compile_fail,E0382
/// # use raio::{Buffer, Request};
/// # let file = std::fs::File::open("/etc/os-release").unwrap();
/// let buffer = Buffer::new(512);
/// let request = Request::read_at(&file, buffer, 0);
/// println!("{}", buffer[0]);
/// ```
///
/// nor is there a way to borrow it beforehand:
///
/// ```compile_fail,E0505
/// # use raio::{Buffer, Request};
/// # let file = std::fs::File::open("/etc/os-release").unwrap();
/// let mut buffer = Buffer::new(512);
/// let bytes = &mut buffer[..];
/// let request = Request::read_at(&file, buffer, 0);
/// bytes[0] = 1;
/// ```
pub struct Buffer {
    // Invariant: `capacity` bytes at `ptr` are ours and initialised; they are the
    // start of an allocation of `allocated` bytes with alignment `align`, or
    // `allocated` is 0 and there is none.  len <= capacity <= allocated.
    ptr: NonNull<u8>,
    len: usize,
    capacity: usize,
    allocated: usize,
    align: usize,
    // Invariant: that registration has these `capacity` bytes, and nothing else, under
    // this index.  It goes when the memory has another owner: others may use the same
    // addresses then, while it is registered still.
    place: Option<Place>,
}

impl Buffer {
    /// The alignment of buffers that [`new`](Self::new) makes.
    pub const ALIGN: usize = 4096;

    /// A buffer of that many zeroes.
    ///
    /// # Panics
    ///
    /// If `len` is more than an allocation can be.
    pub fn new(len: usize) -> Self {
        let layout = Layout::from_size_align(len, Self::ALIGN).expect("buffer too large");
        let ptr = if len == 0 {
            NonNull::dangling()
        } else {
            // SAFETY: The size is not 0.
            let ptr = unsafe { alloc_zeroed(layout) };
            NonNull::new(ptr).unwrap_or_else(|| handle_alloc_error(layout))
        };
        Self {
            ptr,
            len,
            capacity: len,
            allocated: len,
            align: Self::ALIGN,
            place: None,
        }
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

    /// The bytes that are used, as a vector: the one that the buffer was made
    /// from, or else a copy.
    pub fn into_vec(self) -> Vec<u8> {
        if self.align != 1 {
            return self.to_vec();
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: The alignment says that the memory came from a vector with this
        // capacity (0 if it had no memory); `len` bytes are initialised.  `this` is
        // not dropped.
        unsafe { Vec::from_raw_parts(this.ptr.as_ptr(), this.len, this.allocated) }
    }

    /// Where it is, for the kernel.
    pub(crate) fn address(&self) -> usize {
        self.ptr.as_ptr().expose_provenance()
    }

    /// All of its memory, to be registered: a gap if there is none.
    pub(crate) fn memory(&self) -> IoVec {
        match self.capacity {
            0 => IoVec { base: 0, len: 0 },
            len => IoVec {
                base: self.address(),
                len,
            },
        }
    }

    /// Where it is registered, if it is.
    pub(crate) fn place(&self) -> Option<Place> {
        self.place
    }

    /// Says where it is registered now.  One without memory is not registered.
    ///
    /// # Safety
    ///
    /// What was registered there is [`memory`](Self::memory).
    pub(crate) unsafe fn set_place(&mut self, place: Place) {
        self.place = Some(place).filter(|_| self.capacity > 0);
    }
}

impl From<Vec<u8>> for Buffer {
    /// Takes the bytes of the vector; what it has room for beyond is not used.
    fn from(vec: Vec<u8>) -> Self {
        let mut vec = ManuallyDrop::new(vec);
        Self {
            // SAFETY: A vector's pointer is never null.
            ptr: unsafe { NonNull::new_unchecked(vec.as_mut_ptr()) },
            len: vec.len(),
            capacity: vec.len(),
            allocated: vec.capacity(),
            align: 1,
            place: None,
        }
    }
}

impl From<Box<[u8]>> for Buffer {
    fn from(bytes: Box<[u8]>) -> Self {
        Vec::from(bytes).into()
    }
}

impl From<&[u8]> for Buffer {
    /// An aligned copy.
    fn from(bytes: &[u8]) -> Self {
        let mut buffer = Self::new(bytes.len());
        buffer.copy_from_slice(bytes);
        buffer
    }
}

impl From<Buffer> for Vec<u8> {
    fn from(buffer: Buffer) -> Self {
        buffer.into_vec()
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: By the invariant, and it is ours alone: no request has it.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: As in `deref`, and `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.allocated == 0 {
            return;
        }
        // SAFETY: By the invariant there is an allocation with this layout, which
        // therefore is a valid one.
        unsafe {
            let layout = Layout::from_size_align_unchecked(self.allocated, self.align);
            dealloc(self.ptr.as_ptr(), layout);
        }
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
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_and_zeroed() {
        let buffer = Buffer::new(5000);
        assert_eq!(buffer.address() % Buffer::ALIGN, 0);
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

    #[test]
    #[should_panic(expected = "more than the capacity")]
    fn does_not_grow_into_what_a_vector_never_wrote() {
        let mut vec = Vec::with_capacity(64);
        vec.push(1);
        Buffer::from(vec).set_len(2);
    }

    #[test]
    fn is_a_vector_and_back() {
        let mut vec = Vec::with_capacity(64);
        vec.extend_from_slice(b"database");
        let address = vec.as_ptr();
        let mut buffer = Buffer::from(vec);
        assert_eq!(&buffer[..], b"database");
        buffer.set_len(4);
        let vec = buffer.into_vec();
        assert_eq!((&vec[..], vec.capacity()), (&b"data"[..], 64));
        assert_eq!(vec.as_ptr(), address);
        // One that has memory of its own is dropped as what it is.
        drop(Buffer::from(vec));
    }

    #[test]
    fn has_no_memory_where_there_are_no_bytes() {
        assert!(Buffer::new(0).is_empty());
        assert!(Buffer::from(Vec::new()).into_vec().is_empty());
        assert!(Buffer::new(0).into_vec().is_empty());
    }
}
