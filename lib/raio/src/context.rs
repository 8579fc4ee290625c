// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{
    door::Door,
    process::Process,
    registered::Registered,
    ring::Ring,
    slots::Slots,
    sys,
    wait::{address, Wait},
    Builder, Completion, Error, ErrorKind, Info, Limit, Rejected, Request, RequestId, Result,
};
use std::{
    collections::VecDeque,
    fmt, iter, mem,
    mem::ManuallyDrop,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    ptr,
    time::{Duration, Instant},
};

const SUBMIT: &str = "RAIO_IOC_SUBMIT";
const CANCEL: &str = "RAIO_IOC_CANCEL";
const GETEVENTS: &str = "RAIO_IOC_GETEVENTS";
const ENTER: &str = "RAIO_IOC_ENTER";
const REGISTER: &str = "RAIO_IOC_REGISTER";

/// A context: requests are submitted to it, and completions come out of it.
///
/// It owns the buffers of its requests until they have ended.  Dropping it
/// cancels what can be cancelled, and waits for what is left.  Forgetting it leaks
/// them.
///
/// It belongs to its process: in a child of fork(2) all calls fail, and no request
/// is there.
///
/// The file descriptor that it is known by ([`AsFd`]) is readable, for poll(2) and
/// epoll(7), while there are completions to be taken.
pub struct Context {
    door: Door,
    process: Process,
    id: u64,
    // Not used any more when `drop` has destroyed the context.
    ring: Option<Ring>,
    slots: ManuallyDrop<Slots>,
    pub(crate) registered: Registered,
    submitted: Vec<RequestId>,
    // Scratch memory of the calls: addresses of iocbs, and as many events as there
    // can be.
    batch: Vec<usize>,
    events: Box<[sys::io_event]>,
}

/// What [`Context::submit_and_getevents`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entered {
    /// The number of requests that were taken from the queue.
    pub submitted: usize,
    /// The number of completions that were appended.
    pub completed: usize,
}

impl Context {
    /// A context for up to that many requests at a time.
    pub fn new(nr_events: u32) -> Result<Self> {
        Self::builder(nr_events).build()
    }

    /// The same, with more to say about it.
    pub fn builder(nr_events: u32) -> Builder {
        Builder::new(nr_events)
    }

    /// As [`new`](Self::new), by another path to the device.
    pub fn with_device(path: impl AsRef<Path>, nr_events: u32) -> Result<Self> {
        Self::builder(nr_events).device(path).build()
    }

    pub(crate) fn from_parts(
        door: Door,
        process: Process,
        id: u64,
        ring: Option<Ring>,
        nr: u32,
    ) -> Self {
        Self {
            door,
            process,
            id,
            ring,
            slots: ManuallyDrop::new(Slots::new(nr)),
            registered: Registered::NONE,
            submitted: Vec::with_capacity(nr as usize),
            batch: Vec::with_capacity(nr as usize),
            events: vec![sys::io_event::default(); nr as usize].into(),
        }
    }

    /// What the kernel's side is and can do.
    pub fn info(&self) -> Result<Info> {
        self.door.info()
    }

    /// The number of requests that can be in flight at a time.
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// The number of requests that can be submitted now.
    pub fn room(&self) -> usize {
        self.slots.room()
    }

    /// The number of requests that have not been returned by
    /// [`getevents`](Self::getevents).
    pub fn in_flight(&self) -> usize {
        self.slots.in_flight()
    }

    fn in_this_process(&self, call: &'static str) -> Result<()> {
        if self.process.is_current() {
            return Ok(());
        }
        Err(Error::errno(call, ErrorKind::OtherProcess, libc::EINVAL))
    }

    /// Submits requests from the front of the queue: as many as the context
    /// has room for and the kernel takes.  Says how many, and leaves the rest
    /// in the queue.
    ///
    /// An error is that of the first request of the queue, and nothing was
    /// taken.
    pub fn submit(&mut self, queue: &mut VecDeque<Request<'_>>) -> Result<usize> {
        self.submitted.clear();
        self.in_this_process(SUBMIT)?;
        self.slots
            .stage(queue.iter(), &self.registered, &mut self.batch);
        let Some(first) = queue.front().filter(|_| !self.batch.is_empty()) else {
            return Ok(0);
        };
        let taken = self.submit_batch(first)?;
        let taken = taken.min(self.batch.len());
        self.hold(queue, taken);
        Ok(taken)
    }

    /// Submits one request.  What can't be submitted is given back.
    pub fn submit_one<'fd>(
        &mut self,
        request: Request<'fd>,
    ) -> std::result::Result<RequestId, Rejected<'fd>> {
        self.submitted.clear();
        if let Err(error) = self.in_this_process(SUBMIT) {
            return Err(Rejected::new(request, error));
        }
        let full = || Error::errno(SUBMIT, ErrorKind::Full, libc::EAGAIN);
        self.slots
            .stage(iter::once(&request), &self.registered, &mut self.batch);
        if self.batch.is_empty() {
            return Err(Rejected::new(request, full()));
        }
        match self.submit_batch(&request) {
            Ok(0) => Err(Rejected::new(request, full())),
            Ok(_) => {
                // Staging has found room.
                let id = self.slots.hold(request).expect("there was room");
                self.submitted.push(id);
                Ok(id)
            }
            Err(error) => Err(Rejected::new(request, error)),
        }
    }

    /// The names of the requests that the last submission has taken, in their order.
    pub fn submitted(&self) -> &[RequestId] {
        &self.submitted
    }

    /// Submits what was staged, of which this is the first.  What the kernel takes is
    /// in flight, and whoever calls this has to hold it.
    fn submit_batch(&mut self, first: &Request<'_>) -> Result<usize> {
        let mut arg = sys::raio_submit {
            ctx_id: self.id,
            nr: self.batch.len() as i64,
            iocbpp: address(&self.batch[..]),
            flags: 0,
        };
        // SAFETY: The iocbs are in slots, which stay where they are and are written
        // by nobody until their requests have ended.  The buffers they name are
        // exclusively the requests', which leave their owner only into these slots;
        // vectors are so as well.
        unsafe { self.door.call(SUBMIT, sys::RAIO_IOC_SUBMIT, &mut arg) }
            .map_err(|error| explain_submit(error, first, &self.registered))
    }

    /// Moves the requests that the kernel has taken into their slots.
    fn hold(&mut self, queue: &mut VecDeque<Request<'_>>, taken: usize) {
        for _ in 0..taken {
            let Some(request) = queue.pop_front() else {
                return;
            };
            self.submitted.extend(self.slots.hold(request));
        }
    }

    /// Waits until at least `min` requests have ended, or the time is over, and
    /// appends all that have ended to `completions`.  Says how many that were.
    ///
    /// `min` may be more than there are in flight; it waits for these then.  With 0
    /// it does not wait.  There may be fewer than `min` if a signal came; if there is
    /// none then, the error is [`Interrupted`](ErrorKind::Interrupted).
    ///
    /// If enough have ended already it makes no system call.
    pub fn getevents(
        &mut self,
        min: usize,
        timeout: Option<Duration>,
        completions: &mut Vec<Completion>,
    ) -> Result<usize> {
        self.in_this_process(GETEVENTS)?;
        if self.ready() >= min.min(self.in_flight()).max(1) {
            return self.reap(completions);
        }
        self.getevents_call(min, &Wait::new(timeout, None), completions)
    }

    /// The same under a signal mask, as ppoll(2) does it: a signal that only this
    /// mask lets through interrupts the wait, also if it came before.
    pub fn getevents_masked(
        &mut self,
        min: usize,
        timeout: Option<Duration>,
        mask: &libc::sigset_t,
        completions: &mut Vec<Completion>,
    ) -> Result<usize> {
        self.in_this_process(GETEVENTS)?;
        self.getevents_call(min, &Wait::new(timeout, Some(mask)), completions)
    }

    /// Appends what has ended, without a system call: requests that the caller itself
    /// would have to go on with do so in [`getevents`](Self::getevents) only, or in a
    /// thread.
    pub fn reap(&mut self, completions: &mut Vec<Completion>) -> Result<usize> {
        self.in_this_process(GETEVENTS)?;
        completions.reserve(self.in_flight());
        let nr = match &mut self.ring {
            Some(ring) => ring.take(&mut self.events),
            // One that this crate does not know.
            None => return self.getevents_call(0, &Wait::new(None, None), completions),
        };
        self.finish(nr, completions)
    }

    fn ready(&self) -> usize {
        self.ring.as_ref().map_or(0, Ring::len)
    }

    fn getevents_call(
        &mut self,
        min: usize,
        wait: &Wait<'_>,
        completions: &mut Vec<Completion>,
    ) -> Result<usize> {
        let max = self.in_flight();
        if max == 0 {
            return Ok(0);
        }
        // Memory is short before an event is lost, not after.
        completions.reserve(max);
        let (timeout, sigmask, sigsetsize) = wait.fields();
        let mut arg = sys::raio_getevents {
            ctx_id: self.id,
            min_nr: min.min(max) as i64,
            nr: max as i64,
            events: self.events_address(),
            timeout,
            sigmask,
            sigsetsize,
            flags: 0,
        };
        // SAFETY: `events` has room for as many as there are slots; it, the timeout
        // and the mask outlive the call.
        let nr = unsafe {
            self.door
                .call(GETEVENTS, sys::RAIO_IOC_GETEVENTS, &mut arg)?
        };
        self.finish(nr, completions)
    }

    fn events_address(&mut self) -> u64 {
        self.events.as_mut_ptr().expose_provenance() as u64
    }

    fn finish(&mut self, nr: usize, completions: &mut Vec<Completion>) -> Result<usize> {
        let mut stray = false;
        let before = completions.len();
        for event in self.events.iter().take(nr) {
            match self.slots.finish(event) {
                Some(completion) => completions.push(completion),
                None => stray = true,
            }
        }
        if stray {
            return Err(Error::errno(GETEVENTS, ErrorKind::StrayEvent, libc::EIO));
        }
        Ok(completions.len() - before)
    }

    /// [`submit`](Self::submit) and then [`getevents`](Self::getevents), as a rule in
    /// one system call.
    ///
    /// An error is that of the first request of the queue, or came before one was
    /// taken.  If some were taken it is no error that a signal came: there are fewer
    /// completions.
    pub fn submit_and_getevents(
        &mut self,
        queue: &mut VecDeque<Request<'_>>,
        min: usize,
        timeout: Option<Duration>,
        completions: &mut Vec<Completion>,
    ) -> Result<Entered> {
        self.submitted.clear();
        self.in_this_process(ENTER)?;
        self.slots
            .stage(queue.iter(), &self.registered, &mut self.batch);
        let Some(first) = queue.front().filter(|_| !self.batch.is_empty()) else {
            let completed = self.getevents(min, timeout, completions)?;
            return Ok(Entered {
                completed,
                ..Entered::default()
            });
        };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let wait = Wait::new(timeout, None);
        completions.reserve(self.in_flight() + self.batch.len());
        let nr = self.batch.len();
        let mut arg = sys::raio_enter {
            ctx_id: self.id,
            nr: nr as i64,
            iocbpp: address(&self.batch[..]),
            submitted: 0,
            // It waits only if it takes all of them.
            min_events: min.min(self.in_flight() + nr) as i64,
            nr_events: self.capacity() as i64,
            events: self.events_address(),
            timeout: wait.fields().0,
            ..sys::raio_enter::default()
        };
        // SAFETY: As in `submit_batch` and `getevents_call`.
        let result = unsafe { self.door.call(ENTER, sys::RAIO_IOC_ENTER, &mut arg) };
        let submitted = match &result {
            // It could not say how many: all are held then, rather than one freed.
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) && arg.submitted == 0 => nr,
            _ => usize::try_from(arg.submitted).map_or(nr, |submitted| submitted.min(nr)),
        };
        let result = result.map_err(|error| match submitted {
            0 => explain_submit(error, first, &self.registered),
            _ => error,
        });
        self.hold(queue, submitted);
        let mut entered = Entered {
            submitted,
            completed: 0,
        };
        match result {
            Ok(nr) => entered.completed = self.finish(nr, completions)?,
            Err(_) if submitted > 0 => return Ok(entered),
            Err(error) => return Err(error),
        }
        let missing = min.saturating_sub(entered.completed).min(self.in_flight());
        let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let waited = submitted == nr && entered.completed == 0;
        if missing > 0 && !waited && rest != Some(Duration::ZERO) {
            // What has come must not be lost to an error.
            entered.completed += self.getevents(missing, rest, completions).unwrap_or(0);
        }
        Ok(entered)
    }

    /// Cancels a request: if it waits for its file, or has not begun, it ends, and
    /// this is its completion.  Its result is `ECANCELED`, or the number of bytes if
    /// some were moved before.
    ///
    /// Else the error says which: its completion will come, from
    /// [`getevents`](Self::getevents), if it is [`Running`](ErrorKind::Running), or
    /// [`Cancelled`](ErrorKind::Cancelled), as one that a thread runs is; that was taken
    /// if it is [`Gone`](ErrorKind::Gone).
    pub fn cancel(&mut self, id: RequestId) -> Result<Completion> {
        self.in_this_process(CANCEL)?;
        let gone = || Error::errno(CANCEL, ErrorKind::Gone, libc::EINVAL);
        let iocb = self.slots.find(id).ok_or_else(gone)?;
        let mut event = sys::io_event::default();
        let mut arg = sys::raio_cancel {
            ctx_id: self.id,
            iocb: iocb as u64,
            result: ptr::from_mut(&mut event).expose_provenance() as u64,
            flags: 0,
        };
        // SAFETY: The iocb is that of a slot in use; the event outlives the call.
        match unsafe { self.door.call(CANCEL, sys::RAIO_IOC_CANCEL, &mut arg) } {
            Ok(_) => self.slots.finish_id(id, event.res).ok_or_else(gone),
            Err(error) => Err(match error.raw_os_error() {
                // EINVAL: its event is in the ring already.
                Some(libc::EAGAIN | libc::EINVAL) => error.with_kind(ErrorKind::Running),
                Some(libc::EINPROGRESS) => error.with_kind(ErrorKind::Cancelled),
                _ => error,
            }),
        }
    }

    /// Cancels all requests that can be cancelled, and appends their completions.
    /// Says how many these were; those of the others will come.
    pub fn cancel_all(&mut self, completions: &mut Vec<Completion>) -> Result<usize> {
        let ids: Vec<_> = self.slots.ids().collect();
        completions.reserve(ids.len());
        let mut cancelled = 0;
        for id in ids {
            match self.cancel(id) {
                Ok(completion) => {
                    completions.push(completion);
                    cancelled += 1;
                }
                Err(error) => match error.kind() {
                    ErrorKind::Running | ErrorKind::Cancelled => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(cancelled)
    }

    /// Registers what is in an array of `nr` entries there, or unregisters.
    ///
    /// # Safety
    ///
    /// `array` is what `opcode` takes.  Nobody else uses the memory of buffers while a
    /// request is in flight that has their index.
    pub(crate) unsafe fn register(&mut self, opcode: u32, nr: usize, array: u64) -> Result<()> {
        self.in_this_process(REGISTER)?;
        let mut arg = sys::raio_register {
            ctx_id: self.id,
            opcode,
            // The kernel takes no such number either.
            nr: u32::try_from(nr).unwrap_or(u32::MAX),
            array,
            flags: 0,
        };
        // SAFETY: By the contract of this function.
        match unsafe { self.door.call(REGISTER, sys::RAIO_IOC_REGISTER, &mut arg) } {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.raw_os_error() {
                Some(libc::ENOTTY) => error.with_kind(ErrorKind::Unsupported),
                Some(libc::ENXIO) => error.with_kind(ErrorKind::NotRegistered),
                _ => error,
            }),
        }
    }
}

/// What an error of submit means, which is that of the first request.
fn explain_submit(error: Error, first: &Request<'_>, registered: &Registered) -> Error {
    let segments = first.segments();
    match error.raw_os_error() {
        Some(libc::EAGAIN) => error.with_kind(ErrorKind::Full),
        Some(libc::EBADF) if first.lacks_file(registered) => {
            error.with_kind(ErrorKind::NotRegistered)
        }
        Some(libc::EINVAL) if segments > Request::MAX_SEGMENTS => {
            error.with_kind(ErrorKind::Limit(Limit::Segments {
                wanted: segments,
                max: Request::MAX_SEGMENTS,
            }))
        }
        _ => error,
    }
}

impl AsFd for Context {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.door.0.as_fd()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("id", &format_args!("{:#x}", self.id))
            .field("capacity", &self.capacity())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.ring = None;
        // SAFETY: It is not used after this.
        let slots = unsafe { ManuallyDrop::take(&mut self.slots) };
        if !self.process.is_current() {
            // A child's copies, which no request uses.
            return;
        }
        let mut arg = sys::raio_destroy {
            ctx_id: self.id,
            flags: 0,
        };
        // SAFETY: The argument has no addresses.
        let destroyed = unsafe {
            self.door
                .call("RAIO_IOC_DESTROY", sys::RAIO_IOC_DESTROY, &mut arg)
        };
        if destroyed.is_err() {
            // A request may still run: its buffer must stay.
            mem::forget(slots);
        }
    }
}
