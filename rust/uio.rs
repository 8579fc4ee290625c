// SPDX-License-Identifier: GPL-2.0

//! The direction of a transfer.
//!
//! C header: [`include/linux/uio.h`](srctree/include/linux/uio.h)

use super::bindings;
use kernel::prelude::*;

/// The direction of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// From the file.
    Read,
    /// To the file.
    Write,
}

impl Direction {
    /// READ or WRITE, which are also ITER_DEST and ITER_SOURCE.
    pub(in crate::sys) fn rw(self) -> c_int {
        match self {
            Direction::Read => bindings::READ as c_int,
            Direction::Write => bindings::WRITE as c_int,
        }
    }
}
