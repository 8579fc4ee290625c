// SPDX-License-Identifier: GPL-2.0

//! Retries: where requests wait that could not go on, and who runs them then.
//!
//! A request that can't go on is armed on a wait queue, or put on a [`List`]; a kick takes it from
//! the one to the other. From the lists it is run by
//!
//! - a task of the process that is in submit or getevents anyway ([`run_own`]),
//! - the task of the process that has woken it, when it leaves the kernel ([`run_woken`]),
//! - the module's work queue, one work item for each context ([`Context::run`]),
//! - threads of the process, see [`threads`](crate::threads).
//!
//! Whoever takes a request off a list has its run; whoever puts one there sees to it that somebody
//! comes, under the same lock, so that nothing is forgotten.

use crate::{
    cancel,
    context::Context,
    lists::{
        Groups,
        Links,
        List,
        Lists,
        Nodes, //
    },
    op,
    request::{
        result_of,
        Over,
        Request,
        Running, //
    },
    sys::{
        cred,
        kthread,
        request::{
            Kick,
            Pool, //
        },
        task_work::{
            self,
            TaskWork,
            TaskWorkItem, //
        },
        trace,
        workqueue, //
    },
    threads::{
        self,
        Claims,
        Threads, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::Jiffies,
    workqueue::WorkItem, //
};

/// Most retries that a task runs before it does its own work.
const OWN_TRIES: usize = 64;
/// Most retries that a task runs because it has woken them.
const WOKEN_TRIES: usize = 16;
/// Most retries that the work queue runs for a context before it does others.
const WORKER_TRIES: usize = 256;

/// Who runs a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whence {
    /// The task that submits it, in submit.
    Submit,
    /// A task of the process, in submit or getevents.
    Own,
    /// A task of the process that has woken it, on its way back from whatever call.
    Waker,
    /// The work queue.
    Worker,
    /// A thread of the process.
    Thread,
}

/// What the lock of the lists guards.
pub(crate) struct Queues {
    pub(crate) lists: Lists,
    pub(crate) groups: Groups,
    pub(crate) threads: Threads,
    /// Tasks that sleep in getevents.
    pub(crate) waiters: u32,
    /// Requests that may need a thread of the process.
    pub(crate) claims: Claims,
    /// A waiter is to see whether more threads are needed.
    pub(crate) grow: bool,
    /// In a tick somebody looks whether a waker has run what was left to it.
    overdue: bool,
    /// The context is dead, and what is on the lists was cancelled.
    pub(crate) closing: bool,
}

impl Queues {
    /// For a context of that many requests. ENOMEM. Process context.
    pub(crate) fn new(requests: u32) -> Result<Self> {
        Ok(Queues {
            lists: Lists::new(),
            groups: Groups::new(requests)?,
            threads: Threads::new(),
            waiters: 0,
            claims: Claims::default(),
            grow: false,
            overdue: false,
            closing: false,
        })
    }

    /// Puts `index`, which is Queued, on `list`, and sees to it that somebody comes: the current
    /// task, if that is `by_waker`.
    fn push(
        &mut self,
        context: &Context,
        arc: impl Fn() -> Arc<Context>,
        index: u32,
        list: List,
        by_waker: bool,
    ) {
        // Only the work queue comes for a dead context, to cancel what it finds.
        let list = match list {
            List::Own | List::Page | List::Block | List::Later if self.closing => List::Ready,
            list => list,
        };
        self.lists.push(context.pool(), index, list);
        context.may_have_queued().set(1);
        match list {
            List::Waiting => {}
            List::Ready if self.waiters > 0 && !self.closing => context.wake_waiters(),
            List::Ready if by_waker && !self.closing && self.leave_to_waker(context, &arc) => {}
            List::Ready => queue_work(arc(), 0),
            List::Own | List::Later if self.waiters > 0 => context.wake_waiters(),
            List::Later => {
                if !self.threads.wake() {
                    queue_work(arc(), 1);
                }
            }
            List::Own | List::Page | List::Block => {
                if !self.threads.wake() {
                    self.ask_for_thread(context);
                }
            }
        }
    }

    /// Has the current task run what is ready, when it leaves the kernel. False if it can't.
    fn leave_to_waker(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) -> bool {
        if !task_work::goes_back_to(context.mm()) || !task_work::enqueue(arc()) {
            return false;
        }
        // It may sleep before that, for a long time.
        if !self.overdue {
            self.overdue = true;
            let _ = workqueue::queue().enqueue_delayed::<_, 4>(arc(), 1);
        }
        true
    }

    /// Requests that are on a list and may be run.
    pub(crate) fn queued(&self) -> u32 {
        [List::Ready, List::Own, List::Page, List::Block, List::Later]
            .iter()
            .fold(0, |sum, &list| sum.saturating_add(self.lists.len(list)))
    }

    /// Says so if there is nothing to run.
    fn note_if_empty(&self, context: &Context) {
        if self.queued() == 0 && !self.grow {
            context.may_have_queued().set(0);
        }
    }

    /// Requests that only threads may run, now.
    pub(crate) fn for_threads(&self) -> u32 {
        let pages = self.lists.len(List::Page).min(self.threads.pages_left());
        self.lists
            .len(List::Block)
            .saturating_add(self.lists.len(List::Own))
            .saturating_add(pages)
    }
}

fn queue_work(context: Arc<Context>, delay: Jiffies) {
    // If it is queued already it will come, and the reference is not the last.
    let _ = workqueue::queue().enqueue_delayed::<_, 0>(context, delay);
}

impl Nodes for Pool<Context> {
    fn links(&self, index: u32) -> Option<&Links> {
        self.shared(index).map(|shared| &shared.links)
    }
}

/// Begins to run a prepared request, in the submitting task; it may be over then, and its event
/// is to be published.
///
/// An error is submit's, and the request is gone then: ERESTARTNOINTR. Process context.
#[inline(always)]
pub(crate) fn start(context: &Arc<Context>, mut request: Request) -> Result<Option<Over>> {
    if request.private().key == 0 {
        return op::start(context, request);
    }
    start_in_order(context, request).map(|()| None)
}

/// As [`start`], for a request of a group.
#[inline(never)]
fn start_in_order(context: &Arc<Context>, mut request: Request) -> Result {
    let key = request.private().key;
    // Then it is armed without a try, and joins right now.
    let waits = op::has_to_wait(&mut request);
    let mut queues = context.queues().lock();
    if queues.groups.is_busy(context.pool(), key) {
        if request.private().way.again_is_final {
            drop(queues);
            request.complete(EAGAIN.to_errno() as isize);
            return Ok(());
        }
        drop(queues);
        // It may run by others now.
        return op::punt_behind(context, request);
    }
    if waits {
        queues.groups.found(context.pool(), request.index(), key);
    }
    drop(queues);
    if waits {
        request.private().joined = true;
        return op::wait(context, request.run());
    }
    op::go(context, request.run(), Whence::Submit)
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
pub(crate) fn queue_in_order(context: &Context, request: Request, list: List) {
    queue_with(context, request, |_| list);
}

/// Puts a request that may block where a thread finds it; but if there is none, where a task of the
/// process finds it, or it is tried again in a moment. Any context.
pub(crate) fn queue_for_thread(context: &Context, request: Request) {
    queue_with(context, request, |queues| {
        if queues.threads.is_there() {
            List::Block
        } else {
            List::Later
        }
    });
}

/// As [`queue_in_order`], on the list that `choose` says under the lock.
fn queue_with(context: &Context, mut request: Request, choose: impl FnOnce(&Queues) -> List) {
    let (index, key, joined) = (
        request.index(),
        request.private().key,
        request.private().joined,
    );
    let arc = request.client_arc();
    let moved = request.transfer().done();
    let by_waker = request.private().way.by_waker;
    request.private().joined = key != 0;
    let mut queues = context.queues().lock();
    let list = choose(&queues);
    request.shared().set_kicked_to(list, by_waker, moved);
    if key != 0 && !joined {
        queues.groups.join(context.pool(), index, key);
    }
    // Whoever was before it may have gone meanwhile.
    let first = key == 0 || queues.groups.is_first(context.pool(), index);
    let list = if first { list } else { List::Waiting };
    if queues.closing {
        drop(queues);
        cancelled(request);
        return;
    }
    match request.queue() {
        Ok(()) => queues.push(context, || arc.clone(), index, list, by_waker),
        Err(request) => {
            drop(queues);
            cancelled(request);
        }
    }
}

pub(crate) fn cancelled(request: Request) {
    let done = request.transfer().done();
    request.complete(result_of(done, ECANCELED));
}

/// Gives back what a request has of its context: its place in its group, whose next may run now,
/// and its claim to a thread. Any context.
pub(crate) fn leave(request: &mut Request) {
    let (joined, claim) = (request.private().joined, request.private().claim);
    request.private().joined = false;
    request.private().claim = None;
    let (context, index) = (request.client(), request.index());
    let mut queues = context.queues().lock();
    if let Some(claim) = claim {
        let before = queues.claims.threads();
        queues.claims.remove(claim);
        if queues.for_threads() > 0 {
            // One may be free for what is there now.
            queues.threads.wake();
        }
        if queues.claims.threads() < before && queues.threads.is_there() {
            threads::reap_later(request.client_arc());
        }
    }
    if !joined {
        return;
    }
    let next = queues.groups.leave(context.pool(), index);
    let Some(next) = next else { return };
    let listed = context.pool().links(next).is_some_and(Links::is_listed);
    // Else it is on its way to the list, and will find that it is first.
    if listed {
        let (list, by_waker) = context
            .pool()
            .shared(next)
            .map_or((List::Block, false), |shared| {
                (shared.kicked_to(), shared.is_by_waker())
            });
        queues.lists.remove(context.pool(), next);
        queues.push(context, || request.client_arc(), next, list, by_waker);
    }
}

/// A wait entry was woken. Any context, under the lock of a wait queue.
pub(crate) fn kick(kick: Kick<'_, Context>) {
    let (context, index) = (kick.client(), kick.index());
    let mut queues = context.queues().lock();
    // All of it under the lock: once it is let go of, the request may be over, and the context
    // with it.
    if !kick.make() {
        return;
    }
    context.counters().kicked();
    let shared = kick.shared();
    trace::kick(|| shared.about(context, 0));
    let list = shared.kicked_to();
    let by_waker = shared.is_by_waker() && !kick.is_by_sleeper();
    queues.push(context, || kick.client_arc(), index, list, by_waker);
}

/// A driver is done with a request that was in flight. Any context.
#[inline]
pub(crate) fn driver_done(mut request: Request, result: isize) {
    if op::is_refused(&mut request, result) {
        request.private().refused = request.private().refused.saturating_add(1);
        // Not the last reference: the pool of the request has one.
        let context = request.client_arc();
        queue_for_thread(&context, request);
    } else {
        op::finish_driver(request, result);
    }
}

/// Takes the first request off one of `lists`, and begins its run.
fn take(context: &Context, lists: &[List]) -> Option<Running> {
    let mut queues = context.queues().lock();
    take_from(&mut queues, context, lists)
}

/// As [`take`], under the lock.
pub(crate) fn take_from(queues: &mut Queues, context: &Context, lists: &[List]) -> Option<Running> {
    for &list in lists {
        while let Some(index) = queues.lists.pop(context.pool(), list) {
            if let Some(mut run) = context.pool().run(index) {
                run.private().from = Some(list);
                return Some(run);
            }
        }
    }
    None
}

/// Runs a request that was taken off a list, with the credentials at submit.
pub(crate) fn rerun(context: &Arc<Context>, mut run: Running, whence: Whence) {
    context.counters().retried();
    trace::retry(|| run.shared().about(context, 0));
    if run.is_ended() || context.is_dead() {
        return cancel_run(run);
    }
    // Who runs it has not written.
    run.transfer_mut().raise_no_signal();
    let cred = run.private().cred.clone();
    let cred = cred.as_deref().unwrap_or(context.cred());
    let result = cred::with(cred, || op::go(context, run, whence));
    // Only a request that is being submitted can be given back.
    kernel::warn_on!(result.is_err());
}

/// Ends a run of a request that nobody can serve any more.
pub(crate) fn cancel_run(run: Running) {
    let done = run.transfer().done();
    run.finish().complete(result_of(done, ECANCELED));
}

/// Runs what may be run by a task of the process, which is the current one, in an ioctl.
#[inline]
pub(crate) fn run_own(context: &Arc<Context>) {
    // Without the lock. Whoever puts something there just now sees to it that somebody comes.
    if context.may_have_queued().get() != 0 {
        run_queued(context);
    }
}

fn run_queued(context: &Arc<Context>) {
    for _ in 0..OWN_TRIES {
        match take(context, &[List::Ready, List::Own, List::Later]) {
            Some(run) => rerun(context, run, Whence::Own),
            None => break,
        }
    }
    context.threads_for_queued();
    context.queues().lock().note_if_empty(context);
}

/// Runs what the current task, which is of the process, has woken. Process context.
fn run_woken(context: &Arc<Context>) {
    for _ in 0..WOKEN_TRIES {
        // As in `run_own`.
        if context.may_have_queued().get() == 0 {
            return;
        }
        let run = {
            let mut queues = context.queues().lock();
            let run = take_from(&mut queues, context, &[List::Ready]);
            queues.note_if_empty(context);
            run
        };
        match run {
            Some(run) => rerun(context, run, Whence::Waker),
            None => return,
        }
    }
    // It has other things to do.
    if context.may_have_queued().get() != 0 {
        queue_work(context.clone(), 0);
    }
}

impl TaskWorkItem for Context {
    fn task_work(&self) -> &TaskWork<Self> {
        self.woken()
    }

    fn run(context: Arc<Context>) {
        if task_work::goes_back_to(context.mm()) {
            run_woken(&context);
        } else {
            // By exec or exit it has left the process.
            queue_work(context, 0);
        }
    }
}

impl WorkItem<4> for Context {
    type Pointer = Arc<Context>;

    fn run(context: Arc<Context>) {
        let mut queues = context.queues().lock();
        queues.overdue = false;
        if queues.lists.len(List::Ready) > 0 {
            queue_work(context.clone(), 0);
        }
    }
}

/// A task is about to sleep in getevents: kicks go to it from here on.
pub(crate) fn begin_wait(context: &Context) {
    let mut queues = context.queues().lock();
    queues.waiters = queues.waiters.saturating_add(1);
}

/// Whether a task that waits should look at the lists. Any context.
pub(crate) fn has_work_for_waiter(context: &Context) -> bool {
    let queues = context.queues().lock();
    let here = [List::Ready, List::Own, List::Later];
    queues.grow || here.iter().any(|&list| queues.lists.len(list) > 0)
}

/// It does not sleep any more. It may have no time for what was left to it.
pub(crate) fn end_wait(context: &Arc<Context>) {
    let mut queues = context.queues().lock();
    queues.waiters = queues.waiters.saturating_sub(1);
    if queues.waiters > 0 {
        return;
    }
    if queues.lists.len(List::Ready) > 0 {
        queue_work(context.clone(), 0);
    }
    if queues.lists.len(List::Own) > 0 {
        queues.threads.wake();
    }
    if queues.lists.len(List::Later) > 0 && !queues.threads.wake() {
        queue_work(context.clone(), 1);
    }
}

impl WorkItem<0> for Context {
    type Pointer = Arc<Context>;

    fn run(context: Arc<Context>) {
        let later = context.queues().lock().lists.len(List::Later);
        let alive = kthread::with_mm(context.mm(), |mm| {
            for _ in 0..later {
                match take(&context, &[List::Later]) {
                    Some(run) if !mm.is_last() => rerun(&context, run, Whence::Worker),
                    Some(run) => cancel_run(run),
                    None => break,
                }
            }
            // A process that ends meanwhile is not kept longer than for one try.
            for _ in 0..WORKER_TRIES {
                if mm.is_last() {
                    return;
                }
                match take(&context, &[List::Ready]) {
                    Some(run) => rerun(&context, run, Whence::Worker),
                    None => return,
                }
            }
            // Others want to be served as well.
            queue_work(context.clone(), 0);
        });
        // The process has gone, and nobody will run anything any more. What is on a list may have
        // had its event already, and only has to come home.
        if alive.is_none() {
            let lists = [List::Ready, List::Later, List::Own, List::Page, List::Block];
            while let Some(run) = take(&context, &lists) {
                cancel_run(run);
            }
            cancel::cancel_all(&context, drop);
        }
    }
}
