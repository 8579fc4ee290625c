// SPDX-License-Identifier: GPL-2.0

//! How a prepared request begins, in the submitting task.

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

/// Begins to run a prepared request, in the submitting task; it may be over then, and its event
/// is to be published.
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
    // Then it is armed without a try, and joins right now.
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
        // It may run by others now.
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

/// Whether it is a write that submit does, if nobody before it is one: an fsync can only gain.
fn is_done_here(policy: &Policy) -> bool {
    policy.first == First::Block && policy.order == Order::Inode
}
