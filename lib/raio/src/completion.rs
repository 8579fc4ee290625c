// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{buffer::Data, Buffer, Operation, Readiness};
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
    /// The buffer of a read or write.
    pub buffer: Option<Buffer>,
    /// The buffers of a vectored read or write.
    pub buffers: Vec<Buffer>,
    /// As given to [`Request::with_user_data`](crate::Request::with_user_data).
    pub user_data: u64,
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
    ) -> Self {
        let (buffer, buffers) = data.into_buffers();
        Self {
            id,
            operation,
            result,
            buffer,
            buffers,
            user_data,
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
            Operation::Fsync | Operation::Fdsync | Operation::Noop => Output::Done,
        })
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
}
