// SPDX-License-Identifier: GPL-2.0

//! Native aio by its system calls.

use super::{
    interface::errno,
    iocbs::{take_cancelled, Calls},
};
use raio::sys;
use std::io;

/// A context.
#[derive(Clone, Copy)]
pub struct Native(usize);

impl Native {
    pub fn new(events: usize) -> io::Result<Self> {
        let mut id = 0usize;
        // SAFETY: `id` outlives the call.
        errno(unsafe { libc::syscall(libc::SYS_io_setup, events, &mut id) })?;
        Ok(Self(id))
    }

    pub fn destroy(self) -> io::Result<()> {
        // SAFETY: Nothing is in flight, or it has buffers that stay.
        errno(unsafe { libc::syscall(libc::SYS_io_destroy, self.0) }).map(|_| ())
    }
}

impl Calls for Native {
    fn submit(&self, iocbs: &mut [*mut sys::iocb]) -> io::Result<usize> {
        let (nr, list) = (iocbs.len(), iocbs.as_mut_ptr());
        // SAFETY: The iocbs and their buffers stay until their events were taken.
        errno(unsafe { libc::syscall(libc::SYS_io_submit, self.0, nr, list) })
    }

    fn getevents(&self, least: usize, events: &mut [sys::io_event]) -> io::Result<usize> {
        let (nr, list) = (events.len(), events.as_mut_ptr());
        // SAFETY: There is room for as many events.
        errno(unsafe { libc::syscall(libc::SYS_io_getevents, self.0, least, nr, list, 0usize) })
    }

    fn cancel(&self, iocb: *mut sys::iocb, event: &mut sys::io_event) -> io::Result<()> {
        let (iocb, to) = (iocb as usize, &raw mut *event);
        // SAFETY: Both outlive the call.
        let result = errno(unsafe { libc::syscall(libc::SYS_io_cancel, self.0, iocb, to) });
        take_cancelled(self, result, event)
    }
}
