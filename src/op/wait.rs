// SPDX-License-Identifier: GPL-2.0

//! What becomes of a request that can't go on where it is run: it is armed, or handed to others.

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

/// What became of a request that can't go on here.
pub(super) enum Punted {
    /// It is on a list.
    Queued,
    /// There can be no thread for it.
    Unable(Running),
}

/// Claims a thread for a request that is being submitted, if it does not have that.
///
/// ERESTARTNOINTR, or another error if there can be none.
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

/// The error of a submission that can be made again, if it is that.
pub(super) fn restart(error: Error, done: usize) -> Option<Error> {
    (error.to_errno() == -513 && done == 0).then_some(error)
}

/// Puts a request that is running on `list`, which is one for threads.
pub(super) fn punt(
    context: &Arc<Context>,
    mut run: Running,
    list: List,
    place: Place<'_>,
) -> Result<Punted> {
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
pub(super) enum Waiting {
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
