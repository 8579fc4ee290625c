// SPDX-License-Identifier: GPL-2.0

//! What a request is for.

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
        /// What it waits for.
        events: Mask,
    },
    /// NOOP.
    #[default]
    Noop,
}

/// What is written back.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// A file; its data alone, without metadata that is not needed to read that, if it is for
    /// `datasync`.
    File { datasync: bool },
    /// Pages, as sync_file_range(2) does with these flags.
    Pages { flags: u8 },
}
