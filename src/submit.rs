// SPDX-License-Identifier: GPL-2.0

//! io_submit.
//!
//! This room owns a call of submit: its batch of credits, requests and deferred events, and how each
//! request begins. It uses [`run`] and the rooms below that. It has no locks of its own,
//! and takes `Context::queues`.

mod barrier;
mod batch;
mod start;

use crate::{
    context::Context,
    op::{
        self,
        flags, //
    },
    request::{
        deadline::{
            self,
            Due, //
        },
        Over,
        Ticket, //
    },
    run,
    sys::{
        blkdev,
        sched::Stamp,
        task::FullTask,
        trace::{
            self,
            About, //
        },
        uaccess,
        uapi::{
            io_event,
            iocb,
            RAIO_IOCB_FLAG_BARRIER,
            RAIO_IOCB_FLAG_DEADLINE, //
        },
        util::array::Array, //
    },
    window::Window, //
};
pub(crate) use batch::Iocbs;
use batch::{
    Batch,
    Events,
    BATCH,
    PLUG_THRESHOLD, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Submits up to `nr` requests, and returns how many were submitted.
///
/// The errors are those of io_submit(2). An error is returned only if no request was submitted.
pub(crate) fn submit(
    context: &Arc<Context>,
    task: FullTask<'_>,
    nr: usize,
    iocbs: Iocbs,
) -> Result<usize> {
    let nr = nr.min(context.shape().slots() as usize);
    let submitted = if nr > PLUG_THRESHOLD {
        blkdev::with_plug(|| submit_all(context, task, nr, iocbs))
    } else {
        submit_all(context, task, nr, iocbs)
    };
    run::run_own(context, task);
    submitted
}

fn submit_all(
    context: &Arc<Context>,
    task: FullTask<'_>,
    nr: usize,
    iocbs: Iocbs,
) -> Result<usize> {
    pin_init::stack_pin_init!(let events = Events::new(&**context));
    let mut batch = Batch::new(context, task, events.as_ref());
    let mut pointers = Array::new();
    let mut i = 0;
    while i < nr {
        let chunk = (nr - i).min(BATCH);
        // A fault beyond the page in which the array ends must not keep the iocbs before it from
        // submission.
        if iocbs.get(i, chunk, &mut pointers).is_err() {
            if let Err(e) = iocbs.get(i, 1, &mut pointers) {
                return if i > 0 { Ok(i) } else { Err(e) };
            }
        }
        for &address in pointers.as_slice() {
            if let Err(e) = submit_one(&mut batch, address, nr - i) {
                return if i > 0 { Ok(i) } else { Err(e) };
            }
            i += 1;
        }
        if i < nr {
            // The next access to the program's memory may sleep.
            batch.events.before_wait();
            // Inline completions have used credits but no requests. Free the spare requests, since other
            // tasks that hold a credit need one.
            batch.put_back();
        }
    }
    Ok(nr)
}

/// Reads the iocb at `address`, which may wait for another task to serve a page fault.
#[cold]
fn read_iocb_later(batch: &mut Batch<'_, '_>, address: u64) -> Result<Stamp> {
    batch.release_all();
    uaccess::read_iocb(address, &mut batch.iocb)?;
    Ok(Stamp::now())
}

/// Submits the iocb at `address`. The checks are those of native aio, in the same order.
fn submit_one(batch: &mut Batch<'_, '_>, address: u64, left: usize) -> Result {
    let now = match uaccess::read_iocb_now(address, &mut batch.iocb) {
        Some(now) => now,
        None => read_iocb_later(batch, address)?,
    };
    batch.cache.begin(now);
    if !flags::are_sound(&batch.iocb) || batch.iocb.aio_nbytes > i64::MAX as u64 {
        return Err(EINVAL);
    }

    let own = batch.iocb.aio_flags & (RAIO_IOCB_FLAG_BARRIER | RAIO_IOCB_FLAG_DEADLINE);
    if own != 0 || batch.context.has_barriers() {
        return submit_specially(batch, address, left);
    }
    batch.need_credit(left)?;
    if let Some(result) = op::complete_inline(&batch.iocb, &mut batch.cache) {
        return completed_inline(batch, address, result);
    }
    let (ticket, _) = prepare(batch, address, left)?;
    let Some(mut request) = ticket.redeem() else {
        return Ok(());
    };
    if op::goes_to_device(&mut request) {
        batch.expect_transfer(left);
    }
    trace::submit(|| request.about(0));
    let over = start::start(batch.context, batch.cache.task(), request)?;
    batch.in_use = over.is_none();
    if let Some(Over { request, event }) = over {
        batch.spare = Some(request);
        batch.defer(event);
    }
    Ok(())
}

/// Prepares the request of `batch.iocb`, which is at `address`. Returns it and its key.
#[inline(always)]
fn prepare(batch: &mut Batch<'_, '_>, address: u64, left: usize) -> Result<(Ticket, u32)> {
    batch.events.before_wait();
    let mut ticket = batch.take(left)?;
    let iocb = &batch.iocb;
    let request = ticket.request().ok_or(EINVAL)?;
    if op::needs_file(iocb) {
        let file = batch.cache.file(iocb)?;
        request.set_file(file.into());
    }
    op::prep_eventfd(request, iocb, &batch.cache)?;
    let key = request.name(address, iocb);
    write_key(address, iocb, key)?;
    op::prep(request, iocb, &mut batch.cache)?;
    request.private().cred = batch.cache.cred();
    request.private().state = batch.cache.state();
    Window::Submit.pass_asleep();
    Ok((ticket, key))
}

/// Submits `batch.iocb`, which is at `address`, for a request with a deadline, a barrier, or one behind
/// a barrier.
#[cold]
fn submit_specially(batch: &mut Batch<'_, '_>, address: u64, left: usize) -> Result {
    let has = |flag| batch.iocb.aio_flags & flag != 0;
    let (barrier, deadline) = (has(RAIO_IOCB_FLAG_BARRIER), has(RAIO_IOCB_FLAG_DEADLINE));
    let at = if deadline {
        // The read may wait for another task to serve a page fault.
        batch.release_all();
        let at = deadline::read(&mut batch.iocb)?;
        batch.cache.begin(Stamp::now());
        Some(at)
    } else {
        None
    };
    batch.need_credit(left)?;
    let (mut ticket, key) = prepare(batch, address, left)?;
    let due = match at {
        Some(at) => Some(Due::new(batch.context, key, at).or(Err(EAGAIN))?),
        None => None,
    };
    let private = ticket.request().ok_or(EINVAL)?.private();
    private.barrier = barrier;
    private.deadline = due.clone();
    let Some(request) = ticket.redeem() else {
        return Ok(());
    };
    trace::submit(|| request.about(0));
    if barrier || batch.context.has_barriers() {
        // Requests that are over are before the barrier, so publish their events.
        batch.events.flush();
        barrier::submit(batch.context, batch.cache.task(), request)?;
        batch.in_use = true;
    } else {
        let over = start::start(batch.context, batch.cache.task(), request)?;
        batch.in_use = over.is_none();
        if let Some(Over { request, event }) = over {
            batch.spare = Some(request);
            batch.defer(event);
        }
    }
    if let Some(due) = due {
        deadline::start(due);
    }
    Ok(())
}

/// Tells the program the key of the request.
fn write_key(address: u64, iocb: &iocb, key: u32) -> Result {
    if key == iocb.aio_key {
        return Ok(());
    }
    let at = address.wrapping_add(core::mem::offset_of!(iocb, aio_key) as u64);
    uaccess::write_u32(at, key)
}

/// Accounts for an iocb that was completed inline, with `result`.
fn completed_inline(batch: &mut Batch<'_, '_>, address: u64, result: isize) -> Result {
    // The key of native aio, 0: there is no request that it could name.
    if batch.iocb.aio_key != 0 {
        batch.events.before_wait();
        write_key(address, &batch.iocb, 0)?;
    }
    let iocb = &batch.iocb;
    let about = |result: isize| About {
        ctx: batch.context.id() as u64,
        iocb: address,
        key: 0,
        opcode: iocb.aio_lio_opcode,
        fd: iocb.aio_fildes,
        result: result as i64,
    };
    trace::submit(|| about(0));
    trace::complete(|| about(result));
    let event = io_event {
        data: iocb.aio_data,
        obj: address,
        res: result as i64,
        res2: 0,
    };
    batch.credits -= 1;
    batch.defer(event);
    Ok(())
}
