// SPDX-License-Identifier: GPL-2.0

//! The operation of a request.

use crate::sys::poll::Mask;

/// A prepared operation.
#[derive(Clone, Copy, Default)]
pub(crate) enum Op {
    /// PREAD, PWRITE, PREADV, PWRITEV.
    Rw,
    /// FSYNC, FDSYNC, SYNC_FILE_RANGE.
    Sync(What),
    /// POLL.
    Poll {
        /// The events that the poll waits for.
        events: Mask,
    },
    /// NOOP.
    #[default]
    Noop,
}

/// What an fsync writes back.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// A file. With `datasync` only its data, and the metadata that is needed to read it.
    File { datasync: bool },
    /// Pages, as sync_file_range(2) with these flags.
    Pages { flags: u8 },
}
