// SPDX-License-Identifier: GPL-2.0

//! How the issue call may wait.

use crate::sys::{
    bindings,
    task::{
        MayBlock,
        MayFault, //
    }, //
};
use kernel::prelude::*;

/// How a try may wait for the file.
#[derive(Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// Without a flag: as the file does.
    Block(MayBlock<'a>),
    /// IOCB_NOWAIT: the try does not wait.
    Nowait,
    /// IOCB_NOWAIT and IOCB_NOIO: the try neither waits nor starts a read of the device.
    Cached,
    /// IOCB_WAITQ: the try may wait for the device's queue, but not for pages.
    PageWait(MayBlock<'a>),
    /// Without a flag, for a file that does not wait. The try does not wait for a frozen file
    /// system either.
    Inline,
}

impl Mode<'_> {
    /// The IOCB_* flags.
    #[inline(always)]
    pub(in crate::sys) fn flags(self) -> c_int {
        match self {
            Mode::Block(_) | Mode::Inline => 0,
            Mode::Nowait => bindings::IOCB_NOWAIT,
            Mode::Cached => bindings::IOCB_NOWAIT | bindings::IOCB_NOIO,
            Mode::PageWait(_) => bindings::IOCB_WAITQ,
        }
    }

    /// Whether the file may return that it would have to wait.
    pub(crate) fn is_nowait(self) -> bool {
        matches!(self, Mode::Nowait | Mode::Cached)
    }
}

/// Whether a try may wait for page faults of the program's memory.
#[derive(Clone, Copy)]
pub(crate) enum Faults<'a> {
    /// Yes, as long as they take.
    Wait(MayFault<'a>),
    /// No: a page fault ends the try.
    Fail,
}
