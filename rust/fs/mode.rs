// SPDX-License-Identifier: GPL-2.0

//! How a file is called: in which direction, and what the call may wait for.

use crate::sys::{
    bindings,
    task::{
        MayBlock,
        MayFault, //
    }, //
};
use kernel::prelude::*;

/// How a try may wait.
#[derive(Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// As the file does.
    Block(MayBlock<'a>),
    /// IOCB_NOWAIT: not at all.
    Nowait,
    /// IOCB_NOWAIT and IOCB_NOIO: nor does it start a read of the device.
    Cached,
    /// IOCB_WAITQ: for the device's queue, but not for pages.
    PageWait(MayBlock<'a>),
    /// As the file does, which does not wait; but not for a frozen file system.
    Inline,
}

impl Mode<'_> {
    /// IOCB_*.
    #[inline(always)]
    pub(in crate::sys) fn flags(self) -> c_int {
        match self {
            Mode::Block(_) | Mode::Inline => 0,
            Mode::Nowait => bindings::IOCB_NOWAIT,
            Mode::Cached => bindings::IOCB_NOWAIT | bindings::IOCB_NOIO,
            Mode::PageWait(_) => bindings::IOCB_WAITQ,
        }
    }

    /// Whether a file may say that it would have to wait.
    pub(crate) fn is_nowait(self) -> bool {
        matches!(self, Mode::Nowait | Mode::Cached)
    }
}

/// Whether a try may wait for the program's memory.
#[derive(Clone, Copy)]
pub(crate) enum Faults<'a> {
    /// As long as it takes.
    Wait(MayFault<'a>),
    /// No: what is not there ends the try.
    Fail,
}
