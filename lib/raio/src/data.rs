// SPDX-License-Identifier: MIT OR Apache-2.0

//! What requests own.

use crate::{
    iovec::IoVec,
    registered::{Place, Registered},
    Buffer, IoBuf, IoBufMut, Slice,
};
use std::{any::Any, fmt, mem, ptr::NonNull};

/// Bytes of memory that a request owns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) address: usize,
    pub(crate) len: usize,
    /// Where the buffer is registered in which it lies.
    place: Option<Place>,
}

impl Span {
    pub(crate) const EMPTY: Self = Self {
        address: 0,
        len: 0,
        place: None,
    };

    /// What is left of it after so many bytes.
    pub(crate) fn after(self, bytes: usize) -> Self {
        let bytes = bytes.min(self.len);
        Self {
            address: self.address + bytes,
            len: self.len - bytes,
            ..self
        }
    }
}

/// Whose memory it is.
#[derive(Debug)]
pub(crate) enum Owner {
    Buffer(Buffer),
    Other(Foreign),
}

impl Owner {
    /// `fit` makes the span, when the buffer is where it stays.
    fn new<B: IoBuf>(buffer: B, fit: impl FnOnce(&mut B) -> Span) -> (Self, Span) {
        match cast::<B, Buffer>(buffer) {
            Ok(mut buffer) => {
                let mut span = Span::EMPTY;
                if let Some(buffer) = (&mut buffer as &mut dyn Any).downcast_mut() {
                    span = fit(buffer);
                }
                (Self::Buffer(buffer), span)
            }
            Err(buffer) => {
                let mut foreign = Foreign(NonNull::from(Box::leak(Box::new(buffer))));
                let span = foreign.get_mut().map_or(Span::EMPTY, fit);
                (Self::Other(foreign), span)
            }
        }
    }

    /// The buffer, if it is one of that type.
    pub(crate) fn downcast<B: IoBuf>(self) -> Option<B> {
        match self {
            Self::Buffer(buffer) => cast(buffer).ok(),
            Self::Other(foreign) => foreign.downcast(),
        }
    }
}

/// A value of the one type, if it is the other.
fn cast<A: 'static, B: 'static>(value: A) -> Result<B, A> {
    let mut slot = Some(value);
    if let Some(same) = (&mut slot as &mut dyn Any).downcast_mut::<Option<B>>() {
        if let Some(value) = same.take() {
            return Ok(value);
        }
    }
    // It is there: it was not taken.
    slot.map_or_else(|| unreachable!("taken as another type"), Err)
}

/// A box of a buffer of some type.
///
/// A pointer and not a box: the kernel may write to the allocation itself, and moving a box
/// asserts that it has the only pointer to it.
pub(crate) struct Foreign(NonNull<dyn Any + Send>);

impl Foreign {
    fn get_mut<B: IoBuf>(&mut self) -> Option<&mut B> {
        // SAFETY: It is a leaked box that is ours, and no request has it yet.
        unsafe { self.0.as_mut() }.downcast_mut()
    }

    fn downcast<B: IoBuf>(self) -> Option<B> {
        let this = mem::ManuallyDrop::new(self);
        // SAFETY: It is a leaked box, and `this` is not dropped.
        let any = unsafe { Box::from_raw(this.0.as_ptr()) };
        any.downcast().ok().map(|buffer| *buffer)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: It is a leaked box that is ours; no request has it any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: It owns the value, which is `Send`.
unsafe impl Send for Foreign {}
// SAFETY: By `&` nothing of it can be reached.
unsafe impl Sync for Foreign {}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").finish_non_exhaustive()
    }
}

/// Where a buffer is registered, of the types that can be.
fn place<B: IoBuf>(buffer: &B) -> Option<Place> {
    let any = buffer as &dyn Any;
    let whole = any.downcast_ref::<Buffer>();
    whole
        .or_else(|| any.downcast_ref::<Slice<Buffer>>().map(Slice::get_ref))?
        .place()
}

/// What a request owns: the kernel may use it until the request has ended.
#[derive(Debug)]
pub(crate) enum Data {
    None,
    One(Owner, Span),
    Many {
        buffers: Vec<Buffer>,
        iovecs: Box<[IoVec]>,
    },
}

impl Data {
    /// To be read into, up to its capacity.
    pub(crate) fn read<B: IoBufMut>(buffer: B) -> Self {
        let (owner, span) = Owner::new(buffer, |buffer| Span {
            address: buffer.as_buf_mut_ptr().expose_provenance(),
            len: buffer.buf_capacity(),
            place: place(buffer),
        });
        Self::One(owner, span)
    }

    /// To be written, up to its length.
    pub(crate) fn write<B: IoBuf>(buffer: B) -> Self {
        let (owner, span) = Owner::new(buffer, |buffer| Span {
            address: buffer.as_buf_ptr().expose_provenance(),
            len: buffer.buf_len(),
            place: place(buffer),
        });
        Self::One(owner, span)
    }

    pub(crate) fn many(buffers: Vec<Buffer>) -> Self {
        let iovecs = buffers
            .iter()
            .map(|buffer| IoVec {
                base: buffer.address(),
                len: buffer.len(),
            })
            .collect();
        Self::Many { buffers, iovecs }
    }

    /// `aio_buf` and `aio_nbytes` of a transfer.
    pub(crate) fn address_and_len(&self) -> (usize, usize) {
        match self {
            Self::None => (0, 0),
            Self::One(_, span) => (span.address, span.len),
            Self::Many { iovecs, .. } => (iovecs.as_ptr().expose_provenance(), iovecs.len()),
        }
    }

    /// The bytes of one buffer.
    #[cfg(feature = "tokio")]
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::One(_, span) => *span,
            Self::None | Self::Many { .. } => Span::EMPTY,
        }
    }

    /// The index of the registered buffer in which all of its memory lies.
    pub(crate) fn fixed_buffer(&self, registered: &Registered) -> Option<u32> {
        match self {
            Self::One(_, span) => span.place?.index_in(registered.buffers),
            // Each is one of its own.
            Self::None | Self::Many { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_as_what_it_was() {
        let Data::One(owner, span) = Data::read(Buffer::new(8)) else {
            panic!("not one");
        };
        assert!(matches!(owner, Owner::Buffer(_)));
        assert_eq!(span.after(3).len, 5);
        assert_eq!(span.after(9).len, 0);
        assert_eq!(owner.downcast::<Buffer>().map(|b| b.len()), Some(8));

        let Data::One(owner, span) = Data::read([7; 16]) else {
            panic!("not one");
        };
        let moved = Box::new(owner);
        let Owner::Other(foreign) = &*moved else {
            panic!("a buffer");
        };
        assert_eq!(foreign.0.addr().get(), span.address);
        assert_eq!(moved.downcast::<[u8; 16]>(), Some([7; 16]));
    }

    #[test]
    fn a_buffer_of_another_type_is_dropped() {
        let Data::One(owner, _) = Data::write(vec![1]) else {
            panic!("not one");
        };
        assert!(owner.downcast::<String>().is_none());
    }

    #[test]
    fn is_where_its_iovec_says_though_it_moves() {
        let data = Data::many(vec![Buffer::new(3), Buffer::new(5)]);
        let moved = Box::new(data);
        let Data::Many { buffers, iovecs } = *moved else {
            unreachable!()
        };
        for (buffer, iovec) in buffers.iter().zip(&iovecs) {
            assert_eq!((buffer.address(), buffer.len()), (iovec.base, iovec.len));
        }
    }
}
