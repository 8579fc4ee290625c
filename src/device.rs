// SPDX-License-Identifier: GPL-2.0

//! `/dev/raio`: decodes ioctls.

use crate::{
    cancel,
    context::Context,
    getevents::{
        self,
        Timeout, //
    },
    limit,
    op,
    ring,
    submit::{
        self,
        Iocbs, //
    },
    sys::{
        uapi::*,
        vhost_task, //
    }, //
};
use kernel::{
    fs::File,
    ioctl::{
        _IOC_SIZE,
        _IOR,
        _IOW,
        _IOWR, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

const INFO: u32 = _IOR::<raio_info>(RAIO_IOC_MAGIC, 0x00);
const SETUP: u32 = _IOWR::<raio_setup>(RAIO_IOC_MAGIC, 0x01);
const DESTROY: u32 = _IOW::<raio_destroy>(RAIO_IOC_MAGIC, 0x02);
const SUBMIT: u32 = _IOW::<raio_submit>(RAIO_IOC_MAGIC, 0x03);
const CANCEL: u32 = _IOW::<raio_cancel>(RAIO_IOC_MAGIC, 0x04);
const GETEVENTS: u32 = _IOW::<raio_getevents>(RAIO_IOC_MAGIC, 0x05);

/// The flags that RAIO_IOC_SETUP takes.
const SETUP_FLAGS: u32 = RAIO_SETUP_CANCEL_EVENT | RAIO_SETUP_NO_THREADS;

/// An open `/dev/raio`. Contexts belong to address spaces, not to it: it has nothing of its own.
pub(crate) struct Raio;

#[vtable]
impl MiscDevice for Raio {
    type Ptr = KBox<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        Ok(KBox::new(Raio, GFP_KERNEL)?)
    }

    fn ioctl(_device: &Self, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        ioctl(cmd, Argument::new(cmd, arg), false)
    }

    #[cfg(CONFIG_COMPAT)]
    fn compat_ioctl(_device: &Self, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        // As `compat_ptr()`.
        let arg = arg & u32::MAX as usize;
        ioctl(cmd, Argument::new(cmd, arg), true)
    }
}

/// The argument of an ioctl: a structure in the program's memory, of the size that `cmd` says.
struct Argument {
    address: UserPtr,
    size: usize,
}

impl Argument {
    fn new(cmd: u32, arg: usize) -> Self {
        Argument {
            address: UserPtr::from_addr(arg),
            size: _IOC_SIZE(cmd),
        }
    }

    fn read<T: FromBytes>(&self) -> Result<T> {
        UserSlice::new(self.address, self.size).reader().read()
    }

    fn write<T: AsBytes>(&self, value: &T) -> Result {
        UserSlice::new(self.address, self.size)
            .writer()
            .write(value)
    }
}

/// `compat` says that the caller's pointers have 32 bits.
fn ioctl(cmd: u32, arg: Argument, compat: bool) -> Result<isize> {
    match cmd {
        INFO => info(arg),
        SETUP => setup(arg),
        DESTROY => destroy(arg.read()?),
        SUBMIT => submit(arg.read()?, compat),
        CANCEL => cancel(arg.read()?),
        GETEVENTS => getevents(arg.read()?),
        _ => Err(ENOTTY),
    }
}

fn refuse_unless(condition: bool) -> Result {
    if condition {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

fn info(arg: Argument) -> Result<isize> {
    let (nr, max_nr) = limit::now();
    arg.write(&raio_info {
        major: RAIO_API_MAJOR as u16,
        minor: RAIO_API_MINOR as u16,
        opcodes: op::SERVED,
        features: features(),
        setup_flags: u64::from(SETUP_FLAGS),
        max_events: ring::MAX_EVENTS,
        nr: nr as u64,
        max_nr: max_nr as u64,
        ..Default::default()
    })?;
    Ok(0)
}

fn features() -> u64 {
    let threads = if vhost_task::supported() {
        RAIO_FEATURE_THREADS | RAIO_FEATURE_PAGE_WAIT
    } else {
        0
    };
    u64::from(RAIO_FEATURE_DIRECT | RAIO_FEATURE_RETRY | threads)
}

fn setup(arg: Argument) -> Result<isize> {
    let mut setup: raio_setup = arg.read()?;
    refuse_unless(setup.ctx_id == 0 && setup.flags & !SETUP_FLAGS == 0)?;
    let (context, id) = Context::setup(setup.nr_events, setup.flags)?;
    setup.ctx_id = id as u64;
    if let Err(e) = arg.write(&setup) {
        // Another thread may have unmapped it already.
        let _ = context.destroy();
        return Err(e);
    }
    Ok(0)
}

fn destroy(destroy: raio_destroy) -> Result<isize> {
    refuse_unless(destroy.flags == 0)?;
    Context::lookup(destroy.ctx_id)?.destroy()?;
    Ok(0)
}

fn submit(submit: raio_submit, compat: bool) -> Result<isize> {
    refuse_unless(submit.flags == 0)?;
    let nr = usize::try_from(submit.nr)?;
    let context = Context::lookup(submit.ctx_id)?;
    let iocbs = Iocbs {
        address: submit.iocbpp,
        compat,
    };
    Ok(submit::submit(&context, nr, iocbs)? as isize)
}

fn cancel(cancel: raio_cancel) -> Result<isize> {
    refuse_unless(cancel.flags == 0)?;
    let key = (cancel.iocb as usize).wrapping_add(core::mem::offset_of!(iocb, aio_key));
    let key = UserSlice::new(UserPtr::from_addr(key), size_of::<u32>());
    let key = key.reader().read()?;
    let context = Context::lookup(cancel.ctx_id)?;
    cancel::cancel(&context, cancel.iocb, key, cancel.result)?;
    Ok(0)
}

fn getevents(get: raio_getevents) -> Result<isize> {
    refuse_unless(get.flags == 0 && get.sigmask == 0 && get.sigsetsize == 0)?;
    let timeout = if get.timeout == 0 {
        Timeout::Never
    } else {
        let address = UserPtr::from_addr(get.timeout as usize);
        let timespec = UserSlice::new(address, size_of::<raio_timespec>());
        Timeout::new(timespec.reader().read()?)?
    };
    let context = Context::lookup(get.ctx_id)?;
    Ok(getevents::getevents(&context, get.min_nr, get.nr, get.events, timeout)? as isize)
}
