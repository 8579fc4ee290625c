// SPDX-License-Identifier: GPL-2.0

//! Operations: one file each.
//!
//! An operation is prepared, which may fail with io_submit's errno, and then issued, which does
//! not fail: whatever happens from then on is the event's.

mod fsync;
mod noop;
mod rw;

use crate::{
    request::Request,
    sys::{
        fs::Direction,
        uapi::{
            iocb,
            IOCB_CMD_FDSYNC,
            IOCB_CMD_FSYNC,
            IOCB_CMD_NOOP,
            IOCB_CMD_PREAD,
            IOCB_CMD_PWRITE,
            IOCB_FLAG_IOPRIO,
            IOCB_FLAG_RESFD, //
        }, //
    }, //
};
use kernel::prelude::*;

/// A prepared operation.
#[derive(Clone, Copy)]
pub(crate) enum Op {
    /// PREAD, PWRITE.
    Rw,
    /// FSYNC; FDSYNC if it is for data alone.
    Fsync {
        /// Whether metadata that is not needed to read the data may be left out.
        datasync: bool,
    },
    /// NOOP.
    Noop,
}

/// The operations that are served, as bits 1 << IOCB_CMD_*.
pub(crate) const SERVED: u64 = 1 << IOCB_CMD_PREAD
    | 1 << IOCB_CMD_PWRITE
    | 1 << IOCB_CMD_FSYNC
    | 1 << IOCB_CMD_FDSYNC
    | 1 << IOCB_CMD_NOOP;

/// Whether the operation needs a file.
pub(crate) fn needs_file(iocb: &iocb) -> bool {
    u32::from(iocb.aio_lio_opcode) != IOCB_CMD_NOOP
}

/// Prepares what `iocb` asks for.
///
/// EINVAL for operations and flags that are not served, and the operation's own errors. Process
/// context, may sleep.
pub(crate) fn prep(request: &mut Request, iocb: &iocb) -> Result<Op> {
    if iocb.aio_flags & (IOCB_FLAG_RESFD | IOCB_FLAG_IOPRIO) != 0 {
        return Err(EINVAL);
    }
    match u32::from(iocb.aio_lio_opcode) {
        IOCB_CMD_PREAD => rw::prep(request, iocb, Direction::Read),
        IOCB_CMD_PWRITE => rw::prep(request, iocb, Direction::Write),
        IOCB_CMD_FSYNC => fsync::prep(request, iocb, false),
        IOCB_CMD_FDSYNC => fsync::prep(request, iocb, true),
        IOCB_CMD_NOOP => Ok(Op::Noop),
        _ => Err(EINVAL),
    }
}

/// Issues a prepared operation: it is over, in flight or queued afterwards.
///
/// Process context, in the submitter's address space.
pub(crate) fn issue(request: Request, op: Op) {
    match op {
        Op::Rw => rw::issue(request),
        Op::Fsync { .. } => fsync::issue(request, op),
        Op::Noop => noop::issue(request),
    }
}

/// Runs an operation that was put on a work queue. Process context, a worker.
pub(crate) fn run(mut request: Request) {
    match request.private().queued.take() {
        Some(Op::Fsync { datasync }) => fsync::run(request, datasync),
        // No other operation is queued.
        _ => request.complete(EINVAL.to_errno() as isize),
    }
}
