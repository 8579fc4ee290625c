// SPDX-License-Identifier: GPL-2.0

//! io_cancel, and the cancellation of requests when their context ends or their deadline is over.

use crate::{
    context::Context,
    engine,
    pure::{
        key::Named,
        lists::{
            Links,
            Nodes, //
        }, //
    },
    request::{
        result_of,
        Request,
        Shared, //
    },
    sys::{
        compat::{
            ECANCELED,
            EINPROGRESS, //
        },
        request::Cancel,
        trace,
        uapi::{
            io_event,
            RAIO_SETUP_CANCEL_EVENT, //
        }, //
    },
    window::Window, //
};
use core::cell::Cell;
use kernel::{
    fs::File,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// Cancels the request with `key` that was submitted by the iocb at `address`, and writes its event to
/// `result`.
///
/// EAGAIN if a driver has the request, or it runs where nothing can interrupt it: its event will come.
/// EINPROGRESS if a thread runs it and was interrupted: its event will come soon, unless the thread was
/// about to wait where nothing can interrupt it. EINVAL if there is no such request, or it is over.
/// EFAULT if `result` can't be written: the event is in the ring then. With RAIO_SETUP_CANCEL_EVENT the
/// event is always in the ring, and the result is EINPROGRESS. Process context.
pub(crate) fn cancel(context: &Arc<Context>, address: u64, key: u32, result: u64) -> Result {
    let named = context.keys().read(key);
    // Made under the lock: a request that waits for a page may be freed before `cancel_one` returns.
    let event = Cell::new(None);
    let matches = |shared: &Shared| {
        event.set(Some(shared.cancelled_event()));
        shared.is_of(address)
    };
    let trace = |result: i32| {
        if let Some(shared) = context.pool().shared(named.index) {
            trace::cancel(|| shared.about(context, result as isize));
        }
    };
    Window::Cancel.pass_asleep();
    let (cancel, interrupted) = cancel_one(context, named, in_ring(context), matches);
    Window::Cancelled.pass_asleep();
    match cancel {
        Cancel::Unknown => Err(EINVAL),
        Cancel::Busy => {
            let error = if interrupted { EINPROGRESS } else { EAGAIN };
            trace(error.to_errno());
            Err(error)
        }
        Cancel::Own(request) => {
            context.counters().cancelled();
            trace(0);
            deliver_own(context, request, result)
        }
        Cancel::Ended => {
            context.counters().cancelled();
            trace(0);
            deliver(context, event.take().ok_or(EINVAL)?, result)
        }
    }
}

fn in_ring(context: &Context) -> bool {
    context.flags() & RAIO_SETUP_CANCEL_EVENT != 0
}

fn deliver_own(context: &Context, request: Request, result: u64) -> Result {
    let res = result_of(request.transfer().done(), ECANCELED);
    let event = request.shared().event(res);
    if in_ring(context) {
        request.complete(res);
        Err(EINPROGRESS)
    } else if let Err(e) = write(&event, result) {
        request.complete(res);
        Err(e)
    } else {
        request.without_event();
        Ok(())
    }
}

/// As [`deliver_own`], for a request that the caller does not own, while it has the event.
fn deliver(context: &Arc<Context>, event: io_event, result: u64) -> Result {
    let delivered = if in_ring(context) {
        context.publish(event);
        Err(EINPROGRESS)
    } else if let Err(e) = write(&event, result) {
        context.publish(event);
        Err(e)
    } else {
        context.give_back_credits(1);
        Ok(())
    };
    engine::let_next_begin(context, || context.clone());
    delivered
}

/// Cancels the request that `key` names because its time is over. Returns false if the request is
/// between two owners. Any context.
pub(crate) fn cancel_late(context: &Arc<Context>, key: u32) -> bool {
    let named = context.keys().read(key);
    let event = Cell::new(None);
    Window::Late.pass();
    let (cancel, _) = cancel_one(context, named, true, |shared| {
        event.set(Some(shared.late_event()));
        true
    });
    match cancel {
        Cancel::Unknown => {
            // The request may have a new owner by now: if it is not over, it can be cancelled now.
            let pool = context.pool();
            return !pool.is_out(named.index, named.generation, named.mask);
        }
        Cancel::Busy => {}
        Cancel::Own(request) => {
            context.counters().cancelled();
            request.complete_cancelled();
        }
        Cancel::Ended => {
            context.counters().cancelled();
            if let Some(event) = event.take() {
                context.publish(event);
                engine::let_next_begin(context, || context.clone());
            }
        }
    }
    true
}

fn write(event: &io_event, to: u64) -> Result {
    let to = UserPtr::from_addr(usize::try_from(to)?);
    UserSlice::new(to, size_of::<io_event>())
        .writer()
        .write(event)
}

/// Cancels all requests that can be cancelled and are not accepted. Their events go to the ring, and
/// `put` drops their files. Process context.
pub(crate) fn cancel_all(context: &Arc<Context>, put: fn(ARef<File>)) {
    cancel_some(context, 0, u32::MAX, put);
}

/// As [`cancel_all`], for `nr` requests from number `from` on. Returns the number of the next request,
/// or 0 after the last.
pub(crate) fn cancel_some(context: &Arc<Context>, from: u32, nr: u32, put: fn(ARef<File>)) -> u32 {
    let grown = u32::try_from(context.pool().grown()).unwrap_or(u32::MAX);
    let end = from.saturating_add(nr).min(grown);
    for index in from..end {
        if let Some(file) = cancel_index(context, index) {
            put(file);
        }
    }
    if end < grown {
        end
    } else {
        0
    }
}

/// Cancels request `index`, of any generation. Its event goes to the ring. Returns its file if the
/// request was freed. Process context.
pub(crate) fn cancel_index(context: &Arc<Context>, index: u32) -> Option<ARef<File>> {
    let event = Cell::new(None);
    let named = Named {
        index,
        generation: 0,
        mask: 0,
    };
    let (cancel, _) = cancel_one(context, named, true, |shared| {
        event.set(Some(shared.cancelled_event()));
        !shared.is_accepted()
    });
    match (cancel, event.take()) {
        (Cancel::Own(request), _) => {
            let file = request.file().map(ARef::from);
            request.complete_cancelled();
            return file;
        }
        (Cancel::Ended, Some(event)) => {
            context.publish(event);
            engine::let_next_begin(context, || context.clone());
        }
        _ => {}
    }
    None
}

/// Cancels the request `named`, as [`Pool::cancel`](crate::sys::request::Pool::cancel), and takes it
/// off its list. If a thread runs it, interrupts the thread and returns whether that was possible.
/// `in_ring` says whether the event of a request that waits for a page goes to the ring. Any context.
fn cancel_one(
    context: &Context,
    named: Named,
    in_ring: bool,
    matches: impl Fn(&Shared) -> bool,
) -> (Cancel<Context>, bool) {
    let index = named.index;
    let mut queues = context.queues().lock();
    let cancel = context
        .pool()
        .cancel(index, named.generation, named.mask, matches);
    if let (Cancel::Ended, true, Some(shared)) = (&cancel, in_ring, context.pool().shared(index)) {
        shared.set_in_ring();
    }
    if let Cancel::Own(_) = cancel {
        let listed = context.pool().links(index).is_some_and(Links::is_listed);
        if listed {
            queues.lists.remove(context.pool(), index);
        } else {
            context.counters().disarmed();
        }
    }
    let busy = matches!(cancel, Cancel::Busy);
    let interrupted = busy && queues.threads.interrupt(|running| running == index);
    (cancel, interrupted)
}
