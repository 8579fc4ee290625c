// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can be a buffer, besides [`Buffer`].

use crate::Buffer;
use std::{
    fmt,
    ops::{Bound, Deref, DerefMut, RangeBounds},
    ptr, slice,
};

/// Memory that can be written to a file.
///
/// A request owns it until it has ended, as a [`Buffer`].  It is written up to its
/// length; to write a part of it, see [`slice`](Self::slice).
///
/// # Safety
///
/// As long as the value is neither moved nor touched, [`as_buf_ptr`](Self::as_buf_ptr)
/// is good for reads of [`buf_len`](Self::buf_len) initialised bytes.
pub unsafe trait IoBuf: Send + 'static {
    /// Where it begins.
    fn as_buf_ptr(&self) -> *const u8;

    /// How many bytes are initialised.
    fn buf_len(&self) -> usize;

    /// How many bytes there is room for.
    fn buf_capacity(&self) -> usize;

    /// A part of it, to be read or written in its place; see [`Slice`].
    ///
    /// # Panics
    ///
    /// If it begins beyond the length, ends beyond the capacity, or ends before it begins.
    fn slice(self, range: impl RangeBounds<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        let (begin, end) = bounds(range, self.buf_capacity());
        assert!(
            begin <= self.buf_len(),
            "begins beyond what is initialised: {begin}"
        );
        Slice {
            inner: self,
            begin,
            end,
        }
    }
}

/// Memory that can be read into.
///
/// A read fills it from its start up to its **capacity**, whatever is there already.
/// Then its length is what was read, if it was less: it does not become shorter.  So
/// `Vec::with_capacity(4096)` and `vec![0; 4096]` both take 4096 bytes, and the first
/// has as many as were read.  (A vector may have got more capacity than was asked for:
/// `vec.slice(..4096)` is exact.)  To append to a vector, read into
/// `vec.slice(vec.len()..)`.
///
/// For a [`Buffer`], an array, and a `Box<[u8]>`, the capacity is the length.
///
/// # Safety
///
/// As long as the value is neither moved nor touched,
/// [`as_buf_mut_ptr`](Self::as_buf_mut_ptr) is good for writes of
/// [`buf_capacity`](IoBuf::buf_capacity) bytes; it is the address of
/// [`as_buf_ptr`](IoBuf::as_buf_ptr).
pub unsafe trait IoBufMut: IoBuf {
    /// Where it begins.
    fn as_buf_mut_ptr(&mut self) -> *mut u8;

    /// Makes the length this, if it is less.
    ///
    /// # Safety
    ///
    /// That many bytes are initialised, and there is room for them.
    unsafe fn set_buf_init(&mut self, len: usize);
}

fn bounds(range: impl RangeBounds<usize>, capacity: usize) -> (usize, usize) {
    let begin = match range.start_bound() {
        Bound::Included(&begin) => begin,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => capacity,
    };
    assert!(end <= capacity, "ends beyond the capacity: {end}");
    assert!(begin <= end, "ends before it begins: {begin}..{end}");
    (begin, end)
}

/// A part of a buffer, and the buffer: made by [`IoBuf::slice`].
///
/// A read fills no more than this part.  Of a [`Buffer`] that is registered with a
/// context it is registered too.
///
/// ```
/// use raio::IoBuf;
/// let slice = vec![1, 2, 3, 4].slice(1..3);
/// assert_eq!(&slice[..], [2, 3]);
/// assert_eq!(slice.into_inner(), [1, 2, 3, 4]);
/// ```
#[derive(Clone)]
pub struct Slice<T> {
    // Invariant: begin <= inner.buf_len(), begin <= end <= inner.buf_capacity().  There is
    // no way to change `inner` as long as it is here.
    inner: T,
    begin: usize,
    end: usize,
}

impl<T> Slice<T> {
    /// Where it begins in the buffer.
    pub fn begin(&self) -> usize {
        self.begin
    }

    /// Where it ends in the buffer.
    pub fn end(&self) -> usize {
        self.end
    }

    /// All of the buffer.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The buffer again.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: IoBuf> Slice<T> {
    /// A part of this part.
    ///
    /// # Panics
    ///
    /// As [`IoBuf::slice`].
    pub fn slice(self, range: impl RangeBounds<usize>) -> Self {
        let (begin, end) = bounds(range, self.end - self.begin);
        let base = self.begin;
        self.inner.slice(base + begin..base + end)
    }
}

// SAFETY: By the invariant it is a part of `inner`.
unsafe impl<T: IoBuf> IoBuf for Slice<T> {
    fn as_buf_ptr(&self) -> *const u8 {
        self.inner.as_buf_ptr().wrapping_add(self.begin)
    }

    fn buf_len(&self) -> usize {
        self.inner.buf_len().min(self.end) - self.begin
    }

    fn buf_capacity(&self) -> usize {
        self.end - self.begin
    }
}

// SAFETY: As above.
unsafe impl<T: IoBufMut> IoBufMut for Slice<T> {
    fn as_buf_mut_ptr(&mut self) -> *mut u8 {
        self.inner.as_buf_mut_ptr().wrapping_add(self.begin)
    }

    unsafe fn set_buf_init(&mut self, len: usize) {
        // SAFETY: What is before `begin` is initialised, by the invariant.
        unsafe { self.inner.set_buf_init(self.begin + len) };
    }
}

impl<T: IoBuf> Deref for Slice<T> {
    type Target = [u8];

    /// What of it is initialised.
    fn deref(&self) -> &[u8] {
        // SAFETY: By the contract of `IoBuf`; it is borrowed as long.
        unsafe { slice::from_raw_parts(self.as_buf_ptr(), self.buf_len()) }
    }
}

impl<T: IoBufMut> DerefMut for Slice<T> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: By the contract of `IoBufMut`; it is borrowed mutably as long.
        unsafe { slice::from_raw_parts_mut(self.as_buf_mut_ptr(), self.buf_len()) }
    }
}

impl<T: IoBuf> fmt::Debug for Slice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice")
            .field("begin", &self.begin)
            .field("end", &self.end)
            .field("len", &self.buf_len())
            .finish_non_exhaustive()
    }
}

/// What is a slice of bytes, all of which are initialised.
macro_rules! bytes {
    ($type:ty $(, $($generics:tt)*)?) => {
        // SAFETY: It is a slice of so many initialised bytes.
        unsafe impl $(<$($generics)*>)? IoBuf for $type {
            fn as_buf_ptr(&self) -> *const u8 {
                self.as_ptr()
            }

            fn buf_len(&self) -> usize {
                self.len()
            }

            fn buf_capacity(&self) -> usize {
                self.len()
            }
        }
    };
}

/// The same, where they can be changed.
macro_rules! bytes_mut {
    ($type:ty $(, $($generics:tt)*)?) => {
        bytes!($type $(, $($generics)*)?);

        // SAFETY: As above.
        unsafe impl $(<$($generics)*>)? IoBufMut for $type {
            fn as_buf_mut_ptr(&mut self) -> *mut u8 {
                self.as_mut_ptr()
            }

            unsafe fn set_buf_init(&mut self, _: usize) {}
        }
    };
}

bytes!(&'static [u8]);
bytes!(&'static str);
bytes!(String);
bytes_mut!(Buffer);
bytes_mut!(Box<[u8]>);
bytes_mut!([u8; N], const N: usize);

// SAFETY: `len` bytes are initialised, and there is room for `capacity`.
unsafe impl IoBuf for Vec<u8> {
    fn as_buf_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn buf_len(&self) -> usize {
        self.len()
    }

    fn buf_capacity(&self) -> usize {
        self.capacity()
    }
}

// SAFETY: As above.
unsafe impl IoBufMut for Vec<u8> {
    fn as_buf_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    unsafe fn set_buf_init(&mut self, len: usize) {
        if self.len() < len {
            // SAFETY: By the contract of this function.
            unsafe { self.set_len(len) };
        }
    }
}

// SAFETY: It is that of the array, which does not move with the box.
unsafe impl<const N: usize> IoBuf for Box<[u8; N]> {
    fn as_buf_ptr(&self) -> *const u8 {
        ptr::from_ref(&**self).cast()
    }

    fn buf_len(&self) -> usize {
        N
    }

    fn buf_capacity(&self) -> usize {
        N
    }
}

// SAFETY: As above.
unsafe impl<const N: usize> IoBufMut for Box<[u8; N]> {
    fn as_buf_mut_ptr(&mut self) -> *mut u8 {
        ptr::from_mut(&mut **self).cast()
    }

    unsafe fn set_buf_init(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_room_beyond_its_length() {
        let mut vec = Vec::with_capacity(8);
        vec.push(1);
        let mut slice = vec.slice(1..5);
        assert_eq!((slice.buf_len(), slice.buf_capacity()), (0, 4));
        // SAFETY: There is room for 4 bytes.
        unsafe {
            slice.as_buf_mut_ptr().copy_from(b"data".as_ptr(), 4);
            slice.set_buf_init(3);
        }
        assert_eq!(&slice[..], b"dat");
        assert_eq!(slice.into_inner(), b"\x01dat");
    }

    #[test]
    fn a_vector_does_not_become_shorter() {
        let mut vec = vec![1, 2, 3];
        // SAFETY: It is.
        unsafe { vec.set_buf_init(1) };
        assert_eq!(vec, [1, 2, 3]);
    }

    #[test]
    fn a_part_of_a_part_is_a_part() {
        let slice = b"database".to_vec().slice(2..).slice(1..=3);
        assert_eq!((slice.begin(), slice.end()), (3, 6));
        assert_eq!(&slice[..], b"aba");
        let mut array = [0; 4].slice(..2);
        array[0] = 7;
        assert_eq!(array.into_inner(), [7, 0, 0, 0]);
    }

    #[test]
    #[should_panic(expected = "beyond what is initialised")]
    fn leaves_no_gap() {
        let _ = Vec::with_capacity(8).slice(1..);
    }

    #[test]
    #[should_panic(expected = "beyond the capacity")]
    fn does_not_reach_beyond() {
        let _ = Buffer::new(8).slice(2..9);
    }
}
