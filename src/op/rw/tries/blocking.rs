// SPDX-License-Identifier: GPL-2.0

//! Transfers that run to their end and block.

use super::verdict::{
    advance,
    is_interrupted,
    is_over, //
};
use crate::{
    op::{
        finish_driver,
        is_cut_off,
        rw::result_at_end, //
    },
    request::Running,
    sys::{
        compat::ECANCELED,
        fs::{
            Faults,
            Mode, //
        },
        request::Tried,
        task::{
            Caller,
            WorkerTask, //
        }, //
    }, //
};
use kernel::prelude::*;

/// Runs the transfer to its end in the current task, as native aio does. Returns it if a signal
/// interrupted it before anything was moved.
pub(super) fn block(
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

/// See [`op::finish_accepted`](crate::op::finish_accepted).
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
