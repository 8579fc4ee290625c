// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{
    device::{page_size, Device, DEVICE},
    process::Process,
    ring::Ring,
    sys, Context, Error, Result,
};
use std::path::{Path, PathBuf};

/// How a context is to be.  See [`Context::builder`].
#[derive(Clone, Debug)]
#[must_use = "it makes nothing until `build` is called"]
pub struct Builder {
    nr_events: u32,
    flags: u32,
    device: PathBuf,
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
}

impl Builder {
    fn new(nr_events: u32) -> Self {
        Self {
            nr_events,
            flags: 0,
            device: DEVICE.into(),
        }
    }

    /// Another path to the device.
    pub fn device(mut self, path: impl AsRef<Path>) -> Self {
        self.device = path.as_ref().into();
        self
    }

    /// The completion of a request that is cancelled comes from
    /// [`Context::getevents`], as that of any other.
    pub fn cancel_event(self) -> Self {
        self.flag(sys::RAIO_SETUP_CANCEL_EVENT)
    }

    /// The kernel makes no threads in the process: what would need one is done in
    /// submit, which blocks.
    pub fn no_threads(self) -> Self {
        self.flag(sys::RAIO_SETUP_NO_THREADS)
    }

    /// Buffered writes are done when submit returns, which waits for what they wait for,
    /// as in native aio.  It is for programs whose writes are small and go to the page
    /// cache; else submit does not wait for writes, and threads do them.
    pub fn sync_writes(self) -> Self {
        self.flag(sys::RAIO_SETUP_SYNC_WRITES)
    }

    fn flag(mut self, flag: u32) -> Self {
        self.flags |= flag;
        self
    }

    /// Makes the context.
    pub fn build(self) -> Result<Context> {
        let device = Device::open(&self.device)?;
        if u64::from(self.flags & sys::RAIO_SETUP_SYNC_WRITES) & !device.setup_flags != 0 {
            return Err(Error::older("RAIO_IOC_SETUP", "RAIO_SETUP_SYNC_WRITES"));
        }
        let process = Process::current().map_err(|error| Error::new("madvise", error))?;
        let mut arg = sys::raio_setup {
            nr_events: self.nr_events,
            flags: self.flags,
            ctx_id: 0,
        };
        // SAFETY: The argument has no addresses.
        unsafe { device.call("RAIO_IOC_SETUP", sys::RAIO_IOC_SETUP, &mut arg) }
            .map_err(|error| device.explain_setup(self.nr_events, error))?;
        // SAFETY: It is that context, which nobody else knows of, and which `Context`
        // destroys when it does not use the ring any more.
        let ring = unsafe { Ring::new(arg.ctx_id, self.nr_events, page_size()) };
        Ok(Context::from_parts(
            device,
            process,
            arg.ctx_id,
            ring,
            self.nr_events,
        ))
    }
}
