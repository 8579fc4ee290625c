// SPDX-License-Identifier: GPL-2.0

//! Native aio by its system calls, and the same by libraio's functions.

#[cfg(libraio)]
use super::raio::sys;
use super::{
    errno,
    raio::{Iocbs, Which},
    Buffers, Engine, Op,
};
use crate::marks::Marks;
use std::{ffi::c_void, io};

#[cfg(libraio)]
mod c {
    use super::{c_void, sys};

    #[link(name = "raio", kind = "static")]
    extern "C" {
        pub fn io_setup(nr: i32, ctx: *mut *mut c_void) -> i32;
        pub fn io_destroy(ctx: *mut c_void) -> i32;
        pub fn io_cancel(ctx: *mut c_void, iocb: *mut sys::iocb, event: *mut sys::io_event) -> i32;
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

/// A context.
#[derive(Clone, Copy)]
pub struct Handle {
    id: usize,
    native: bool,
}

impl Handle {
    pub fn native(events: usize) -> io::Result<Self> {
        let mut id = 0usize;
        // SAFETY: `id` outlives the call.
        errno(unsafe { libc::syscall(libc::SYS_io_setup, events, &mut id) })?;
        Ok(Self { id, native: true })
    }

    #[cfg(libraio)]
    pub fn libraio(events: usize) -> io::Result<Self> {
        let mut id = std::ptr::null_mut();
        // SAFETY: `id` outlives the call.
        negated(unsafe { c::io_setup(events as i32, &mut id) })?;
        let (id, native) = (id as usize, false);
        Ok(Self { id, native })
    }

    #[cfg(not(libraio))]
    pub fn libraio(_: usize) -> io::Result<Self> {
        Err(io::Error::other("built without libraio"))
    }

    pub fn destroy(self) -> io::Result<()> {
        #[cfg(libraio)]
        if !self.native {
            // SAFETY: Nothing is in flight, or it has buffers that stay.
            return negated(unsafe { c::io_destroy(self.id as *mut c_void) }).map(|_| ());
        }
        // SAFETY: As above.
        errno(unsafe { libc::syscall(libc::SYS_io_destroy, self.id) }).map(|_| ())
    }
}

pub struct Aio {
    id: *mut c_void,
    native: bool,
    iocbs: Iocbs,
}

impl Aio {
    pub fn new(handle: Handle, depth: usize) -> Self {
        Self {
            id: handle.id as *mut c_void,
            native: handle.native,
            iocbs: Iocbs::new(depth),
        }
    }

    fn submit(&mut self, which: Which, from: usize, to: usize) -> io::Result<usize> {
        let iocbs = &mut self.iocbs.list(which)[from..to];
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

    fn getevents(&mut self, least: usize, nr: usize) -> io::Result<usize> {
        let events = &mut self.iocbs.events[..nr];
        #[cfg(libraio)]
        if !self.native {
            // SAFETY: There is room for as many events.
            return negated(unsafe {
                c::io_getevents(
                    self.id,
                    least as i64,
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
                least,
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
        marks.begin();
        self.iocbs.prepare(ops, buffers);
        let mut submitted = 0;
        while submitted < nr {
            submitted += self.submit(Which::All, submitted, nr)?;
        }
        marks.submitted();
        let got = self.getevents(nr, nr)?;
        if got != nr {
            return Err(io::Error::other(format!("getevents: {got} of {nr}")));
        }
        self.iocbs.check(ops, nr, buffers.block)?;
        marks.reaped();
        Ok(())
    }

    fn start(&mut self, ops: &[(usize, Op)], buffers: &Buffers) -> io::Result<()> {
        self.iocbs.choose(ops, buffers);
        let mut submitted = 0;
        while submitted < ops.len() {
            submitted += self.submit(Which::Chosen, submitted, ops.len())?;
        }
        Ok(())
    }

    fn wait(&mut self, done: &mut Vec<(usize, i64)>) -> io::Result<()> {
        let got = self.getevents(1, self.iocbs.events.len())?;
        self.iocbs.results(got, done);
        Ok(())
    }

    fn cancel(&mut self, i: usize) -> io::Result<()> {
        let (iocb, event) = (self.iocbs.address(i), &mut self.iocbs.events[0]);
        let result = match self.native {
            // SAFETY: Both outlive the call.
            true => errno(unsafe { libc::syscall(libc::SYS_io_cancel, self.id, iocb, event) }),
            #[cfg(libraio)]
            // SAFETY: As above.
            false => negated(unsafe { c::io_cancel(self.id, iocb, event) }),
            #[cfg(not(libraio))]
            false => unreachable!(),
        };
        match result {
            // The event comes to the ring.
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            other => return other.map(|_| ()),
        }
        self.getevents(1, 1)?;
        self.iocbs.check_cancelled(i)
    }
}
