// SPDX-License-Identifier: MIT OR Apache-2.0

mod cancel;
mod enter;
mod getevents;
mod register;
mod submit;

use crate::{
    device::Device, process::Process, registered::Registered, ring::Ring, slots::Slots, sys, Error,
    ErrorKind, Info, RequestId, Result,
};
use std::{
    fmt, mem,
    mem::ManuallyDrop,
    os::fd::{AsFd, BorrowedFd},
};

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
    device: Device,
    process: Process,
    id: u64,
    // Not used any more when `drop` has destroyed the context.
    ring: Option<Ring>,
    slots: ManuallyDrop<Slots>,
    registered: Registered,
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
    pub(crate) fn from_parts(
        device: Device,
        process: Process,
        id: u64,
        ring: Option<Ring>,
        nr: u32,
    ) -> Self {
        Self {
            device,
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
        self.device.info()
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn has_deadline(&self) -> bool {
        self.device.features & sys::RAIO_FEATURE_DEADLINE != 0
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
}

impl AsFd for Context {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.file.as_fd()
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
            self.device
                .call("RAIO_IOC_DESTROY", sys::RAIO_IOC_DESTROY, &mut arg)
        };
        if destroyed.is_err() {
            // A request may still run: its buffer must stay.
            mem::forget(slots);
        }
    }
}
