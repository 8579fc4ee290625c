// SPDX-License-Identifier: GPL-2.0

//! Submission of barriers, and of requests behind a barrier: see `engine/barrier.rs`.

use crate::{
    context::Context,
    engine,
    op,
    pure::lists::List,
    request::Request,
    sys::task::FullTask, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Submits a request that is a barrier or behind one. The caller has published the events of requests
/// that are over.
///
/// An error is submit's, and the request is gone then. Called in the submitting task.
#[cold]
pub(crate) fn submit(context: &Arc<Context>, task: FullTask<'_>, request: Request) -> Result {
    let (mut request, list) = op::prepare_to_hold(context, task, request)?;
    let (index, key) = (request.index(), request.private().key);
    request.note_waiting(list);
    request.private().joined = key != 0;
    let mut queues = context.queues().lock();
    if key != 0 {
        queues.groups.join(context.pool(), index, key);
        queues.note_joined(&mut request);
    }
    if queues.closing {
        drop(queues);
        request.complete_cancelled();
        return Ok(());
    }
    match request.queue() {
        Ok(()) => {
            queues.lists.push(context.pool(), index, List::Barrier);
            context.note_barriers(true);
            engine::release(&mut queues, context, || context.clone());
        }
        Err(request) => {
            drop(queues);
            request.complete_cancelled();
        }
    }
    Ok(())
}
