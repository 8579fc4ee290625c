// SPDX-License-Identifier: GPL-2.0

//! Native aio by its system calls, and the same by libraio's functions.

#[cfg(libraio)]
use super::raio::sys;
use super::{errno, raio::Iocbs, Buffers, Engine, Op, Setup};
use crate::marks::Marks;
use std::{ffi::c_void, io};

#[cfg(libraio)]
mod c {
    use super::{c_void, sys};

    #[link(name = "raio", kind = "static")]
    extern "C" {
        pub fn io_setup(nr: i32, ctx: *mut *mut c_void) -> i32;
        pub fn io_submit(ctx: *mut c_void, nr: libc::c_long, iocbs: *mut *mut sys::iocb) -> i32;
        pub fn io_getevents(
            ctx: *mut c_void,
            min_nr: libc::c_long,
            nr: libc::c_long,
            events: *mut sys::io_event,
            timeout: *mut libc::timespec,
        ) -> i32;
    }
}

pub struct Aio {
    id: *mut c_void,
    native: bool,
    iocbs: Iocbs,
}

impl Aio {
    pub fn native(setup: &Setup) -> io::Result<Self> {
        let mut id = std::ptr::null_mut();
        // SAFETY: `id` outlives the call.
        errno(unsafe { libc::syscall(libc::SYS_io_setup, setup.depth, &mut id) })?;
        Ok(Self {
            id,
            native: true,
            iocbs: Iocbs::new(setup.depth),
        })
    }

    #[cfg(libraio)]
    pub fn libraio(setup: &Setup) -> io::Result<Self> {
        let mut id = std::ptr::null_mut();
        // SAFETY: `id` outlives the call.
        negated(unsafe { c::io_setup(setup.depth as i32, &mut id) })?;
        Ok(Self {
            id,
            native: false,
            iocbs: Iocbs::new(setup.depth),
        })
    }

    #[cfg(not(libraio))]
    pub fn libraio(_: &Setup) -> io::Result<Self> {
        Err(io::Error::other("built without libraio"))
    }

    fn submit(&mut self, from: usize, nr: usize) -> io::Result<usize> {
        let iocbs = &mut self.iocbs.pointers[from..nr];
        #[cfg(libraio)]
        if !self.native {
            // SAFETY: The iocbs and their buffers outlive the round.
            return negated(unsafe {
                c::io_submit(self.id, iocbs.len() as i64, iocbs.as_mut_ptr())
            });
        }
        // SAFETY: As above.
        errno(unsafe {
            libc::syscall(
                libc::SYS_io_submit,
                self.id,
                iocbs.len(),
                iocbs.as_mut_ptr(),
            )
        })
    }

    fn getevents(&mut self, nr: usize) -> io::Result<usize> {
        let events = &mut self.iocbs.events[..nr];
        #[cfg(libraio)]
        if !self.native {
            // SAFETY: There is room for as many events.
            return negated(unsafe {
                c::io_getevents(
                    self.id,
                    nr as i64,
                    nr as i64,
                    events.as_mut_ptr(),
                    std::ptr::null_mut(),
                )
            });
        }
        // SAFETY: As above.
        errno(unsafe {
            libc::syscall(
                libc::SYS_io_getevents,
                self.id,
                nr,
                nr,
                events.as_mut_ptr(),
                0usize,
            )
        })
    }
}

#[cfg(libraio)]
fn negated(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

impl Engine for Aio {
    fn round(&mut self, ops: &[Op], buffers: &Buffers, marks: &mut Marks) -> io::Result<()> {
        let nr = ops.len();
        let _ = self.native;
        marks.begin();
        self.iocbs.prepare(ops, buffers);
        let mut submitted = 0;
        while submitted < nr {
            submitted += self.submit(submitted, nr)?;
        }
        marks.submitted();
        let got = self.getevents(nr)?;
        if got != nr {
            return Err(io::Error::other(format!("getevents: {got} of {nr}")));
        }
        self.iocbs.check(ops, nr, buffers.block)?;
        marks.reaped();
        Ok(())
    }

    fn begin(&mut self, i: usize, op: &Op, buffers: &Buffers) -> io::Result<()> {
        if self.native {
            // It would wait here.
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        self.iocbs.prepare_one(i, op, buffers);
        self.submit(i, i + 1).map(|_| ())
    }

    fn wait(&mut self) -> io::Result<(usize, i64)> {
        self.getevents(1)?;
        let event = &self.iocbs.events[0];
        Ok((event.data as usize, event.res))
    }
}
