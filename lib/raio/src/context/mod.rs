// SPDX-License-Identifier: MIT OR Apache-2.0

mod cancel;
mod enter;
mod getevents;
mod submit;

pub use enter::Entered;

use crate::{
    device::Device, process::Process, registered::Registered, ring::Ring, slots::Slots, sys,
    Builder, Error, ErrorKind, Info, RequestId, Result,
};
use std::{
    fmt, mem,
    mem::ManuallyDrop,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

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
    device: Device,
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
        match unsafe { self.device.call(REGISTER, sys::RAIO_IOC_REGISTER, &mut arg) } {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.raw_os_error() {
                Some(libc::ENOTTY) => error.with_kind(ErrorKind::Unsupported),
                Some(libc::ENXIO) => error.with_kind(ErrorKind::NotRegistered),
                _ => error,
            }),
        }
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
