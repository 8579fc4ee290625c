// SPDX-License-Identifier: GPL-2.0

//! The start of a prepared request in the submitting task.

use crate::{
    context::{
        claims::Claim,
        Context, //
    },
    engine::Place,
    op,
    pure::policy::{
        First,
        Order,
        Policy, //
    },
    request::{
        Over,
        Request, //
    },
    sys::task::FullTask, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Starts a prepared request in the submitting task. If it is over, the caller publishes its event.
///
/// An error is submit's, and the request is gone then: see [`op::go`].
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
    let at_position = request.transfer().is_at_position();
    let done_here = is_done_here(&request.private().policy) && !at_position;
    // It is armed without a try, and so joins its group now.
    let waits = op::has_to_wait(&mut request);
    let mut queues = context.queues().lock();
    if done_here && queues.joined_writes == 0 {
        drop(queues);
        return op::go(context, request.run(), Place::Submit(task));
    }
    if queues.groups.is_busy(context.pool(), key) {
        let policy = &request.private().policy;
        if policy.again_is_final && policy.first != First::Block {
            drop(queues);
            request.complete(EAGAIN.to_errno() as isize);
            return Ok(());
        }
        drop(queues);
        // Other tasks may run it from here on.
        return op::punt_behind(context, task, request);
    }
    if waits || at_position {
        queues.groups.found(context.pool(), request.index(), key);
        queues.note_joined(&mut request);
        request.private().joined = true;
    }
    if waits {
        let claim = Claim::Own;
        if request.private().policy.threads && queues.try_claim(claim) {
            request.private().claim = Some(claim);
        }
    }
    drop(queues);
    if waits {
        return op::wait(context, task, request.run());
    }
    op::go(context, request.run(), Place::Submit(task))
}

/// Whether it is a write that submit does if no other write is in its group. Such a write does not wait
/// for fsyncs: these may cover it, too.
fn is_done_here(policy: &Policy) -> bool {
    policy.first == First::Block && policy.order == Order::Inode
}
