// SPDX-License-Identifier: GPL-2.0

//! The mode of the first try of a run, and the verdict on the result of a try.

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
        compat::EOPNOTSUPP,
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

/// The bytes that a try has moved. If it failed, the result of the request.
fn moved(transfer: &Transfer, result: isize) -> Result<usize, isize> {
    usize::try_from(result).map_err(|_| match transfer.done() {
        0 => result,
        done => done as isize,
    })
}

/// Adds the bytes of a try to the transfer. If the try failed, returns the result of the request.
pub(super) fn advance(run: &mut Running, result: isize) -> Result<(), isize> {
    let n = moved(run.transfer(), result)?;
    run.private().held &= n == 0;
    run.advance(n);
    Ok(())
}

/// As [`advance`], for a request that its driver has completed.
pub(in crate::op::rw) fn advance_owned(request: &mut Request, result: isize) -> Result<(), isize> {
    let n = moved(request.transfer(), result)?;
    request.advance(n);
    Ok(())
}

/// Whether the request is over after a try that moved `moved` bytes.
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
        // Beyond RLIMIT_FSIZE a retry would raise SIGXFSZ, as a write that begins there does. An
        // indivisible write that was cut off by the end of its process is continued, unless it is
        // atomic.
        _ => {
            transfer.is_indivisible() && (transfer.is_atomic() || !vhost_task::is_killed())
                || run
                    .file()
                    .is_some_and(|file| fs::is_beyond_limit(file, transfer))
        }
    }
}

/// The beginning of a run.
pub(super) enum Begin<'a> {
    /// A try with this mode.
    Try(Mode<'a>),
    /// A punt to this list, since nothing can be tried here.
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
        // The file supports no try that does not wait.
        (Some(_), _) => Begin::Punt(List::Block),
    }
}

/// Whether `result` is that of a wait that a signal interrupted.
pub(super) fn is_interrupted(result: isize) -> bool {
    is_restart(result) || result == EINTR.to_errno() as isize
}

/// What follows from the result of a try.
pub(super) enum Verdict {
    /// The request is over, with this result.
    Over(isize),
    /// The next try has the same mode.
    More,
    /// The request can't go on without a wait.
    Wait,
    /// The file does not support tries that don't wait.
    Unsupported,
    /// A signal interrupted the try.
    Interrupted,
    /// The program's memory was not present.
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
            // The data that follows in the pipe is for other readers.
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
