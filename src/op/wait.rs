// SPDX-License-Identifier: GPL-2.0

//! Requests that can't go on where they run: they are armed, or punted.

use super::go;
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
    pure::lists::List,
    request::{
        Op,
        Private,
        Request,
        Running, //
    },
    sys::{
        poll::Mask,
        request::{
            Armed,
            Polled, //
        },
        task::FullTask,
        trace, //
    },
    window::Window, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The result of a punt.
pub(super) enum Punted {
    /// The request is on a list.
    Queued,
    /// There can be no thread for the request.
    Unable(Running),
}

/// Claims a thread for a request that is being submitted, if it has no claim.
///
/// ERESTARTNOINTR, or another error if there can be no thread.
pub(super) fn claim(
    context: &Arc<Context>,
    task: FullTask<'_>,
    private: &mut Private,
    list: List,
) -> Result {
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

/// Returns the error if it restarts the submission (ERESTARTNOINTR) and nothing was moved.
pub(super) fn restart(error: Error, done: usize) -> Option<Error> {
    (error.to_errno() == -513 && done == 0).then_some(error)
}

/// Punts a running request: puts it on `list`, which is one for threads.
pub(super) fn punt(
    context: &Arc<Context>,
    mut run: Running,
    list: List,
    place: Place<'_>,
) -> Result<Punted> {
    if let Place::Submit(task) | Place::Own(task) = place {
        if run.private().from == Some(List::Block) {
            // There is no thread, or the context is ending and gets no more threads.
            return Ok(Punted::Unable(run));
        }
        if let Err(e) = claim(context, task, run.private(), list) {
            match restart(e, run.transfer().done()) {
                Some(e) if place.is_submit() => {
                    run.finish().without_event();
                    return Err(e);
                }
                // The signal is handled first.
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

/// As [`claim`], for a request that goes to `list` at once. Returns whether the request has a claim or
/// needs none.
///
/// An error is submit's, and the request is gone then: ERESTARTNOINTR.
pub(super) fn claim_for(
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
    // Without a claim a task of the process runs it.
    let list = match list {
        _ if claimed => list,
        // Its position is not known before its turn, so it can't run here.
        _ if request.transfer().is_at_position() => List::Task,
        List::Run => list,
        // As native aio: no order is kept, and the submitter blocks.
        _ => return go(context, request.run(), Place::Submit(task)),
    };
    engine::queue_in_order(context, request, list);
    Ok(())
}

/// Prepares a request that has to wait for a barrier. Returns the request and the list that it goes to
/// afterwards.
///
/// Errors are submit's, and the request is gone then.
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
    // Without a claim a task of the process runs it.
    let list = if claimed || list == List::Run {
        list
    } else {
        List::Task
    };
    Ok((request, list))
}

/// The result of arming a request on its file.
pub(super) enum Waiting {
    /// The request is armed, or on a list.
    Left,
    /// These events are ready. 0: the request was kicked meanwhile.
    Ready(Running, Mask),
    /// The file has no wait queue, or too many, or there can be no thread for the retry.
    Unable(Running),
    /// The request was cancelled.
    Cancelled(Running),
}

/// Arms a request on the wait queues of its file.
pub(super) fn arm(
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
            // Retries that don't block are run by tasks of the process as well.
            if retry != List::Run {
                return Ok(Waiting::Unable(run));
            }
        }
    }
    if !engine::join(context, &mut run) {
        // Another request for the file was submitted meanwhile, and is before this one.
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
            // Pairs with the end of the context: either `cancel_all` sees the request armed, or this
            // task sees that the context is dead.
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
