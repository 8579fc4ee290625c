// SPDX-License-Identifier: GPL-2.0

//! The tries of a transfer, and what follows the result of each.

mod blocking;
mod page;
mod verdict;

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
        Place, //
    },
    op::{
        self,
        Punted, //
    },
    pure::{
        lists::List,
        policy::Try, //
    },
    request::{
        result_of,
        Request,
        Running, //
    },
    sys::{
        compat::ECANCELED,
        fs::{
            self,
            Faults,
            Mode, //
        },
        request::Tried,
        signal::{
            self,
            Whom, //
        },
        task::FullTask,
        vhost_task,
        wait, //
    }, //
};
use blocking::block;
pub(in crate::op) use blocking::finish_accepted;
use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};
use page::wait_for_page;
pub(super) use verdict::advance_owned;
use verdict::{
    begin,
    judge,
    Begin,
    Verdict, //
};

/// How many spurious wakes of its file a run accepts before the request is held.
const SPURIOUS_WAKES: u32 = 4;
/// How often a run checks a locked file again before the request is held.
const LOCKED_LOOKS: u32 = 3;

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

/// Continues after the first try of [`super::start`].
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

/// Runs a transfer as far as it goes without a wait that its place does not allow. See [`super::go`].
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
        // A read of a stream ends with the first data.
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

/// Whether a read has left data in the pipe because the program's memory was not present.
fn was_cut_short(run: &mut Running, faults: Faults<'_>) -> bool {
    matches!(faults, Faults::Fail)
        && run.transfer().left() > 0
        && run.file().is_some_and(fs::is_pipe_unread)
}

/// A try, as it was made.
struct Attempt<'a> {
    mode: Mode<'a>,
    faults: Faults<'a>,
    /// The bytes that were moved before the try.
    done: usize,
}

/// Tries once. If another task holds the lock of the file, holds the request for a while and returns
/// `None`.
///
/// The other task may hold the lock over a page fault of its own, perhaps for ever, and no signal ends
/// a wait for the lock. The other task may still take the lock between the check and the call, as it
/// may for read(2); then this task waits for it.
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

/// Whether another task holds the lock of the request's file.
pub(in crate::op) fn is_locked(run: &mut Running) -> bool {
    let locks = run.private().policy.locks;
    let direction = run.transfer().direction();
    locks
        && direction
            .zip(run.file())
            .is_some_and(|(direction, file)| fs::is_stream_locked(file, direction))
}

/// Holds the request: it is tried again after a while.
fn hold(context: &Arc<Context>, run: Running) {
    engine::queue_in_order(context, run.finish(), List::Held);
}

/// Continues after a try.
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

/// How the request goes on after a try with `result`. `None` if this run has ended.
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
                // The kernel has sent SIGXFSZ to the thread, which blocks it.
                signal::raise_file_size(Whom::Process);
            }
            if result < 0 && place.is_thread() && run.is_cancelled() {
                // The errno of an interrupted wait is the file's own: FUSE returns EIO.
                return end_with(run, ECANCELED).map(|()| None);
            }
            return end(run, result).map(|()| None);
        }
        Verdict::More => return Ok(Some((run, mode))),
        Verdict::Interrupted => return interrupted(context, run, place).map(|()| None),
        Verdict::Unsupported => {
            return punt(context, run, List::Block, place).map(|()| None);
        }
        // Another task or thread can wait for the page fault.
        Verdict::Memory => return leave_to_others(context, run).map(|()| None),
        Verdict::Wait => {}
    }

    if policy.arm {
        // A wake after which data is moved is not spurious.
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

/// The driver completed the request before the call returned.
fn completed(
    context: &Arc<Context>,
    mut request: Request,
    result: isize,
    place: Place<'_>,
) -> Result {
    // As in `run::driver_done`.
    if is_refused(&mut request, result) || is_cut_off(&mut request, result) {
        return punt(context, request.run(), List::Block, place);
    }
    finish_driver(request, result);
    Ok(())
}

/// Puts the request on a list for another task or a thread.
fn leave_to_others(context: &Arc<Context>, mut run: Running) -> Result {
    let list = match run.private().from {
        Some(list @ (List::Block | List::Page)) => list,
        _ => run.private().policy.retry,
    };
    // Not to the waker again.
    run.private().policy.by_waker = false;
    engine::queue_in_order(context, run.finish(), list);
    Ok(())
}

/// A signal interrupted a try. It is a signal of the task that runs the try, and may have nothing to do
/// with the request.
fn interrupted(context: &Arc<Context>, run: Running, place: Place<'_>) -> Result {
    let accepted = run.shared().is_accepted();
    match place {
        // Other tasks may wait for the request as well.
        Place::Own(_) | Place::Waker(_) if current!().signal_pending() && !context.is_dead() => {
            return leave_to_others(context, run);
        }
        // No signal, but task work, which runs requests of another context for example.
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
        // A stop or the freezer: the request is run again after that. Or the process ends, and the
        // request is accepted: it is finished before the end.
        // accepted is finished.
        return punt(context, run, List::Block, place);
    }
    // No signal: the file itself returned the error, as a FUSE server may.
    end_with(run, EINTR)
}

/// Arms the request on the wait queues of its file. Returns it if the file may be ready, or if it
/// can't be armed.
fn arm(context: &Arc<Context>, run: Running, place: Place<'_>) -> Result<Option<Running>> {
    let events = events_for(run.transfer().direction());
    match op::arm(context, run, events, place)? {
        op::Waiting::Left => Ok(None),
        op::Waiting::Ready(run, _) | op::Waiting::Unable(run) => Ok(Some(run)),
        op::Waiting::Cancelled(run) => end_with(run, ECANCELED).map(|()| None),
    }
}

/// Whether the whole request is a write beyond RLIMIT_FSIZE.
fn is_beyond_limit(run: &Running) -> bool {
    run.transfer().done() == 0
        && run
            .file()
            .is_some_and(|file| fs::is_beyond_limit(file, run.transfer()))
}

/// Punts the request to `list`. If there can be no thread for it, runs it here and blocks as long as
/// that takes.
fn punt(context: &Arc<Context>, run: Running, list: List, place: Place<'_>) -> Result {
    // An atomic write has other checks that come first.
    if place.is_submit() && !run.transfer().is_atomic() && is_beyond_limit(&run) {
        // SIGXFSZ is for the submitter, and a thread would get it.
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
