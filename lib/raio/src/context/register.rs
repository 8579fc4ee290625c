// SPDX-License-Identifier: MIT OR Apache-2.0

use super::Context;
use crate::{
    device::{memlock_limit, page_size},
    iovec::IoVec,
    registered::{FixedFile, Place, Registration},
    sys,
    wait::address,
    Buffer, Error, ErrorKind, Limit, Result,
};
use std::os::fd::{AsFd, AsRawFd};

const REGISTER: &str = "RAIO_IOC_REGISTER";

impl Context {
    /// The largest number of buffers that a context can have registered.
    pub const MAX_BUFFERS: usize = 1 << 14;

    /// Pins the memory of these buffers once, so that requests with them need not do so
    /// each time: reads and writes of one buffer, to this context.  Nothing has to be
    /// said with the request.
    ///
    /// With other contexts, and in vectored requests, they are buffers as all others; so
    /// they are again when they were unregistered.  A buffer is known to the context that
    /// has registered it last.
    ///
    /// The memory, up to the capacities, counts for `RLIMIT_MEMLOCK`: until
    /// [`unregister_buffers`](Self::unregister_buffers) or the end of the context, even if
    /// a buffer is dropped.  A buffer can have 1 GiB, and a context
    /// [`MAX_BUFFERS`](Self::MAX_BUFFERS).
    ///
    /// If the context has registered buffers the error is `EBUSY`: they are registered
    /// all at once.
    pub fn register_buffers(&mut self, buffers: &mut [Buffer]) -> Result<()> {
        let iovecs: Vec<IoVec> = buffers.iter().map(Buffer::memory).collect();
        // SAFETY: The array is one of as many iovecs, and outlives the call.  What the
        // kernel writes to the memory later is what requests are to read, which name
        // it only by buffers that own it: see `Buffer`.
        unsafe {
            self.register(
                sys::RAIO_REGISTER_BUFFERS,
                iovecs.len(),
                address(&iovecs[..]),
            )
        }
        .map_err(|error| explain_buffers(error, &iovecs))?;
        let registration = Registration::new();
        self.registered.buffers = Some(registration);
        for (buffer, index) in buffers.iter_mut().zip(0..) {
            // SAFETY: Its memory was registered under that index.
            unsafe { buffer.set_place(Place::new(registration, index)) };
        }
        Ok(())
    }

    /// Unpins the buffers; those of requests in flight when these have ended.
    pub fn unregister_buffers(&mut self) -> Result<()> {
        // SAFETY: There is no array.
        unsafe { self.register(sys::RAIO_UNREGISTER_BUFFERS, 0, 0) }?;
        self.registered.buffers = None;
        Ok(())
    }

    /// Looks these files up once, so that requests need not do so each time.  Requests
    /// are made with what this returns, in the order of the files.
    ///
    /// ```no_run
    /// # use raio::{Buffer, Context, Request};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut context = Context::new(8)?;
    /// let mut buffers = [Buffer::new(4096)];
    /// context.register_buffers(&mut buffers)?;
    /// let file = std::fs::File::open("/etc/os-release")?;
    /// let fixed = context.register_files(&[file])?[0];
    /// let [buffer] = buffers;
    /// context.submit_one(Request::read_at(fixed, buffer, 0))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The files stay open until [`unregister_files`](Self::unregister_files) or the end of
    /// the context.  There can be as many as the process may have open.
    ///
    /// If the context has registered files the error is `EBUSY`: they are registered all
    /// at once.
    pub fn register_files(&mut self, files: &[impl AsFd]) -> Result<Vec<FixedFile>> {
        let fds: Vec<i32> = files.iter().map(|file| file.as_fd().as_raw_fd()).collect();
        // Allocate before they are registered, as that may fail.
        let mut fixed = Vec::with_capacity(fds.len());
        // SAFETY: The array is one of as many numbers, and outlives the call.
        unsafe { self.register(sys::RAIO_REGISTER_FILES, fds.len(), address(&fds[..])) }?;
        let registration = Registration::new();
        self.registered.files = Some(registration);
        let place = |index| Place::new(registration, index);
        fixed.extend((0..).take(fds.len()).map(place).map(FixedFile::new));
        Ok(fixed)
    }

    /// Closes the files for the context; those of requests in flight when these have ended.
    pub fn unregister_files(&mut self) -> Result<()> {
        // SAFETY: There is no array.
        unsafe { self.register(sys::RAIO_UNREGISTER_FILES, 0, 0) }?;
        self.registered.files = None;
        Ok(())
    }

    /// Registers what is in an array of `nr` entries there, or unregisters.
    ///
    /// # Safety
    ///
    /// `array` is what `opcode` takes.  Nobody else uses the memory of buffers while a
    /// request is in flight that has their index.
    unsafe fn register(&mut self, opcode: u32, nr: usize, array: u64) -> Result<()> {
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

/// Which limit did not allow it to register that memory.
fn explain_buffers(error: Error, iovecs: &[IoVec]) -> Error {
    let limit = match error.raw_os_error() {
        Some(libc::EINVAL) if iovecs.len() > Context::MAX_BUFFERS => Some(Limit::Buffers {
            wanted: iovecs.len(),
            max: Context::MAX_BUFFERS,
        }),
        Some(libc::ENOMEM) => {
            let page = page_size();
            memlock_limit(iovecs.iter().map(|iovec| iovec.pinned(page)).sum())
        }
        _ => None,
    };
    match limit {
        Some(limit) => error.with_kind(ErrorKind::Limit(limit)),
        None => error,
    }
}
