// SPDX-License-Identifier: GPL-2.0

//! io_submit.

use crate::{
    context::Context,
    op,
    request::Ticket,
    retry,
    sys::{
        blkdev,
        fs,
        miscdevice,
        trace,
        uapi::iocb, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// Requests that are taken from the context at once.
const BATCH: usize = 16;
/// A plug is worth its cost for more requests than this.
const PLUG_THRESHOLD: usize = 2;

/// The program's array of pointers to iocbs.
#[derive(Clone, Copy)]
pub(crate) struct Iocbs {
    /// Its address.
    pub(crate) address: u64,
    /// Whether its pointers have 32 bits.
    pub(crate) compat: bool,
}

impl Iocbs {
    /// Reads pointer `i`. EFAULT.
    fn get(self, i: usize) -> Result<u64> {
        let size = if self.compat { 4 } else { 8 };
        let address = (self.address as usize).wrapping_add(i.wrapping_mul(size));
        let mut reader = UserSlice::new(UserPtr::from_addr(address), size).reader();
        if self.compat {
            reader.read::<u32>().map(u64::from)
        } else {
            reader.read::<u64>()
        }
    }
}

/// Requests that were taken and not used yet.
struct Batch<'a> {
    context: &'a Arc<Context>,
    tickets: [Option<Ticket>; BATCH],
    next: usize,
    got: usize,
}

impl Batch<'_> {
    /// The next one, of `left` that may be wanted. EAGAIN if the ring is full.
    fn take(&mut self, left: usize) -> Result<Ticket> {
        if self.next == self.got {
            let wanted = left.clamp(1, BATCH);
            self.next = 0;
            self.got = 0;
            self.got = self.context.take(&mut self.tickets[..wanted])?;
        }
        let ticket = self.tickets.get_mut(self.next).and_then(Option::take);
        self.next += 1;
        ticket.ok_or(EAGAIN)
    }
}

/// Submits up to `nr` requests, and returns how many were taken.
///
/// The errors are io_submit(2)'s, and are returned only if no request was taken. Process context.
pub(crate) fn submit(context: &Arc<Context>, nr: usize, iocbs: Iocbs) -> Result<usize> {
    let nr = nr.min(context.shape().slots() as usize);
    let submitted = if nr > PLUG_THRESHOLD {
        blkdev::with_plug(|| submit_all(context, nr, iocbs))
    } else {
        submit_all(context, nr, iocbs)
    };
    retry::run_own(context);
    submitted
}

fn submit_all(context: &Arc<Context>, nr: usize, iocbs: Iocbs) -> Result<usize> {
    let mut batch = Batch {
        context,
        tickets: [const { None }; BATCH],
        next: 0,
        got: 0,
    };
    for i in 0..nr {
        let result = iocbs
            .get(i)
            .and_then(|address| submit_one(&mut batch, address, nr - i));
        if let Err(e) = result {
            return if i > 0 { Ok(i) } else { Err(e) };
        }
    }
    Ok(nr)
}

/// Submits the iocb at `address`. Its checks are native aio's, in native aio's order.
fn submit_one(batch: &mut Batch<'_>, address: u64, left: usize) -> Result {
    let user = UserPtr::from_addr(address as usize);
    let iocb: iocb = UserSlice::new(user, size_of::<iocb>()).reader().read()?;
    if iocb.aio_reserved2 != 0 || i64::try_from(iocb.aio_nbytes).is_err() {
        return Err(EINVAL);
    }

    let mut ticket = batch.take(left)?;
    let request = ticket.request().ok_or(EINVAL)?;
    if op::needs_file(&iocb) {
        let file = fs::fget(iocb.aio_fildes)?;
        if miscdevice::is_door(&file) {
            return Err(EINVAL);
        }
        request.set_file(Some(file));
    }
    op::prep_eventfd(request, &iocb)?;
    let key = request.name(address, &iocb);
    UserSlice::new(
        user.wrapping_byte_add(core::mem::offset_of!(iocb, aio_key)),
        size_of::<u32>(),
    )
    .writer()
    .write(&key)?;
    op::prep(request, &iocb)?;

    match ticket.redeem() {
        Some(request) => {
            trace::submit(|| request.about(0));
            retry::start(batch.context, request)
        }
        None => Ok(()),
    }
}
