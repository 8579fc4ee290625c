// SPDX-License-Identifier: GPL-2.0

//! Groups: requests that run in the order of submission. Also what a request gives back at its end.

use crate::{
    context::{
        queues::Queues,
        Context, //
    },
    pure::{
        lists::{
            List,
            Nodes, //
        },
        policy::Order, //
    },
    request::{
        deadline,
        Op,
        Request,
        Running, //
    },
    sys::uio::Direction, //
};

/// Adds the request to its group. Returns whether it is the first there. Any context.
pub(crate) fn join(context: &Context, run: &mut Running) -> bool {
    let (key, joined, index) = (run.private().key, run.private().joined, run.index());
    if key == 0 || joined {
        return true;
    }
    run.private().joined = true;
    let mut queues = context.queues().lock();
    queues.groups.join(context.pool(), index, key)
}

/// Puts the request on `list`, or behind the others of its group. If it was cancelled meanwhile,
/// completes it. Any context.
pub(crate) fn queue_in_order(context: &Context, mut request: Request, list: List) {
    let (index, key, joined) = (
        request.index(),
        request.private().key,
        request.private().joined,
    );
    let hold = list == List::Held;
    let in_vain = hold && request.private().held;
    request.private().held |= hold;
    request.note_waiting(list);
    request.private().joined = key != 0;
    let mut queues = context.queues().lock();
    if in_vain {
        queues.held_due = queues.held_due.saturating_sub(1);
    } else if hold {
        queues.hold_briefly();
    }
    if key != 0 && !joined {
        queues.groups.join(context.pool(), index, key);
        queues.note_joined(&mut request);
    }
    // The requests before it may have left the group meanwhile.
    let first = key == 0 || queues.groups.is_first(context.pool(), index);
    let list = if first { list } else { List::Waiting };
    if queues.closing && !request.shared().is_accepted() {
        drop(queues);
        request.complete_cancelled();
        return;
    }
    // Dropped under the lock, and not the last reference there: nobody has run the request yet.
    let arc = request.client_arc();
    match request.queue() {
        Ok(()) => queues.push(context, || arc.clone(), index, list),
        Err(request) => {
            drop(arc);
            drop(queues);
            request.complete_cancelled();
        }
    }
}

#[cold]
fn end_deadline(request: &mut Request) {
    if let Some(deadline) = request.private().deadline.take() {
        deadline::end(deadline);
    }
}

/// Gives back what a request has of its context: its place in its group, so that the next one may run,
/// its claim to a thread, and its deadline. Any context.
pub(crate) fn leave(request: &mut Request) {
    let private = request.private();
    let (joined, claim, counted) = (private.joined, private.claim, private.counted);
    (private.joined, private.claim, private.counted) = (false, None, false);
    if private.deadline.is_some() {
        end_deadline(request);
        if !joined && claim.is_none() && !counted {
            return;
        }
    }
    let write = joined && is_ordered_write(request);
    let (context, index) = (request.client(), request.index());
    let mut queues = context.queues().lock();
    if let Some(claim) = claim {
        queues.claims.remove(claim);
        if queues.for_threads() > 0 {
            // A free thread may now take what is queued.
            queues.threads.wake();
        }
    }
    if counted && queues.threads.finish_write() {
        context.wake_drain();
    }
    if !joined {
        return;
    }
    // The next one begins there, if it is at the file position too.
    if request.transfer().is_at_position() {
        request.move_position();
    }
    if write {
        queues.note_write_left();
    }
    let next = queues.groups.leave(context.pool(), index);
    let Some(next) = next else { return };
    let listed = context
        .pool()
        .links(next)
        .is_some_and(|links| links.is_listed() && !links.is_on(List::Barrier));
    // Otherwise a barrier holds it back, or its owner is about to queue it, and will find that it is
    // the first.
    if listed {
        let shared = context.pool().shared(next);
        let list = shared.map_or(List::Block, |shared| shared.kicked_to());
        queues.lists.remove(context.pool(), next);
        queues.push(context, || request.client_arc(), next, list);
    }
}

/// Whether the request is a write to a file that keeps the order of its inode.
pub(super) fn is_ordered_write(request: &mut Request) -> bool {
    let private = request.private();
    private.policy.order == Order::Inode
        && matches!(private.op, Op::Rw)
        && request.transfer().direction() == Some(Direction::Write)
}

impl Queues {
    /// A request has joined its group.
    pub(crate) fn note_joined(&mut self, request: &mut Request) {
        if is_ordered_write(request) {
            self.joined_writes = self.joined_writes.saturating_add(1);
        }
    }
}
