// SPDX-License-Identifier: GPL-2.0

//! Retries: where requests wait that could not go on, and who runs them then.
//!
//! A request that can't go on is armed on a wait queue, or put on a [`List`]; a kick takes it from
//! the one to the other. It is run by one of four, see [`Place`], all of them of its process: so
//! that what it costs is the process's, and whoever it has to wait for is waited for by none else.
//!
//! Who wants the result of a request runs it, as a rule. A kick wakes a task that sleeps in
//! getevents; or, if nobody sleeps there, says in the ring's header that there is something to run,
//! and leaves it to whoever comes. Who makes a pipe ready runs it on his way back to his program, if he
//! is of the process. If the context is watched by other means, an eventfd or a poller, a thread is woken
//! at once; and else if nobody has come within two ticks. Where there is no thread, or no thread may run
//! it, a task of the process is interrupted for it ([`Context::summoned`]).
//!
//! What is held is tried a few at a time, after longer and longer pauses, and at once when something of
//! the context was woken.
//!
//! Whoever takes a request off a list has its run; whoever puts one there sees to it that somebody
//! comes, under the same lock, so that nothing is forgotten. The work queue of the module runs no
//! request: it only looks whether somebody has to be woken ([`Context::looks`]).

mod barrier;
pub(crate) mod cancel;
pub(crate) mod deadline;
mod end;
mod own;
mod queues;
pub(crate) mod threads;

use crate::{
    context::Context,
    engine::threads::Claim,
    op,
    pure::{
        lists::{
            List,
            Nodes, //
        },
        policy::{
            First,
            Order,
            Policy, //
        }, //
    },
    request::{
        Over,
        Request,
        Running,
        Submitter, //
    },
    sys::{
        cred,
        fs::Faults,
        poll,
        request::{
            Fired,
            Kick, //
        },
        task::{
            Caller,
            FullTask,
            WorkerTask, //
        },
        trace,
        workqueue, //
    },
    window::Window, //
};
pub(crate) use barrier::{
    let_next_begin,
    submit, //
};
pub(crate) use end::{
    cancel_for_threads,
    cancel_queued,
    finish_accepted,
    run_accepted, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
pub(crate) use own::{
    look_now,
    run_own, //
};
use queues::take;
pub(crate) use queues::{
    begin_wait,
    end_call,
    end_wait,
    has_work_for_waiter,
    note_kept_file,
    take_from,
    wake_pollers_later,
    Queues, //
};

/// Who runs a request.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// The task that submits it, in submit.
    Submit(FullTask<'a>),
    /// A task of the process, in submit or getevents, or summoned.
    Own(FullTask<'a>),
    /// A task of the process that has woken it, on its way back from whatever call.
    Waker(FullTask<'a>),
    /// A thread of the process.
    Thread(WorkerTask<'a>),
}

impl<'a> Place<'a> {
    /// The task, for a call into a file.
    pub(crate) fn caller(self) -> Caller<'a> {
        match self {
            Place::Submit(task) | Place::Own(task) | Place::Waker(task) => Caller::Full(task),
            Place::Thread(task) => Caller::Worker(task),
        }
    }

    /// Whether it waits for the program's memory. Who has woken a request does not: it may be the one
    /// who serves that.
    pub(crate) fn faults(self) -> Faults<'a> {
        match self {
            Place::Waker(_) => Faults::Fail,
            _ => Faults::Wait(self.caller().may_fault()),
        }
    }

    pub(crate) fn is_submit(self) -> bool {
        matches!(self, Place::Submit(_))
    }

    pub(crate) fn is_thread(self) -> bool {
        matches!(self, Place::Thread(_))
    }
}

/// Begins to run a prepared request, in the submitting task; it may be over then, and its event
/// is to be published.
///
/// An error is submit's, and the request is gone then: see [`op::go`].
#[inline(always)]
pub(crate) fn start(
    context: &Arc<Context>,
    task: FullTask<'_>,
    mut request: Request,
) -> Result<Option<Over>> {
    if request.private().key == 0 {
        return op::start(context, task, request);
    }
    start_in_order(context, task, request).map(|()| None)
}

/// As [`start`], for a request of a group.
#[inline(never)]
fn start_in_order(context: &Arc<Context>, task: FullTask<'_>, mut request: Request) -> Result {
    let key = request.private().key;
    let at_position = request.transfer().is_at_position();
    let done_here = is_done_here(&request.private().policy) && !at_position;
    // Then it is armed without a try, and joins right now.
    let waits = op::has_to_wait(&mut request);
    let mut queues = context.queues().lock();
    if done_here && queues.joined_writes == 0 {
        drop(queues);
        return op::go(context, request.run(), Place::Submit(task));
    }
    if queues.groups.is_busy(context.pool(), key) {
        let policy = &request.private().policy;
        if policy.again_is_final && policy.first != First::Block {
            drop(queues);
            request.complete(EAGAIN.to_errno() as isize);
            return Ok(());
        }
        drop(queues);
        // It may run by others now.
        return op::punt_behind(context, task, request);
    }
    if waits || at_position {
        queues.groups.found(context.pool(), request.index(), key);
        queues.note_joined(&mut request);
        request.private().joined = true;
    }
    if waits {
        let claim = Claim::Own;
        if request.private().policy.threads && queues.try_claim(claim) {
            request.private().claim = Some(claim);
        }
    }
    drop(queues);
    if waits {
        return op::wait(context, task, request.run());
    }
    op::go(context, request.run(), Place::Submit(task))
}

/// Whether it is a write that submit does, if nobody before it is one: an fsync can only gain.
fn is_done_here(policy: &Policy) -> bool {
    policy.first == First::Block && policy.order == Order::Inode
}

/// Takes the request's place in its group; whether it is first. Any context.
pub(crate) fn join(context: &Context, run: &mut Running) -> bool {
    let (key, joined, index) = (run.private().key, run.private().joined, run.index());
    if key == 0 || joined {
        return true;
    }
    run.private().joined = true;
    let mut queues = context.queues().lock();
    queues.groups.join(context.pool(), index, key)
}

/// Puts the request on `list`, or behind the others of its group; it is completed if it was
/// cancelled meanwhile. Any context.
pub(crate) fn queue_in_order(context: &Context, mut request: Request, list: List) {
    let (index, key, joined) = (
        request.index(),
        request.private().key,
        request.private().joined,
    );
    let hold = list == List::Held;
    let in_vain = hold && request.private().held;
    request.private().held |= hold;
    request.note_waiting(list);
    request.private().joined = key != 0;
    let mut queues = context.queues().lock();
    if in_vain {
        queues.held_due = queues.held_due.saturating_sub(1);
    } else if hold {
        queues.hold_briefly();
    }
    if key != 0 && !joined {
        queues.groups.join(context.pool(), index, key);
        queues.note_joined(&mut request);
    }
    // Whoever was before it may have gone meanwhile.
    let first = key == 0 || queues.groups.is_first(context.pool(), index);
    let list = if first { list } else { List::Waiting };
    if queues.closing && !request.shared().is_accepted() {
        drop(queues);
        request.complete_cancelled();
        return;
    }
    // Let go of under the lock, where it is not the last: nobody has run the request yet.
    let arc = request.client_arc();
    match request.queue() {
        Ok(()) => queues.push(context, || arc.clone(), index, list),
        Err(request) => {
            drop(arc);
            drop(queues);
            request.complete_cancelled();
        }
    }
}

/// Lets go of a reference that may be the last, in any context: it is dropped in a work item then.
pub(crate) fn let_go(context: Arc<Context>) {
    if let Some(last) = Arc::into_unique_or_drop(context) {
        workqueue::enqueue_by::<_, 0>(Arc::from(last), 0);
    }
}

#[cold]
fn end_deadline(request: &mut Request) {
    if let Some(deadline) = request.private().deadline.take() {
        deadline::end(deadline);
    }
}

/// Gives back what a request has of its context: its place in its group, whose next may run now,
/// and its claim to a thread. Any context.
pub(crate) fn leave(request: &mut Request) {
    let private = request.private();
    let (joined, claim, counted) = (private.joined, private.claim, private.counted);
    (private.joined, private.claim, private.counted) = (false, None, false);
    if private.deadline.is_some() {
        end_deadline(request);
        if !joined && claim.is_none() && !counted {
            return;
        }
    }
    let write = joined && queues::is_ordered_write(request);
    let (context, index) = (request.client(), request.index());
    let mut queues = context.queues().lock();
    if let Some(claim) = claim {
        queues.claims.remove(claim);
        if queues.for_threads() > 0 {
            // One may be free for what is there now.
            queues.threads.wake();
        }
    }
    if counted && queues.threads.finish_write() {
        context.wake_drain();
    }
    if !joined {
        return;
    }
    // Where the next one begins, if it is at the position.
    if request.transfer().is_at_position() {
        request.move_position();
    }
    if write {
        queues.note_write_left();
    }
    let next = queues.groups.leave(context.pool(), index);
    let Some(next) = next else { return };
    let listed = context
        .pool()
        .links(next)
        .is_some_and(|links| links.is_listed() && !links.is_on(List::Barrier));
    // Else it is held back by a barrier, or on its way to the list, and will find that it is first.
    if listed {
        let shared = context.pool().shared(next);
        let list = shared.map_or(List::Block, |shared| shared.kicked_to());
        queues.lists.remove(context.pool(), next);
        queues.push(context, || request.client_arc(), next, list);
    }
}

/// A wait entry was woken. Any context, under the lock of a wait queue.
pub(crate) fn kick(mut kick: Kick<'_, Context>) {
    Window::Kick.pass();
    let (context, index, shared) = (kick.client(), kick.index(), kick.shared());
    if shared.is_fired() {
        if context.has_held() {
            let arc = || kick.client_arc();
            context.queues().lock().try_held(context, arc);
        }
        kick = match kick.fire() {
            Fired::Own(request, mask) => {
                context.counters().kicked();
                request.complete_in_wake(poll::to_user(mask) as isize);
                return;
            }
            Fired::No(kick) => kick,
        };
    }
    let by_sleeper = shared.is_by_waker() && kick.is_by_sleeper();
    let mut queues = context.queues().lock();
    let arc = kick.client_arc();
    shared.keep_told(|| kick.told());
    // All of it under the lock: once it is let go of, the request may be over.
    if !kick.make() {
        drop(queues);
        return;
    }
    context.counters().kicked();
    trace::kick(|| shared.about(context, 0));
    // Only now: it is nobody's until the lock is let go of, while before it was armed, whoever had it said
    // what the list is, and the rest.
    if by_sleeper {
        shared.set_not_by_waker();
    }
    let list = shared.kicked_to();
    queues.push(context, || arc.clone(), index, list);
    queues.try_held(context, || arc.clone());
}

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
        let_go(context);
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
