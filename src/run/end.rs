// SPDX-License-Identifier: GPL-2.0

//! Requests that are left on the lists of a dead context, or of killed threads.

use super::{
    as_submitter,
    rerun, //
};
use crate::{
    context::{
        queues::{
            take,
            take_from, //
        },
        Context, //
    },
    engine::Place,
    op,
    pure::lists::List,
    sys::task::{
        FullTask,
        WorkerTask, //
    }, //
};
use kernel::sync::Arc;

/// The lists of requests that may be run.
const ALL: [List; 4] = [List::Run, List::Task, List::Page, List::Block];

/// Runs the queued requests of a dead context, accepted ones, in a task of the process. Returns whether
/// there were any.
pub(crate) fn run_accepted(context: &Arc<Context>, task: FullTask<'_>) -> bool {
    let mut any = false;
    while let Some(run) = take(context, &ALL) {
        rerun(context, run, Place::Own(task));
        any = true;
    }
    any
}

/// As [`run_accepted`], in a thread that is killed: as far as the program's memory is present.
pub(crate) fn finish_accepted(context: &Arc<Context>, task: WorkerTask<'_>) {
    loop {
        let run = {
            let mut queues = context.queues().lock();
            take_from(&mut queues, context, &[List::Block])
        };
        let Some(mut run) = run else { return };
        if !run.shared().is_accepted() {
            run.finish().complete_cancelled();
            continue;
        }
        let submitter = run.private().submitter();
        as_submitter(context, &submitter, || op::finish_accepted(run, task));
    }
}

/// Cancels queued requests that only threads may run. Process context.
pub(crate) fn cancel_for_threads(context: &Context) {
    while let Some(run) = take(context, &[List::Page, List::Block]) {
        run.finish().complete_cancelled();
    }
}

/// Cancels all queued requests. Returns whether there were any. Process context.
pub(crate) fn cancel_queued(context: &Context) -> bool {
    let mut any = false;
    while let Some(run) = take(context, &ALL) {
        run.finish().complete_cancelled();
        any = true;
    }
    any
}
