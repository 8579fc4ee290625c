// SPDX-License-Identifier: GPL-2.0

//! What a run begins with, and what the result of a try means.

use crate::{
    engine::Place,
    pure::{
        lists::List,
        policy::First, //
    },
    request::{
        is_restart,
        Request,
        Running, //
    },
    sys::{
        fs::{
            self,
            Faults,
            Mode,
            Transfer, //
        },
        uio::Direction,
        vhost_task, //
    }, //
};
use kernel::prelude::*;

/// What a try has moved; or the result of the request, if it failed.
fn moved(transfer: &Transfer, result: isize) -> Result<usize, isize> {
    usize::try_from(result).map_err(|_| match transfer.done() {
        0 => result,
        done => done as isize,
    })
}

/// Notes the result of a try; or says what that of the request is, if it failed.
pub(super) fn advance(run: &mut Running, result: isize) -> Result<(), isize> {
    let n = moved(run.transfer(), result)?;
    run.private().held &= n == 0;
    run.advance(n);
    Ok(())
}

/// As [`advance`], of one that its driver has completed.
pub(in crate::op::rw) fn advance_owned(request: &mut Request, result: isize) -> Result<(), isize> {
    let n = moved(request.transfer(), result)?;
    request.advance(n);
    Ok(())
}

/// Whether a try that moved `moved` bytes was the last.
pub(super) fn is_over(run: &mut Running, moved: usize) -> bool {
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

/// What a run begins with.
pub(super) enum Begin<'a> {
    /// A try.
    Try(Mode<'a>),
    /// Nothing that can be done here.
    Punt(List),
}

pub(super) fn begin<'a>(run: &mut Running, place: Place<'a>) -> Begin<'a> {
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
pub(super) fn is_interrupted(result: isize) -> bool {
    is_restart(result) || result == EINTR.to_errno() as isize
}

/// What a try's result means.
pub(super) enum Verdict {
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

pub(super) fn judge(
    run: &mut Running,
    mode: Mode<'_>,
    faults: Faults<'_>,
    result: isize,
) -> Verdict {
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
