// SPDX-License-Identifier: GPL-2.0

//! Requests that tasks of the process run: in submit and getevents, and in task work that follows a
//! wake or interrupts the task.

use super::rerun;
use crate::{
    context::{
        queues::{
            look_for_rest,
            take_from,
            PATIENCE, //
        },
        Context, //
    },
    engine::Place,
    pure::lists::List,
    request::Shared,
    sys::{
        task::FullTask,
        task_work::{
            TaskWork,
            TaskWorkItem, //
        }, //
    }, //
};
use kernel::{
    current,
    mm::Mm,
    sync::Arc, //
};

/// Most retries that a task runs before its own work.
const OWN_TRIES: usize = 64;
/// Most retries that a waker runs.
const WOKEN_TRIES: usize = 16;

/// Runs queued requests in the current task, which must be a task of the process.
#[inline]
pub(crate) fn run_own(context: &Arc<Context>, task: FullTask<'_>) {
    // Read without the lock. A task that puts a request on a list now wakes a task or a thread for it.
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
        // Requests that were queued since then have set the hint again.
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

/// Runs requests that the current task, which must be of the process, has woken.
fn run_woken(context: &Arc<Context>, task: FullTask<'_>) {
    for _ in 0..WOKEN_TRIES {
        // Read without the lock, as in `run_own`.
        if context.may_have_queued().get() == 0 {
            return;
        }
        let run = {
            let mut queues = context.queues().lock();
            // Other requests would lose what they take from their files, if the program's memory is not
            // present.
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
    // The waker has other things to do: leave the rest to others.
    look_now(context);
}

/// Has the work queue wake a task or a thread for what is queued.
pub(crate) fn look_now(context: &Arc<Context>) {
    if context.may_have_queued().get() != 0 {
        context.queues().lock().look(|| context.clone(), 0);
    }
}

impl TaskWorkItem<0> for Context {
    fn task_work(&self) -> &TaskWork<Self, 0> {
        self.resume_work()
    }

    fn mm(&self) -> &Mm {
        Context::mm(self)
    }

    fn run(context: Arc<Context>, task: Option<FullTask<'_>>) {
        match task {
            Some(task) => run_woken(&context, task),
            // The task has left the process by exec or exit.
            None => look_now(&context),
        }
    }
}

impl TaskWorkItem<1> for Context {
    fn task_work(&self) -> &TaskWork<Self, 1> {
        self.signal_work()
    }

    fn mm(&self) -> &Mm {
        Context::mm(self)
    }

    fn run(context: Arc<Context>, task: Option<FullTask<'_>>) {
        let Some(task) = task else {
            return look_now(&context);
        };
        run_own(&context, task);
        // Some requests may be left: because there are many, or because of a pending signal, which is
        // handled first. The task work is not queued again for them.
        let signal = current!().signal_pending();
        look_for_rest(&context, if signal { PATIENCE } else { 0 });
    }
}

/// Runs requests for threads if there are no threads and can be none. Blocks in the current task, as
/// native aio does in submit.
fn run_without_threads(context: &Arc<Context>, task: FullTask<'_>) {
    loop {
        let run = {
            let mut queues = context.queues().lock();
            if queues.closing {
                return;
            }
            if current!().signal_pending() {
                // The signal is handled first. It would end each wait at once, and no thread can be
                // created with it.
                if queues.for_threads() > 0 {
                    queues.look(|| context.clone(), 1);
                }
                return;
            }
            if queues.threads.is_there() {
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
