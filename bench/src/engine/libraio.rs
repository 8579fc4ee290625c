// SPDX-License-Identifier: GPL-2.0

//! The functions of libraio.

use super::iocbs::{take_cancelled, Calls};
use raio::sys;
use std::{ffi::c_void, io, ptr};

#[link(name = "raio", kind = "static")]
extern "C" {
    fn io_setup(nr: i32, ctx: *mut *mut c_void) -> i32;
    fn io_destroy(ctx: *mut c_void) -> i32;
    fn io_cancel(ctx: *mut c_void, iocb: *mut sys::iocb, event: *mut sys::io_event) -> i32;
    fn io_submit(ctx: *mut c_void, nr: libc::c_long, iocbs: *mut *mut sys::iocb) -> i32;
    fn io_getevents(
        ctx: *mut c_void,
        min_nr: libc::c_long,
        nr: libc::c_long,
        events: *mut sys::io_event,
        timeout: *mut libc::timespec,
    ) -> i32;
}

fn negated(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

/// A context.
#[derive(Clone, Copy)]
pub struct Libraio(usize);

impl Libraio {
    pub fn new(events: usize) -> io::Result<Self> {
        let mut id = ptr::null_mut();
        // SAFETY: `id` outlives the call.
        negated(unsafe { io_setup(events as i32, &mut id) })?;
        Ok(Self(id as usize))
    }

    pub fn destroy(self) -> io::Result<()> {
        // SAFETY: Nothing is in flight, or it has buffers that stay.
        negated(unsafe { io_destroy(self.context()) }).map(|_| ())
    }

    fn context(self) -> *mut c_void {
        self.0 as *mut c_void
    }
}

impl Calls for Libraio {
    fn submit(&self, iocbs: &mut [*mut sys::iocb]) -> io::Result<usize> {
        let (nr, list) = (iocbs.len() as i64, iocbs.as_mut_ptr());
        // SAFETY: The iocbs and their buffers stay until their events were taken.
        negated(unsafe { io_submit(self.context(), nr, list) })
    }

    fn getevents(&self, least: usize, events: &mut [sys::io_event]) -> io::Result<usize> {
        let (least, nr, list) = (least as i64, events.len() as i64, events.as_mut_ptr());
        // SAFETY: There is room for as many events.
        negated(unsafe { io_getevents(self.context(), least, nr, list, ptr::null_mut()) })
    }

    fn cancel(&self, iocb: *mut sys::iocb, event: &mut sys::io_event) -> io::Result<()> {
        // SAFETY: Both outlive the call.
        let result = negated(unsafe { io_cancel(self.context(), iocb, event) });
        take_cancelled(self, result, event)
    }
}
