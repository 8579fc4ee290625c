// SPDX-License-Identifier: GPL-2.0

//! The look of the work queue: whether somebody has come for what is on the lists.

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

/// How many requests are tried in vain that were held for `ticks`.
fn held_tries(ticks: Jiffies) -> u32 {
    let all = HELD_TRIES as Jiffies;
    let tries = (all * ALL_TRIES).checked_div(ticks).unwrap_or(all);
    tries.clamp(1, all) as u32
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
            // Somebody was told of each; whether he has come is another look's.
            queues.look(arc, PATIENCE);
            return;
        }
        if queues.closing {
            return;
        }
        let tasks_only = queues.lists.len(List::Task) > 0 || queues.kept_files;
        let unserved = queues.is_unserved();
        if unserved {
            queues.ask_for_thread(&context);
        }
        let mut wanted = unserved && !queues.grow;
        if queues.waiters > 0 {
            // They see to it all.
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
            // They come when they have done what they do. To interrupt a task would cut its call short.
            queues.missed += 1;
            let ticks = PATIENCE << queues.missed;
            queues.look(arc, ticks);
            return;
        }
        drop(queues);
        task_work::enqueue_signal::<_, 1>(context.clone(), context.task());
    }
}
