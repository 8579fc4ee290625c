// SPDX-License-Identifier: GPL-2.0

//! The lists, who is told of what is put there, and the look of the work queue.

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

/// How long the run list is left to whoever comes, in ticks.
pub(crate) const PATIENCE: Jiffies = 2;
/// The longest time between looks at requests that are held, in ticks, for a user who has few.
const MAX_HELD: Jiffies = 64;
/// How many requests are few.
const FEW_REQUESTS: usize = 1 << 16;
/// How many looks in a row, each after twice the time, are left to who is awake: 60 ticks in all.
pub(crate) const MAX_MISSED: u32 = 4;
/// How many of those that are held are tried in vain in each look; fewer when they were held for long.
pub(crate) const HELD_TRIES: u32 = 64;
/// From that pause on: so that what is tried in a second has a bound, too.
pub(crate) const ALL_TRIES: Jiffies = 4;

/// What the lock of the lists guards.
pub(crate) struct Queues {
    pub(crate) lists: Lists,
    pub(crate) groups: Groups,
    pub(crate) threads: Threads,
    /// Tasks that sleep in getevents.
    pub(crate) waiters: u32,
    /// How often in a row nothing was taken from the lists while somebody was awake.
    pub(crate) missed: u32,
    /// Requests that may need a thread of the process.
    pub(crate) claims: Claims,
    /// A waiter is to see whether more threads are needed.
    pub(crate) grow: bool,
    /// The work queue will look, so many ticks after it was told so.
    pub(crate) looks: Option<Jiffies>,
    /// How many of those that are held may be tried in vain.
    pub(crate) held_due: u32,
    /// How long they are held, in ticks.
    pub(crate) held_for: Jiffies,
    /// The most of that.
    pub(crate) max_held: Jiffies,
    /// Requests were freed with files that a task of the process has to release.
    pub(crate) kept_files: bool,
    /// A barrier was begun, and is not over.
    pub(crate) barrier_runs: bool,
    /// Writes of files that have joined their groups: submit does none before they are over.
    pub(crate) joined_writes: u32,
    /// The context is dead, and what is on the lists was cancelled, but for what is accepted.
    pub(crate) closing: bool,
}

impl Queues {
    /// For a context of that many requests, whose user had `before` already. ENOMEM. Process context.
    pub(crate) fn new(requests: u32, before: usize) -> Result<Self> {
        // So the looks of a user's contexts, all together, are hardly more than those of a few.
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

    /// Puts `index`, which is Queued, on `list`, and sees to it that somebody comes.
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

    /// One that is an ordered write has left that.
    pub(crate) fn note_write_left(&mut self) {
        self.joined_writes = self.joined_writes.saturating_sub(1);
    }

    /// A request is held that was not before: the next looks come soon.
    pub(crate) fn hold_briefly(&mut self) {
        self.held_for = 1;
    }

    /// Something was woken: what is held may wait for the same. Any context.
    pub(crate) fn try_held(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        let held = self.lists.len(List::Held);
        if held > 0 && self.held_due == 0 {
            self.held_due = HELD_TRIES.min(held);
            self.held_for = 1;
            context.note_queued(true);
            self.bring_soon(context, arc);
        }
    }

    /// Has the current task run what is ready, when it leaves the kernel. False if it can't.
    pub(crate) fn leave_to_waker(
        &mut self,
        context: &Context,
        arc: impl Fn() -> Arc<Context>,
    ) -> bool {
        task_work::goes_back_to(context.mm()) && task_work::enqueue::<_, 0>(arc())
    }

    /// Has the work queue look after `ticks` whether somebody has to be woken.
    pub(crate) fn look(&mut self, arc: impl Fn() -> Arc<Context>, ticks: Jiffies) {
        if self.looks.is_none_or(|others| ticks < others) {
            self.looks = Some(ticks);
            // The reference is not the last: the request has one, or the task.
            workqueue::enqueue_by::<_, 0>(arc(), ticks);
        }
    }

    /// Wakes somebody for the run list, now.
    pub(crate) fn bring(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        let tasks_only = self.lists.len(List::Task) > 0;
        if self.waiters > 0 {
            context.wake_waiters();
        } else if tasks_only || !self.threads.wake() {
            // A task is looked for there, among all of the process: that takes its time.
            self.look(arc, 0);
        }
    }

    /// As [`Self::bring`], but those who are awake have time to come.
    pub(crate) fn bring_soon(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
        let busy = |threads: &mut Threads| threads.is_there() && !threads.wake();
        if self.waiters == 0 && (context.has_callers() || busy(&mut self.threads)) {
            self.look(arc, PATIENCE);
        } else {
            self.bring(context, arc);
        }
    }

    /// Whether what only threads may run needs another, and no thread is about to see to it.
    pub(crate) fn is_unserved(&self) -> bool {
        self.for_threads() > 0
            && !self.threads.are_coming()
            && (self.may_grow() || !self.threads.is_there())
    }

    /// Wakes a thread, or somebody who can create one.
    pub(crate) fn bring_thread(&mut self, context: &Context, arc: impl Fn() -> Arc<Context>) {
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
    pub(crate) fn runnable(&self) -> u32 {
        let held = self.held_due.min(self.lists.len(List::Held));
        [List::Run, List::Task]
            .iter()
            .fold(held, |sum, &list| sum.saturating_add(self.lists.len(list)))
    }

    /// Says so if there is nothing to run.
    pub(crate) fn note_if_empty(&self, context: &Context) {
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

/// A request was freed with a file that a task of the process has to release. Any context.
pub(crate) fn note_kept_file(context: &Context, arc: impl Fn() -> Arc<Context>) {
    let mut queues = context.queues().lock();
    if !queues.closing {
        queues.kept_files = true;
        context.note_queued(true);
        queues.look(arc, 1);
    }
}

/// Takes the first request off one of `lists`, and begins its run.
pub(crate) fn take(context: &Context, lists: &[List]) -> Option<Run<Context>> {
    let mut queues = context.queues().lock();
    take_from(&mut queues, context, lists)
}

/// As [`take`], under the lock.
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

/// Has the work queue wake the pollers, which a wake function must not. Any context.
pub(crate) fn wake_pollers_later(context: &Context, arc: impl Fn() -> Arc<Context>) {
    context.queues().lock().look(arc, 0);
}

/// A task is about to sleep in getevents: kicks go to it from here on.
pub(crate) fn begin_wait(context: &Context) {
    let mut queues = context.queues().lock();
    queues.waiters = queues.waiters.saturating_add(1);
}

/// Whether a task that waits should look at the lists. Any context.
pub(crate) fn has_work_for_waiter(context: &Context) -> bool {
    let queues = context.queues().lock();
    queues.grow || queues.kept_files || queues.runnable() > 0
}

/// It does not sleep any more.
pub(crate) fn end_wait(context: &Context) {
    let mut queues = context.queues().lock();
    queues.waiters = queues.waiters.saturating_sub(1);
}

/// A caller returns to its program. It may have no time for what was left to it.
#[inline]
pub(crate) fn end_call(context: &Arc<Context>) {
    if context.may_have_queued().get() != 0 {
        look_for_rest(context, PATIENCE);
    }
}

/// Has the work queue look after `ticks` if there is something that any task may run.
pub(crate) fn look_for_rest(context: &Arc<Context>, ticks: Jiffies) {
    let mut queues = context.queues().lock();
    if queues.runnable() > 0 {
        queues.look(|| context.clone(), ticks);
    }
}
