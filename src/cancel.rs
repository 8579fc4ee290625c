// SPDX-License-Identifier: GPL-2.0

//! io_cancel.

use crate::{
    context::Context,
    request::{
        result_of,
        Request,
        Shared, //
    },
    retry,
    sys::{
        request::Cancel,
        trace,
        uapi::{
            io_event,
            RAIO_SETUP_CANCEL_EVENT, //
        }, //
    }, //
};
use core::cell::Cell;
use kernel::{
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// Cancels the request that was submitted by the iocb at `address`, whose key is `key`; its event
/// goes to `result`.
///
/// EAGAIN if it runs or a driver has it: its event will come. EINVAL if there is no such request,
/// or it is over. EFAULT if `result` can't be written: the event is in the ring then. In a
/// context with RAIO_SETUP_CANCEL_EVENT it is there always, and EINPROGRESS says so. Process
/// context.
pub(crate) fn cancel(context: &Context, address: u64, key: u32, result: u64) -> Result {
    let named = context.keys().read(key);
    // Of a request that waits for a page, others may see the end before we are back.
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
    let cancel = retry::cancel_one(context, named.index, named.generation, named.mask, matches);
    match cancel {
        Cancel::Unknown => Err(EINVAL),
        Cancel::Busy => {
            trace(EAGAIN.to_errno());
            Err(EAGAIN)
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

/// As above for a request that is not ours, but its event is.
fn deliver(context: &Context, event: io_event, result: u64) -> Result {
    if in_ring(context) {
        context.publish(event);
        Err(EINPROGRESS)
    } else if let Err(e) = write(&event, result) {
        context.publish(event);
        Err(e)
    } else {
        context.give_back_credits(1);
        Ok(())
    }
}

fn write(event: &io_event, to: u64) -> Result {
    let to = UserPtr::from_addr(usize::try_from(to)?);
    UserSlice::new(to, size_of::<io_event>())
        .writer()
        .write(event)
}
