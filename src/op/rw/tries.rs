// SPDX-License-Identifier: GPL-2.0

//! The tries of a transfer: what each comes to, and what is done then.

use super::{
    events_for,
    finish_driver,
    is_cut_off,
    is_refused,
    result_at_end, //
};
use crate::{
    context::Context,
    engine::{
        self,
        late,
        Place, //
    },
    op::{
        self,
        Punted, //
    },
    pure::{
        lists::List,
        policy::{
            First,
            Try, //
        }, //
    },
    request::{
        is_restart,
        result_of,
        Request,
        Running, //
    },
    sys::{
        fs::{
            self,
            Direction,
            Faults,
            Mode,
            Tried, //
        },
        pagemap::PageRun,
        request::Armed,
        signal::{
            self,
            Whom, //
        },
        task::{
            Caller,
            FullTask,
            WorkerTask, //
        },
        trace,
        vhost_task,
        wait, //
    },
    window::Window, //
};
use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

/// How often in a run a file may say that it is ready when it is not, before it is held.
const SPURIOUS_WAKES: u32 = 4;
/// How often a run looks again at a file that somebody keeps to himself, before it is held.
const LOCKED_LOOKS: u32 = 3;

/// Notes the result of a try; or says what the request comes to, if it was an error.
fn advance(run: &mut Running, result: isize) -> Result<(), isize> {
    match usize::try_from(result) {
        Ok(n) => {
            run.private().held &= n == 0;
            run.advance(n);
            Ok(())
        }
        Err(_) if run.transfer().done() > 0 => Err(run.transfer().done() as isize),
        Err(_) => Err(result),
    }
}

/// As [`advance`].
pub(super) fn advance_owned(request: &mut Request, result: isize) -> Result<(), isize> {
    match usize::try_from(result) {
        Ok(n) => {
            request.advance(n);
            Ok(())
        }
        Err(_) if request.transfer().done() > 0 => Err(request.transfer().done() as isize),
        Err(_) => Err(result),
    }
}

/// Whether a try that moved `moved` bytes was the last.
fn is_over(run: &mut Running, moved: usize) -> bool {
    let policy = run.private().policy;
    let transfer = run.transfer();
    if transfer.left() == 0 || moved == 0 || !policy.whole || policy.again_is_final {
        return true;
    }
    if policy.arm {
        return false;
    }
    // A file or block device.
    match transfer.direction() {
        Some(Direction::Read) => run
            .file()
            .is_none_or(|file| transfer.pos() >= fs::size(file)),
        // One that was cut off by the end of its process is finished all the same. To go on beyond a
        // limit would be a signal, as a write that begins there.
        _ => {
            transfer.is_indivisible() && (transfer.is_atomic() || !vhost_task::is_killed())
                || run
                    .file()
                    .is_some_and(|file| fs::is_beyond_limit(file, transfer))
        }
    }
}

fn end(run: Running, result: isize) -> Result {
    let result = result_at_end(run.file(), run.transfer(), result);
    run.finish().complete(result);
    Ok(())
}

pub(super) fn end_with(run: Running, error: Error) -> Result {
    if error == ECANCELED {
        run.finish().complete_cancelled();
        return Ok(());
    }
    let done = run.transfer().done();
    end(run, result_of(done, error))
}

/// What a run begins with.
enum Begin<'a> {
    /// A try.
    Try(Mode<'a>),
    /// Nothing that can be done here.
    Punt(List),
}

fn begin<'a>(run: &mut Running, place: Place<'a>) -> Begin<'a> {
    let policy = run.private().policy;
    let may_block = place.caller().may_block();
    match (run.private().from, policy.first) {
        (None, First::Try(how)) => Begin::Try(how.mode()),
        (None, First::Block) => Begin::Try(Mode::Block(may_block)),
        (None, First::Punt) if policy.page_wait => Begin::Punt(List::Page),
        (None, First::Punt | First::Poll) => Begin::Punt(List::Block),
        (Some(List::Block), _) => Begin::Try(Mode::Block(may_block)),
        (Some(List::Page), _) => Begin::Try(Mode::PageWait(may_block)),
        (Some(_), _) if policy.page_wait => Begin::Try(Mode::Cached),
        (Some(_), First::Try(_)) => Begin::Try(Mode::Nowait),
        (Some(_), First::Block) => Begin::Try(Mode::Block(may_block)),
        // It knows no try that does not wait.
        (Some(_), _) => Begin::Punt(List::Block),
    }
}

/// Whether that is the result of a wait that a signal has ended.
fn is_interrupted(result: isize) -> bool {
    is_restart(result) || result == EINTR.to_errno() as isize
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

fn judge(run: &mut Running, mode: Mode<'_>, faults: Faults<'_>, result: isize) -> Verdict {
    let is = |error: Error| result == error.to_errno() as isize;
    let policy = run.private().policy;
    if matches!(faults, Faults::Fail) && is(EFAULT) {
        return Verdict::Memory;
    }
    if is_interrupted(result) {
        return Verdict::Interrupted;
    }
    if !policy.again_is_final {
        if is(EAGAIN) && policy.arm && !policy.whole && run.transfer().done() > 0 {
            // What was left in the pipe is somebody else's.
            return Verdict::Over(run.transfer().done() as isize);
        }
        if is(EAGAIN) && !matches!(mode, Mode::Block(_) | Mode::Inline) {
            return Verdict::Wait;
        }
        if is(EOPNOTSUPP) && mode.is_nowait() {
            return Verdict::Unsupported;
        }
    }
    if let Err(result) = advance(run, result) {
        return Verdict::Over(result);
    }
    if is_over(run, usize::try_from(result).unwrap_or(0)) {
        Verdict::Over(run.transfer().done() as isize)
    } else if matches!(mode, Mode::Block(_) | Mode::PageWait(_)) {
        Verdict::More
    } else {
        Verdict::Wait
    }
}

/// Goes on after the first try of [`super::start`].
#[inline(never)]
pub(super) fn started(
    context: &Arc<Context>,
    task: FullTask<'_>,
    tried: Tried<Context>,
    how: Try,
) -> Result {
    let place = Place::Submit(task);
    let last = Attempt {
        mode: how.mode(),
        faults: place.faults(),
        done: 0,
    };
    go_on(context, tried, last, place)
}

/// Runs a transfer as far as it goes. See [`super::go`].
pub(in crate::op) fn go(context: &Arc<Context>, mut run: Running, place: Place<'_>) -> Result {
    if run.transfer().is_at_position() {
        if let Err(e) = run.take_position() {
            return end_with(run, e);
        }
    }
    let mode = match begin(&mut run, place) {
        Begin::Try(mode) => mode,
        Begin::Punt(list) => return punt(context, run, list, place),
    };
    let policy = run.private().policy;
    match attempt(context, run, mode, place) {
        // The first data ends a read of a stream.
        Some((Tried::Returned(mut run, moved), last))
            if moved > 0 && policy.arm && !policy.whole =>
        {
            run.advance(moved as usize);
            if was_cut_short(&mut run, last.faults) {
                return leave_to_others(context, run);
            }
            let done = run.transfer().done() as isize;
            end(run, done)
        }
        Some((tried, attempt)) => go_on(context, tried, attempt, place),
        None => Ok(()),
    }
}

/// Whether a read has left data in the pipe for want of the program's memory.
fn was_cut_short(run: &mut Running, faults: Faults<'_>) -> bool {
    matches!(faults, Faults::Fail)
        && run.transfer().left() > 0
        && run.file().is_some_and(fs::is_pipe_unread)
}

/// How a try was made.
struct Attempt<'a> {
    mode: Mode<'a>,
    faults: Faults<'a>,
    /// The bytes that were moved before.
    done: usize,
}

/// Tries once. `None` if somebody keeps others out of the file: then it is held for a while.
///
/// He may do so while he waits for a page of his own, which may be for ever, and the lock is not one
/// that a signal ends the wait for. Between the look and the call he may come all the same, as for
/// read(2); then the wait is the process's.
fn attempt<'a>(
    context: &Arc<Context>,
    mut run: Running,
    mode: Mode<'a>,
    place: Place<'a>,
) -> Option<(Tried<Context>, Attempt<'a>)> {
    let mut looks = 0;
    while is_locked(&mut run) {
        if looks == LOCKED_LOOKS || run.private().held || matches!(place, Place::Waker(_)) {
            hold(context, run);
            return None;
        }
        looks += 1;
        wait::pause_briefly();
    }
    let last = Attempt {
        mode,
        faults: place.faults(),
        done: run.transfer().done(),
    };
    run.private().tried_nowait = mode.is_nowait();
    let tried = run.call(place.caller(), mode, last.faults);
    Some((tried, last))
}

/// Whether somebody keeps it out of its file.
pub(in crate::op) fn is_locked(run: &mut Running) -> bool {
    let locks = run.private().policy.locks;
    let direction = run.transfer().direction();
    locks
        && direction
            .zip(run.file())
            .is_some_and(|(direction, file)| fs::is_stream_locked(file, direction))
}

/// Has the request tried again in a while.
fn hold(context: &Arc<Context>, run: Running) {
    engine::queue_in_order(context, run.finish(), List::Held);
}

/// Goes on after a try.
fn go_on<'a>(
    context: &Arc<Context>,
    mut tried: Tried<Context>,
    mut last: Attempt<'a>,
    place: Place<'a>,
) -> Result {
    let mut spurious = 0;
    loop {
        let (run, mode) = match tried {
            Tried::Returned(run, result) => {
                match next(context, run, result, &last, &mut spurious, place)? {
                    Some(next) => next,
                    None => return Ok(()),
                }
            }
            Tried::Completed(request, result) => {
                return completed(context, request, result, place);
            }
            Tried::InFlight => return Ok(()),
            Tried::Frozen(mut run) => {
                if run.private().policy.again_is_final {
                    return end_with(run, EAGAIN);
                }
                return punt(context, run, List::Block, place);
            }
            Tried::Page(page) => match wait_for_page(context, page) {
                None => return Ok(()),
                Some(run) => (run, Mode::Cached),
            },
        };
        (tried, last) = match attempt(context, run, mode, place) {
            Some(next) => next,
            None => return Ok(()),
        };
    }
}

/// How the request goes on after a try that came to `result`; `None` if somebody else has it now.
fn next<'a>(
    context: &Arc<Context>,
    mut run: Running,
    result: isize,
    last: &Attempt<'a>,
    spurious: &mut u32,
    place: Place<'a>,
) -> Result<Option<(Running, Mode<'a>)>> {
    let policy = run.private().policy;
    let mode = last.mode;
    match judge(&mut run, mode, last.faults, result) {
        Verdict::Over(result) => {
            let too_big = result == EFBIG.to_errno() as isize;
            if too_big && place.is_thread() && is_beyond_limit(&run) {
                // The kernel has sent it to the thread, where nobody sees it.
                signal::raise_file_size(Whom::Process);
            }
            if result < 0 && place.is_thread() && run.is_cancelled() {
                // What a file says of a wait that was ended is its own: FUSE says EIO.
                return end_with(run, ECANCELED).map(|()| None);
            }
            return end(run, result).map(|()| None);
        }
        Verdict::More => return Ok(Some((run, mode))),
        Verdict::Interrupted => return interrupted(context, run, place).map(|()| None),
        Verdict::Unsupported => {
            return punt(context, run, List::Block, place).map(|()| None);
        }
        // For who waits for it.
        Verdict::Memory => return leave_to_others(context, run).map(|()| None),
        Verdict::Wait => {}
    }

    if policy.arm {
        // What moves data is no false alarm.
        *spurious = if run.transfer().done() > last.done {
            0
        } else {
            *spurious + 1
        };
        if *spurious > SPURIOUS_WAKES {
            hold(context, run);
            return Ok(None);
        }
        return Ok(arm(context, run, place)?.map(|run| (run, mode)));
    }
    if !policy.page_wait || !matches!(mode, Mode::Cached) {
        return punt(context, run, List::Block, place).map(|()| None);
    }
    if run.private().from == Some(List::Page) {
        return Ok(Some((run, Mode::PageWait(place.caller().may_block()))));
    }
    punt(context, run, List::Page, place).map(|()| None)
}

/// A driver completed the request before the call returned.
fn completed(
    context: &Arc<Context>,
    mut request: Request,
    result: isize,
    place: Place<'_>,
) -> Result {
    // As in `engine::driver_done`.
    if is_refused(&mut request, result) || is_cut_off(&mut request, result) {
        return punt(context, request.run(), List::Block, place);
    }
    finish_driver(request, result);
    Ok(())
}

/// Leaves the request to the page's waker; or gives it back, if that has been here.
fn wait_for_page(context: &Arc<Context>, mut page: PageRun<Context>) -> Option<Running> {
    page.shared().note_page(List::Run, page.transfer().done());
    context.counters().armed();
    trace::arm(|| page.shared().about(context, 0));
    let deadline = page.private().deadline.clone();
    Window::Wait.pass_asleep();
    match page.wait() {
        Armed::Left => {
            // It could not be cancelled while it was running.
            deadline.inspect(late::meet);
            None
        }
        Armed::Again(run) | Armed::Cancelled(run) => {
            context.counters().disarmed();
            Some(run)
        }
    }
}

/// Puts the request where a task of the process, or a thread, finds it.
fn leave_to_others(context: &Arc<Context>, mut run: Running) -> Result {
    let list = match run.private().from {
        Some(list @ (List::Block | List::Page)) => list,
        _ => run.private().policy.retry,
    };
    // Not to who has woken it once more.
    run.private().policy.by_waker = false;
    engine::queue_in_order(context, run.finish(), list);
    Ok(())
}

/// A signal ended a try: that of who runs it, and not always the request's business.
fn interrupted(context: &Arc<Context>, run: Running, place: Place<'_>) -> Result {
    let accepted = run.shared().is_accepted();
    match place {
        // It was submitted for others as well.
        Place::Own(_) | Place::Waker(_) if current!().signal_pending() && !context.is_dead() => {
            return leave_to_others(context, run);
        }
        // No signal: it is to do something for another context.
        Place::Submit(_) if run.transfer().done() == 0 && signal::is_only_notified() => {
            run.finish().without_event();
            return Err(ERESTARTNOINTR);
        }
        Place::Submit(_) | Place::Own(_) | Place::Waker(_) => return end_with(run, EINTR),
        Place::Thread(_) => {}
    }
    if !accepted && (vhost_task::is_killed() || run.is_cancelled() || context.is_dead()) {
        return end_with(run, ECANCELED);
    }
    if current!().signal_pending() {
        // A stop, or the freezer: it is run again after that. Or the end, before which what was
        // accepted is finished.
        return punt(context, run, List::Block, place);
    }
    // The file says so, as a FUSE server may.
    end_with(run, EINTR)
}

/// Leaves the request to its file's wait queues; or gives it back, if the file may be ready, or a
/// thread has to see.
fn arm(context: &Arc<Context>, run: Running, place: Place<'_>) -> Result<Option<Running>> {
    let events = events_for(run.transfer().direction());
    match op::arm(context, run, events, place)? {
        op::Waiting::Left => Ok(None),
        op::Waiting::Ready(run, _) | op::Waiting::Unable(run) => Ok(Some(run)),
        op::Waiting::Cancelled(run) => end_with(run, ECANCELED).map(|()| None),
    }
}

/// Whether all of it is a write beyond RLIMIT_FSIZE.
fn is_beyond_limit(run: &Running) -> bool {
    run.transfer().done() == 0
        && run
            .file()
            .is_some_and(|file| fs::is_beyond_limit(file, run.transfer()))
}

/// Puts the request on `list`. If it is submitted and there can be no thread, it runs here, as
/// long as it takes.
fn punt(context: &Arc<Context>, run: Running, list: List, place: Place<'_>) -> Result {
    // An atomic write has more to be checked before.
    if place.is_submit() && !run.transfer().is_atomic() && is_beyond_limit(&run) {
        // The signal is for who submits, and a thread would get it.
        signal::raise_file_size(Whom::Task);
        return end_with(run, EFBIG);
    }
    match op::punt(context, run, list, place)? {
        Punted::Queued => Ok(()),
        Punted::Unable(run) => {
            let caller = place.caller();
            let mode = Mode::Block(caller.may_block());
            match block(run, caller, mode, Faults::Wait(caller.may_fault())) {
                None => Ok(()),
                Some(run) => interrupted(context, run, place),
            }
        }
    }
}

/// Runs the transfer to its end, in the current task, as native aio does; or gives it back if a signal
/// came before anything was moved.
fn block(
    mut run: Running,
    caller: Caller<'_>,
    mode: Mode<'_>,
    faults: Faults<'_>,
) -> Option<Running> {
    loop {
        let (next, result) = match run.call(caller, mode, faults) {
            Tried::Returned(run, result) => (run, result),
            Tried::Completed(mut request, result) => {
                if is_cut_off(&mut request, result) {
                    run = request.run();
                    continue;
                }
                finish_driver(request, result);
                return None;
            }
            Tried::Frozen(run) => (run, ECANCELED.to_errno() as isize),
            Tried::InFlight | Tried::Page(_) => return None,
        };
        run = next;
        if is_interrupted(result) && run.transfer().done() == 0 {
            return Some(run);
        }
        let over = match advance(&mut run, result) {
            Err(result) => Some(result),
            Ok(()) => is_over(&mut run, usize::try_from(result).unwrap_or(0))
                .then_some(run.transfer().done() as isize),
        };
        if let Some(result) = over {
            let result = result_at_end(run.file(), run.transfer(), result);
            run.finish().complete(result);
            return None;
        }
    }
}

/// See [`op::finish_accepted`].
pub(in crate::op) fn finish_accepted(mut run: Running, task: WorkerTask<'_>) {
    run.private().tried_nowait = false;
    if let Err(e) = run.take_position() {
        run.finish().complete(e.to_errno() as isize);
        return;
    }
    if let Some(run) = block(run, Caller::Worker(task), Mode::Inline, Faults::Fail) {
        run.finish().complete(EINTR.to_errno() as isize);
    }
}
