// SPDX-License-Identifier: GPL-2.0

//! The ioctls of `/dev/raio`, and the fadvise64 that stands for RAIO_IOC_ENTER.

use super::{
    interface::{errno, Buffers, Setup},
    iocbs::Calls,
};
use raio::sys;
use std::{fs::File, io, os::fd::AsRawFd, sync::OnceLock};

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

/// The fadvise64 that stands for an ioctl, with its argument.
///
/// # Safety
///
/// As for [`ioctl`], of the request that `advice` stands for.
unsafe fn advise<T>(fd: i32, advice: u32, arg: &mut T) -> io::Result<usize> {
    // SAFETY: By the requirement.
    let ret = unsafe { libc::syscall(libc::SYS_fadvise64, fd, &raw mut *arg, 0, advice) };
    usize::try_from(ret).map_err(|_| io::Error::last_os_error())
}

/// A context.
#[derive(Clone, Copy)]
pub struct Raio {
    fd: i32,
    id: u64,
    enter: bool,
}

/// `/dev/raio`, opened once and never closed.
fn device() -> io::Result<i32> {
    static DEVICE: OnceLock<File> = OnceLock::new();
    if DEVICE.get().is_none() {
        let file = File::options().read(true).write(true).open("/dev/raio")?;
        let _ = DEVICE.set(file);
    }
    Ok(DEVICE.get().map_or(-1, |file| file.as_raw_fd()))
}

/// For RAIO_IOC_ENTER with registered buffers and files; ENOTTY if the module has none.
pub fn fixed(setup: &Setup, buffers: &Buffers) -> io::Result<Raio> {
    let calls = Raio::new(setup.depth, true)?;
    let (all, files) = (buffers.all(), &setup.files);
    // SAFETY: One iovec, and the buffers live as long as the process.
    unsafe { calls.register(sys::RAIO_REGISTER_BUFFERS, 1, &raw const all as u64) }?;
    if !files.is_empty() {
        // SAFETY: As many descriptors.
        unsafe { calls.register(sys::RAIO_REGISTER_FILES, files.len(), files.as_ptr() as u64) }?;
    }
    Ok(calls)
}

impl Raio {
    pub fn new(events: usize, enter: bool) -> io::Result<Self> {
        let fd = device()?;
        let mut arg = sys::raio_setup {
            nr_events: events as u32,
            ..Default::default()
        };
        // SAFETY: The argument has no addresses.
        unsafe { ioctl(fd, sys::RAIO_IOC_SETUP, &mut arg) }?;
        let id = arg.ctx_id;
        Ok(Self { fd, id, enter })
    }

    pub fn destroy(self) -> io::Result<()> {
        let mut arg = sys::raio_destroy {
            ctx_id: self.id,
            flags: 0,
        };
        // SAFETY: Nothing reads its ring.
        unsafe { ioctl(self.fd, sys::RAIO_IOC_DESTROY, &mut arg) }.map(|_| ())
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
        unsafe { ioctl(self.fd, sys::RAIO_IOC_REGISTER, &mut arg) }.map(|_| ())
    }
}

impl Calls for Raio {
    fn submit(&self, iocbs: &mut [*mut sys::iocb]) -> io::Result<usize> {
        let mut submit = sys::raio_submit {
            ctx_id: self.id,
            nr: iocbs.len() as i64,
            iocbpp: iocbs.as_mut_ptr() as u64,
            flags: 0,
        };
        // SAFETY: The iocbs and their buffers stay until their events were taken.
        unsafe { ioctl(self.fd, sys::RAIO_IOC_SUBMIT, &mut submit) }
    }

    fn getevents(&self, least: usize, events: &mut [sys::io_event]) -> io::Result<usize> {
        let mut get = sys::raio_getevents {
            ctx_id: self.id,
            min_nr: least as i64,
            nr: events.len() as i64,
            events: events.as_mut_ptr() as u64,
            ..Default::default()
        };
        // SAFETY: There is room for as many events.
        unsafe { ioctl(self.fd, sys::RAIO_IOC_GETEVENTS, &mut get) }
    }

    fn cancel(&self, iocb: *mut sys::iocb, event: &mut sys::io_event) -> io::Result<()> {
        let mut cancel = sys::raio_cancel {
            ctx_id: self.id,
            iocb: iocb as u64,
            result: &raw mut *event as u64,
            flags: 0,
        };
        // SAFETY: There is room for the event.
        unsafe { ioctl(self.fd, sys::RAIO_IOC_CANCEL, &mut cancel) }.map(|_| ())
    }

    fn enter(
        &self,
        iocbs: &mut [*mut sys::iocb],
        events: &mut [sys::io_event],
    ) -> Option<io::Result<usize>> {
        if !self.enter {
            return None;
        }
        let mut enter = sys::raio_enter {
            ctx_id: self.id,
            nr: iocbs.len() as i64,
            iocbpp: iocbs.as_mut_ptr() as u64,
            min_events: events.len() as i64,
            nr_events: events.len() as i64,
            events: events.as_mut_ptr() as u64,
            ..Default::default()
        };
        // SAFETY: The iocbs, their buffers and the events outlive the call, which waits.
        let got = unsafe { advise(self.fd, sys::RAIO_ADVISE_ENTER, &mut enter) };
        let (taken, nr) = (enter.submitted, iocbs.len());
        Some(match got {
            Ok(_) if taken != nr as i64 => Err(io::Error::other(format!("enter: {taken} of {nr}"))),
            got => got,
        })
    }
}
