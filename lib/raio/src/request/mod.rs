// SPDX-License-Identifier: MIT OR Apache-2.0

mod head;
mod iocb;

pub(crate) use head::{Head, Position};

use crate::{
    data::{Data, Owner},
    deadline::Deadline,
    registered::sealed::File,
    Buffer, IoBuf, IoPriority, Operation, Readiness, RwFlags, SyncRangeFlags, Target,
};
use head::Range;
use std::{
    ops::RangeBounds,
    os::fd::AsFd,
    time::{Duration, Instant},
};

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
    pub(crate) head: Head<'fd>,
    pub(crate) data: Data,
}

impl<'fd> Request<'fd> {
    pub(crate) fn new(
        operation: Operation,
        file: File<'fd>,
        data: Data,
        position: Position,
    ) -> Self {
        Self {
            head: Head::new(operation, file, position),
            data,
        }
    }

    /// Reads into all of the buffer, from that offset of the file.
    pub fn read_at(file: impl Target<'fd>, buffer: Buffer, offset: u64) -> Self {
        let position = Position::At(offset);
        Self::new(Operation::Read, file.file(), Data::read(buffer), position)
    }

    /// Writes all of the buffer to that offset of the file.
    pub fn write_at(file: impl Target<'fd>, buffer: Buffer, offset: u64) -> Self {
        let position = Position::At(offset);
        Self::new(Operation::Write, file.file(), Data::write(buffer), position)
    }

    /// Reads into the buffers, one after the other.
    ///
    /// More than [`MAX_SEGMENTS`](Self::MAX_SEGMENTS) are an error of the submission.
    pub fn read_vectored_at(file: impl Target<'fd>, buffers: Vec<Buffer>, offset: u64) -> Self {
        let (data, position) = (Data::many(buffers), Position::At(offset));
        Self::new(Operation::ReadVectored, file.file(), data, position)
    }

    /// Writes the buffers, one after the other.
    ///
    /// More than [`MAX_SEGMENTS`](Self::MAX_SEGMENTS) are an error of the submission.
    pub fn write_vectored_at(file: impl Target<'fd>, buffers: Vec<Buffer>, offset: u64) -> Self {
        let (data, position) = (Data::many(buffers), Position::At(offset));
        Self::new(Operation::WriteVectored, file.file(), data, position)
    }

    /// Reads from a stream, or at the position of the open file, which it moves, as
    /// read(2).
    ///
    /// The file position wants a module that has it
    /// ([`Info::has_file_position`](crate::Info::has_file_position)); streams do not.
    pub fn read(file: impl Target<'fd>, buffer: Buffer) -> Self {
        Self::read_at(file, buffer, 0).at_file_position()
    }

    /// Writes to a stream, or at the position of the open file, which it moves, as
    /// write(2).  See [`read`](Self::read).
    pub fn write(file: impl Target<'fd>, buffer: Buffer) -> Self {
        Self::write_at(file, buffer, 0).at_file_position()
    }

    /// [`read_vectored_at`](Self::read_vectored_at) where [`read`](Self::read) reads.
    pub fn read_vectored(file: impl Target<'fd>, buffers: Vec<Buffer>) -> Self {
        Self::read_vectored_at(file, buffers, 0).at_file_position()
    }

    /// [`write_vectored_at`](Self::write_vectored_at) where [`write`](Self::write) writes.
    pub fn write_vectored(file: impl Target<'fd>, buffers: Vec<Buffer>) -> Self {
        Self::write_vectored_at(file, buffers, 0).at_file_position()
    }

    fn at_file_position(mut self) -> Self {
        self.head.position = Position::Current;
        self
    }

    fn without_data(operation: Operation, file: File<'fd>) -> Self {
        Self::new(operation, file, Data::None, Position::At(0))
    }

    /// Makes all that was written to the file before durable: see
    /// [`with_range`](Self::with_range) for a part of it.
    pub fn fsync(file: impl Target<'fd>) -> Self {
        Self::without_data(Operation::Fsync, file.file())
    }

    /// As [`fsync`](Self::fsync), without metadata that reading does not need.
    pub fn fdsync(file: impl Target<'fd>) -> Self {
        Self::without_data(Operation::Fdsync, file.file())
    }

    /// Writes pages of a part of the file to the device, as sync_file_range(2): it makes
    /// **nothing durable** by itself, but spreads the work of a later fsync.  A `len` of 0
    /// is to the end.
    ///
    /// It wants [`Info::has_sync_range`](crate::Info::has_sync_range).
    pub fn sync_file_range(
        file: impl Target<'fd>,
        offset: u64,
        len: u64,
        flags: SyncRangeFlags,
    ) -> Self {
        let mut request = Self::without_data(Operation::SyncFileRange, file.file());
        request.head.range = Some(Range { offset, len, flags });
        request
    }

    /// Waits, once, until the file is ready for one of the `events`, or has an
    /// error or was hung up.
    pub fn poll(file: impl Target<'fd>, events: Readiness) -> Self {
        let mut request = Self::without_data(Operation::Poll, file.file());
        request.head.events = events;
        request
    }

    /// Nothing but a part of the buffer is read into or written.  All of the buffer comes
    /// back.
    ///
    /// ```
    /// # use raio::{Buffer, Request};
    /// # let file = std::fs::File::open("/dev/zero").unwrap();
    /// // To the second half.
    /// let request = Request::read_at(&file, Buffer::new(8192), 0).with_slice(4096..);
    /// ```
    ///
    /// # Panics
    ///
    /// If the buffer does not have this part, or the request has not one buffer.
    pub fn with_slice(self, range: impl RangeBounds<usize>) -> Self {
        let Data::One(Owner::Buffer(buffer), _) = self.data else {
            panic!("not a request with one buffer");
        };
        let slice = buffer.slice(range);
        let (begin, len) = (slice.begin(), slice.buf_capacity());
        // The owner is the buffer itself, so that it comes back as such.
        let Data::One(owner, span) = Data::read(slice.into_inner()) else {
            unreachable!("it is one");
        };
        let mut span = span.after(begin);
        span.len = len;
        Self {
            head: self.head,
            data: Data::One(owner, span),
        }
    }

    /// A word that comes back with the completion.
    pub fn with_user_data(mut self, user_data: u64) -> Self {
        self.head.user_data = user_data;
        self
    }

    /// How it reads or writes.  Only transfers take flags: for others they are an
    /// error of the submission.
    pub fn with_flags(mut self, flags: RwFlags) -> Self {
        self.head.flags = flags;
        self
    }

    /// The I/O priority of a transfer; else it is that of the thread that submits.
    pub fn with_priority(mut self, priority: IoPriority) -> Self {
        self.head.priority = Some(priority);
        self
    }

    /// One try: what can't go on ends with `EAGAIN`
    /// ([`WouldBlock`](std::io::ErrorKind::WouldBlock)).  The same as the flag
    /// [`NOWAIT`](RwFlags::NOWAIT).
    ///
    /// A stream that is `O_NONBLOCK` gives one try to all requests of a context, as the kernel
    /// sees it; where a context is asked directly that is what comes back, and a
    /// [`poll`](Self::poll) tells when to try again.  (It can't try again by itself: the file
    /// was borrowed for the submission only.)  The futures of module `tokio` do so, but for
    /// requests that are `nonblocking`.
    pub fn nonblocking(mut self) -> Self {
        self.head.flags |= RwFlags::NOWAIT;
        self
    }

    /// If it is not over after that time, it is cancelled.  Its result is `ETIME` then,
    /// ([`is_timed_out`](crate::Completion::is_timed_out)), and
    /// [`moved`](crate::Completion::moved) says what was done of it.
    ///
    /// What can't be cancelled (a driver has it) ends as it ends, later.  It wants
    /// [`Info::has_deadline`](crate::Info::has_deadline).
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.head.deadline = Some(Deadline::After(timeout));
        self
    }

    /// [`with_timeout`](Self::with_timeout), until that time.
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.head.deadline = Some(Deadline::At(deadline));
        self
    }

    /// It begins when all that was submitted to the context before is over, and what is
    /// submitted after it begins when it is over: `IOSQE_IO_DRAIN` of io_uring.
    ///
    /// So an fsync that is a barrier makes durable what was submitted before.  It wants
    /// [`Info::has_barrier`](crate::Info::has_barrier).
    pub fn with_barrier(mut self) -> Self {
        self.head.barrier = true;
        self
    }

    /// An [`fsync`](Self::fsync) or [`fdsync`](Self::fdsync) of a part of the file.  A `len`
    /// of 0 is to the end.  For others it is an error of the submission.
    ///
    /// It wants [`Info::has_sync_range`](crate::Info::has_sync_range).
    pub fn with_range(mut self, offset: u64, len: u64) -> Self {
        let flags = SyncRangeFlags::empty();
        self.head.range = Some(Range { offset, len, flags });
        self
    }

    /// An eventfd that counts when the completion can be taken.
    pub fn with_eventfd(mut self, eventfd: &'fd impl AsFd) -> Self {
        self.head.eventfd = Some(eventfd.as_fd());
        self
    }

    /// What it does.
    pub fn operation(&self) -> Operation {
        self.head.operation
    }

    /// The buffer of a request that is not wanted any more.
    pub fn into_buffer(self) -> Option<Buffer> {
        match self.data {
            Data::One(owner, _) => owner.downcast(),
            Data::None | Data::Many { .. } => None,
        }
    }

    /// The buffers of a vectored request that is not wanted any more.
    pub fn into_buffers(self) -> Vec<Buffer> {
        match self.data {
            Data::Many { buffers, .. } => buffers,
            Data::None | Data::One(..) => Vec::new(),
        }
    }

    /// What lives on when it was submitted: what it is, what it owns, its word.
    pub(crate) fn into_parts(self) -> (Operation, Data, u64) {
        (self.head.operation, self.data, self.head.user_data)
    }
}

impl Request<'static> {
    /// The largest number of buffers of a vectored request: `IOV_MAX`.
    pub const MAX_SEGMENTS: usize = 1024;

    /// Nothing but a completion.
    pub fn noop() -> Self {
        Self::without_data(Operation::Noop, File::None)
    }
}
