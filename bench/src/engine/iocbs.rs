// SPDX-License-Identifier: GPL-2.0

//! An engine by the iocbs and events of native aio, whatever calls take them.

use super::interface::{check, Buffers, Engine, Kind, Op};
use crate::marks::Marks;
use raio::sys;
use std::{io, slice};

/// The calls on a context.
pub trait Calls {
    /// Says how many were taken. They and their buffers stay until their events were taken.
    fn submit(&self, iocbs: &mut [*mut sys::iocb]) -> io::Result<usize>;

    /// Waits for at least so many, and says how many there are.
    fn getevents(&self, least: usize, events: &mut [sys::io_event]) -> io::Result<usize>;

    /// Cancels a request, and takes its event.
    fn cancel(&self, iocb: *mut sys::iocb, event: &mut sys::io_event) -> io::Result<()>;

    /// Submits all, and waits for as many events, in one call, if this has one.
    fn enter(
        &self,
        _iocbs: &mut [*mut sys::iocb],
        _events: &mut [sys::io_event],
    ) -> Option<io::Result<usize>> {
        None
    }
}

/// Where the event of a request that was cancelled comes to the ring, it is taken from there.
pub fn take_cancelled(
    calls: &impl Calls,
    result: io::Result<usize>,
    event: &mut sys::io_event,
) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            calls.getevents(1, slice::from_mut(event)).map(|_| ())
        }
        other => other.map(|_| ()),
    }
}

pub struct Iocbs<C> {
    calls: C,
    /// By registered buffers and files
    fixed: bool,
    iocbs: Vec<sys::iocb>,
    /// All of them, in order
    pointers: Vec<*mut sys::iocb>,
    /// Those that are started
    started: Vec<*mut sys::iocb>,
    events: Vec<sys::io_event>,
}

impl<C: Calls> Iocbs<C> {
    pub fn new(calls: C, depth: usize, fixed: bool) -> Self {
        let mut iocbs = vec![sys::iocb::default(); depth];
        let pointers = iocbs.iter_mut().map(|iocb| iocb as *mut _).collect();
        Self {
            calls,
            fixed,
            iocbs,
            pointers,
            started: Vec::with_capacity(depth),
            events: vec![sys::io_event::default(); depth],
        }
    }

    /// Iocb `i` is by what was registered: one buffer, and the files of the run.
    fn fix(&mut self, i: usize, op: &Op) {
        let iocb = &mut self.iocbs[i];
        if op.kind != Kind::Noop {
            iocb.aio_flags = sys::RAIO_IOCB_FLAG_FIXED_FILE;
            iocb.aio_fildes = op.file;
        }
        if matches!(op.kind, Kind::Read | Kind::Write) {
            iocb.aio_flags |= sys::RAIO_IOCB_FLAG_FIXED_BUFFER;
        }
    }
}

/// The iocb of operation number `i`.
#[inline]
fn iocb_of(i: usize, op: &Op, buffers: &Buffers) -> sys::iocb {
    let (aio_lio_opcode, aio_buf, aio_nbytes) = match op.kind {
        Kind::Read => (0, buffers.address(i) as u64, buffers.block() as u64),
        Kind::Write => (1, buffers.address(i) as u64, buffers.block() as u64),
        Kind::Fsync => (2, 0, 0),
        Kind::Poll => (5, libc::POLLIN as u64, 0),
        Kind::Noop => (6, 0, 0),
    };
    sys::iocb {
        aio_data: i as u64,
        aio_lio_opcode,
        aio_fildes: op.fd as u32,
        aio_buf,
        aio_nbytes,
        aio_offset: op.offset as i64,
        ..Default::default()
    }
}

/// Submits all of them.
fn submit(calls: &impl Calls, iocbs: &mut [*mut sys::iocb]) -> io::Result<()> {
    let mut submitted = 0;
    while submitted < iocbs.len() {
        submitted += calls.submit(&mut iocbs[submitted..])?;
    }
    Ok(())
}

impl<C: Calls> Engine for Iocbs<C> {
    fn round(&mut self, ops: &[Op], buffers: &Buffers, marks: &mut Marks) -> io::Result<()> {
        let nr = ops.len();
        marks.begin();
        for (i, op) in ops.iter().enumerate() {
            self.iocbs[i] = iocb_of(i, op, buffers);
        }
        if self.fixed {
            for (i, op) in ops.iter().enumerate() {
                self.fix(i, op);
            }
        }
        let (iocbs, events) = (&mut self.pointers[..nr], &mut self.events[..nr]);
        let got = match self.calls.enter(iocbs, events) {
            Some(got) => {
                let got = got?;
                marks.submitted();
                got
            }
            None => {
                submit(&self.calls, iocbs)?;
                marks.submitted();
                self.calls.getevents(nr, events)?
            }
        };
        if got != nr {
            return Err(io::Error::other(format!("getevents: {got} of {nr}")));
        }
        for event in &self.events[..nr] {
            check(&ops[event.data as usize], event.res, buffers.block())?;
        }
        marks.reaped();
        Ok(())
    }

    fn start(&mut self, ops: &[(usize, Op)], buffers: &Buffers) -> io::Result<()> {
        self.started.clear();
        for (i, op) in ops {
            self.iocbs[*i] = iocb_of(*i, op, buffers);
            if self.fixed {
                self.fix(*i, op);
            }
            self.started.push(&raw mut self.iocbs[*i]);
        }
        submit(&self.calls, &mut self.started)
    }

    fn wait(&mut self, done: &mut Vec<(usize, i64)>) -> io::Result<()> {
        let got = self.calls.getevents(1, &mut self.events)?;
        let events = self.events[..got].iter();
        done.extend(events.map(|event| (event.data as usize, event.res)));
        Ok(())
    }

    fn cancel(&mut self, i: usize) -> io::Result<()> {
        let event = &mut self.events[0];
        self.calls.cancel(&raw mut self.iocbs[i], event)?;
        // Native aio says 0, as a poll that has found nothing.
        if event.data == i as u64 && [0, -i64::from(libc::ECANCELED)].contains(&event.res) {
            Ok(())
        } else {
            Err(io::Error::other(format!("cancelled: {event:?}")))
        }
    }
}
