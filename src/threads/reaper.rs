// SPDX-License-Identifier: GPL-2.0

//! The end of threads: of those that are idle for long, were killed, or are not of the kind that is
//! wanted; and of all, with the context.

use super::{
    Place,
    State,
    Worker, //
};
use crate::{
    context::Context,
    lists::List,
    retry::{
        self,
        Queues, //
    },
    sys::{
        sched,
        vhost_task::Thread,
        wait,
        workqueue, //
    }, //
};
use kernel::{
    sync::Arc,
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
    workqueue::WorkItem, //
};

/// How long a thread is kept without work, in ms.
const IDLE_MS: u32 = 100;
/// How often an idle one that is kept looks whether it is left alone, in ms.
const ALONE_MS: u32 = 1000;

/// Has a look at idle threads, a while from now. Any context.
pub(crate) fn reap_later(context: Arc<Context>) {
    queue_reap(context, msecs_to_jiffies(IDLE_MS));
}

/// As [`reap_later`], after `delay`.
pub(super) fn queue_reap(context: Arc<Context>, delay: Jiffies) {
    // If it is queued already it will come.
    let _ = workqueue::queue().enqueue_delayed::<_, 1>(context, delay);
}

impl Context {
    /// Interrupts and stops all threads of a dead context. Process context.
    pub(crate) fn stop_threads(self: &Arc<Self>) {
        if self.queues().lock().threads.is_empty() {
            return;
        }
        if sched::is_kthread() {
            return self.reap_threads();
        }
        // By a worker, since the caller may be one of them.
        let _ = workqueue::queue().enqueue::<_, 2>(self.clone());
    }

    /// Cancels what only threads could run, if the process that had them was killed. Another may
    /// share its memory, and go on with the context, but is not who has submitted.
    fn fail_queued(&self) {
        loop {
            let run = {
                let mut queues = self.queues().lock();
                if queues.threads.is_there() {
                    return;
                }
                retry::take_from(
                    &mut queues,
                    self,
                    &[List::Own, List::Later, List::Page, List::Block],
                )
            };
            match run {
                Some(run) => retry::cancel_run(run),
                None => return,
            }
        }
    }

    /// Stops threads that were killed, that were idle for long, and all of a dead context.
    fn reap_threads(self: &Arc<Self>) {
        loop {
            let found = {
                let mut queues = self.queues().lock();
                let (found, later) = find_reapable(&mut queues, wait::now());
                if let Some(ms) = later {
                    queue_reap(self.clone(), msecs_to_jiffies(ms));
                }
                found
            };
            match found {
                Some(Reaped {
                    place,
                    thread,
                    killed,
                }) => {
                    thread.stop();
                    if killed {
                        self.fail_queued();
                    }
                    let mut queues = self.queues().lock();
                    if let Some(place) = queues.threads.places.get_mut(place) {
                        *place = Place::Free;
                    }
                }
                None => break,
            }
        }
        self.wake_drain();
    }
}

/// A thread that was taken out of its place, to be stopped.
struct Reaped {
    place: usize,
    thread: Thread<Worker>,
    killed: bool,
}

/// A thread that may be stopped, taken out of its place; or after how many ms to look again.
fn find_reapable(queues: &mut Queues, now: i64) -> (Option<Reaped>, Option<u32>) {
    let closing = queues.closing;
    let alive = queues.threads.count(State::is_alive);
    // As many as are claimed, and one that is free for what does not block.
    let keep =
        alive <= queues.claims.threads() || queues.claims.has_own() && queues.threads.free() <= 1;
    let (mut later, mut alone_later) = (false, false);
    for (i, place) in queues.threads.places.iter_mut().enumerate() {
        let Place::Used(thread, state) = place else {
            continue;
        };
        let due = match *state {
            State::Retired if !closing && thread.is_stopped() => {
                alone_later = true;
                false
            }
            State::Retired | State::Killed => true,
            _ if closing => true,
            // It would end only when it goes on.
            State::Idle(_) if thread.is_stopped() => {
                alone_later = true;
                false
            }
            // `leave` comes back when it gives back the last claim. But nobody tells when the
            // last other thread of the process leaves without the process's end.
            State::Idle(_) if keep => {
                alone_later = true;
                thread.is_left_alone()
            }
            State::Idle(since) => {
                let due = now.saturating_sub(since) >= i64::from(IDLE_MS) * 1_000_000 * 9 / 10;
                later |= !due;
                due
            }
            _ => false,
        };
        if due {
            if let Place::Used(thread, state) = core::mem::replace(place, Place::Left) {
                let killed = state == State::Killed;
                let reaped = Reaped {
                    place: i,
                    thread,
                    killed,
                };
                return (Some(reaped), None);
            }
        }
    }
    let later = if later { Some(IDLE_MS) } else { None };
    (None, later.or(alone_later.then_some(ALONE_MS)))
}

impl WorkItem<1> for Context {
    type Pointer = Arc<Context>;

    fn run(context: Arc<Context>) {
        context.reap_threads();
    }
}

impl WorkItem<2> for Context {
    type Pointer = Arc<Context>;

    fn run(context: Arc<Context>) {
        context.reap_threads();
    }
}
