// SPDX-License-Identifier: GPL-2.0

//! Operations, one file each.
//!
//! An operation is prepared first, which may fail with an errno of io_submit. It is then run, which
//! does not fail: from there on every result is the event's.
//!
//! This room owns the operations, and the [`file_cache`] of a call of submit. It uses
//! [`engine`](crate::engine) and the rooms below that. It has no locks of its own, and takes
//! `Context::registered`, for the tables of registered files and buffers.

pub(crate) mod file_cache;
pub(crate) mod flags;
mod fsync;
mod noop;
mod poll;
mod rw;
mod wait;

use crate::{
    context::Context,
    engine::Place,
    pure::policy::{
        First,
        Policy, //
    },
    request::{
        Op,
        Over,
        Request,
        Running, //
    },
    sys::{
        eventfd::EventFd,
        task::{
            FullTask,
            WorkerTask, //
        },
        uapi::{
            iocb,
            IOCB_CMD_FDSYNC,
            IOCB_CMD_FSYNC,
            IOCB_CMD_NOOP,
            IOCB_CMD_POLL,
            IOCB_CMD_PREAD,
            IOCB_CMD_PREADV,
            IOCB_CMD_PWRITE,
            IOCB_CMD_PWRITEV,
            IOCB_FLAG_RESFD,
            RAIO_CMD_SYNC_FILE_RANGE,
            RAIO_IOCB_FLAG_FIXED_BUFFER,
            RAIO_IOCB_FLAG_FIXED_FILE, //
        },
        uio::Direction, //
    }, //
};
use file_cache::FileCache;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use wait::{
    arm,
    punt,
    Punted,
    Waiting, //
};
pub(crate) use wait::{
    prepare_to_hold,
    punt_behind, //
};

/// The supported operations, as bits 1 << IOCB_CMD_*.
pub(crate) const SERVED: u64 = 1 << IOCB_CMD_PREAD
    | 1 << IOCB_CMD_PWRITE
    | 1 << IOCB_CMD_FSYNC
    | 1 << IOCB_CMD_FDSYNC
    | 1 << IOCB_CMD_POLL
    | 1 << IOCB_CMD_NOOP
    | 1 << IOCB_CMD_PREADV
    | 1 << IOCB_CMD_PWRITEV
    | 1 << RAIO_CMD_SYNC_FILE_RANGE;

/// Whether the operation needs a file.
pub(crate) fn needs_file(iocb: &iocb) -> bool {
    u32::from(iocb.aio_lio_opcode) != IOCB_CMD_NOOP
}

/// Gets the eventfd for the event of `request`, if `iocb` has one. EBADF, EINVAL.
pub(crate) fn prep_eventfd(request: &mut Request, iocb: &iocb, cache: &FileCache<'_>) -> Result {
    if iocb.aio_flags & IOCB_FLAG_RESFD != 0 {
        request.private().eventfd = Some(EventFd::get(cache.task(), iocb.aio_resfd)?);
    }
    Ok(())
}

/// Prepares the operation of `iocb`.
///
/// EINVAL for an operation that is not supported, or an error of the operation. Process context, may
/// sleep.
#[inline(always)]
pub(crate) fn prep(request: &mut Request, iocb: &iocb, cache: &mut FileCache<'_>) -> Result {
    let (direction, vectored) = match u32::from(iocb.aio_lio_opcode) {
        IOCB_CMD_PREAD => (Direction::Read, false),
        IOCB_CMD_PWRITE => (Direction::Write, false),
        IOCB_CMD_PREADV => (Direction::Read, true),
        IOCB_CMD_PWRITEV => (Direction::Write, true),
        _ => return prep_other(request, iocb, cache),
    };
    rw::prep(request, iocb, cache, direction, vectored)
}

#[inline(never)]
fn prep_other(request: &mut Request, iocb: &iocb, cache: &mut FileCache<'_>) -> Result {
    match u32::from(iocb.aio_lio_opcode) {
        IOCB_CMD_FSYNC => fsync::prep(request, iocb, false),
        IOCB_CMD_FDSYNC => fsync::prep(request, iocb, true),
        RAIO_CMD_SYNC_FILE_RANGE => fsync::prep_pages(request, iocb),
        IOCB_CMD_POLL => poll::prep(request, iocb, cache),
        IOCB_CMD_NOOP => {
            request.begin(Op::Noop, &Policy::default(), 0);
            Ok(())
        }
        _ => Err(EINVAL),
    }
}

/// Completes an operation inline, without a request, and returns its result. `None` if it needs a
/// request. Errors are left to its preparation.
#[inline]
pub(crate) fn complete_inline(iocb: &iocb, cache: &mut FileCache<'_>) -> Option<isize> {
    let fixed = RAIO_IOCB_FLAG_FIXED_BUFFER | RAIO_IOCB_FLAG_FIXED_FILE;
    if iocb.aio_flags & !fixed != 0 || iocb.aio_rw_flags != 0 {
        return None;
    }
    match u32::from(iocb.aio_lio_opcode) {
        IOCB_CMD_NOOP => Some(0),
        IOCB_CMD_PREAD => rw::complete_inline(iocb, cache),
        _ => None,
    }
}

/// Whether a prepared operation transfers data to or from a device, with its first try in submit.
#[inline]
pub(crate) fn goes_to_device(request: &mut Request) -> bool {
    matches!(request.private().op, Op::Rw)
        && matches!(request.private().policy.first, First::Try(_))
        && request.transfer().is_direct_io()
}

/// Starts a prepared operation without an order, in the submitting task. As [`go`]. If the operation is
/// over, the caller publishes its event.
#[inline(always)]
pub(crate) fn start(
    context: &Arc<Context>,
    task: FullTask<'_>,
    mut request: Request,
) -> Result<Option<Over>> {
    match request.private().op {
        Op::Rw => rw::start(context, task, request),
        _ => go(context, request.run(), Place::Submit(task)).map(|()| None),
    }
}

/// Whether a prepared operation can be armed on its file without a try. Any context.
#[inline]
pub(crate) fn has_to_wait(request: &mut Request) -> bool {
    matches!(request.private().op, Op::Rw) && rw::has_to_wait(request)
}

/// Starts an operation for which [`has_to_wait`] returned true. As [`go`].
#[inline]
pub(crate) fn wait(context: &Arc<Context>, task: FullTask<'_>, run: Running) -> Result {
    rw::wait(context, task, run)
}

/// Runs a prepared operation. Afterwards it is over, armed, in flight or queued.
///
/// An error is submit's, and is only returned for a request that is being submitted. The request is
/// gone then. ERESTARTNOINTR, and EINVAL of a POLL.
pub(crate) fn go(context: &Arc<Context>, mut run: Running, place: Place<'_>) -> Result {
    match run.private().op {
        Op::Rw => rw::go(context, run, place),
        Op::Sync(what) => fsync::go(context, run, what, place),
        Op::Poll { events } => poll::go(context, run, events, place),
        Op::Noop => noop::go(run),
    }
}

/// Whether another task holds the lock of the request's file.
pub(crate) fn is_locked(run: &mut Running) -> bool {
    matches!(run.private().op, Op::Rw) && rw::is_locked(run)
}

/// Runs an accepted request to its end in a killed thread. The program's memory is accessed without
/// page faults.
pub(crate) fn finish_accepted(mut run: Running, task: WorkerTask<'_>) {
    match run.private().op {
        Op::Rw => rw::finish_accepted(run, task),
        Op::Sync(what) => fsync::finish_accepted(run, what, task),
        Op::Poll { .. } | Op::Noop => run.finish().complete_cancelled(),
    }
}

/// Whether a driver refused a request because it would have had to wait. Any context.
#[inline]
pub(crate) fn is_refused(request: &mut Request, result: isize) -> bool {
    rw::is_refused(request, result)
}

/// Whether an accepted request has to be continued, see [`rw::is_cut_off`]. Any context.
#[inline]
pub(crate) fn is_cut_off(request: &mut Request, result: isize) -> bool {
    rw::is_cut_off(request, result)
}

/// Completes a request that its driver has completed. Any context.
#[inline]
pub(crate) fn finish_driver(request: Request, result: isize) {
    rw::finish_driver(request, result);
}
