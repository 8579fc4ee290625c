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

use crate::{
    context::{
        claims::Claim,
        Context, //
    },
    engine::{
        self,
        cancel,
        Place, //
    },
    pure::{
        lists::List,
        policy::{
            First,
            Policy, //
        }, //
    },
    request::{
        Op,
        Over,
        Private,
        Request,
        Running, //
    },
    sys::{
        eventfd::EventFd,
        fs::Direction,
        poll::{
            Mask,
            Polled, //
        },
        request::Armed,
        task::{
            FullTask,
            WorkerTask, //
        },
        trace,
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
        }, //
    },
    window::Window, //
};
use file_cache::FileCache;
use kernel::{
    prelude::*,
    sync::Arc, //
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
/// `None` if it has to go the usual way, which also says what is wrong with it.
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

/// What became of a request that can't go on here.
enum Punted {
    /// It is on a list.
    Queued,
    /// There can be no thread for it.
    Unable(Running),
}

/// Claims a thread for a request that is being submitted, if it does not have that.
///
/// ERESTARTNOINTR, or another error if there can be none.
fn claim(context: &Arc<Context>, task: FullTask<'_>, private: &mut Private, list: List) -> Result {
    if !private.policy.threads {
        return Err(EPERM);
    }
    if private.claim.is_none() {
        let claim = Claim::of(list);
        context.claim_thread(task, claim)?;
        private.claim = Some(claim);
    }
    Ok(())
}

/// The error of a submission that can be made again, if it is that.
fn restart(error: Error, done: usize) -> Option<Error> {
    (error.to_errno() == -513 && done == 0).then_some(error)
}

/// Puts a request that is running on `list`, which is one for threads.
fn punt(context: &Arc<Context>, mut run: Running, list: List, place: Place<'_>) -> Result<Punted> {
    if let Place::Submit(task) | Place::Own(task) = place {
        if run.private().from == Some(List::Block) {
            // There is no thread, or none is wanted any more.
            return Ok(Punted::Unable(run));
        }
        if let Err(e) = claim(context, task, run.private(), list) {
            match restart(e, run.transfer().done()) {
                Some(e) if place.is_submit() => {
                    run.finish().without_event();
                    return Err(e);
                }
                // The signal first.
                Some(_) => {}
                None => return Ok(Punted::Unable(run)),
            }
        }
    }
    context.counters().punted();
    trace::punt(|| run.shared().about(context, 0));
    engine::queue_in_order(context, run.finish(), list);
    Ok(Punted::Queued)
}

/// As [`claim`], for a request that goes to `list` at once; whether it needs none, or has one.
///
/// An error is that of the submission, and the request is gone then: ERESTARTNOINTR.
fn claim_for(
    context: &Arc<Context>,
    task: FullTask<'_>,
    mut request: Request,
    list: List,
) -> Result<(Request, bool)> {
    if list == List::Task {
        return Ok((request, true));
    }
    match claim(context, task, request.private(), list) {
        Ok(()) => Ok((request, true)),
        Err(e) => match restart(e, 0) {
            Some(e) => {
                request.without_event();
                Err(e)
            }
            None => Ok((request, false)),
        },
    }
}

/// Puts a request that is being submitted behind the others of its group.
pub(crate) fn punt_behind(
    context: &Arc<Context>,
    task: FullTask<'_>,
    mut request: Request,
) -> Result {
    let policy = request.private().policy;
    let list = if policy.arm {
        policy.retry
    } else {
        List::Block
    };
    let (request, claimed) = claim_for(context, task, request, list)?;
    // Without a claim a task of the process comes for it.
    let list = match list {
        _ if claimed => list,
        // It does not know yet where it is to begin.
        _ if request.transfer().is_at_position() => List::Task,
        List::Run => list,
        // As native aio: no order is kept, and it waits here.
        _ => return go(context, request.run(), Place::Submit(task)),
    };
    engine::queue_in_order(context, request, list);
    Ok(())
}

/// Prepares one that is to wait for a barrier, and says on which list it goes then.
///
/// Errors are those of the submission, and the request is gone then.
pub(crate) fn prepare_to_hold(
    context: &Arc<Context>,
    task: FullTask<'_>,
    mut request: Request,
) -> Result<(Request, List)> {
    let policy = request.private().policy;
    let list = match request.private().op {
        Op::Noop => return Ok((request, List::Run)),
        _ if !policy.threads => List::Task,
        _ => policy.retry,
    };
    let (request, claimed) = claim_for(context, task, request, list)?;
    // Without a claim a task of the process comes for it.
    let list = if claimed || list == List::Run {
        list
    } else {
        List::Task
    };
    Ok((request, list))
}

/// How a request waits for its file.
enum Waiting {
    /// It is armed, or on a list.
    Left,
    /// These events are there, or it was kicked meanwhile (0).
    Ready(Running, Mask),
    /// The file has no wait queue, or too many, or there can be no thread for the retry.
    Unable(Running),
    /// Somebody cancelled it.
    Cancelled(Running),
}

/// Arms a request on its file's wait queues.
fn arm(
    context: &Arc<Context>,
    mut run: Running,
    events: Mask,
    place: Place<'_>,
) -> Result<Waiting> {
    let retry = run.private().policy.retry;
    if let (Place::Submit(task), true) = (place, retry != List::Task) {
        if let Err(e) = claim(context, task, run.private(), retry) {
            if let Some(e) = restart(e, run.transfer().done()) {
                run.finish().without_event();
                return Err(e);
            }
            // For what does not block a task of the process comes.
            if retry != List::Run {
                return Ok(Waiting::Unable(run));
            }
        }
    }
    if !engine::join(context, &mut run) {
        // Somebody else has submitted for this file just now.
        engine::queue_in_order(context, run.finish(), retry);
        return Ok(Waiting::Left);
    }
    match run.poll(place.caller(), events) {
        Polled::Ready(mask) => return Ok(Waiting::Ready(run, mask)),
        Polled::Unable => return Ok(Waiting::Unable(run)),
        Polled::Crowded => {
            engine::queue_in_order(context, run.finish(), List::Held);
            return Ok(Waiting::Left);
        }
        Polled::Queued => {}
    }
    run.private().held = false;
    run.note_waiting(retry);
    let index = run.index();
    context.counters().armed();
    trace::arm(|| run.shared().about(context, 0));
    Window::Arm.pass_asleep();
    match run.arm() {
        Armed::Left => {
            Window::Armed.pass_asleep();
            // Who ends the context cancels what is armed, or we see that it is dead.
            if context.is_dead() {
                cancel::cancel_index(context, index);
            }
            Ok(Waiting::Left)
        }
        Armed::Again(run) => {
            context.counters().disarmed();
            Ok(Waiting::Ready(run, 0))
        }
        Armed::Cancelled(run) => {
            context.counters().disarmed();
            Ok(Waiting::Cancelled(run))
        }
    }
}
