// SPDX-License-Identifier: GPL-2.0

//! Operations: one file each.
//!
//! An operation is prepared, which may fail with io_submit's errno, and then run, which does not
//! fail: whatever happens from then on is the event's.

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

/// The operations that are served, as bits 1 << IOCB_CMD_*.
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

/// Gets the eventfd that is to count the event, if there is one. EBADF, EINVAL.
pub(crate) fn prep_eventfd(request: &mut Request, iocb: &iocb, cache: &FileCache<'_>) -> Result {
    if iocb.aio_flags & IOCB_FLAG_RESFD != 0 {
        request.private().eventfd = Some(EventFd::get(cache.task(), iocb.aio_resfd)?);
    }
    Ok(())
}

/// Prepares what `iocb` asks for.
///
/// EINVAL for operations that are not served, and the operation's own errors. Process context,
/// may sleep.
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

/// The result of an operation that is over at once, without a request: nobody need wait for it.
/// `None` if it needs a request: to prepare that also says what is wrong with it.
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

/// Whether a prepared operation transfers data to or from a device, beginning in submit.
#[inline]
pub(crate) fn goes_to_device(request: &mut Request) -> bool {
    matches!(request.private().op, Op::Rw)
        && matches!(request.private().policy.first, First::Try(_))
        && request.transfer().is_direct_io()
}

/// Begins a prepared operation that keeps no order, in the submitting task. As [`go`]; its event,
/// if it is over already, is to be published.
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

/// Whether a prepared operation has nothing to do yet: it is to wait for its file. Any context.
#[inline]
pub(crate) fn has_to_wait(request: &mut Request) -> bool {
    matches!(request.private().op, Op::Rw) && rw::has_to_wait(request)
}

/// Begins one for which [`has_to_wait`] said yes. As [`go`].
#[inline]
pub(crate) fn wait(context: &Arc<Context>, task: FullTask<'_>, run: Running) -> Result {
    rw::wait(context, task, run)
}

/// Runs a prepared operation: it is over, armed, in flight or queued afterwards.
///
/// An error is that of a request that was being submitted, and can't be taken: ERESTARTNOINTR, and
/// EINVAL of a POLL.
pub(crate) fn go(context: &Arc<Context>, mut run: Running, place: Place<'_>) -> Result {
    match run.private().op {
        Op::Rw => rw::go(context, run, place),
        Op::Sync(what) => fsync::go(context, run, what, place),
        Op::Poll { events } => poll::go(context, run, events, place),
        Op::Noop => noop::go(run),
    }
}

/// Whether somebody keeps it out of its file, which takes a lock.
pub(crate) fn is_locked(run: &mut Running) -> bool {
    matches!(run.private().op, Op::Rw) && rw::is_locked(run)
}

/// Runs to its end what was accepted, in a thread that is killed: the program's memory is there as far
/// as no fault has to be served.
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

/// Whether what was accepted has to go on, see [`rw::is_cut_off`]. Any context.
#[inline]
pub(crate) fn is_cut_off(request: &mut Request, result: isize) -> bool {
    rw::is_cut_off(request, result)
}

/// A driver that had the request is done with it. Any context.
#[inline]
pub(crate) fn finish_driver(request: Request, result: isize) {
    rw::finish_driver(request, result);
}
