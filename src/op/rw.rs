// SPDX-License-Identifier: GPL-2.0

//! PREAD, PWRITE, PREADV, PWRITEV.

use super::{
    known::Known,
    Op,
    Punted, //
};
use crate::{
    context::Context,
    lists::List,
    request::{
        is_restart,
        result_of,
        Over,
        Request,
        Running, //
    },
    retry::{
        self,
        Whence, //
    },
    sys::{
        fs::{
            self,
            Buffers,
            Class,
            Direction,
            Facts,
            Faults,
            Ioprio,
            Kind,
            Mode,
            Tried, //
        },
        gup::Memory,
        pagemap::PageRun,
        poll::{
            self,
            Mask, //
        },
        request::Armed,
        trace,
        uapi::{
            iocb,
            IOCB_FLAG_IOPRIO,
            RAIO_IOCB_FLAG_FIXED_BUFFER, //
        },
        vhost_task, //
    },
    way::{
        First,
        Order,
        Way, //
    }, //
};
use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

/// How often a file may say that it is ready when it is not, before a thread has to see.
const FALSE_ALARMS: u32 = 4;
/// How often a driver may refuse a try before one waits for it.
const REFUSALS: u32 = 8;

/// Checks a transfer, with native aio's errors in its order.
#[inline(always)]
pub(super) fn prep(
    request: &mut Request,
    iocb: &iocb,
    known: &mut Known<'_>,
    direction: Direction,
    vectored: bool,
) -> Result {
    let ioprio = if iocb.aio_flags & IOCB_FLAG_IOPRIO != 0 {
        Ioprio::Chosen(iocb.aio_reqprio as u16)
    } else {
        Ioprio::Current(known.ioprio())
    };
    // Where its memory is, if it is not just there.
    let others = if vectored || iocb.aio_flags & RAIO_IOCB_FLAG_FIXED_BUFFER != 0 {
        Some(buffers(iocb, known, vectored)?)
    } else {
        None
    };
    let (open, facts) = known.open().ok_or(EBADF)?;
    let preparing = request.prep_rw(
        open,
        direction,
        iocb.aio_offset,
        iocb.aio_rw_flags,
        ioprio,
        |file, kind| Rules::of(file, *facts, kind),
    )?;
    let rules = match others {
        None => preparing.buffer(iocb.aio_buf, usize::try_from(iocb.aio_nbytes)?)?,
        Some(buffers) => preparing.buffers(buffers)?,
    };
    request.private().begin(Op::Rw, &rules.way, rules.key);
    Ok(())
}

#[cold]
fn buffers(iocb: &iocb, known: &mut Known<'_>, vectored: bool) -> Result<Buffers> {
    Ok(Buffers {
        address: iocb.aio_buf,
        len: usize::try_from(iocb.aio_nbytes)?,
        vectored,
        pinned: known.buffer(iocb)?,
    })
}

/// What is the same for transfers of a kind of a file, in a call of submit.
pub(super) struct Rules {
    way: Way,
    key: usize,
}

impl Rules {
    fn of(file: &kernel::fs::File, facts: Facts, kind: Kind) -> Self {
        let way = way(file, facts, kind);
        let key = key(file, way.order, kind.direction);
        Rules { way, key }
    }
}

/// The way of such transfers of `file`.
fn way(file: &kernel::fs::File, facts: Facts, kind: Kind) -> Way {
    let Kind {
        direction,
        direct,
        nowait,
    } = kind;
    let mut way = Way::of_transfer(facts, poll::can_poll(file), direction, direct, nowait);
    if facts.class == Class::Regular && !nowait {
        // Even a read that finds nothing would note its time; and the first direct transfer after
        // a mount makes a work queue.
        let notes = direction == Direction::Read && fs::notes_access(file);
        if notes || direct && fs::is_first_direct(file) {
            way.first = First::Punt;
        }
    }
    way
}

/// The group of requests among which the order is kept; 0 is none.
pub(super) fn key(file: &kernel::fs::File, order: Order, direction: Direction) -> usize {
    // Files and inodes are aligned.
    match (order, direction) {
        (Order::Free, _) => 0,
        (Order::File, Direction::Read) => fs::identity(file, false) | 1,
        (Order::File, Direction::Write) => fs::identity(file, false) | 2,
        (Order::Inode, _) => fs::identity(file, true) | 3,
    }
}

/// What poll(2) says when a transfer of `direction` can go on.
fn events_for(direction: Option<Direction>) -> Mask {
    match direction {
        Some(Direction::Write) => poll::CAN_WRITE,
        _ => poll::CAN_READ,
    }
}

/// Whether a try can be spared: there is nothing to read yet.
#[inline]
pub(super) fn has_to_wait(request: &mut Request) -> bool {
    let way = request.private().way;
    way.pipe
        && !way.again_is_final
        && request.transfer().direction() == Some(Direction::Read)
        && request.transfer().left() > 0
        && request.file().is_some_and(fs::is_pipe_idle)
}

/// Whether a driver or file system refused a try because it would have had to wait.
#[inline]
pub(super) fn is_refused(request: &mut Request, result: isize) -> bool {
    let again = EAGAIN.to_errno() as isize;
    let unsupported = EOPNOTSUPP.to_errno() as isize;
    (result == again || result == unsupported)
        && !request.private().way.again_is_final
        && request.private().from != Some(List::Block)
        && request.private().refused <= REFUSALS
}

/// A driver that had the request is done with it.
#[inline]
pub(super) fn finish_driver(mut request: Request, result: isize) {
    let done = advance(request.transfer_mut(), result);
    match done {
        Ok(()) => {
            let done = request.transfer().done();
            request.complete(done as isize);
        }
        Err(e) => request.complete(e),
    }
}

/// Notes the result of a try; or says what the request comes to, if it was an error.
fn advance(transfer: &mut fs::Transfer, result: isize) -> Result<(), isize> {
    match usize::try_from(result) {
        Ok(n) => {
            transfer.advance(n);
            Ok(())
        }
        Err(_) if transfer.done() > 0 => Err(transfer.done() as isize),
        Err(_) => Err(result),
    }
}

/// Whether a try that moved `moved` bytes was the last.
fn is_over(run: &mut Running, moved: usize) -> bool {
    let way = run.private().way;
    let transfer = run.transfer();
    if transfer.left() == 0 || moved == 0 || !way.whole || way.again_is_final {
        return true;
    }
    if way.arm {
        return false;
    }
    // A file or block device.
    match transfer.direction() {
        Some(Direction::Read) => run
            .file()
            .is_none_or(|file| transfer.pos() >= fs::size(file)),
        _ => transfer.is_indivisible(),
    }
}

fn end(run: Running, result: isize) -> Result {
    run.finish().complete(result);
    Ok(())
}

fn end_with(run: Running, error: Error) -> Result {
    let done = run.transfer().done();
    end(run, result_of(done, error))
}

/// What a run begins with.
enum Begin {
    /// A try.
    Try(Mode),
    /// Waiting for the file, which may block once it is called.
    Ask,
    /// Nothing that can be done here.
    Punt(List),
}

fn begin(run: &mut Running, whence: Whence) -> Begin {
    let way = run.private().way;
    // What was refused, or has nothing else to wait for, needs somebody who waits.
    let waits = (way.arm || way.page_wait) && run.private().refused == 0;
    let Some(from) = run.private().from else {
        return match way.first {
            First::Try(mode) => Begin::Try(mode),
            First::Punt if way.page_wait => Begin::Punt(List::Page),
            // Even to ask may wait, as it does for a tty's buffers.
            First::Punt | First::Poll => Begin::Punt(List::Block),
        };
    };
    match from {
        List::Block if way.first == First::Poll => Begin::Ask,
        List::Block => Begin::Try(Mode::Block),
        List::Page => Begin::Try(Mode::PageWait),
        // A driver refused it, or its memory was not there; and here is who can wait for that.
        List::Later if !waits && whence == Whence::Own => Begin::Punt(List::Block),
        List::Later if !waits && whence == Whence::Thread => Begin::Try(Mode::Block),
        // Nobody is there. The wait for a device ends by itself.
        List::Later if run.private().refused > REFUSALS => Begin::Try(Mode::Block),
        _ if way.page_wait => Begin::Try(Mode::Cached),
        _ if matches!(way.first, First::Try(_)) => Begin::Try(Mode::Nowait),
        // It knows no try that does not wait.
        _ => Begin::Punt(List::Block),
    }
}

/// What a try's result means.
enum Verdict {
    /// It is over, with this result.
    Over(isize),
    /// It goes on as it did.
    More,
    /// It can't go on without a wait.
    Wait,
    /// The file does not know how not to wait.
    Unsupported,
    /// A signal ended it.
    Interrupted,
    /// The program's memory was not there.
    Memory,
}

fn judge(run: &mut Running, mode: Mode, faults: Faults, result: isize) -> Verdict {
    let is = |error: Error| result == error.to_errno() as isize;
    let way = run.private().way;
    let blocks = matches!(mode, Mode::Block | Mode::Inline);
    if faults == Faults::Fail && is(EFAULT) {
        return Verdict::Memory;
    }
    if is_restart(result) || is(EINTR) {
        return Verdict::Interrupted;
    }
    if is(EAGAIN) && !blocks && !way.again_is_final {
        return Verdict::Wait;
    }
    if is(EOPNOTSUPP) && matches!(mode, Mode::Nowait | Mode::Cached) && !way.again_is_final {
        return Verdict::Unsupported;
    }
    if let Err(result) = advance(run.transfer_mut(), result) {
        return Verdict::Over(result);
    }
    if is_over(run, usize::try_from(result).unwrap_or(0)) {
        Verdict::Over(run.transfer().done() as isize)
    } else if matches!(mode, Mode::Block | Mode::PageWait) {
        Verdict::More
    } else {
        Verdict::Wait
    }
}

/// How plain reads of `file` are tried that are over at once, if they can be: nothing that would
/// note the time of access.
pub(super) fn reads_at_once(file: &kernel::fs::File, facts: Facts) -> Option<Mode> {
    let mode = Way::of_read_at_once(facts)?;
    if fs::is_direct(file) || fs::has_permission_events(file) {
        return None;
    }
    let notes = facts.class == Class::Regular && fs::notes_access(file);
    (!notes).then_some(mode)
}

/// Reads what is there already, without a request; `None` if it is not, or anything is odd.
///
/// Page faults are not served: somebody who waits for an event might serve them.
#[inline]
pub(super) fn at_once(iocb: &iocb, known: &mut Known<'_>) -> Option<isize> {
    let (open, mode, pinned) = known.reads_at_once(iocb)?;
    let len = iocb.aio_nbytes as usize;
    let to = (iocb.aio_buf, len);
    let moved = fs::read_now(open, iocb.aio_offset, to, pinned, mode)?;
    // Less is for whoever can wait for more, unless the file ends there.
    let end = iocb.aio_offset.saturating_add_unsigned(moved as u64);
    (moved == len || end >= fs::size(open.file())).then_some(moved as isize)
}

/// Begins a transfer that keeps no order. See [`super::start`].
#[inline(always)]
pub(super) fn start(context: &Arc<Context>, mut request: Request) -> Result<Option<Over>> {
    let First::Try(mode) = request.private().way.first else {
        return go(context, request.run(), Whence::Submit).map(|()| None);
    };
    let (request, result) = match request.run().call_here(mode, Faults::Wait) {
        Tried::InFlight => return Ok(None),
        Tried::Completed(mut request, result) if result >= 0 => {
            request.transfer_mut().advance(result as usize);
            let done = request.transfer().done();
            (request, done as isize)
        }
        Tried::Returned(run, result) if run.transfer().is_all(result) => (run.finish(), result),
        tried => return started(context, tried, mode).map(|()| None),
    };
    Ok(request.over(result))
}

/// Goes on after the first try of [`start`].
#[inline(never)]
fn started(context: &Arc<Context>, mut tried: Tried<Context>, mode: Mode) -> Result {
    let way = match &mut tried {
        Tried::Returned(run, _) | Tried::Frozen(run) => run.private().way,
        Tried::Completed(request, _) => request.private().way,
        // A first try does not wait for a page.
        Tried::InFlight | Tried::Page(_) => Way::default(),
    };
    let attempt = Attempt {
        mode,
        faults: Faults::Wait,
        done: 0,
        retry: way.retry,
        again_is_final: way.again_is_final,
    };
    go_on(context, tried, attempt, Whence::Submit)
}

/// Runs a transfer as far as it goes. See [`super::go`].
pub(super) fn go(context: &Arc<Context>, mut run: Running, whence: Whence) -> Result {
    let mode = match begin(&mut run, whence) {
        Begin::Try(mode) => mode,
        Begin::Punt(list) => return punt(context, run, list, whence),
        Begin::Ask => match arm(context, run, whence)? {
            None => return Ok(()),
            Some(next) => {
                run = next;
                Mode::Block
            }
        },
    };
    let way = run.private().way;
    match attempt(run, mode, is_patient(whence)) {
        // The first data ends a read of a stream.
        Ok((Tried::Returned(mut run, moved), _)) if moved > 0 && way.arm && !way.whole => {
            run.transfer_mut().advance(moved as usize);
            let done = run.transfer().done() as isize;
            end(run, done)
        }
        Ok((tried, attempt)) => go_on(context, tried, attempt, whence),
        Err(run) => later(context, run),
    }
}

/// Leaves a transfer for which [`has_to_wait`] said yes to its file. See [`super::go`].
pub(super) fn wait(context: &Arc<Context>, run: Running) -> Result {
    match super::arm(context, run, poll::CAN_READ, Whence::Submit)? {
        super::Waiting::Left => Ok(()),
        super::Waiting::Ready(run, _) | super::Waiting::Unable(run) => {
            go(context, run, Whence::Submit)
        }
        super::Waiting::Cancelled(run) => end_with(run, ECANCELED),
    }
}

/// Whether who runs it waits for the program's memory. The work queue does not: somebody may have
/// to serve it. But a device's it finds out about by a try only. Who has woken it does not, either:
/// it may be the one who serves.
fn is_patient(whence: Whence) -> bool {
    !matches!(whence, Whence::Worker | Whence::Waker)
}

/// How a try was made.
struct Attempt {
    mode: Mode,
    faults: Faults,
    /// The bytes that were moved before.
    done: usize,
    /// Of the request's way.
    retry: List,
    again_is_final: bool,
}

/// Tries once. The request comes back if its memory is not there, and it is not `patient`.
fn attempt(
    mut run: Running,
    mode: Mode,
    patient: bool,
) -> Result<(Tried<Context>, Attempt), Running> {
    let way = run.private().way;
    // A direct transfer does not fail for faults, it pins.
    let needs_it = way.takes_first || run.transfer().is_direct();
    let faults = match (patient, needs_it) {
        (true, _) => Faults::Wait,
        (false, false) => Faults::Fail,
        (false, true) if run.fault_in(true) == Memory::Later => return Err(run),
        // It is there. Better a wait, should it go just now, than what was taken lost.
        (false, true) => Faults::Wait,
    };
    let attempt = Attempt {
        mode,
        faults,
        done: run.transfer().done(),
        retry: way.retry,
        again_is_final: way.again_is_final,
    };
    // Whoever splices into a pipe keeps all others out while he waits for the data.
    let kept_out = mode != Mode::Block && way.pipe && run.file().is_some_and(fs::is_pipe_locked);
    let tried = if kept_out {
        Tried::Returned(run, EAGAIN.to_errno() as isize)
    } else {
        run.call(mode, faults)
    };
    Ok((tried, attempt))
}

/// Goes on after a try.
fn go_on(
    context: &Arc<Context>,
    mut tried: Tried<Context>,
    mut last: Attempt,
    whence: Whence,
) -> Result {
    let mut patient = is_patient(whence);
    let mut alarms = 0;
    loop {
        let (run, mode) = match tried {
            Tried::Returned(run, result) => {
                match next(
                    context,
                    run,
                    result,
                    &last,
                    &mut patient,
                    &mut alarms,
                    whence,
                )? {
                    Some(next) => next,
                    None => return Ok(()),
                }
            }
            Tried::Completed(request, result) => {
                return completed(context, request, result, whence);
            }
            Tried::InFlight => return Ok(()),
            Tried::Frozen(run) if last.again_is_final => return end_with(run, EAGAIN),
            Tried::Frozen(run) => return punt(context, run, List::Block, whence),
            Tried::Page(page) => match wait_for_page(context, page, last.retry) {
                None => return Ok(()),
                Some(run) => (run, Mode::Cached),
            },
        };
        (tried, last) = match attempt(run, mode, patient) {
            Ok(next) => next,
            Err(run) => return later(context, run),
        };
    }
}

/// How the request goes on after a try that came to `result`; `None` if somebody else has it now.
fn next(
    context: &Arc<Context>,
    mut run: Running,
    result: isize,
    last: &Attempt,
    patient: &mut bool,
    alarms: &mut u32,
    whence: Whence,
) -> Result<Option<(Running, Mode)>> {
    let way = run.private().way;
    let mode = last.mode;
    match judge(&mut run, mode, last.faults, result) {
        Verdict::Over(result) => return end(run, result).map(|()| None),
        Verdict::More => return Ok(Some((run, mode))),
        Verdict::Interrupted => return interrupted(context, run, whence).map(|()| None),
        Verdict::Unsupported => {
            return punt(context, run, List::Block, whence).map(|()| None);
        }
        Verdict::Memory => {
            match run.fault_in(false) {
                Memory::Present if *alarms < FALSE_ALARMS => *alarms += 1,
                // Part of it may be served by somebody all the same.
                Memory::Unknown if run.fault_in(true) != Memory::Later => *patient = true,
                _ => return later(context, run).map(|()| None),
            }
            return Ok(Some((run, mode)));
        }
        Verdict::Wait => {}
    }

    if way.arm {
        // What moves data is no false alarm.
        *alarms = if run.transfer().done() > last.done {
            0
        } else {
            *alarms + 1
        };
        if *alarms > FALSE_ALARMS {
            return punt(context, run, List::Block, whence).map(|()| None);
        }
        return Ok(arm(context, run, whence)?.map(|run| (run, mode)));
    }
    if !way.page_wait || mode != Mode::Cached {
        return punt(context, run, List::Block, whence).map(|()| None);
    }
    if run.private().from == Some(List::Page) && whence == Whence::Thread {
        return Ok(Some((run, Mode::PageWait)));
    }
    punt(context, run, List::Page, whence).map(|()| None)
}

/// A driver completed the request before the call returned.
fn completed(
    context: &Arc<Context>,
    mut request: Request,
    result: isize,
    whence: Whence,
) -> Result {
    if !is_refused(&mut request, result) {
        finish_driver(request, result);
        return Ok(());
    }
    request.private().refused = request.private().refused.saturating_add(1);
    punt(context, request.run(), List::Block, whence)
}

/// Leaves the request to the page's waker; or gives it back, if that has been here.
fn wait_for_page(context: &Arc<Context>, page: PageRun<Context>, retry: List) -> Option<Running> {
    page.shared()
        .set_kicked_to(retry, false, page.transfer().done());
    context.counters().armed();
    trace::arm(|| page.shared().about(context, 0));
    match page.wait() {
        Armed::Left => None,
        Armed::Again(run) | Armed::Cancelled(run) => {
            context.counters().disarmed();
            Some(run)
        }
    }
}

/// A signal ended a try: that of who runs it, and not always the request's business.
fn interrupted(context: &Arc<Context>, run: Running, whence: Whence) -> Result {
    match whence {
        // It was submitted for others as well.
        Whence::Own | Whence::Waker => return later(context, run),
        Whence::Submit | Whence::Worker => return end_with(run, EINTR),
        Whence::Thread => {}
    }
    if vhost_task::is_killed() || run.is_cancelled() || context.is_dead() {
        return end_with(run, ECANCELED);
    }
    if current!().signal_pending() {
        // A stop, or the freezer: it is run again after that.
        return punt(context, run, List::Block, whence);
    }
    // The file says so, as a FUSE server may.
    end_with(run, EINTR)
}

/// Leaves the request to its file's wait queues; or gives it back, if the file may be ready, or a
/// thread has to see.
fn arm(context: &Arc<Context>, run: Running, whence: Whence) -> Result<Option<Running>> {
    let events = events_for(run.transfer().direction());
    match super::arm(context, run, events, whence)? {
        super::Waiting::Left => Ok(None),
        super::Waiting::Ready(run, _) | super::Waiting::Unable(run) => Ok(Some(run)),
        super::Waiting::Cancelled(run) => end_with(run, ECANCELED).map(|()| None),
    }
}

/// Puts the request on `list`. If it is submitted and there can be no thread, it runs here, as
/// long as it takes.
fn punt(context: &Arc<Context>, run: Running, list: List, whence: Whence) -> Result {
    let transfer = run.transfer();
    if whence == Whence::Submit
        && transfer.direction() == Some(Direction::Write)
        && !transfer.is_indivisible()
        // Else what was written is the result.
        && transfer.done() == 0
        && run
            .file()
            .is_some_and(|file| fs::is_beyond_limit(file, transfer.pos()))
    {
        // The signal is for who submits, and a thread would get it.
        return end_with(run, EFBIG);
    }
    match super::punt(context, run, list, whence)? {
        Punted::Queued => Ok(()),
        Punted::Unable(run) => block(run),
    }
}

/// Leaves the request to a task of the process, or to a later try: its memory is not there.
fn later(context: &Arc<Context>, run: Running) -> Result {
    retry::queue_in_order(context, run.finish(), List::Later);
    Ok(())
}

/// Runs the transfer to its end, in the submitting task, as native aio does.
fn block(mut run: Running) -> Result {
    loop {
        let (next, result) = match run.call(Mode::Block, Faults::Wait) {
            Tried::Returned(run, result) => (run, result),
            Tried::Completed(request, result) => {
                finish_driver(request, result);
                return Ok(());
            }
            _ => return Ok(()),
        };
        run = next;
        match advance(run.transfer_mut(), result) {
            Err(result) => return end(run, result),
            Ok(()) if is_over(&mut run, usize::try_from(result).unwrap_or(0)) => {
                let done = run.transfer().done() as isize;
                return end(run, done);
            }
            Ok(()) => {}
        }
    }
}
