// SPDX-License-Identifier: GPL-2.0

//! Barriers: requests that begin when all before them are over, and that those after them wait for.
//!
//! While a context has a barrier, new requests are held back on [`List::Barrier`], in the order of
//! submission. A task that ends a request or gives back credits checks whether the first request there
//! may begin.

use crate::{
    context::{
        queues::Queues,
        Context, //
    },
    pure::lists::List,
    sys::wait, //
};
use kernel::sync::Arc;

/// Most requests that are released at once, since that may be in an interrupt. The work queue releases
/// the others.
const BATCH: u32 = 16;

/// A request is over, or credits were given back: releases the requests that may begin. Any context.
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

/// Releases the requests that nothing holds back any more. Returns whether there were any. The caller
/// holds the lock of the lists. Any context.
pub(crate) fn release(
    queues: &mut Queues,
    context: &Context,
    arc: impl Fn() -> Arc<Context>,
) -> bool {
    // Pairs with the end of a request: either this task sees that it is over, or its owner sees the
    // barriers.
    wait::order();
    // Requests that have begun, and credits of calls that are still submitting. Never too few.
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
