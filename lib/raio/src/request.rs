// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{
    buffer::Data,
    registered::{sealed::File, Registered},
    sys, Buffer, Error, IoPriority, Readiness, RwFlags, Target,
};
use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Request::read_at`].
    Read,
    /// [`Request::write_at`].
    Write,
    /// [`Request::read_vectored_at`].
    ReadVectored,
    /// [`Request::write_vectored_at`].
    WriteVectored,
    /// [`Request::fsync`].
    Fsync,
    /// [`Request::fdsync`].
    Fdsync,
    /// [`Request::poll`].
    Poll,
    /// [`Request::noop`].
    Noop,
}

impl Operation {
    pub(crate) const fn opcode(self) -> u16 {
        match self {
            Self::Read => sys::IOCB_CMD_PREAD,
            Self::Write => sys::IOCB_CMD_PWRITE,
            Self::ReadVectored => sys::IOCB_CMD_PREADV,
            Self::WriteVectored => sys::IOCB_CMD_PWRITEV,
            Self::Fsync => sys::IOCB_CMD_FSYNC,
            Self::Fdsync => sys::IOCB_CMD_FDSYNC,
            Self::Poll => sys::IOCB_CMD_POLL,
            Self::Noop => sys::IOCB_CMD_NOOP,
        }
    }
}

/// A number that no open file has.
const NO_FILE: u32 = u32::MAX;

/// Something to be done with a file.
///
/// It owns its buffers, and borrows the file only until it is submitted: from
/// then on the kernel holds a reference of its own.  A file that was registered with
/// the context is not borrowed at all: see [`FixedFile`](crate::FixedFile).
///
/// ```compile_fail,E0597
/// # use raio::{Buffer, Request};
/// let request = {
///     let file = std::fs::File::open("/etc/os-release").unwrap();
///     Request::read_at(&file, Buffer::new(512), 0)
/// };
/// println!("{request:?}");
/// ```
///
/// The end of the file, if it has no other reference, comes when the request has
/// ended; a `File` may be dropped as soon as the request is submitted.
#[derive(Debug)]
#[must_use = "a request does nothing until it is submitted"]
pub struct Request<'fd> {
    operation: Operation,
    file: File<'fd>,
    eventfd: Option<BorrowedFd<'fd>>,
    offset: u64,
    flags: RwFlags,
    priority: Option<IoPriority>,
    events: Readiness,
    data: Data,
    user_data: u64,
}

impl<'fd> Request<'fd> {
    fn new(operation: Operation, file: File<'fd>, data: Data) -> Self {
        Self {
            operation,
            file,
            eventfd: None,
            offset: 0,
            flags: RwFlags::empty(),
            priority: None,
            events: Readiness::empty(),
            data,
            user_data: 0,
        }
    }

    fn transfer(operation: Operation, file: File<'fd>, data: Data, offset: u64) -> Self {
        Self {
            offset,
            ..Self::new(operation, file, data)
        }
    }

    /// Reads into all of the buffer, from that offset of the file.  A stream, as a
    /// pipe, wants 0.
    pub fn read_at(file: impl Target<'fd>, buffer: Buffer, offset: u64) -> Self {
        Self::transfer(Operation::Read, file.file(), Data::One(buffer), offset)
    }

    /// Writes all of the buffer to that offset of the file.
    pub fn write_at(file: impl Target<'fd>, buffer: Buffer, offset: u64) -> Self {
        Self::transfer(Operation::Write, file.file(), Data::One(buffer), offset)
    }

    /// Reads into the buffers, one after the other.
    ///
    /// More than [`MAX_SEGMENTS`](Self::MAX_SEGMENTS) are an error of the submission.
    pub fn read_vectored_at(file: impl Target<'fd>, buffers: Vec<Buffer>, offset: u64) -> Self {
        Self::transfer(
            Operation::ReadVectored,
            file.file(),
            Data::many(buffers),
            offset,
        )
    }

    /// Writes the buffers, one after the other.
    ///
    /// More than [`MAX_SEGMENTS`](Self::MAX_SEGMENTS) are an error of the submission.
    pub fn write_vectored_at(file: impl Target<'fd>, buffers: Vec<Buffer>, offset: u64) -> Self {
        Self::transfer(
            Operation::WriteVectored,
            file.file(),
            Data::many(buffers),
            offset,
        )
    }

    /// Makes all that was written to the file before durable.
    pub fn fsync(file: impl Target<'fd>) -> Self {
        Self::new(Operation::Fsync, file.file(), Data::None)
    }

    /// As [`fsync`](Self::fsync), without metadata that reading does not need.
    pub fn fdsync(file: impl Target<'fd>) -> Self {
        Self::new(Operation::Fdsync, file.file(), Data::None)
    }

    /// Waits, once, until the file is ready for one of the `events`, or has an
    /// error or was hung up.
    pub fn poll(file: impl Target<'fd>, events: Readiness) -> Self {
        Self {
            events,
            ..Self::new(Operation::Poll, file.file(), Data::None)
        }
    }

    /// A word that comes back with the completion.
    pub fn with_user_data(mut self, user_data: u64) -> Self {
        self.user_data = user_data;
        self
    }

    /// How it reads or writes.  Only transfers take flags: for others they are an
    /// error of the submission.
    pub fn with_flags(mut self, flags: RwFlags) -> Self {
        self.flags = flags;
        self
    }

    /// The I/O priority of a transfer; else it is that of the thread that submits.
    pub fn with_priority(mut self, priority: IoPriority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// An eventfd that counts when the completion can be taken.
    pub fn with_eventfd(mut self, eventfd: &'fd impl AsFd) -> Self {
        self.eventfd = Some(eventfd.as_fd());
        self
    }

    /// What it does.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The buffer of a request that is not wanted any more.
    pub fn into_buffer(self) -> Option<Buffer> {
        self.data.into_buffers().0
    }

    /// The buffers of a vectored request that is not wanted any more.
    pub fn into_buffers(self) -> Vec<Buffer> {
        self.data.into_buffers().1
    }

    pub(crate) fn segments(&self) -> usize {
        match &self.data {
            Data::Many { buffers, .. } => buffers.len(),
            _ => 0,
        }
    }

    /// What lives on when it was submitted: what it is, what it owns, its word.
    pub(crate) fn into_parts(self) -> (Operation, Data, u64) {
        (self.operation, self.data, self.user_data)
    }

    /// Whether its file is one that is not registered with the context, or no more.
    pub(crate) fn lacks_file(&self, registered: &Registered) -> bool {
        matches!(self.file, File::Fixed(file) if file.index_in(registered).is_none())
    }

    /// For a context that has registered that.
    pub(crate) fn iocb(&self, data: u64, registered: &Registered) -> sys::iocb {
        let (address, len) = self.data.address_and_len();
        let mut iocb = sys::iocb {
            aio_data: data,
            aio_lio_opcode: self.operation.opcode(),
            aio_fildes: NO_FILE,
            aio_buf: address as u64,
            aio_nbytes: len as u64,
            // What is too large becomes negative, and the kernel says EINVAL.
            aio_offset: self.offset as i64,
            aio_rw_flags: self.flags.bits() as i32,
            ..sys::iocb::default()
        };
        match self.file {
            File::None => {}
            File::Open(fd) => iocb.aio_fildes = fd.as_raw_fd() as u32,
            // Else it is refused: its index may be that of another file here.
            File::Fixed(file) => {
                if let Some(index) = file.index_in(registered) {
                    iocb.aio_flags |= sys::RAIO_IOCB_FLAG_FIXED_FILE;
                    iocb.aio_fildes = index;
                }
            }
        }
        if let Some(index) = self.data.fixed_buffer(registered) {
            iocb.aio_flags |= sys::RAIO_IOCB_FLAG_FIXED_BUFFER;
            iocb.aio_reserved2 = index.into();
        }
        if self.operation == Operation::Poll {
            iocb.aio_buf = self.events.bits().into();
        }
        if let Some(priority) = self.priority {
            iocb.aio_flags |= sys::IOCB_FLAG_IOPRIO;
            iocb.aio_reqprio = priority.bits() as i16;
        }
        if let Some(eventfd) = self.eventfd {
            iocb.aio_flags |= sys::IOCB_FLAG_RESFD;
            iocb.aio_resfd = eventfd.as_raw_fd() as u32;
        }
        iocb
    }
}

impl Request<'static> {
    /// The largest number of buffers of a vectored request: `IOV_MAX`.
    pub const MAX_SEGMENTS: usize = 1024;

    /// Nothing but a completion.
    pub fn noop() -> Self {
        Self::new(Operation::Noop, File::None, Data::None)
    }
}

/// A request that was not taken, and why.
pub struct Rejected<'fd>(Box<(Request<'fd>, Error)>);

impl<'fd> Rejected<'fd> {
    pub(crate) fn new(request: Request<'fd>, error: Error) -> Self {
        Self(Box::new((request, error)))
    }

    /// Why.
    pub fn error(&self) -> &Error {
        &self.0 .1
    }

    /// The request, with its buffers, and why it was not taken.
    pub fn into_parts(self) -> (Request<'fd>, Error) {
        *self.0
    }
}

impl From<Rejected<'_>> for Error {
    fn from(rejected: Rejected<'_>) -> Self {
        rejected.into_parts().1
    }
}

impl From<Rejected<'_>> for io::Error {
    fn from(rejected: Rejected<'_>) -> Self {
        Error::from(rejected).into()
    }
}

impl fmt::Debug for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("request", &self.0 .0)
            .field("error", &self.0 .1)
            .finish()
    }
}

impl fmt::Display for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl std::error::Error for Rejected<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noop_has_no_file() {
        let iocb = Request::noop().iocb(7, &Registered::NONE);
        assert_eq!(iocb.aio_lio_opcode, sys::IOCB_CMD_NOOP);
        assert_eq!((iocb.aio_data, iocb.aio_fildes), (7, u32::MAX));
    }

    #[test]
    fn fields_go_where_the_kernel_looks() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let iocb = Request::write_at(&file, Buffer::new(3), 9)
            .with_flags(RwFlags::APPEND)
            .with_priority(IoPriority::idle())
            .with_eventfd(&file)
            .iocb(0, &Registered::NONE);
        assert_eq!((iocb.aio_nbytes, iocb.aio_offset), (3, 9));
        assert_eq!(iocb.aio_rw_flags, libc::RWF_APPEND);
        assert_eq!(iocb.aio_reqprio as u16, 3 << 13);
        assert_eq!(iocb.aio_flags, sys::IOCB_FLAG_RESFD | sys::IOCB_FLAG_IOPRIO);
        assert_eq!(iocb.aio_resfd, file.as_raw_fd() as u32);

        let poll = Request::poll(&file, Readiness::IN | Readiness::RDHUP);
        let iocb = poll.iocb(0, &Registered::NONE);
        assert_eq!(iocb.aio_buf, 0x2001);
        assert_eq!((iocb.aio_nbytes, iocb.aio_flags), (0, 0));
    }
}
