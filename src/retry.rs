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
//! at once; and else if nobody has come within [`PATIENCE`]. Where there is no thread, or no thread may run
//! it, a task of the process is interrupted for it ([`Context::summoned`]).
//!
//! What is held is tried a few at a time, after longer and longer pauses, and at once when something of
//! the context was woken.
//!
//! Whoever takes a request off a list has its run; whoever puts one there sees to it that somebody
//! comes, under the same lock, so that nothing is forgotten. The work queue of the module runs no
//! request: it only looks whether somebody has to be woken ([`Context::looks`]).

use crate::{
    context::Context,
    lists::{
        Groups,
        Links,
        List,
        Lists,
        Nodes, //
    },
    op,
    policy::First,
    request::{
        result_of,
        Over,
        Request,
        Running,
        Shared,
        Submitter, //
    },
    sys::{
        cred,
        fs::Faults,
        poll,
        request::{
            Fired,
            Kick,
            Pool, //
        },
        task::{
            Caller,
            FullTask,
            WorkerTask, //
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
        Claim,
        Claims,
        Threads, //
    }, //
};
use kernel::{
    current,
    mm::Mm,
    prelude::*,
    sync::Arc,
    time::Jiffies,
    workqueue::WorkItem, //
};

/// Most retries that a task runs before it does its own work.
const OWN_TRIES: usize = 64;
/// Most retries that a task runs because it has woken them.
const WOKEN_TRIES: usize = 16;
/// How long the run list is left to whoever comes, in ticks.
const PATIENCE: Jiffies = 2;
/// The longest time between looks at requests that are held, in ticks.
const MAX_HELD: Jiffies = 64;
/// How many of those that are held are tried in vain in each look.
const HELD_TRIES: u32 = 64;

/// The lists of what may be run.
const ALL: [List; 4] = [List::Run, List::Task, List::Page, List::Block];

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
    /// The work queue will look, so many ticks after it was told so.
    looks: Option<Jiffies>,
    /// How many of those that are held may be tried in vain.
    held_due: u32,
    /// How long they are held, in ticks.
    held_for: Jiffies,
    /// Requests came home with files that a task of the process has to release.
    kept_files: bool,
    /// The context is dead, and what is on the lists was cancelled, but for what is accepted.
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
            looks: None,
            held_due: 0,
            held_for: 1,
            kept_files: false,
            closing: false,
        })
    }

    /// Puts `index`, which is Queued, on `list`, and sees to it that somebody comes.
    fn push(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>, index: u32, list: List) {
        self.lists.push(context.pool(), index, list);
        match list {
            List::Waiting => return,
            List::Held => {
                context.note_held(true);
                self.look(arc, self.held_for);
                return;
            }
            List::Run | List::Task | List::Page | List::Block => {}
        }
        context.note_queued(true);
        if self.closing {
            // Who ends the context waits for it.
            self.threads.wake();
            context.wake_drain();
        } else if matches!(list, List::Page | List::Block) {
            self.bring_thread(context, arc);
            if self.threads.has_writes() {
                // For those that are killed, and wait for what they have issued.
                context.wake_drain();
            }
        } else if self.waiters > 0 {
            context.wake_waiters();
        } else if let Some(shared) = context.pool().shared(index) {
            if shared.is_by_waker() && self.leave_to_waker(context, &arc) {
                // It may sleep before that, for a long time.
                self.look(arc, 1);
            } else if shared.is_watched() || context.has_pollers() {
                self.bring_soon(context, arc);
            } else {
                self.look(arc, PATIENCE);
            }
        }
    }

    /// Something was woken: what is held may wait for the same. Any context.
    fn try_held(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        if self.lists.len(List::Held) > 0 && self.held_due == 0 {
            self.held_due = HELD_TRIES;
            self.held_for = 1;
            context.note_queued(true);
            self.bring_soon(context, arc);
        }
    }

    /// Has the current task run what is ready, when it leaves the kernel. False if it can't.
    fn leave_to_waker(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) -> bool {
        task_work::goes_back_to(context.mm()) && task_work::enqueue::<_, 0>(arc())
    }

    /// Has the work queue look after `ticks` whether somebody has to be woken.
    fn look(&mut self, arc: impl Fn() -> Arc<Context>, ticks: Jiffies) {
        if self.looks.is_none_or(|others| ticks < others) {
            self.looks = Some(ticks);
            // The reference is not the last: the request has one, or the task.
            workqueue::enqueue_by::<_, 0>(arc(), ticks);
        }
    }

    /// Wakes somebody for the run list, now.
    fn bring(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        let tasks_only = self.lists.len(List::Task) > 0;
        if self.waiters > 0 {
            context.wake_waiters();
        } else if tasks_only || !self.threads.wake() {
            // Those that are busy may be so for ever.
            task_work::summon::<_, 1>(arc(), context.task());
        }
    }

    /// As [`Self::bring`], but threads that are busy have time to come.
    fn bring_soon(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        let busy = self.threads.is_there() && self.waiters == 0;
        if busy && !self.threads.wake() {
            self.look(arc, PATIENCE);
        } else {
            self.bring(context, arc);
        }
    }

    /// Whether what only threads may run needs another, and no thread is about to see to it.
    fn is_unserved(&self) -> bool {
        self.for_threads() > 0
            && !self.threads.are_coming()
            && (self.may_grow() || !self.threads.is_there())
    }

    /// Wakes a thread, or somebody who can create one.
    fn bring_thread(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        if self.threads.wake() {
            return;
        }
        self.need_thread(context, arc);
    }

    /// Another thread is needed for what is there, if there may be one.
    pub(crate) fn need_thread(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        self.ask_for_thread(context);
        if !self.grow && self.is_unserved() {
            self.look(arc, 1);
        }
    }

    /// Requests that are on a list and may be run.
    pub(crate) fn queued(&self) -> u32 {
        [List::Run, List::Task, List::Page, List::Block, List::Held]
            .iter()
            .fold(0, |sum, &list| sum.saturating_add(self.lists.len(list)))
    }

    /// Requests that any task of the process may run, now.
    fn runnable(&self) -> u32 {
        let held = self.held_due.min(self.lists.len(List::Held));
        [List::Run, List::Task]
            .iter()
            .fold(held, |sum, &list| sum.saturating_add(self.lists.len(list)))
    }

    /// Says so if there is nothing to run.
    fn note_if_empty(&self, context: &Context) {
        let rest = self.for_threads().saturating_add(self.runnable());
        if rest == 0 && !self.grow && !self.kept_files {
            context.note_queued(false);
        }
    }

    /// Requests that only threads may run, now.
    pub(crate) fn for_threads(&self) -> u32 {
        let pages = self.lists.len(List::Page).min(self.threads.pages_left());
        self.lists.len(List::Block).saturating_add(pages)
    }
}

impl Nodes for Pool<Context> {
    fn links(&self, index: u32) -> Option<&Links> {
        self.shared(index).map(|shared| &shared.links)
    }
}

/// Begins to run a prepared request, in the submitting task; it may be over then, and its event
/// is to be published.
///
/// An error is submit's, and the request is gone then: ERESTARTNOINTR.
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
    // Then it is armed without a try, and joins right now.
    let waits = op::has_to_wait(&mut request);
    let mut queues = context.queues().lock();
    if queues.groups.is_busy(context.pool(), key) {
        if request.private().policy.again_is_final {
            drop(queues);
            request.complete(EAGAIN.to_errno() as isize);
            return Ok(());
        }
        drop(queues);
        // It may run by others now.
        return op::punt_behind(context, task, request);
    }
    if waits {
        queues.groups.found(context.pool(), request.index(), key);
        let claim = Claim::Own;
        if queues.try_claim(claim) {
            request.private().claim = Some(claim);
        }
    }
    drop(queues);
    if waits {
        request.private().joined = true;
        return op::wait(context, task, request.run());
    }
    op::go(context, request.run(), Place::Submit(task))
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
    let in_vain = list == List::Held && request.private().from == Some(List::Held);
    request.note_waiting(list);
    request.private().joined = key != 0;
    let mut queues = context.queues().lock();
    queues.held_due = queues.held_due.saturating_sub(u32::from(in_vain));
    if key != 0 && !joined {
        queues.groups.join(context.pool(), index, key);
    }
    // Whoever was before it may have gone meanwhile.
    let first = key == 0 || queues.groups.is_first(context.pool(), index);
    let list = if first { list } else { List::Waiting };
    if queues.closing && !request.shared().is_accepted() {
        drop(queues);
        cancelled(request);
        return;
    }
    // Let go of under the lock, where it is not the last: nobody has run the request yet.
    let arc = request.client_arc();
    match request.queue() {
        Ok(()) => queues.push(context, || arc.clone(), index, list),
        Err(request) => {
            drop(arc);
            drop(queues);
            cancelled(request);
        }
    }
}

/// Lets go of a reference that may be the last, in any context: it is dropped in a work item then.
fn let_go(context: Arc<Context>) {
    if let Some(last) = Arc::into_unique_or_drop(context) {
        workqueue::enqueue_by::<_, 0>(Arc::from(last), 0);
    }
}

pub(crate) fn cancelled(request: Request) {
    let done = request.transfer().done();
    request.complete(result_of(done, ECANCELED));
}

/// Gives back what a request has of its context: its place in its group, whose next may run now,
/// and its claim to a thread. Any context.
pub(crate) fn leave(request: &mut Request) {
    let private = request.private();
    let (joined, claim, counted) = (private.joined, private.claim, private.counted);
    (private.joined, private.claim, private.counted) = (false, None, false);
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
    let next = queues.groups.leave(context.pool(), index);
    let Some(next) = next else { return };
    let listed = context.pool().links(next).is_some_and(Links::is_listed);
    // Else it is on its way to the list, and will find that it is first.
    if listed {
        let shared = context.pool().shared(next);
        let list = shared.map_or(List::Block, |shared| shared.kicked_to());
        queues.lists.remove(context.pool(), next);
        queues.push(context, || request.client_arc(), next, list);
    }
}

/// A wait entry was woken. Any context, under the lock of a wait queue.
pub(crate) fn kick(mut kick: Kick<'_, Context>) {
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
    let list = shared.kicked_to();
    let mut queues = context.queues().lock();
    let arc = kick.client_arc();
    if by_sleeper {
        shared.set_not_by_waker();
    }
    // All of it under the lock: once it is let go of, the request may be over.
    if !kick.make() {
        drop(queues);
        return;
    }
    context.counters().kicked();
    trace::kick(|| shared.about(context, 0));
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

/// A request came home with a file that a task of the process has to release. Any context.
pub(crate) fn note_kept_file(context: &Context, arc: impl Fn() -> Arc<Context>) {
    let mut queues = context.queues().lock();
    if !queues.closing {
        queues.kept_files = true;
        context.note_queued(true);
        queues.look(arc, 1);
    }
}

/// Takes the first request off one of `lists`, and begins its run.
pub(crate) fn take(context: &Context, lists: &[List]) -> Option<Running> {
    let mut queues = context.queues().lock();
    take_from(&mut queues, context, lists)
}

/// As [`take`], under the lock.
pub(crate) fn take_from(queues: &mut Queues, context: &Context, lists: &[List]) -> Option<Running> {
    for &list in lists {
        while list != List::Held || queues.held_due > 0 {
            let Some(index) = queues.lists.pop(context.pool(), list) else {
                break;
            };
            if let Some(mut run) = context.pool().run(index) {
                run.private().from = Some(list);
                return Some(run);
            }
        }
    }
    if queues.lists.len(List::Held) == 0 {
        queues.held_due = 0;
    }
    None
}

/// Runs a request that was taken off a list, as who has submitted it.
pub(crate) fn rerun(context: &Arc<Context>, mut run: Running, place: Place<'_>) {
    context.counters().retried();
    trace::retry(|| run.shared().about(context, 0));
    if run.is_ended() || context.is_dead() && !run.shared().is_accepted() {
        return cancel_run(run);
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

/// Ends a run of a request that nobody can serve any more.
pub(crate) fn cancel_run(run: Running) {
    let done = run.transfer().done();
    run.finish().complete(result_of(done, ECANCELED));
}

/// Runs what may be run by a task of the process, which is the current one.
#[inline]
pub(crate) fn run_own(context: &Arc<Context>, task: FullTask<'_>) {
    // Without the lock. Whoever puts something there just now sees to it that somebody comes.
    if context.may_have_queued().get() != 0 {
        run_queued(context, task);
    }
}

fn run_queued(context: &Arc<Context>, task: FullTask<'_>) {
    for tries in 0.. {
        let mut queues = context.queues().lock();
        let kept = core::mem::take(&mut queues.kept_files);
        let run = if tries < OWN_TRIES {
            take_from(&mut queues, context, &[List::Run, List::Task, List::Held])
        } else {
            None
        };
        queues.note_if_empty(context);
        let for_threads = queues.grow || queues.for_threads() > 0;
        drop(queues);
        if kept {
            context.release_files();
        }
        match run {
            Some(run) => rerun(context, run, Place::Own(task)),
            None if kept => {}
            None if for_threads => break,
            None => return,
        }
        // Whatever was put there since then is noted again.
        if context.may_have_queued().get() == 0 {
            return;
        }
        if current!().signal_pending() {
            break;
        }
    }
    context.threads_for_queued(task);
    run_without_threads(context, task);
    context.queues().lock().note_if_empty(context);
}

/// Runs what the current task, which is of the process, has woken.
fn run_woken(context: &Arc<Context>, task: FullTask<'_>) {
    for _ in 0..WOKEN_TRIES {
        // As in `run_own`.
        if context.may_have_queued().get() == 0 {
            return;
        }
        let run = {
            let mut queues = context.queues().lock();
            // Others lose what they take from their files, if the program's memory is not there.
            let first = queues.lists.first(List::Run);
            let shared = first.and_then(|index| context.pool().shared(index));
            if !shared.is_some_and(Shared::is_by_waker) {
                break;
            }
            let run = take_from(&mut queues, context, &[List::Run]);
            queues.note_if_empty(context);
            run
        };
        match run {
            Some(run) => rerun(context, run, Place::Waker(task)),
            None => break,
        }
    }
    // It has other things to do.
    look_now(context);
}

/// Has somebody else run what is there.
fn look_now(context: &Arc<Context>) {
    if context.may_have_queued().get() != 0 {
        workqueue::enqueue_by::<_, 0>(context.clone(), 0);
    }
}

impl TaskWorkItem<0> for Context {
    fn task_work(&self) -> &TaskWork<Self, 0> {
        self.woken()
    }

    fn mm(&self) -> &Mm {
        Context::mm(self)
    }

    fn run(context: Arc<Context>, task: Option<FullTask<'_>>) {
        match task {
            Some(task) => run_woken(&context, task),
            // By exec or exit it has left the process.
            None => look_now(&context),
        }
    }
}

impl TaskWorkItem<1> for Context {
    fn task_work(&self) -> &TaskWork<Self, 1> {
        self.summoned()
    }

    fn mm(&self) -> &Mm {
        Context::mm(self)
    }

    fn run(context: Arc<Context>, task: Option<FullTask<'_>>) {
        let Some(task) = task else {
            return look_now(&context);
        };
        run_own(&context, task);
    }
}

/// Runs what is for threads where there are none and can be none: it blocks here, as native aio does in
/// submit.
fn run_without_threads(context: &Arc<Context>, task: FullTask<'_>) {
    loop {
        let run = {
            let mut queues = context.queues().lock();
            if queues.threads.is_there() || queues.closing {
                return;
            }
            if current!().signal_pending() {
                // That first, or it would end each wait at once.
                if queues.for_threads() > 0 {
                    queues.look(|| context.clone(), 1);
                }
                return;
            }
            take_from(&mut queues, context, &[List::Page, List::Block])
        };
        match run {
            Some(run) => rerun(context, run, Place::Own(task)),
            None => return,
        }
    }
}

impl WorkItem<0> for Context {
    type Pointer = Arc<Context>;

    /// Looks whether somebody has come, and else wakes somebody. Runs no request, and never sleeps.
    fn run(context: Arc<Context>) {
        let mut queues = context.queues().lock();
        queues.looks = None;
        let arc = || context.clone();
        let held = queues.lists.len(List::Held);
        if held > 0 {
            // Some may be tried now, and again after twice the time.
            queues.held_due = HELD_TRIES;
            queues.held_for = queues.held_for.saturating_mul(2).min(MAX_HELD);
            context.note_queued(true);
            let ticks = queues.held_for;
            queues.look(arc, ticks);
        } else {
            queues.held_for = 1;
            context.note_held(false);
        }
        if context.has_woken_in_wake() {
            drop(queues);
            context.wake_pollers();
            queues = context.queues().lock();
        }
        if queues.closing {
            return;
        }
        if queues.runnable() > 0 {
            queues.bring(&context, arc);
        }
        if queues.is_unserved() || queues.kept_files {
            task_work::summon::<_, 1>(context.clone(), context.task());
        }
    }
}

/// Has the work queue wake the pollers, which a wake function must not. Any context.
pub(crate) fn wake_pollers_later(context: Arc<Context>) {
    workqueue::enqueue_by::<_, 0>(context, 0);
}

/// A task is about to sleep in getevents: kicks go to it from here on.
pub(crate) fn begin_wait(context: &Context) {
    let mut queues = context.queues().lock();
    queues.waiters = queues.waiters.saturating_add(1);
}

/// Whether a task that waits should look at the lists. Any context.
pub(crate) fn has_work_for_waiter(context: &Context) -> bool {
    let queues = context.queues().lock();
    queues.grow || queues.runnable() > 0
}

/// It does not sleep any more. It may have no time for what was left to it.
pub(crate) fn end_wait(context: &Arc<Context>) {
    let mut queues = context.queues().lock();
    queues.waiters = queues.waiters.saturating_sub(1);
    if queues.waiters > 0 {
        return;
    }
    if queues.runnable() > 0 {
        queues.look(|| context.clone(), PATIENCE);
    }
}

/// Runs what was accepted of a dead context, by a task of the process; whether there was anything.
pub(crate) fn run_accepted(context: &Arc<Context>, task: FullTask<'_>) -> bool {
    let mut any = false;
    while let Some(run) = take(context, &ALL) {
        rerun(context, run, Place::Own(task));
        any = true;
    }
    any
}

/// As [`run_accepted`], by a thread that is killed: as far as the memory is there.
pub(crate) fn finish_accepted(context: &Arc<Context>, task: WorkerTask<'_>) {
    loop {
        let run = {
            let mut queues = context.queues().lock();
            take_from(&mut queues, context, &[List::Block])
        };
        let Some(mut run) = run else { return };
        if !run.shared().is_accepted() {
            cancel_run(run);
            continue;
        }
        let submitter = run.private().submitter();
        as_submitter(context, &submitter, || op::finish_accepted(run, task));
    }
}

/// Cancels what only threads could have run. Process context.
pub(crate) fn cancel_for_threads(context: &Context) {
    while let Some(run) = take(context, &[List::Page, List::Block]) {
        cancel_run(run);
    }
}

/// Cancels all that is on a list; whether there was anything. Process context.
pub(crate) fn cancel_queued(context: &Context) -> bool {
    let mut any = false;
    while let Some(run) = take(context, &ALL) {
        cancel_run(run);
        any = true;
    }
    any
}
