// SPDX-License-Identifier: GPL-2.0

//! `/dev/raio`: decodes and checks ioctls.
//!
//! This is the top room: it uses all others. It has no locks of its own. RAIO_IOC_REGISTER takes
//! `Context::registered`.

mod getevents;
pub(crate) mod register;

use crate::{
    device::getevents::Timeout,
    engine::cancel,
    lifecycle::{
        self,
        open_device::OpenDevice, //
    },
    op,
    pure::ring,
    submit::{
        self,
        Iocbs, //
    },
    sys::{
        signal::SigSet,
        task::FullTask,
        uaccess,
        uapi::*,
        vhost_task, //
    }, //
};
use kernel::{
    ioctl::{
        _IOR,
        _IOW,
        _IOWR, //
    },
    prelude::*,
    sync::ArcBorrow,
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
const ENTER: u32 = _IOWR::<raio_enter>(RAIO_IOC_MAGIC, 0x06);
const REGISTER: u32 = _IOW::<raio_register>(RAIO_IOC_MAGIC, 0x07);

/// The flags that RAIO_IOC_SETUP accepts.
const SETUP_FLAGS: u32 = RAIO_SETUP_CANCEL_EVENT | RAIO_SETUP_NO_THREADS | RAIO_SETUP_SYNC_WRITES;

/// The argument of an ioctl: the address of a structure in the program's memory. `cmd` encodes its
/// size.
#[derive(Clone, Copy)]
struct Argument(usize);

impl Argument {
    #[inline]
    fn read<T: FromBytes>(self) -> Result<T> {
        uaccess::read_struct(self.0 as u64)
    }

    fn write<T: AsBytes>(self, value: &T) -> Result {
        UserSlice::new(UserPtr::from_addr(self.0), size_of::<T>())
            .writer()
            .write(value)
    }
}

/// The ioctl entry. `compat`: the pointers of the caller have 32 bits.
pub(crate) fn ioctl(
    device: ArcBorrow<'_, OpenDevice>,
    task: FullTask<'_>,
    cmd: u32,
    arg: usize,
    compat: bool,
) -> Result<isize> {
    let arg = Argument(arg);
    match cmd {
        SUBMIT => submit(device, task, arg.read()?, compat),
        GETEVENTS => getevents(device, task, arg.read()?),
        ENTER => enter(device, task, arg, compat),
        _ => rare(device, task, cmd, arg, compat),
    }
}

/// The fadvise entry, for programs with pointers of 64 bits. `arg` is the argument of the ioctl that
/// `advice` stands for.
pub(crate) fn advise(
    device: ArcBorrow<'_, OpenDevice>,
    task: FullTask<'_>,
    arg: usize,
    advice: u32,
) -> Result<isize> {
    let arg = Argument(arg);
    match advice {
        RAIO_ADVISE_SUBMIT => submit(device, task, arg.read()?, false),
        RAIO_ADVISE_GETEVENTS => getevents(device, task, arg.read()?),
        RAIO_ADVISE_ENTER => enter(device, task, arg, false),
        _ => Err(EINVAL),
    }
}

/// The ioctls that are not on the path of a request.
#[cold]
fn rare(
    device: ArcBorrow<'_, OpenDevice>,
    task: FullTask<'_>,
    cmd: u32,
    arg: Argument,
    compat: bool,
) -> Result<isize> {
    match cmd {
        INFO => info(device, arg),
        SETUP => setup(device, task, arg),
        DESTROY => destroy(device, task, arg.read()?),
        CANCEL => cancel(device, arg.read()?),
        REGISTER => register(device, task, arg.read()?, compat),
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

fn info(device: ArcBorrow<'_, OpenDevice>, arg: Argument) -> Result<isize> {
    let now = device.users().now();
    arg.write(&raio_info {
        major: RAIO_API_MAJOR as u16,
        minor: RAIO_API_MINOR as u16,
        opcodes: op::SERVED,
        features: features(),
        setup_flags: u64::from(SETUP_FLAGS),
        max_events: ring::MAX_EVENTS,
        nr: now.nr as u64,
        max_nr: now.max_nr as u64,
        user_nr: now.user_nr as u64,
        max_user_nr: now.max_user_nr as u64,
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
    let always = RAIO_FEATURE_DIRECT
        | RAIO_FEATURE_RETRY
        | RAIO_FEATURE_REGISTER
        | RAIO_FEATURE_DEADLINE
        | RAIO_FEATURE_CUR_POS
        | RAIO_FEATURE_SYNC_RANGE
        | RAIO_FEATURE_BARRIER
        | RAIO_FEATURE_FLAGS_CHECKED;
    let advise = if cfg!(CONFIG_ADVISE_SYSCALLS) {
        RAIO_FEATURE_ADVISE
    } else {
        0
    };
    u64::from(always | threads | advise)
}

fn setup(device: ArcBorrow<'_, OpenDevice>, task: FullTask<'_>, arg: Argument) -> Result<isize> {
    let mut setup: raio_setup = arg.read()?;
    refuse_unless(setup.ctx_id == 0 && setup.flags & !SETUP_FLAGS == 0)?;
    let (context, id) = lifecycle::setup(device, task, setup.nr_events, setup.flags)?;
    setup.ctx_id = id as u64;
    if let Err(e) = arg.write(&setup) {
        // Another thread may have unmapped it already.
        let _ = context.destroy(task);
        return Err(e);
    }
    Ok(0)
}

fn destroy(
    device: ArcBorrow<'_, OpenDevice>,
    task: FullTask<'_>,
    destroy: raio_destroy,
) -> Result<isize> {
    refuse_unless(destroy.flags == 0)?;
    lifecycle::lookup(device, destroy.ctx_id)?.destroy(task)?;
    Ok(0)
}

fn submit(
    device: ArcBorrow<'_, OpenDevice>,
    task: FullTask<'_>,
    submit: raio_submit,
    compat: bool,
) -> Result<isize> {
    refuse_unless(submit.flags == 0)?;
    let nr = usize::try_from(submit.nr)?;
    let context = lifecycle::lookup(device, submit.ctx_id)?;
    let iocbs = Iocbs {
        address: submit.iocbpp,
        compat,
    };
    Ok(submit::submit(&context, task, nr, iocbs)? as isize)
}

fn cancel(device: ArcBorrow<'_, OpenDevice>, cancel: raio_cancel) -> Result<isize> {
    refuse_unless(cancel.flags == 0)?;
    let key = (cancel.iocb as usize).wrapping_add(core::mem::offset_of!(iocb, aio_key));
    let key = UserSlice::new(UserPtr::from_addr(key), size_of::<u32>());
    let key = key.reader().read()?;
    let context = lifecycle::lookup(device, cancel.ctx_id)?;
    cancel::cancel(&context, cancel.iocb, key, cancel.result)?;
    Ok(0)
}

/// How the caller waits.
struct Wait {
    timeout: Timeout,
    blocked: Option<SigSet>,
}

impl Wait {
    /// EFAULT, or EINVAL for values that are not valid. Does not block signals yet.
    fn read(timeout: u64, sigmask: u64, sigsetsize: u64) -> Result<Self> {
        let timeout = if timeout == 0 {
            Timeout::Never
        } else {
            Timeout::new(uaccess::read_struct(timeout)?)
        };
        Ok(Wait {
            timeout,
            blocked: SigSet::read(sigmask, sigsetsize)?,
        })
    }
}

fn getevents(
    device: ArcBorrow<'_, OpenDevice>,
    task: FullTask<'_>,
    get: raio_getevents,
) -> Result<isize> {
    refuse_unless(get.flags == 0)?;
    let wait = Wait::read(get.timeout, get.sigmask, get.sigsetsize)?;
    let _blocked = wait.blocked.map(|set| set.block(task));
    let context = lifecycle::lookup(device, get.ctx_id)?;
    let got = getevents::getevents(
        &context,
        task,
        get.min_nr,
        get.nr,
        get.events,
        wait.timeout,
        false,
    )?;
    Ok(got as isize)
}

/// Checks all that can be checked before it submits.
fn enter(
    device: ArcBorrow<'_, OpenDevice>,
    task: FullTask<'_>,
    arg: Argument,
    compat: bool,
) -> Result<isize> {
    let mut enter: raio_enter = arg.read()?;
    refuse_unless(enter.flags == 0 && enter.submitted == 0)?;
    let nr = usize::try_from(enter.nr)?;
    let wait = Wait::read(enter.timeout, enter.sigmask, enter.sigsetsize)?;
    let context = lifecycle::lookup(device, enter.ctx_id)?;
    refuse_unless((0..=enter.nr_events).contains(&enter.min_events))?;

    if nr > 0 {
        let iocbs = Iocbs {
            address: enter.iocbpp,
            compat,
        };
        let taken = submit::submit(&context, task, nr, iocbs)?;
        let submitted = core::mem::offset_of!(raio_enter, submitted) as u64;
        uaccess::write_u64((arg.0 as u64).wrapping_add(submitted), taken as u64)?;
        if taken < nr {
            // The program may wait for events of requests that were not submitted.
            enter.min_events = 0;
        }
    }
    let _blocked = wait.blocked.map(|set| set.block(task));
    let got = getevents::getevents(
        &context,
        task,
        enter.min_events,
        enter.nr_events,
        enter.events,
        wait.timeout,
        // A restart would submit the requests again.
        nr > 0,
    )?;
    Ok(got as isize)
}

fn register(
    device: ArcBorrow<'_, OpenDevice>,
    task: FullTask<'_>,
    register: raio_register,
    compat: bool,
) -> Result<isize> {
    refuse_unless(register.flags == 0)?;
    let context = lifecycle::lookup(device, register.ctx_id)?;
    register::register(&context, task, &register, compat)?;
    Ok(0)
}
