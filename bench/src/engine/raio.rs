// SPDX-License-Identifier: GPL-2.0

//! The ioctls of `/dev/raio`.

use super::{check, errno, Buffers, Engine, Kind, Op, Setup};
use crate::marks::Marks;
use std::{fs::File, io, os::fd::AsRawFd};

pub use raio::sys;

/// An ioctl with its argument.
///
/// # Safety
///
/// `arg` is of the type that `request` takes, and the addresses in it are good for what the kernel
/// does with them.
unsafe fn ioctl<T>(fd: i32, request: u32, arg: &mut T) -> io::Result<usize> {
    // SAFETY: By the requirement.
    errno(unsafe { libc::ioctl(fd, request.into(), arg) }.into())
}

/// The iocbs of a round, as native aio's too.
pub struct Iocbs {
    iocbs: Vec<sys::iocb>,
    pub pointers: Vec<*mut sys::iocb>,
    pub events: Vec<sys::io_event>,
}

impl Iocbs {
    pub fn new(depth: usize) -> Self {
        let mut iocbs = vec![sys::iocb::default(); depth];
        let pointers = iocbs.iter_mut().map(|iocb| iocb as *mut _).collect();
        Self {
            iocbs,
            pointers,
            events: vec![sys::io_event::default(); depth],
        }
    }

    pub fn prepare(&mut self, ops: &[Op], buffers: &Buffers) {
        for (i, op) in ops.iter().enumerate() {
            self.prepare_one(i, op, buffers);
        }
    }

    /// The iocb of number `i`.
    #[inline]
    pub fn prepare_one(&mut self, i: usize, op: &Op, buffers: &Buffers) {
        {
            let transfers = matches!(op.kind, Kind::Read | Kind::Write);
            self.iocbs[i] = sys::iocb {
                aio_data: i as u64,
                aio_lio_opcode: match op.kind {
                    Kind::Read => 0,
                    Kind::Write => 1,
                    Kind::Fsync => 2,
                    Kind::Noop => 6,
                },
                aio_fildes: op.fd as u32,
                aio_buf: if transfers {
                    buffers.address(i) as u64
                } else {
                    0
                },
                aio_nbytes: if transfers { buffers.block as u64 } else { 0 },
                aio_offset: op.offset as i64,
                ..Default::default()
            };
        }
    }

    pub fn check(&self, ops: &[Op], nr: usize, block: usize) -> io::Result<()> {
        for event in &self.events[..nr] {
            check(&ops[event.data as usize], event.res, block)?;
        }
        Ok(())
    }
}

pub struct Raio {
    door: File,
    id: u64,
    enter: bool,
    iocbs: Iocbs,
}

impl Raio {
    pub fn new(setup: &Setup, enter: bool) -> io::Result<Self> {
        let door = File::options().read(true).write(true).open("/dev/raio")?;
        let mut arg = sys::raio_setup {
            nr_events: setup.depth as u32,
            ..Default::default()
        };
        // SAFETY: The argument has no addresses.
        unsafe { ioctl(door.as_raw_fd(), sys::RAIO_IOC_SETUP, &mut arg) }?;
        Ok(Self {
            door,
            id: arg.ctx_id,
            enter,
            iocbs: Iocbs::new(setup.depth),
        })
    }
}

impl Engine for Raio {
    fn round(&mut self, ops: &[Op], buffers: &Buffers, marks: &mut Marks) -> io::Result<()> {
        let fd = self.door.as_raw_fd();
        let nr = ops.len();
        marks.begin();
        self.iocbs.prepare(ops, buffers);
        let iocbpp = self.iocbs.pointers.as_mut_ptr() as u64;
        let events = self.iocbs.events.as_mut_ptr() as u64;
        if self.enter {
            let mut enter = sys::raio_enter {
                ctx_id: self.id,
                nr: nr as i64,
                iocbpp,
                min_events: nr as i64,
                nr_events: nr as i64,
                events,
                ..Default::default()
            };
            // SAFETY: The iocbs, their buffers and the events outlive the call, which waits.
            let got = unsafe { ioctl(fd, sys::RAIO_IOC_ENTER, &mut enter) }?;
            marks.submitted();
            if enter.submitted != nr as i64 || got != nr {
                return Err(io::Error::other(format!(
                    "enter: {} {got}",
                    enter.submitted
                )));
            }
            self.iocbs.check(ops, nr, buffers.block)?;
            marks.reaped();
            return Ok(());
        }
        let mut submitted = 0;
        while submitted < nr {
            let mut submit = sys::raio_submit {
                ctx_id: self.id,
                nr: (nr - submitted) as i64,
                iocbpp: iocbpp + 8 * submitted as u64,
                flags: 0,
            };
            // SAFETY: The iocbs and their buffers outlive the round.
            submitted += unsafe { ioctl(fd, sys::RAIO_IOC_SUBMIT, &mut submit) }?;
        }
        marks.submitted();
        let mut get = sys::raio_getevents {
            ctx_id: self.id,
            min_nr: nr as i64,
            nr: nr as i64,
            events,
            ..Default::default()
        };
        // SAFETY: There is room for as many events.
        let got = unsafe { ioctl(fd, sys::RAIO_IOC_GETEVENTS, &mut get) }?;
        if got != nr {
            return Err(io::Error::other(format!("getevents: {got} of {nr}")));
        }
        self.iocbs.check(ops, nr, buffers.block)?;
        marks.reaped();
        Ok(())
    }

    fn begin(&mut self, i: usize, op: &Op, buffers: &Buffers) -> io::Result<()> {
        self.iocbs.prepare_one(i, op, buffers);
        let mut submit = sys::raio_submit {
            ctx_id: self.id,
            nr: 1,
            iocbpp: &raw mut self.iocbs.pointers[i] as u64,
            flags: 0,
        };
        // SAFETY: The iocb and its buffer stay until it is waited for.
        unsafe { ioctl(self.door.as_raw_fd(), sys::RAIO_IOC_SUBMIT, &mut submit) }?;
        Ok(())
    }

    fn wait(&mut self) -> io::Result<(usize, i64)> {
        let mut get = sys::raio_getevents {
            ctx_id: self.id,
            min_nr: 1,
            nr: 1,
            events: self.iocbs.events.as_mut_ptr() as u64,
            ..Default::default()
        };
        // SAFETY: There is room for an event.
        unsafe { ioctl(self.door.as_raw_fd(), sys::RAIO_IOC_GETEVENTS, &mut get) }?;
        let event = &self.iocbs.events[0];
        Ok((event.data as usize, event.res))
    }
}
