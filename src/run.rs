// SPDX-License-Identifier: GPL-2.0

//! Retries: who runs requests that could not go on.
//!
//! A request that can't go on is armed on a wait queue, or put on a [`List`]; a kick takes it from the
//! one to the other. It is run by one of four, see [`Place`], all of them of its process: so that what it
//! costs is the process's, and whoever it has to wait for is waited for by none else.
//!
//! Who wants the result of a request runs it, as a rule. A kick wakes a task that sleeps in
//! getevents; or, if nobody sleeps there, says in the ring's header that there is something to run,
//! and leaves it to whoever comes. Who makes a pipe ready runs it on his way back to his program, if he
//! is of the process. If the context is watched by other means, an eventfd or a poller, a thread is woken
//! at once; and else if nobody has come within two ticks. Where there is no thread, or no thread may run
//! it, a task of the process is interrupted for it ([`Context::signal_work`]).
//!
//! What is held is tried a few at a time, after longer and longer pauses, and at once when something of
//! the context was woken.
//!
//! Whoever takes a request off a list has its run; whoever puts one there sees to it that somebody
//! comes, under the same lock, so that nothing is forgotten. The work queue of the module runs no
//! request: it only looks whether somebody has to be woken ([`engine`]).

mod end;
mod own;
mod worker;

use crate::{
    context::{
        put,
        queues,
        Context, //
    },
    engine::{
        self,
        queue_in_order,
        Place, //
    },
    op,
    pure::{
        lists::List,
        policy::First, //
    },
    request::{
        Private,
        Request,
        Running,
        Shared,
        Submitter, //
    },
    sys::{
        cred,
        request::{
            Client,
            Kick, //
        },
        trace, //
    },
    window::Window, //
};
pub(crate) use end::{
    cancel_queued,
    run_accepted, //
};
use kernel::{
    mm::Mm,
    sync::{
        Arc,
        ArcBorrow, //
    },
    task::Task, //
};
pub(crate) use own::{
    look_now,
    run_own, //
};

/// A driver is done with a request that was in flight. Any context.
#[inline]
pub(crate) fn driver_done(mut request: Request, result: isize) {
    if op::is_refused(&mut request, result) || op::is_cut_off(&mut request, result) {
        let context = request.client_arc();
        let list = if request.private().policy.threads {
            List::Block
        } else {
            // A task of the process waits for it, as native aio does.
            request.private().policy.first = First::Block;
            List::Task
        };
        queue_in_order(&context, request, list);
        // Somebody may have run it since, and ended the context.
        put(context);
    } else {
        op::finish_driver(request, result);
    }
}

/// Runs a request that was taken off a list, as who has submitted it.
pub(crate) fn rerun(context: &Arc<Context>, mut run: Running, place: Place<'_>) {
    context.counters().retried();
    trace::retry(|| run.shared().about(context, 0));
    Window::Retry.pass_asleep();
    if run.is_ended() || context.is_dead() && !run.shared().is_accepted() {
        // Nobody can serve it any more.
        return run.finish().complete_cancelled();
    }
    if run.private().held && op::is_locked(&mut run) {
        // It is not handed on to somebody who finds the same.
        return queue_in_order(context, run.finish(), List::Held);
    }
    if place.is_thread() && !run.private().policy.threads {
        // It was held.
        return queue_in_order(context, run.finish(), List::Task);
    }
    // Who runs it has not written.
    run.raise_no_signal();
    let submitter = run.private().submitter();
    as_submitter(context, &submitter, || {
        let result = op::go(context, run, place);
        // Only a request that is being submitted can be given back.
        kernel::warn_on!(result.is_err());
    });
}

/// Calls `f` with the credentials and the rights to memory of who has submitted a request.
pub(crate) fn as_submitter<R>(
    context: &Context,
    submitter: &Submitter,
    f: impl FnOnce() -> R,
) -> R {
    let cred = submitter.cred.as_deref().unwrap_or(context.cred());
    cred::with(cred, || submitter.state.with(f))
}

impl Client for Context {
    type Shared = Shared;
    type Private = Private;

    const POOL_OFFSET: usize = Context::POOL_OFFSET;

    #[inline]
    fn complete(request: Request, result: isize) {
        driver_done(request, result);
    }

    fn kick(kick: Kick<'_, Self>) {
        engine::kick(kick);
    }

    fn process(&self) -> (&Mm, &Task) {
        (self.mm(), self.task())
    }

    fn has_kept_file(context: ArcBorrow<'_, Self>) {
        queues::note_kept_file(&context, || context.into());
    }
}
