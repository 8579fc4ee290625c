// SPDX-License-Identifier: GPL-2.0

//! The ioctls of `/dev/raio`.

use super::{check, errno, Buffers, Engine, Kind, Op, Setup};
use crate::marks::Marks;
use std::{fs::File, io, os::fd::AsRawFd, sync::OnceLock};

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

/// Which iocbs a call is about.
#[derive(Clone, Copy)]
pub enum Which {
    All,
    Chosen,
}

/// The iocbs of a round, as native aio's too.
pub struct Iocbs {
    iocbs: Vec<sys::iocb>,
    /// All of them, in order
    pointers: Vec<*mut sys::iocb>,
    /// Those that were chosen
    chosen: Vec<*mut sys::iocb>,
    pub events: Vec<sys::io_event>,
}

impl Iocbs {
    pub fn new(depth: usize) -> Self {
        let mut iocbs = vec![sys::iocb::default(); depth];
        let pointers = iocbs.iter_mut().map(|iocb| iocb as *mut _).collect();
        Self {
            iocbs,
            chosen: Vec::with_capacity(depth),
            pointers,
            events: vec![sys::io_event::default(); depth],
        }
    }

    /// Iocb `i` is of `ops[i]`.
    pub fn prepare(&mut self, ops: &[Op], buffers: &Buffers) {
        for (i, op) in ops.iter().enumerate() {
            self.prepare_one(i, op, buffers);
        }
    }

    /// Chooses these, by their numbers.
    pub fn choose(&mut self, ops: &[(usize, Op)], buffers: &Buffers) {
        self.chosen.clear();
        for (i, op) in ops {
            self.prepare_one(*i, op, buffers);
            let iocb = self.address(*i);
            self.chosen.push(iocb);
        }
    }

    /// What is submitted.
    pub fn list(&mut self, which: Which) -> &mut [*mut sys::iocb] {
        match which {
            Which::All => &mut self.pointers,
            Which::Chosen => &mut self.chosen,
        }
    }

    pub fn address(&mut self, i: usize) -> *mut sys::iocb {
        &raw mut self.iocbs[i]
    }

    /// The iocb of number `i`.
    #[inline]
    fn prepare_one(&mut self, i: usize, op: &Op, buffers: &Buffers) {
        let (aio_lio_opcode, aio_buf, aio_nbytes) = match op.kind {
            Kind::Read => (0, buffers.address(i) as u64, buffers.block as u64),
            Kind::Write => (1, buffers.address(i) as u64, buffers.block as u64),
            Kind::Fsync => (2, 0, 0),
            Kind::Poll => (5, libc::POLLIN as u64, 0),
            Kind::Noop => (6, 0, 0),
        };
        self.iocbs[i] = sys::iocb {
            aio_data: i as u64,
            aio_lio_opcode,
            aio_fildes: op.fd as u32,
            aio_buf,
            aio_nbytes,
            aio_offset: op.offset as i64,
            ..Default::default()
        };
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

    /// The first `nr` events.
    pub fn results(&self, nr: usize, done: &mut Vec<(usize, i64)>) {
        let events = self.events[..nr].iter();
        done.extend(events.map(|event| (event.data as usize, event.res)));
    }

    /// Whether the first event is that of operation `i`, which was cancelled. Native aio says 0,
    /// as a poll that has found nothing.
    pub fn check_cancelled(&self, i: usize) -> io::Result<()> {
        let event = self.events[0];
        if event.data == i as u64 && [0, -i64::from(libc::ECANCELED)].contains(&event.res) {
            Ok(())
        } else {
            Err(io::Error::other(format!("cancelled: {event:?}")))
        }
    }

    pub fn check(&self, ops: &[Op], nr: usize, block: usize) -> io::Result<()> {
        for event in &self.events[..nr] {
            check(&ops[event.data as usize], event.res, block)?;
        }
        Ok(())
    }
}

/// A context.
#[derive(Clone, Copy)]
pub struct Handle {
    door: i32,
    id: u64,
}

/// `/dev/raio`, opened once and never closed.
fn door() -> io::Result<i32> {
    static DOOR: OnceLock<File> = OnceLock::new();
    if DOOR.get().is_none() {
        let file = File::options().read(true).write(true).open("/dev/raio")?;
        let _ = DOOR.set(file);
    }
    Ok(DOOR.get().map_or(-1, |file| file.as_raw_fd()))
}

impl Handle {
    pub fn new(events: usize) -> io::Result<Self> {
        let door = door()?;
        let mut arg = sys::raio_setup {
            nr_events: events as u32,
            ..Default::default()
        };
        // SAFETY: The argument has no addresses.
        unsafe { ioctl(door, sys::RAIO_IOC_SETUP, &mut arg) }?;
        let id = arg.ctx_id;
        Ok(Self { door, id })
    }

    pub fn destroy(self) -> io::Result<()> {
        let mut arg = sys::raio_destroy {
            ctx_id: self.id,
            flags: 0,
        };
        // SAFETY: Nothing reads its ring.
        unsafe { ioctl(self.door, sys::RAIO_IOC_DESTROY, &mut arg) }.map(|_| ())
    }

    /// # Safety
    ///
    /// `array` is the address of `nr` of what `opcode` takes; buffers live as long as the context.
    unsafe fn register(self, opcode: u32, nr: usize, array: u64) -> io::Result<()> {
        let mut arg = sys::raio_register {
            ctx_id: self.id,
            opcode,
            nr: nr as u32,
            array,
            flags: 0,
        };
        // SAFETY: By the requirement.
        unsafe { ioctl(self.door, sys::RAIO_IOC_REGISTER, &mut arg) }.map(|_| ())
    }
}

pub struct Raio {
    door: i32,
    id: u64,
    enter: bool,
    fixed: bool,
    iocbs: Iocbs,
}

impl Raio {
    pub fn new(handle: Handle, depth: usize, enter: bool) -> Self {
        Self {
            door: handle.door,
            id: handle.id,
            enter,
            fixed: false,
            iocbs: Iocbs::new(depth),
        }
    }

    /// By RAIO_IOC_ENTER, with registered buffers and files; ENOTTY if the module has none.
    pub fn fixed(setup: &Setup, buffers: &Buffers) -> io::Result<Self> {
        let handle = Handle::new(setup.depth)?;
        let (all, files) = (buffers.all(), &setup.files);
        // SAFETY: One iovec, and the buffers live as long as the process.
        unsafe { handle.register(sys::RAIO_REGISTER_BUFFERS, 1, &raw const all as u64) }?;
        if !files.is_empty() {
            // SAFETY: As many descriptors.
            unsafe {
                handle.register(sys::RAIO_REGISTER_FILES, files.len(), files.as_ptr() as u64)
            }?;
        }
        let fixed = true;
        Ok(Self {
            fixed,
            ..Self::new(handle, setup.depth, true)
        })
    }

    fn submit(&mut self, which: Which, from: usize, to: usize) -> io::Result<usize> {
        let mut submit = sys::raio_submit {
            ctx_id: self.id,
            nr: (to - from) as i64,
            iocbpp: self.iocbs.list(which)[from..to].as_mut_ptr() as u64,
            flags: 0,
        };
        // SAFETY: The iocbs and their buffers stay until their events were taken.
        unsafe { ioctl(self.door, sys::RAIO_IOC_SUBMIT, &mut submit) }
    }

    fn getevents(&mut self, least: usize, nr: usize) -> io::Result<usize> {
        let mut get = sys::raio_getevents {
            ctx_id: self.id,
            min_nr: least as i64,
            nr: nr as i64,
            events: self.iocbs.events[..nr].as_mut_ptr() as u64,
            ..Default::default()
        };
        // SAFETY: There is room for as many events.
        unsafe { ioctl(self.door, sys::RAIO_IOC_GETEVENTS, &mut get) }
    }

    fn enter(&mut self, nr: usize) -> io::Result<usize> {
        let mut enter = sys::raio_enter {
            ctx_id: self.id,
            nr: nr as i64,
            iocbpp: self.iocbs.list(Which::All)[..nr].as_mut_ptr() as u64,
            min_events: nr as i64,
            nr_events: nr as i64,
            events: self.iocbs.events[..nr].as_mut_ptr() as u64,
            ..Default::default()
        };
        // SAFETY: The iocbs, their buffers and the events outlive the call, which waits.
        let got = unsafe { ioctl(self.door, sys::RAIO_IOC_ENTER, &mut enter) }?;
        if enter.submitted != nr as i64 {
            let taken = enter.submitted;
            return Err(io::Error::other(format!("enter: {taken} of {nr}")));
        }
        Ok(got)
    }
}

impl Engine for Raio {
    fn round(&mut self, ops: &[Op], buffers: &Buffers, marks: &mut Marks) -> io::Result<()> {
        let nr = ops.len();
        marks.begin();
        self.iocbs.prepare(ops, buffers);
        if self.fixed {
            for (i, op) in ops.iter().enumerate() {
                self.iocbs.fix(i, op);
            }
        }
        let got = if self.enter {
            let got = self.enter(nr)?;
            marks.submitted();
            got
        } else {
            let mut submitted = 0;
            while submitted < nr {
                submitted += self.submit(Which::All, submitted, nr)?;
            }
            marks.submitted();
            self.getevents(nr, nr)?
        };
        if got != nr {
            return Err(io::Error::other(format!("getevents: {got} of {nr}")));
        }
        self.iocbs.check(ops, nr, buffers.block)?;
        marks.reaped();
        Ok(())
    }

    fn start(&mut self, ops: &[(usize, Op)], buffers: &Buffers) -> io::Result<()> {
        self.iocbs.choose(ops, buffers);
        if self.fixed {
            for (i, op) in ops {
                self.iocbs.fix(*i, op);
            }
        }
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
        let mut cancel = sys::raio_cancel {
            ctx_id: self.id,
            iocb: self.iocbs.address(i) as u64,
            result: &raw mut self.iocbs.events[0] as u64,
            flags: 0,
        };
        // SAFETY: There is room for the event.
        unsafe { ioctl(self.door, sys::RAIO_IOC_CANCEL, &mut cancel) }?;
        self.iocbs.check_cancelled(i)
    }
}
