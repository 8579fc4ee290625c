// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{sys, Buffer};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

/// Something to be done with a file.
///
/// It borrows the file only until it is submitted: from then on the kernel
/// holds a reference of its own.
#[derive(Debug)]
pub struct Request<'fd> {
    opcode: u16,
    fd: BorrowedFd<'fd>,
    offset: u64,
    pub(crate) buffer: Option<Buffer>,
    pub(crate) user_data: u64,
}

impl<'fd> Request<'fd> {
    fn new(opcode: u16, fd: &'fd impl AsFd, buffer: Option<Buffer>) -> Self {
        Self {
            opcode,
            fd: fd.as_fd(),
            offset: 0,
            buffer,
            user_data: 0,
        }
    }

    /// Reads into all of the buffer, from that offset of the file.
    pub fn read(fd: &'fd impl AsFd, buffer: Buffer, offset: u64) -> Self {
        Self {
            offset,
            ..Self::new(sys::IOCB_CMD_PREAD, fd, Some(buffer))
        }
    }

    /// Writes all of the buffer to that offset of the file.
    pub fn write(fd: &'fd impl AsFd, buffer: Buffer, offset: u64) -> Self {
        Self {
            offset,
            ..Self::new(sys::IOCB_CMD_PWRITE, fd, Some(buffer))
        }
    }

    /// Makes all that was written to the file before durable.
    pub fn fsync(fd: &'fd impl AsFd) -> Self {
        Self::new(sys::IOCB_CMD_FSYNC, fd, None)
    }

    /// As [`fsync`](Self::fsync), without metadata that reading does not need.
    pub fn fdsync(fd: &'fd impl AsFd) -> Self {
        Self::new(sys::IOCB_CMD_FDSYNC, fd, None)
    }

    /// A word that comes back with the completion.
    #[must_use]
    pub fn with_user_data(mut self, user_data: u64) -> Self {
        self.user_data = user_data;
        self
    }

    /// The buffer of a request that is not wanted any more.
    pub fn into_buffer(self) -> Option<Buffer> {
        self.buffer
    }

    pub(crate) fn iocb(&self, data: u64) -> sys::iocb {
        let (address, len) = match &self.buffer {
            Some(buffer) => (buffer.address(), buffer.len() as u64),
            None => (0, 0),
        };
        sys::iocb {
            aio_data: data,
            aio_lio_opcode: self.opcode,
            aio_fildes: self.fd.as_raw_fd() as u32,
            aio_buf: address,
            aio_nbytes: len,
            // What is too large becomes negative, and the kernel says EINVAL.
            aio_offset: self.offset as i64,
            ..sys::iocb::default()
        }
    }
}

/// A request that has ended.
#[derive(Debug)]
pub struct Completion {
    /// The number of bytes, or what went wrong.
    pub result: io::Result<usize>,
    /// The buffer of the request, if it had one.
    pub buffer: Option<Buffer>,
    /// As given to [`Request::with_user_data`].
    pub user_data: u64,
}
