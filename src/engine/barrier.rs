// SPDX-License-Identifier: GPL-2.0

//! Barriers: requests that begin when all before them are over, and what begins after them.
//!
//! While there is one in a context, what is submitted is held back on [`List::Barrier`], in the order of
//! submission. Whoever ends a request, or gives back credits, looks whether that was the last that the
//! first one there waits for.

use crate::{
    context::{
        queues::Queues,
        Context, //
    },
    pure::lists::List,
    sys::wait, //
};
use kernel::sync::Arc;

/// How many are released in one go: whoever does so may be in an interrupt. The work queue sees to the rest.
const BATCH: u32 = 16;

/// A request is over, or credits came back: the next ones may begin. Any context, after that.
#[inline(always)]
pub(crate) fn let_next_begin(context: &Context, arc: impl Fn() -> Arc<Context>) {
    if context.has_barriers() {
        look(context, arc);
    }
}

#[cold]
fn look(context: &Context, arc: impl Fn() -> Arc<Context>) {
    let mut queues = context.queues().lock();
    release(&mut queues, context, arc);
}

/// Releases what nothing holds back any more, and says whether that was anything. Under the lock of the
/// lists; any context.
pub(crate) fn release(
    queues: &mut Queues,
    context: &Context,
    arc: impl Fn() -> Arc<Context>,
) -> bool {
    // Either we see that the last one is over, or who has ended it sees that there are barriers.
    wait::order();
    // Those that were begun, and credits of calls on their way. Never too few.
    let mut others = context
        .outstanding()
        .saturating_sub(queues.lists.len(List::Barrier));
    if queues.barrier_runs && others > 0 {
        return false;
    }
    queues.barrier_runs = false;
    for released in 0..BATCH {
        let Some(index) = queues.lists.first(List::Barrier) else {
            context.note_barriers(false);
            return released > 0;
        };
        let shared = context.pool().shared(index);
        let is_barrier = shared.is_some_and(|shared| shared.is_barrier());
        if is_barrier && others > 0 {
            return released > 0;
        }
        queues.lists.remove(context.pool(), index);
        let list = match shared {
            Some(shared) if queues.groups.is_first(context.pool(), index) => shared.kicked_to(),
            _ => List::Waiting,
        };
        queues.push(context, &arc, index, list);
        others = others.saturating_add(1);
        if is_barrier {
            queues.barrier_runs = true;
            return true;
        }
    }
    queues.look(&arc, 0);
    true
}
