// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{sys, Buffer, Completion, Error, Request, Result};
use std::{
    cell::UnsafeCell,
    collections::VecDeque,
    fs::File,
    io,
    mem::{self, ManuallyDrop},
    os::fd::AsRawFd,
    path::Path,
    time::Duration,
};

/// What the kernel's side is and can do.
pub use sys::raio_info as Info;

/// A context: requests are submitted to it, and completions come out of it.
///
/// It owns the buffers of its requests until they have ended.  Dropping it
/// waits for those that are in flight.
#[derive(Debug)]
pub struct Context {
    door: File,
    id: u64,
    slots: ManuallyDrop<Box<[Slot]>>,
    // Indices of slots that have no request.
    free: Vec<usize>,
    // Scratch memory of the calls.
    iocbs: Vec<*mut sys::iocb>,
    events: Vec<sys::io_event>,
}

#[derive(Debug, Default)]
struct Slot {
    // The kernel writes aio_key, and knows a request by this address.
    iocb: UnsafeCell<sys::iocb>,
    request: Option<InFlight>,
}

#[derive(Debug)]
struct InFlight {
    buffer: Option<Buffer>,
    user_data: u64,
}

// SAFETY: The pointers in `iocbs` are used inside `submit` only; a context
// belongs to the process and not to a thread.
unsafe impl Send for Context {}

/// Calls the ioctl with that argument.
///
/// # Safety
///
/// `arg` is of the type that `request` takes, and the addresses in it are good
/// for what the kernel does with them.
unsafe fn ioctl<T>(door: &File, call: &'static str, request: u32, arg: &mut T) -> Result<usize> {
    // SAFETY: By the contract of this function.
    let ret = unsafe { libc::ioctl(door.as_raw_fd(), request as _, arg as *mut T) };
    usize::try_from(ret).map_err(|_| Error::new(call, io::Error::last_os_error()))
}

impl Context {
    /// A context for up to that many requests at a time.
    pub fn new(nr_events: u32) -> Result<Self> {
        Self::with_device("/dev/raio", nr_events)
    }

    /// As [`new`](Self::new), by another path to the device.
    pub fn with_device(path: impl AsRef<Path>, nr_events: u32) -> Result<Self> {
        let door = File::options()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|error| Error::new("open", error))?;
        if info(&door)?.major != sys::RAIO_API_MAJOR {
            return Err(Error::new(
                "RAIO_IOC_INFO",
                io::Error::new(io::ErrorKind::Unsupported, "another major version"),
            ));
        }
        let mut arg = sys::raio_setup {
            nr_events,
            ..Default::default()
        };
        // SAFETY: The argument has no addresses.
        unsafe { ioctl(&door, "RAIO_IOC_SETUP", sys::RAIO_IOC_SETUP, &mut arg)? };

        let nr = nr_events as usize;
        Ok(Self {
            door,
            id: arg.ctx_id,
            slots: ManuallyDrop::new((0..nr).map(|_| Slot::default()).collect()),
            free: (0..nr).collect(),
            iocbs: Vec::with_capacity(nr),
            events: vec![sys::io_event::default(); nr],
        })
    }

    /// What the kernel's side is and can do.
    pub fn info(&self) -> Result<Info> {
        info(&self.door)
    }

    /// The number of requests that have not been returned by
    /// [`getevents`](Self::getevents).
    pub fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Submits requests from the front of the queue: as many as the context
    /// has room for and the kernel takes.  Says how many, and leaves the rest
    /// in the queue.
    ///
    /// An error is that of the first request of the queue, and nothing was
    /// taken.
    pub fn submit(&mut self, queue: &mut VecDeque<Request<'_>>) -> Result<usize> {
        let nr = queue.len().min(self.free.len());
        if nr == 0 {
            return Ok(0);
        }
        // From the end of the free list, so that what is taken can be truncated.
        let indices = &self.free[self.free.len() - nr..];
        self.iocbs.clear();
        for (&index, request) in indices.iter().rev().zip(queue.iter()) {
            let slot = &mut self.slots[index];
            *slot.iocb.get_mut() = request.iocb(index as u64);
            self.iocbs.push(slot.iocb.get());
        }
        let mut arg = sys::raio_submit {
            ctx_id: self.id,
            nr: nr as i64,
            iocbpp: self.iocbs.as_mut_ptr() as u64,
            flags: 0,
        };
        // SAFETY: The iocbs are in slots, which stay where they are; the buffers
        // are exclusively the requests', which move into the slots below and
        // leave them when their event has come.
        let taken = unsafe {
            ioctl(
                &self.door,
                "RAIO_IOC_SUBMIT",
                sys::RAIO_IOC_SUBMIT,
                &mut arg,
            )?
        };
        // Fewer in the queue than taken would leave a buffer without an owner.
        assert!(taken <= nr, "the kernel took more than it was given");
        for request in queue.drain(..taken) {
            let index = self.free.pop().expect("checked above");
            self.slots[index].request = Some(InFlight {
                buffer: request.buffer,
                user_data: request.user_data,
            });
        }
        Ok(taken)
    }

    /// Waits until at least `min` requests have ended, or the time is over, and
    /// appends all that have ended to `completions`.  Says how many that were.
    ///
    /// `min` may be more than there are in flight; it waits for these then.
    pub fn getevents(
        &mut self,
        min: usize,
        timeout: Option<Duration>,
        completions: &mut Vec<Completion>,
    ) -> Result<usize> {
        let max = self.in_flight();
        if max == 0 {
            return Ok(0);
        }
        let mut timespec = timeout.map(|timeout| sys::raio_timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        // Memory is short before an event is lost, not after.
        completions.reserve(max);
        let mut arg = sys::raio_getevents {
            ctx_id: self.id,
            min_nr: min.min(max) as i64,
            nr: max as i64,
            events: self.events.as_mut_ptr() as u64,
            timeout: timespec.as_mut().map_or(0, |ts| ts as *mut _ as u64),
            ..Default::default()
        };
        // SAFETY: `events` has room for as many as there are slots, and both it
        // and the timeout outlive the call.
        let nr = unsafe {
            ioctl(
                &self.door,
                "RAIO_IOC_GETEVENTS",
                sys::RAIO_IOC_GETEVENTS,
                &mut arg,
            )?
        };
        for event in &self.events[..nr] {
            let index = event.data as usize;
            let request = self.slots[index]
                .request
                .take()
                .expect("an event for each request, exactly once");
            self.free.push(index);
            completions.push(Completion {
                result: usize::try_from(event.res)
                    .map_err(|_| io::Error::from_raw_os_error(-event.res as i32)),
                buffer: request.buffer,
                user_data: request.user_data,
            });
        }
        Ok(nr)
    }
}

fn info(door: &File) -> Result<Info> {
    let mut info = Info::default();
    // SAFETY: The argument has no addresses.
    unsafe { ioctl(door, "RAIO_IOC_INFO", sys::RAIO_IOC_INFO, &mut info)? };
    Ok(info)
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut arg = sys::raio_destroy {
            ctx_id: self.id,
            flags: 0,
        };
        // SAFETY: The argument has no addresses.
        let destroyed = unsafe {
            ioctl(
                &self.door,
                "RAIO_IOC_DESTROY",
                sys::RAIO_IOC_DESTROY,
                &mut arg,
            )
        };
        // SAFETY: It is not used after this.
        let slots = unsafe { ManuallyDrop::take(&mut self.slots) };
        if destroyed.is_err() {
            // A request may still run: its buffer must stay.
            mem::forget(slots);
        }
    }
}
