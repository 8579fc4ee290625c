// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{
    deadline::Deadline, registered::sealed::File, IoPriority, Operation, Readiness, RwFlags,
    SyncRangeFlags,
};
use std::os::fd::{AsRawFd, BorrowedFd};

/// All of a request but what it owns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'fd> {
    pub(crate) operation: Operation,
    pub(crate) file: File<'fd>,
    pub(crate) eventfd: Option<BorrowedFd<'fd>>,
    pub(crate) position: Position,
    pub(crate) flags: RwFlags,
    pub(super) priority: Option<IoPriority>,
    pub(super) events: Readiness,
    pub(super) range: Option<Range>,
    pub(crate) deadline: Option<Deadline>,
    pub(super) barrier: bool,
    pub(super) user_data: u64,
}

/// Where a transfer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    At(u64),
    /// At the position of the open file, which it moves.
    Current,
}

impl Position {
    /// Where it goes on after so many bytes.
    #[cfg(feature = "tokio")]
    pub(crate) fn after(self, bytes: usize) -> Self {
        match self {
            Self::At(offset) => Self::At(offset.saturating_add(bytes as u64)),
            Self::Current => Self::Current,
        }
    }
}

/// A part of a file that is synchronised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) flags: SyncRangeFlags,
}

impl<'fd> Head<'fd> {
    pub(crate) fn new(operation: Operation, file: File<'fd>, position: Position) -> Self {
        Self {
            operation,
            file,
            eventfd: None,
            position,
            flags: RwFlags::empty(),
            priority: None,
            events: Readiness::empty(),
            range: None,
            deadline: None,
            barrier: false,
            user_data: 0,
        }
    }

    /// A poll of its file, until the same time.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll(&self, events: Readiness) -> Self {
        Self {
            events,
            deadline: self.deadline,
            ..Self::new(Operation::Poll, self.file, Position::At(0))
        }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn barrier(&mut self) {
        self.barrier = true;
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn deadline_at(&mut self, deadline: std::time::Instant) {
        self.deadline = Some(Deadline::At(deadline));
    }

    /// Whether it has a position of its own, or is a stream.
    pub(super) fn is_seekable(&self) -> bool {
        match self.file {
            File::None | File::Fixed(_) => true,
            // SAFETY: It changes nothing.
            File::Open(fd) => unsafe { libc::lseek(fd.as_raw_fd(), 0, libc::SEEK_CUR) >= 0 },
        }
    }
}
