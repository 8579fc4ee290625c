// SPDX-License-Identifier: GPL-2.0

//! The batch of a call of submit: credits, requests, deferred events, and the file cache.

use crate::{
    context::Context,
    engine,
    op::file_cache::FileCache,
    request::{
        Request,
        Ticket, //
    },
    sys::{
        blkdev,
        task::FullTask,
        uaccess,
        uapi::{
            io_event,
            iocb, //
        },
        util::{
            array::{
                Array,
                Stock, //
            },
            deferred::{
                Deferred,
                Sink, //
            }, //
        }, //
    }, //
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

/// Most requests that are taken from the context at once.
pub(super) const BATCH: usize = 16;
/// A plug is worth its cost for more requests than this.
pub(super) const PLUG_THRESHOLD: usize = 2;

/// The program's array of pointers to iocbs.
#[derive(Clone, Copy)]
pub(crate) struct Iocbs {
    /// The address of the array.
    pub(crate) address: u64,
    /// Whether the pointers have 32 bits.
    pub(crate) compat: bool,
}

impl Iocbs {
    /// Reads `nr` pointers from number `from` on. EFAULT.
    #[inline]
    pub(super) fn get(self, from: usize, nr: usize, into: &mut Array<u64, BATCH>) -> Result {
        if self.compat {
            return self.get_compat(from, nr, into);
        }
        let address = self.address.wrapping_add((from as u64).wrapping_mul(8));
        uaccess::read_words(address, nr, into)
    }

    #[cold]
    pub(super) fn get_compat(self, from: usize, nr: usize, into: &mut Array<u64, BATCH>) -> Result {
        into.clear();
        let address = (self.address as usize).wrapping_add(from.wrapping_mul(4));
        let mut reader = UserSlice::new(UserPtr::from_addr(address), 4 * nr).reader();
        for _ in 0..nr {
            into.push(reader.read::<u32>()?.into());
        }
        Ok(())
    }
}

/// Deferred events. They are published together, or before the task sleeps, since other tasks may wait
/// for one.
pub(super) type Events<'a> = Deferred<'a, Context, io_event, BATCH>;

impl Sink<io_event> for Context {
    fn take_all(&self, events: &[io_event]) {
        self.publish_all(events);
    }
}

/// The batch of a call of submit.
pub(super) struct Batch<'a, 'e> {
    pub(super) context: &'a Arc<Context>,
    pub(super) cache: FileCache<'a>,
    /// Credits that were taken and not used yet.
    pub(super) credits: u32,
    /// Requests that were taken and not used yet.
    pub(super) requests: Stock<Request, BATCH>,
    /// The last used request, if it was over at once.
    pub(super) spare: Option<Request>,
    /// Whether the last used request is in flight or waits. Then the next ones may, too.
    pub(super) in_use: bool,
    /// The number of transfers with a device that the plug still expects.
    pub(super) expected: usize,
    /// Events that are not published yet.
    pub(super) events: Pin<&'e Events<'a>>,
    /// The iocb that is being submitted.
    pub(super) iocb: iocb,
}

impl<'a, 'e> Batch<'a, 'e> {
    pub(super) fn new(
        context: &'a Arc<Context>,
        task: FullTask<'a>,
        events: Pin<&'e Events<'a>>,
    ) -> Self {
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

    /// Makes sure that there is a credit for the next request. `left` is the number of requests that
    /// may follow. EAGAIN if the ring is full.
    #[inline(always)]
    pub(super) fn need_credit(&mut self, left: usize) -> Result {
        if self.credits == 0 {
            self.credits = self.context.take_credits(left.clamp(1, BATCH) as u32)?;
        }
        Ok(())
    }

    /// Takes a request for an available credit. `left` is as above. EAGAIN without memory.
    pub(super) fn take(&mut self, left: usize) -> Result<Ticket> {
        let request = match self.spare.take() {
            Some(request) => request,
            None => self.take_more(left)?,
        };
        self.credits -= 1;
        Ok(Ticket::new(request))
    }

    #[inline(never)]
    pub(super) fn take_more(&mut self, left: usize) -> Result<Request> {
        if self.requests.is_empty() {
            if !self.in_use || left <= 1 {
                return self.context.take().or(Err(EAGAIN));
            }
            self.context.take_some(left.min(BATCH), &mut self.requests);
        }
        self.requests.pop().ok_or(EAGAIN)
    }

    /// Frees the requests that were not used.
    #[inline(always)]
    pub(super) fn put_back(&mut self) {
        self.spare = None;
        self.requests.clear();
    }

    /// Tells the plug that a transfer with a device is next, and to expect `left` of them, up to a
    /// batch.
    #[inline(always)]
    pub(super) fn expect_transfer(&mut self, left: usize) {
        if self.expected > 0 {
            self.expected -= 1;
        } else if left > 1 {
            let all = left.min(BATCH);
            self.expected = all - 1;
            blkdev::expect(all as u16);
        }
    }

    /// Defers an event whose credit is used up.
    #[inline(always)]
    pub(super) fn defer(&mut self, event: io_event) {
        self.events.push(event);
    }

    /// Releases everything that another task may wait for. Called before a page fault of this task,
    /// which that other task may have to serve.
    #[inline(always)]
    pub(super) fn release_all(&mut self) {
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
