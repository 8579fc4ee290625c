// SPDX-License-Identifier: GPL-2.0

//! The tries of a transfer: what each comes to, and what is done then.

use super::{
    events_for,
    finish_driver,
    is_refused,
    REFUSALS, //
};
use crate::{
    context::Context,
    lists::List,
    op::{
        self,
        Punted, //
    },
    request::{
        is_restart,
        result_of,
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
            Direction,
            Faults,
            Mode,
            Tried, //
        },
        gup::Memory,
        pagemap::PageRun,
        request::Armed,
        signal::{
            self,
            Whom, //
        },
        trace,
        vhost_task, //
    },
    way::{
        First,
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

/// Notes the result of a try; or says what the request comes to, if it was an error.
pub(super) fn advance(transfer: &mut fs::Transfer, result: isize) -> Result<(), isize> {
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

pub(super) fn end_with(run: Running, error: Error) -> Result {
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

/// Goes on after the first try of [`super::start`].
#[inline(never)]
pub(super) fn started(context: &Arc<Context>, mut tried: Tried<Context>, mode: Mode) -> Result {
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
pub(in crate::op) fn go(context: &Arc<Context>, mut run: Running, whence: Whence) -> Result {
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
        Verdict::Over(result) => {
            let too_big = result == EFBIG.to_errno() as isize;
            if too_big && whence == Whence::Thread && is_beyond_limit(&run) {
                // The kernel has sent it to the thread, where nobody sees it.
                signal::raise_file_size(Whom::Process);
            }
            return end(run, result).map(|()| None);
        }
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
    match op::arm(context, run, events, whence)? {
        op::Waiting::Left => Ok(None),
        op::Waiting::Ready(run, _) | op::Waiting::Unable(run) => Ok(Some(run)),
        op::Waiting::Cancelled(run) => end_with(run, ECANCELED).map(|()| None),
    }
}

/// Whether all of it is a write beyond RLIMIT_FSIZE.
fn is_beyond_limit(run: &Running) -> bool {
    run.file()
        .is_some_and(|file| fs::is_beyond_limit(file, run.transfer()))
}

/// Puts the request on `list`. If it is submitted and there can be no thread, it runs here, as
/// long as it takes.
fn punt(context: &Arc<Context>, run: Running, list: List, whence: Whence) -> Result {
    // An atomic write has more to be checked before.
    if whence == Whence::Submit && !run.transfer().is_atomic() && is_beyond_limit(&run) {
        // The signal is for who submits, and a thread would get it.
        signal::raise_file_size(Whom::Task);
        return end_with(run, EFBIG);
    }
    match op::punt(context, run, list, whence)? {
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
