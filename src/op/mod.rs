// SPDX-License-Identifier: GPL-2.0

//! Operations: one file each.
//!
//! An operation is prepared, which may fail with io_submit's errno, and then run, which does not
//! fail: whatever happens from then on is the event's.

mod fsync;
pub(crate) mod known;
mod noop;
mod poll;
mod rw;

use crate::{
    cancel,
    context::Context,
    lists::List,
    request::{
        Over,
        Private,
        Request,
        Running, //
    },
    retry::{
        self,
        Whence, //
    },
    sys::{
        eventfd::EventFd,
        fs::{
            self,
            Direction, //
        },
        poll::{
            Mask,
            Polled, //
        },
        request::Armed,
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
            RAIO_IOCB_FLAG_FIXED_BUFFER,
            RAIO_IOCB_FLAG_FIXED_FILE, //
        }, //
    },
    threads::Claim,
    way::{
        First,
        Way, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use known::Known;

/// A prepared operation.
#[derive(Clone, Copy, Default)]
pub(crate) enum Op {
    /// PREAD, PWRITE, PREADV, PWRITEV.
    Rw,
    /// FSYNC; FDSYNC if it is for data alone.
    Fsync {
        /// Whether metadata that is not needed to read the data may be left out.
        datasync: bool,
    },
    /// POLL.
    Poll {
        /// What it waits for.
        events: Mask,
    },
    /// NOOP.
    #[default]
    Noop,
}

/// The operations that are served, as bits 1 << IOCB_CMD_*.
pub(crate) const SERVED: u64 = 1 << IOCB_CMD_PREAD
    | 1 << IOCB_CMD_PWRITE
    | 1 << IOCB_CMD_FSYNC
    | 1 << IOCB_CMD_FDSYNC
    | 1 << IOCB_CMD_POLL
    | 1 << IOCB_CMD_NOOP
    | 1 << IOCB_CMD_PREADV
    | 1 << IOCB_CMD_PWRITEV;

/// Whether the operation needs a file.
pub(crate) fn needs_file(iocb: &iocb) -> bool {
    u32::from(iocb.aio_lio_opcode) != IOCB_CMD_NOOP
}

/// Gets the eventfd that is to count the event, if there is one. EBADF, EINVAL.
pub(crate) fn prep_eventfd(request: &mut Request, iocb: &iocb, known: &Known<'_>) -> Result {
    if iocb.aio_flags & IOCB_FLAG_RESFD != 0 {
        request.private().eventfd = Some(EventFd::get(known.task(), iocb.aio_resfd)?);
    }
    Ok(())
}

/// Prepares what `iocb` asks for.
///
/// EINVAL for operations that are not served, and the operation's own errors. Process context,
/// may sleep.
#[inline(always)]
pub(crate) fn prep(request: &mut Request, iocb: &iocb, known: &mut Known<'_>) -> Result {
    let (direction, vectored) = match u32::from(iocb.aio_lio_opcode) {
        IOCB_CMD_PREAD => (Direction::Read, false),
        IOCB_CMD_PWRITE => (Direction::Write, false),
        IOCB_CMD_PREADV => (Direction::Read, true),
        IOCB_CMD_PWRITEV => (Direction::Write, true),
        _ => return prep_other(request, iocb),
    };
    rw::prep(request, iocb, known, direction, vectored)
}

#[inline(never)]
fn prep_other(request: &mut Request, iocb: &iocb) -> Result {
    match u32::from(iocb.aio_lio_opcode) {
        IOCB_CMD_FSYNC => fsync::prep(request, iocb, false),
        IOCB_CMD_FDSYNC => fsync::prep(request, iocb, true),
        IOCB_CMD_POLL => poll::prep(request, iocb),
        IOCB_CMD_NOOP => {
            request.private().begin(Op::Noop, &Way::default(), 0);
            Ok(())
        }
        _ => Err(EINVAL),
    }
}

/// The result of an operation that is over at once, without a request: nobody need wait for it.
/// `None` if it has to go the usual way, which also says what is wrong with it.
#[inline]
pub(crate) fn at_once(iocb: &iocb, known: &mut Known<'_>) -> Option<isize> {
    let fixed = RAIO_IOCB_FLAG_FIXED_BUFFER | RAIO_IOCB_FLAG_FIXED_FILE;
    if iocb.aio_flags & !fixed != 0 || iocb.aio_rw_flags != 0 {
        return None;
    }
    match u32::from(iocb.aio_lio_opcode) {
        IOCB_CMD_NOOP => Some(0),
        IOCB_CMD_PREAD => rw::at_once(iocb, known),
        _ => None,
    }
}

/// Whether a prepared operation transfers data to or from a device, beginning in submit.
#[inline]
pub(crate) fn goes_to_device(request: &mut Request) -> bool {
    matches!(request.private().op, Op::Rw)
        && matches!(request.private().way.first, First::Try(_))
        && request.transfer().is_direct_io()
}

/// Begins a prepared operation that keeps no order, in the submitting task. As [`go`]; its event,
/// if it is over already, is to be published.
#[inline(always)]
pub(crate) fn start(context: &Arc<Context>, mut request: Request) -> Result<Option<Over>> {
    match request.private().op {
        Op::Rw => rw::start(context, request),
        _ => go(context, request.run(), Whence::Submit).map(|()| None),
    }
}

/// Whether a prepared operation has nothing to do yet: it is to wait for its file. Any context.
#[inline]
pub(crate) fn has_to_wait(request: &mut Request) -> bool {
    matches!(request.private().op, Op::Rw) && rw::has_to_wait(request)
}

/// Begins one for which [`has_to_wait`] said yes. As [`go`].
#[inline]
pub(crate) fn wait(context: &Arc<Context>, run: Running) -> Result {
    rw::wait(context, run)
}

/// Runs a prepared operation: it is over, armed, in flight or queued afterwards.
///
/// An error is that of a request that was being submitted, and can't be taken: ERESTARTNOINTR.
/// Process context, in the submitter's address space.
pub(crate) fn go(context: &Arc<Context>, mut run: Running, whence: Whence) -> Result {
    match run.private().op {
        Op::Rw => rw::go(context, run, whence),
        Op::Fsync { datasync } => fsync::go(context, run, datasync, whence),
        Op::Poll { events } => poll::go(context, run, events, whence),
        Op::Noop => noop::go(run),
    }
}

/// Whether a driver refused a request because it would have had to wait. Any context.
#[inline]
pub(crate) fn is_refused(request: &mut Request, result: isize) -> bool {
    rw::is_refused(request, result)
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
fn claim(context: &Arc<Context>, private: &mut Private, list: List) -> Result {
    if private.claim.is_none() {
        let claim = Claim::of(list);
        context.claim_thread(claim)?;
        private.claim = Some(claim);
    }
    Ok(())
}

/// The error of a submission that can be made again, if it is that.
fn restart(error: Error, done: usize) -> Option<Error> {
    (error.to_errno() == -513 && done == 0).then_some(error)
}

/// Puts a request that is running on `list`.
fn punt(context: &Arc<Context>, mut run: Running, list: List, whence: Whence) -> Result<Punted> {
    let here = matches!(whence, Whence::Submit | Whence::Own);
    if here && matches!(list, List::Own | List::Page | List::Block) {
        if let Err(e) = claim(context, run.private(), list) {
            match restart(e, run.transfer().done()) {
                Some(e) if whence == Whence::Submit => {
                    run.finish().without_event();
                    return Err(e);
                }
                // The signal first.
                Some(_) => {
                    retry::queue_in_order(context, run.finish(), List::Later);
                    return Ok(Punted::Queued);
                }
                None => return Ok(Punted::Unable(run)),
            }
        }
    }
    context.counters().punted();
    trace::punt(|| run.shared().about(context, 0));
    let by_others = matches!(whence, Whence::Worker | Whence::Waker);
    if by_others {
        run.private().refused = run.private().refused.saturating_add(1);
    }
    let request = run.finish();
    if by_others {
        retry::queue_for_thread(context, request);
    } else {
        retry::queue_in_order(context, request, list);
    }
    Ok(Punted::Queued)
}

/// Puts a request that is being submitted behind the others of its group.
pub(crate) fn punt_behind(context: &Arc<Context>, mut request: Request) -> Result {
    let way = request.private().way;
    let mut list = if way.arm { way.retry } else { List::Block };
    if list == List::Ready && !request.has_memory(way.takes_first) {
        list = List::Own;
    }
    if list != List::Ready {
        if let Err(e) = claim(context, request.private(), list) {
            if let Some(e) = restart(e, 0) {
                request.without_event();
                return Err(e);
            }
            if way.retry != List::Ready || !way.arm {
                // As native aio: no order is kept, and it waits here.
                return go(context, request.run(), Whence::Submit);
            }
            list = List::Ready;
        }
    }
    request.private().way.retry = if way.arm { list } else { way.retry };
    retry::queue_in_order(context, request, list);
    Ok(())
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
fn arm(context: &Arc<Context>, mut run: Running, events: Mask, whence: Whence) -> Result<Waiting> {
    if whence == Whence::Submit {
        let way = run.private().way;
        let transfers = matches!(run.private().op, Op::Rw);
        if way.retry == List::Ready && transfers && !run.has_memory(way.takes_first) {
            // Somebody may have to serve it, while whoever touches it waits.
            run.private().way.retry = List::Own;
        }
        if run.private().way.retry != List::Ready {
            let list = run.private().way.retry;
            if let Err(e) = claim(context, run.private(), list) {
                if let Some(e) = restart(e, run.transfer().done()) {
                    run.finish().without_event();
                    return Err(e);
                }
                // As native aio, a kernel thread looks again; but not where that may hang.
                let hangs = run.file().is_none_or(fs::is_fuse);
                // What only its memory made need one can do without, see `List::Later`.
                let for_memory = way.retry == List::Ready;
                if !for_memory && !matches!(run.private().op, Op::Poll { .. }) || hangs {
                    return Ok(Waiting::Unable(run));
                }
                run.private().way.retry = List::Ready;
            }
        }
    }
    let retry = run.private().way.retry;
    if !retry::join(context, &mut run) {
        // Somebody else has submitted for this file just now.
        retry::queue_in_order(context, run.finish(), retry);
        return Ok(Waiting::Left);
    }
    match run.poll(events) {
        Polled::Ready(mask) => return Ok(Waiting::Ready(run, mask)),
        Polled::Unable => return Ok(Waiting::Unable(run)),
        Polled::Queued => {}
    }
    let by_waker = run.private().way.by_waker;
    run.shared()
        .set_kicked_to(retry, by_waker, run.transfer().done());
    let index = run.index();
    context.counters().armed();
    trace::arm(|| run.shared().about(context, 0));
    match run.arm() {
        Armed::Left => {
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
