// SPDX-License-Identifier: GPL-2.0

//! Retries: which task or thread runs the requests that could not go on.
//!
//! A request that can't go on is armed on a wait queue, or put on a [`List`]; a kick moves it from the
//! wait queue to a list. One of four places runs it, see [`Place`]. All of them belong to the process
//! that submitted it: so the process pays for it, and no other process waits for what it waits for.
//!
//! As a rule, the task that wants the result of a request runs it:
//!
//! - a kick wakes a task that sleeps in getevents;
//! - if none sleeps there, the header of the ring says that there is something to run, and the next
//!   task that calls submit or getevents runs it;
//! - a task of the process that makes a pipe ready runs the retry on its return to user space;
//! - if the context is watched by other means, an eventfd or a poller, a thread is woken at once, and
//!   otherwise if no task has run the request within two ticks;
//! - if there is no thread, or no thread may run the request, task work interrupts a task of the
//!   process ([`Context::signal_work`]).
//!
//! Held requests are tried a few at a time, after longer and longer pauses, and at once when a wait
//! entry of the context was woken.
//!
//! To take a request off a list is to begin its run. A request is put on a list and a task or thread is
//! woken for it under one lock, `Context::queues`, so that no request is forgotten. The work queue of
//! the module runs no requests: it only checks whether a task or a thread must be woken ([`engine`]).
//!
//! This room uses [`op`], [`engine`] and the rooms below these. It takes `Context::queues`.

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
        bug::warn_on,
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

/// A driver has completed a request that was in flight. Any context.
#[inline]
pub(crate) fn driver_done(mut request: Request, result: isize) {
    if op::is_refused(&mut request, result) || op::is_cut_off(&mut request, result) {
        let context = request.client_arc();
        let list = if request.private().policy.threads {
            List::Block
        } else {
            // A task of the process runs it and blocks, as in native aio.
            request.private().policy.first = First::Block;
            List::Task
        };
        queue_in_order(&context, request, list);
        // Another task may have run the request meanwhile, and the context may have ended: the
        // reference may be the last.
        put(context);
    } else {
        op::finish_driver(request, result);
    }
}

/// Runs a request that was taken off a list, with the credentials and rights of its submitter.
pub(crate) fn rerun(context: &Arc<Context>, mut run: Running, place: Place<'_>) {
    context.counters().retried();
    trace::retry(|| run.shared().about(context, 0));
    Window::Retry.pass_asleep();
    if run.is_ended() || context.is_dead() && !run.shared().is_accepted() {
        // The context is dead, or the request was cancelled on a page.
        return run.finish().complete_cancelled();
    }
    if run.private().held && op::is_locked(&mut run) {
        // It stays held: another task would find the file locked, too.
        return queue_in_order(context, run.finish(), List::Held);
    }
    if place.is_thread() && !run.private().policy.threads {
        // It came from the list of held requests, which threads run as well.
        return queue_in_order(context, run.finish(), List::Task);
    }
    // SIGPIPE is not for the task that runs the retry.
    run.raise_no_signal();
    let submitter = run.private().submitter();
    as_submitter(context, &submitter, || {
        let result = op::go(context, run, place);
        // An error gives back a request that is being submitted, which this one is not.
        warn_on(result.is_err());
    });
}

/// Calls `f` with the credentials, and the rights to memory (PKRU), of the submitter of a request.
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
