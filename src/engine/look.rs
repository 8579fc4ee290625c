// SPDX-License-Identifier: GPL-2.0

//! The check of the work queue: whether tasks and threads take what is on the lists.

use super::barrier;
use crate::{
    context::{
        queues::{
            ALL_TRIES,
            HELD_TRIES,
            MAX_MISSED,
            PATIENCE, //
        },
        Context, //
    },
    pure::lists::List,
    sys::task_work, //
};
use kernel::{
    sync::Arc,
    time::Jiffies,
    workqueue::WorkItem, //
};

/// How many held requests may be tried and held again after a pause of `ticks`.
fn held_tries(ticks: Jiffies) -> u32 {
    let all = HELD_TRIES as Jiffies;
    let tries = (all * ALL_TRIES).checked_div(ticks).unwrap_or(all);
    tries.clamp(1, all) as u32
}

impl WorkItem<0> for Context {
    type Pointer = Arc<Context>;

    /// Checks whether the lists are served, and wakes a task or a thread if not. Runs no request, never
    /// sleeps.
    fn run(context: Arc<Context>) {
        let mut queues = context.queues().lock();
        queues.looks = None;
        let arc = || context.clone();
        let held = queues.lists.len(List::Held);
        if held > 0 {
            // Some held requests may be tried now, and again after twice the pause.
            queues.held_due = held_tries(queues.held_for).min(held);
            queues.held_for = queues.held_for.saturating_mul(2).min(queues.max_held);
            context.note_queued(true);
            let ticks = queues.held_for;
            queues.look(arc, ticks);
        } else {
            context.note_held(false);
        }
        if context.has_woken_in_wake() {
            drop(queues);
            context.wake_pollers();
            queues = context.queues().lock();
        }
        if context.has_barriers() && barrier::release(&mut queues, &context, arc) {
            // `release` has woken a task or a thread. The next check looks whether that has taken the
            // requests.
            queues.look(arc, PATIENCE);
            return;
        }
        if queues.closing {
            return;
        }
        let tasks_only = queues.lists.len(List::Task) > 0 || queues.kept_files;
        let unserved = queues.is_unserved();
        if unserved {
            context.note_queued(true);
            queues.ask_for_thread(&context);
        }
        let mut wanted = unserved && !queues.grow;
        if queues.waiters > 0 {
            // Waiters run all that any task may run.
            if queues.runnable() > 0 || queues.kept_files {
                context.wake_waiters();
            }
        } else {
            wanted |= queues.kept_files;
            wanted |= queues.runnable() > 0 && (tasks_only || !queues.threads.wake());
        }
        if !wanted {
            return;
        }
        let busy = queues.threads.is_there() && !tasks_only;
        if (context.has_callers() || busy) && queues.missed < MAX_MISSED {
            // They will check the lists by themselves. Interrupting a task would cut its system call
            // short.
            queues.missed += 1;
            let ticks = PATIENCE << queues.missed;
            queues.look(arc, ticks);
            return;
        }
        drop(queues);
        task_work::enqueue_signal::<_, 1>(context.clone(), context.task());
    }
}
