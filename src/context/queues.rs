// SPDX-License-Identifier: GPL-2.0

//! The lists of a context, and which task or thread is woken for a request on them.
//!
//! The lock of the lists is `Context::queues`.

use super::{
    claims::Claims,
    threads::Threads,
    Context, //
};
use crate::{
    pure::lists::{
        Groups,
        Links,
        List,
        Lists,
        Nodes, //
    },
    sys::{
        request::{
            Pool,
            Run, //
        },
        task_work,
        workqueue, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::Jiffies, //
};

/// How many ticks the run list waits for a task that is awake, before a thread is woken.
pub(crate) const PATIENCE: Jiffies = 2;
/// The longest pause between tries of held requests, in ticks, for a user with few requests.
const MAX_HELD: Jiffies = 64;
/// The number of requests up to which a user has few.
const FEW_REQUESTS: usize = 1 << 16;
/// How many checks in a row, each after twice the time, leave the lists to tasks and threads that are
/// awake: 60 ticks in all.
pub(crate) const MAX_MISSED: u32 = 4;
/// How many requests may be tried and held again after each check. There are fewer after long pauses.
pub(crate) const HELD_TRIES: u32 = 64;
/// The pause in ticks from which on there are fewer, so that the tries in a second have a bound, too.
pub(crate) const ALL_TRIES: Jiffies = 4;

/// What the lock of the lists guards.
pub(crate) struct Queues {
    pub(crate) lists: Lists,
    pub(crate) groups: Groups,
    pub(crate) threads: Threads,
    /// Tasks that sleep in getevents.
    pub(crate) waiters: u32,
    /// How many checks in a row found that nothing was taken from the lists, with a task or thread
    /// awake.
    pub(crate) missed: u32,
    /// The claims of requests that may need a thread of the process.
    pub(crate) claims: Claims,
    /// A waiter has to check whether more threads are needed.
    pub(crate) grow: bool,
    /// The delay in ticks with which the next check was enqueued, if one was.
    pub(crate) looks: Option<Jiffies>,
    /// How many requests may be tried and held again now.
    pub(crate) held_due: u32,
    /// The current pause between tries of held requests, in ticks.
    pub(crate) held_for: Jiffies,
    /// The longest such pause.
    pub(crate) max_held: Jiffies,
    /// Freed requests kept files that a task of the process has to release.
    pub(crate) kept_files: bool,
    /// A barrier has begun and is not over.
    pub(crate) barrier_runs: bool,
    /// Writes to files that are in a group. Submit issues no such write itself before these are over.
    pub(crate) joined_writes: u32,
    /// The context is dead. Its queued requests are cancelled, except for accepted ones.
    pub(crate) closing: bool,
}

impl Queues {
    /// For a context of `requests` requests, whose user had `before` already. Fails with ENOMEM.
    /// Process context.
    pub(crate) fn new(requests: u32, before: usize) -> Result<Self> {
        // So all contexts of a user together cost hardly more than those of a user with few requests.
        let times = before / FEW_REQUESTS + 1;
        Ok(Queues {
            lists: Lists::new(),
            groups: Groups::new(requests)?,
            threads: Threads::new(),
            waiters: 0,
            missed: 0,
            claims: Claims::default(),
            grow: false,
            looks: None,
            held_due: 0,
            held_for: 1,
            max_held: MAX_HELD.saturating_mul(times as Jiffies),
            kept_files: false,
            barrier_runs: false,
            joined_writes: 0,
            closing: false,
        })
    }

    /// Puts `index`, which must be Queued, on `list`, and wakes a task or a thread for it. If none has
    /// to be woken now, the work queue checks later whether the request was taken.
    pub(crate) fn push(
        &mut self,
        context: &Context,
        arc: impl Fn() -> Arc<Context>,
        index: u32,
        list: List,
    ) {
        self.lists.push(context.pool(), index, list);
        match list {
            List::Waiting | List::Barrier => return,
            List::Held => {
                context.note_held(true);
                self.look(arc, self.held_for);
                return;
            }
            List::Page | List::Block if !self.closing => {
                self.bring_thread(context, arc);
                if self.threads.has_writes() {
                    // A killed thread may wait for the accepted requests that threads have taken.
                    context.wake_drain();
                }
                return;
            }
            List::Run | List::Task | List::Page | List::Block => {}
        }
        context.note_queued(true);
        if self.closing {
            // The task that ends the context waits for the request.
            self.threads.wake();
            context.wake_drain();
        } else if self.waiters > 0 {
            context.wake_waiters();
        } else if let Some(shared) = context.pool().shared(index) {
            if shared.is_by_waker() && self.leave_to_waker(context, &arc) {
                // The waker may sleep for a long time before its task work runs.
                self.look(arc, 1);
            } else if shared.is_watched() || context.has_pollers() {
                self.bring_soon(context, arc);
            } else {
                self.look(arc, PATIENCE);
            }
        }
    }

    /// An ordered write has left its group.
    pub(crate) fn note_write_left(&mut self) {
        self.joined_writes = self.joined_writes.saturating_sub(1);
    }

    /// A request is newly held: the next tries come soon.
    pub(crate) fn hold_briefly(&mut self) {
        self.held_for = 1;
    }

    /// A wait entry was woken: held requests may wait for the same. Any context.
    pub(crate) fn try_held(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        let held = self.lists.len(List::Held);
        if held > 0 && self.held_due == 0 {
            self.held_due = HELD_TRIES.min(held);
            self.held_for = 1;
            context.note_queued(true);
            self.bring_soon(context, arc);
        }
    }

    /// Has the current task run the ready requests when it returns to user space. Returns false if it
    /// can't.
    pub(crate) fn leave_to_waker(
        &mut self,
        context: &Context,
        arc: impl Fn() -> Arc<Context>,
    ) -> bool {
        task_work::goes_back_to(context.mm()) && task_work::enqueue::<_, 0>(arc())
    }

    /// Has the work queue check after `ticks` whether a task or a thread must be woken.
    pub(crate) fn look(&mut self, arc: impl Fn() -> Arc<Context>, ticks: Jiffies) {
        if self.looks.is_none_or(|others| ticks < others) {
            self.looks = Some(ticks);
            // Not the last reference: the request or the task holds another.
            workqueue::enqueue_by::<_, 0>(arc(), ticks);
        }
    }

    /// Wakes a task or a thread for the run list, now.
    pub(crate) fn bring(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        let tasks_only = self.lists.len(List::Task) > 0;
        if self.waiters > 0 {
            context.wake_waiters();
        } else if tasks_only || !self.threads.wake() {
            // The work item looks for a task of the process to interrupt, which may take a while.
            self.look(arc, 0);
        }
    }

    /// As [`Self::bring`], but leaves time to tasks and threads that are awake.
    pub(crate) fn bring_soon(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        let busy = |threads: &mut Threads| threads.is_there() && !threads.wake();
        if self.waiters == 0 && (context.has_callers() || busy(&mut self.threads)) {
            self.look(arc, PATIENCE);
        } else {
            self.bring(context, arc);
        }
    }

    /// Whether requests for threads need another thread, and no thread is about to notice that.
    pub(crate) fn is_unserved(&self) -> bool {
        self.for_threads() > 0
            && !self.threads.are_coming()
            && (self.may_grow() || !self.threads.is_there())
    }

    /// Wakes a thread, or a task that can create one.
    fn bring_thread(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        if !self.threads.wake() {
            self.need_thread(context, arc);
        } else if self.for_threads() > self.coming() {
            // Those that come may block. (If there are enough, tasks need not look at the lists.)
            context.note_queued(true);
        }
    }

    /// Asks for another thread, if there may be one.
    pub(crate) fn need_thread(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        context.note_queued(true);
        self.ask_for_thread(context);
        if !self.grow && self.is_unserved() {
            self.look(arc, 1);
        }
    }

    /// The number of requests on the lists that may be run.
    pub(crate) fn queued(&self) -> u32 {
        [List::Run, List::Task, List::Page, List::Block, List::Held]
            .iter()
            .fold(0, |sum, &list| sum.saturating_add(self.lists.len(list)))
    }

    /// The number of requests that any task of the process may run now.
    pub(crate) fn runnable(&self) -> u32 {
        let held = self.held_due.min(self.lists.len(List::Held));
        [List::Run, List::Task]
            .iter()
            .fold(held, |sum, &list| sum.saturating_add(self.lists.len(list)))
    }

    /// Clears the hint if there is nothing to run.
    pub(crate) fn note_if_empty(&self, context: &Context) {
        let rest = self.for_threads().saturating_add(self.runnable());
        if rest == 0 && !self.grow && !self.kept_files {
            context.note_queued(false);
        }
    }

    /// The number of requests that only threads may run now.
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

/// A request was freed with a file that a task of the process has to release. Any context.
pub(crate) fn note_kept_file(context: &Context, arc: impl Fn() -> Arc<Context>) {
    let mut queues = context.queues().lock();
    if !queues.closing {
        queues.kept_files = true;
        context.note_queued(true);
        queues.look(arc, 1);
    }
}

/// Takes the first request off the first nonempty one of `lists`, and begins its run.
pub(crate) fn take(context: &Context, lists: &[List]) -> Option<Run<Context>> {
    let mut queues = context.queues().lock();
    take_from(&mut queues, context, lists)
}

/// As [`take`]. The caller holds the lock.
pub(crate) fn take_from(
    queues: &mut Queues,
    context: &Context,
    lists: &[List],
) -> Option<Run<Context>> {
    for &list in lists {
        while list != List::Held || queues.held_due > 0 {
            let Some(index) = queues.lists.pop(context.pool(), list) else {
                break;
            };
            if let Some(mut run) = context.pool().run(index) {
                queues.missed = 0;
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

/// Has the work queue wake the pollers, which a wake function must not do. Any context.
pub(crate) fn wake_pollers_later(context: &Context, arc: impl Fn() -> Arc<Context>) {
    context.queues().lock().look(arc, 0);
}

/// The current task is about to sleep in getevents: from here on kicks wake it.
pub(crate) fn begin_wait(context: &Context) {
    let mut queues = context.queues().lock();
    queues.waiters = queues.waiters.saturating_add(1);
}

/// Whether a waiter has to check the lists. Any context.
pub(crate) fn has_work_for_waiter(context: &Context) -> bool {
    let queues = context.queues().lock();
    queues.grow || queues.kept_files || queues.runnable() > 0
}

/// The current task no longer sleeps in getevents.
pub(crate) fn end_wait(context: &Context) {
    let mut queues = context.queues().lock();
    queues.waiters = queues.waiters.saturating_sub(1);
}

/// A task returns from getevents. It may leave requests that others left to it.
#[inline]
pub(crate) fn end_call(context: &Arc<Context>) {
    if context.may_have_queued().get() != 0 {
        look_for_rest(context, PATIENCE);
    }
}

/// Has the work queue check after `ticks`, if there are requests that any task may run.
pub(crate) fn look_for_rest(context: &Arc<Context>, ticks: Jiffies) {
    let mut queues = context.queues().lock();
    if queues.runnable() > 0 {
        queues.look(|| context.clone(), ticks);
    }
}
