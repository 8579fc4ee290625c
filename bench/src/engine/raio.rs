// SPDX-License-Identifier: GPL-2.0

//! The ioctls of `/dev/raio`.

use super::{check, errno, Buffers, Engine, Kind, Op, Setup};
use crate::marks::Marks;
use std::{fs::File, io, os::fd::AsRawFd};

/// `<linux/aio_abi.h>` and `<linux/raio.h>`, as far as they are used.
#[allow(non_camel_case_types)]
pub mod sys {
    #[repr(C)]
    #[derive(Clone, Copy, Default, Debug)]
    pub struct iocb {
        pub aio_data: u64,
        pub aio_key: u32,
        pub aio_rw_flags: i32,
        pub aio_lio_opcode: u16,
        pub aio_reqprio: i16,
        pub aio_fildes: u32,
        pub aio_buf: u64,
        pub aio_nbytes: u64,
        pub aio_offset: i64,
        pub aio_reserved2: u64,
        pub aio_flags: u32,
        pub aio_resfd: u32,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Default, Debug)]
    pub struct io_event {
        pub data: u64,
        pub obj: u64,
        pub res: i64,
        pub res2: i64,
    }

    #[repr(C)]
    #[derive(Default)]
    pub struct raio_setup {
        pub nr_events: u32,
        pub flags: u32,
        pub ctx_id: u64,
    }

    #[repr(C)]
    #[derive(Default)]
    pub struct raio_submit {
        pub ctx_id: u64,
        pub nr: i64,
        pub iocbpp: u64,
        pub flags: u64,
    }

    #[repr(C)]
    #[derive(Default)]
    pub struct raio_getevents {
        pub ctx_id: u64,
        pub min_nr: i64,
        pub nr: i64,
        pub events: u64,
        pub timeout: u64,
        pub sigmask: u64,
        pub sigsetsize: u64,
        pub flags: u64,
    }

    #[repr(C)]
    #[derive(Default)]
    pub struct raio_enter {
        pub ctx_id: u64,
        pub nr: i64,
        pub iocbpp: u64,
        pub submitted: i64,
        pub min_events: i64,
        pub nr_events: i64,
        pub events: u64,
        pub timeout: u64,
        pub sigmask: u64,
        pub sigsetsize: u64,
        pub flags: u64,
    }

    const fn ioc<T>(dir: u64, nr: u64) -> u64 {
        (dir << 30) | ((size_of::<T>() as u64) << 16) | (0xa1 << 8) | nr
    }

    pub const RAIO_IOC_SETUP: u64 = ioc::<raio_setup>(3, 1);
    pub const RAIO_IOC_SUBMIT: u64 = ioc::<raio_submit>(1, 3);
    pub const RAIO_IOC_GETEVENTS: u64 = ioc::<raio_getevents>(1, 5);
    pub const RAIO_IOC_ENTER: u64 = ioc::<raio_enter>(3, 6);
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
        errno(unsafe { libc::ioctl(door.as_raw_fd(), sys::RAIO_IOC_SETUP, &mut arg) }.into())?;
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
            let got = errno(unsafe { libc::ioctl(fd, sys::RAIO_IOC_ENTER, &mut enter) }.into())?;
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
            let taken = unsafe { libc::ioctl(fd, sys::RAIO_IOC_SUBMIT, &mut submit) };
            submitted += errno(taken.into())?;
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
        let got = errno(unsafe { libc::ioctl(fd, sys::RAIO_IOC_GETEVENTS, &mut get) }.into())?;
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
        let taken =
            unsafe { libc::ioctl(self.door.as_raw_fd(), sys::RAIO_IOC_SUBMIT, &mut submit) };
        errno(taken.into()).map(|_| ())
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
        let got = unsafe { libc::ioctl(self.door.as_raw_fd(), sys::RAIO_IOC_GETEVENTS, &mut get) };
        errno(got.into())?;
        let event = &self.iocbs.events[0];
        Ok((event.data as usize, event.res))
    }
}
