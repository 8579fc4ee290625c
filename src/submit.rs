// SPDX-License-Identifier: GPL-2.0

//! io_submit.

mod barrier;
mod start;

use crate::{
    context::Context,
    engine,
    op::{
        self,
        file_cache::FileCache, //
        flags,
    },
    request::{
        deadline::{
            self,
            Due, //
        },
        Over,
        Request,
        Ticket, //
    },
    run,
    sys::{
        array::{
            Array,
            Stock, //
        },
        blkdev,
        deferred::{
            Deferred,
            Sink, //
        },
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
        }, //
    },
    window::Window, //
};
use core::pin::Pin;
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
    /// Reads `nr` pointers from number `from` on.  EFAULT.
    #[inline]
    fn get(self, from: usize, nr: usize, into: &mut Array<u64, BATCH>) -> Result {
        if self.compat {
            return self.get_compat(from, nr, into);
        }
        let address = self.address.wrapping_add((from as u64).wrapping_mul(8));
        uaccess::read_words(address, nr, into)
    }

    #[cold]
    fn get_compat(self, from: usize, nr: usize, into: &mut Array<u64, BATCH>) -> Result {
        into.clear();
        let address = (self.address as usize).wrapping_add(from.wrapping_mul(4));
        let mut reader = UserSlice::new(UserPtr::from_addr(address), 4 * nr).reader();
        for _ in 0..nr {
            into.push(reader.read::<u32>()?.into());
        }
        Ok(())
    }
}

/// Events that are published together, or when the task sleeps: others may wait for one.
type Events<'a> = Deferred<'a, Context, io_event, BATCH>;

impl Sink<io_event> for Context {
    fn take_all(&self, events: &[io_event]) {
        self.publish_all(events);
    }
}

/// What a call has at hand.
struct Batch<'a, 'e> {
    context: &'a Arc<Context>,
    cache: FileCache<'a>,
    /// Credits that were taken and not used yet.
    credits: u32,
    /// Requests that were taken and not used yet.
    requests: Stock<Request, BATCH>,
    /// The last one that was used, if it was over at once.
    spare: Option<Request>,
    /// The last one that was used is in flight, or waits: so may be the next ones.
    in_use: bool,
    /// Transfers of a device that the plug still expects.
    expected: usize,
    /// Events that were not published yet.
    events: Pin<&'e Events<'a>>,
    /// The one that is submitted.
    iocb: iocb,
}

impl<'a, 'e> Batch<'a, 'e> {
    fn new(context: &'a Arc<Context>, task: FullTask<'a>, events: Pin<&'e Events<'a>>) -> Self {
        Batch {
            context,
            cache: FileCache::new(context, task),
            credits: 0,
            requests: Stock::new(),
            spare: None,
            in_use: false,
            expected: 0,
            events,
            iocb: iocb::default(),
        }
    }

    /// Sees to a credit for the next request, of `left` that may be wanted. EAGAIN if the ring is
    /// full.
    #[inline(always)]
    fn need_credit(&mut self, left: usize) -> Result {
        if self.credits == 0 {
            self.credits = self.context.take_credits(left.clamp(1, BATCH) as u32)?;
        }
        Ok(())
    }

    /// A request for the credit that there is, of `left` that may be wanted. EAGAIN without memory.
    fn take(&mut self, left: usize) -> Result<Ticket> {
        let request = match self.spare.take() {
            Some(request) => request,
            None => self.take_more(left)?,
        };
        self.credits -= 1;
        Ok(Ticket::new(request))
    }

    #[inline(never)]
    fn take_more(&mut self, left: usize) -> Result<Request> {
        if self.requests.is_empty() {
            if !self.in_use || left <= 1 {
                return self.context.take().or(Err(EAGAIN));
            }
            self.context.take_some(left.min(BATCH), &mut self.requests);
        }
        self.requests.pop().ok_or(EAGAIN)
    }

    /// Brings home the requests that were not used.
    #[inline(always)]
    fn put_back(&mut self) {
        self.spare = None;
        self.requests.clear();
    }

    /// A transfer of a device is next, of `left` requests that follow: the plug expects as many.
    #[inline(always)]
    fn expect_transfer(&mut self, left: usize) {
        if self.expected > 0 {
            self.expected -= 1;
        } else if left > 1 {
            let all = left.min(BATCH);
            self.expected = all - 1;
            blkdev::expect(all as u16);
        }
    }

    /// Puts off the publication of an event whose credit is used up.
    #[inline(always)]
    fn defer(&mut self, event: io_event) {
        self.events.push(event);
    }

    /// Lets go of all that others may wait for. Before a wait for the program's memory, which they
    /// may have to serve.
    #[inline(always)]
    fn release_all(&mut self) {
        self.cache.forget_files();
        self.put_back();
        if self.credits > 0 {
            self.context.give_back_credits(self.credits);
            self.credits = 0;
        }
        self.events.flush();
        engine::let_next_begin(self.context, || self.context.clone());
    }
}

impl Drop for Batch<'_, '_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.release_all();
    }
}

/// Submits up to `nr` requests, and returns how many were taken.
///
/// The errors are io_submit(2)'s, and are returned only if no request was taken.
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
        // What is beyond the end of the array's page must not keep those before from submission.
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
            // Before the next look at the program's memory.
            batch.events.before_wait();
            // What took no request had a credit all the same: those who have one want a request.
            batch.put_back();
        }
    }
    Ok(nr)
}

/// Reads the iocb at `address`, for which somebody may have to be waited for.
#[cold]
fn read_iocb_later(batch: &mut Batch<'_, '_>, address: u64) -> Result<Stamp> {
    batch.release_all();
    uaccess::read_iocb(address, &mut batch.iocb)?;
    Ok(Stamp::now())
}

/// Submits the iocb at `address`. Its checks are native aio's, in native aio's order.
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

/// Prepares the request of the iocb, which is at `address`; and says how it is named.
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

/// Submits the iocb, which is at `address`, of a request that has a deadline, or is or meets a barrier.
#[cold]
fn submit_specially(batch: &mut Batch<'_, '_>, address: u64, left: usize) -> Result {
    let has = |flag| batch.iocb.aio_flags & flag != 0;
    let (barrier, deadline) = (has(RAIO_IOCB_FLAG_BARRIER), has(RAIO_IOCB_FLAG_DEADLINE));
    let at = if deadline {
        // Somebody may have to be waited for.
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
        // What is over is before it.
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

/// Says how the program can name the request.
fn write_key(address: u64, iocb: &iocb, key: u32) -> Result {
    if key == iocb.aio_key {
        return Ok(());
    }
    let at = address.wrapping_add(core::mem::offset_of!(iocb, aio_key) as u64);
    uaccess::write_u32(at, key)
}

/// Takes an iocb that is done already, with `result`.
fn completed_inline(batch: &mut Batch<'_, '_>, address: u64, result: isize) -> Result {
    // As native aio's: there is nothing to be named any more.
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
