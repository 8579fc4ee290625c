// SPDX-License-Identifier: MIT OR Apache-2.0

#[cfg(feature = "tokio")]
use crate::data::Span;
use crate::{
    data::{Data, Foreign, Owner},
    sys, Buffer, Operation, Readiness,
};
use std::io;

/// The name of a request that was submitted, to cancel it by.
///
/// No other request, of this context or another, ever has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// Which context of this process.
    pub(crate) context: u64,
    pub(crate) index: u32,
    pub(crate) generation: u64,
}

impl RequestId {
    /// Of a request that was never taken.
    #[cfg(feature = "tokio")]
    pub(crate) const NONE: Self = Self {
        context: 0,
        index: 0,
        generation: 0,
    };
}

/// A request that has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Completion {
    /// What was submitted.
    pub id: RequestId,
    /// What it was to do.
    pub operation: Operation,
    /// What went wrong, or the number of bytes of a transfer, the
    /// [`Readiness`] of a poll as a number, or 0.  See [`output`](Self::output).
    pub result: io::Result<usize>,
    /// The bytes that a transfer has moved, though it failed: of one whose time was over
    /// ([`Request::with_timeout`](crate::Request::with_timeout)), it may be more than 0.
    pub moved: usize,
    /// The buffer of a read or write.
    pub buffer: Option<Buffer>,
    /// The buffers of a vectored read or write.
    pub buffers: Vec<Buffer>,
    /// As given to [`Request::with_user_data`](crate::Request::with_user_data).
    pub user_data: u64,
    /// A buffer of another type.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    pub(crate) foreign: Option<Foreign>,
}

/// What came of a request, by what it was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Of a transfer: the number of bytes.
    Bytes(usize),
    /// Of a poll: what is there.
    Ready(Readiness),
    /// Of all others: it is done.
    Done,
}

impl Completion {
    pub(crate) fn new(
        id: RequestId,
        (operation, data, user_data): (Operation, Data, u64),
        result: io::Result<usize>,
        moved: usize,
    ) -> Self {
        let (mut buffer, mut buffers, mut foreign) = (None, Vec::new(), None);
        match data {
            Data::None => {}
            Data::One(Owner::Buffer(one), _) => buffer = Some(one),
            Data::One(Owner::Other(other), _) => foreign = Some(other),
            Data::Many { buffers: many, .. } => buffers = many,
        }
        Self {
            id,
            operation,
            result,
            moved,
            buffer,
            buffers,
            user_data,
            foreign,
        }
    }

    /// What the request has owned, to be submitted again with that part of it.
    #[cfg(feature = "tokio")]
    pub(crate) fn take_data(&mut self, span: Span) -> Data {
        if let Some(buffer) = self.buffer.take() {
            Data::One(Owner::Buffer(buffer), span)
        } else if let Some(foreign) = self.foreign.take() {
            Data::One(Owner::Other(foreign), span)
        } else {
            Data::many(std::mem::take(&mut self.buffers))
        }
    }

    /// The buffer, if it is one of that type.
    #[cfg(feature = "tokio")]
    pub(crate) fn take_buf<B: crate::IoBuf>(&mut self) -> Option<B> {
        match self.take_data(Span::EMPTY) {
            Data::One(owner, _) => owner.downcast(),
            Data::None | Data::Many { .. } => None,
        }
    }

    /// The result, by what the request was to do.
    pub fn output(&self) -> Result<Output, &io::Error> {
        let value = *self.result.as_ref()?;
        Ok(match self.operation {
            Operation::Read
            | Operation::Write
            | Operation::ReadVectored
            | Operation::WriteVectored => Output::Bytes(value),
            Operation::Poll => Output::Ready(Readiness::from_bits(value as u16)),
            Operation::Fsync | Operation::Fdsync | Operation::SyncFileRange | Operation::Noop => {
                Output::Done
            }
        })
    }

    /// Whether its time was over before it was; what it has [`moved`](Self::moved) is told.
    pub fn is_timed_out(&self) -> bool {
        matches!(&self.result, Err(error) if error.raw_os_error() == Some(libc::ETIME))
    }

    /// Whether it was cancelled before anything was moved.
    pub fn is_cancelled(&self) -> bool {
        matches!(&self.result, Err(error) if error.raw_os_error() == Some(libc::ECANCELED))
    }
}

/// The kernel's `res`: a number, or a negative errno.
pub(crate) fn result(res: i64) -> io::Result<usize> {
    usize::try_from(res).map_err(|_| {
        let errno = i32::try_from(res.unsigned_abs()).unwrap_or(libc::EIO);
        io::Error::from_raw_os_error(errno)
    })
}

/// The bytes that a transfer has moved, by what its event says.
pub(crate) fn moved(operation: Operation, event: &sys::io_event) -> usize {
    let bytes = match event.res {
        res if res >= 0 && operation.is_transfer() => res,
        res if res == -i64::from(libc::ETIME) => event.res2,
        _ => 0,
    };
    usize::try_from(bytes).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_res_is_an_errno() {
        assert_eq!(result(5).unwrap(), 5);
        assert_eq!(result(-2).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        assert_eq!(
            result(i64::MIN).unwrap_err().raw_os_error(),
            Some(libc::EIO)
        );
    }

    #[test]
    fn what_was_moved_is_in_one_of_two_places() {
        let event = |res, res2| sys::io_event {
            res,
            res2,
            ..sys::io_event::default()
        };
        assert_eq!(moved(Operation::Write, &event(5, 0)), 5);
        assert_eq!(moved(Operation::Poll, &event(5, 0)), 0);
        assert_eq!(moved(Operation::Write, &event(-62, 3)), 3);
        assert_eq!(moved(Operation::Write, &event(-62, -1)), 0);
        assert_eq!(moved(Operation::Write, &event(-5, 3)), 0);
    }
}
