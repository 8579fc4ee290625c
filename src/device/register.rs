// SPDX-License-Identifier: GPL-2.0

//! RAIO_IOC_REGISTER.
//!
//! A table never changes. A submitter takes a reference to it once in a call, and a request takes
//! references to what it uses. So a table may be unregistered at any time; what is in use is freed with
//! the last request that uses it.
//!
//! Lock: `Context::registered`, without another lock of a context.

use crate::{
    context::{
        registered::{
            Buffers,
            Files,
            Registered, //
        },
        Context, //
    },
    sys::{
        fs,
        miscdevice,
        pinned::{
            Account,
            PinnedBuffer, //
        },
        sched,
        task::FullTask,
        uapi::{
            raio_register,
            RAIO_REGISTER_BUFFERS,
            RAIO_REGISTER_FILES,
            RAIO_UNREGISTER_BUFFERS,
            RAIO_UNREGISTER_FILES, //
        }, //
    }, //
};
use kernel::{
    fs::File,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader, //
    }, //
};

/// Most buffers of a context, as in io_uring.
const MAX_BUFFERS: u32 = 1 << 14;
/// Most files of a context, as in io_uring.
const MAX_FILES: u32 = 1 << 20;

/// RAIO_IOC_REGISTER. `compat`: the pointers of the caller have 32 bits.
///
/// EBUSY if there is such a table already, ENXIO if there is none to unregister, EINVAL for values that
/// are not valid, EMFILE for too many files; and the errors of files and memory: EBADF, EFAULT, ENOMEM.
/// Sleeps.
pub(crate) fn register(
    context: &Context,
    task: FullTask<'_>,
    what: &raio_register,
    compat: bool,
) -> Result {
    let unregisters = matches!(what.opcode, RAIO_UNREGISTER_BUFFERS | RAIO_UNREGISTER_FILES);
    if unregisters != (what.nr == 0) || unregisters && what.array != 0 {
        return Err(EINVAL);
    }
    match what.opcode {
        RAIO_REGISTER_BUFFERS => {
            if context.registered().lock().buffers.is_some() {
                return Err(EBUSY);
            }
            let buffers = Some(read_buffers(what, compat)?);
            put(context, |registered| &mut registered.buffers, buffers)
        }
        RAIO_REGISTER_FILES => {
            if context.registered().lock().files.is_some() {
                return Err(EBUSY);
            }
            let files = Some(read_files(task, what)?);
            put(context, |registered| &mut registered.files, files)
        }
        RAIO_UNREGISTER_BUFFERS => take(context, |registered| &mut registered.buffers),
        RAIO_UNREGISTER_FILES => take(context, |registered| &mut registered.files),
        _ => Err(EINVAL),
    }
}

fn put<T>(
    context: &Context,
    place: impl Fn(&mut Registered) -> &mut Option<T>,
    table: Option<T>,
) -> Result {
    let mut registered = context.registered().lock();
    // The task that ends the context unregisters everything after the context is dead.
    let refused = if context.is_dead() {
        EINVAL
    } else if place(&mut registered).is_some() {
        EBUSY
    } else {
        *place(&mut registered) = table;
        return Ok(());
    };
    drop(registered);
    Err(refused)
}

fn take<T>(context: &Context, place: impl Fn(&mut Registered) -> &mut Option<T>) -> Result {
    let table = place(&mut context.registered().lock()).take();
    table.map(drop).ok_or(ENXIO)
}

fn reader(what: &raio_register, size: usize) -> Result<UserSliceReader> {
    let address = usize::try_from(what.array)?;
    let len = size.checked_mul(what.nr as usize).ok_or(EINVAL)?;
    Ok(UserSlice::new(UserPtr::from_addr(address), len).reader())
}

fn read_buffers(what: &raio_register, compat: bool) -> Result<Arc<Buffers>> {
    if what.nr > MAX_BUFFERS {
        return Err(EINVAL);
    }
    let mut buffers = KVVec::with_capacity(what.nr as usize, GFP_KERNEL_ACCOUNT)?;
    let mut account = Account::new();
    let mut iovecs = reader(what, if compat { 8 } else { 16 })?;
    for _ in 0..what.nr {
        let (address, len) = if compat {
            (
                iovecs.read::<u32>()? as usize,
                iovecs.read::<u32>()? as usize,
            )
        } else {
            (iovecs.read()?, iovecs.read()?)
        };
        let buffer = match (address, len) {
            (0, 0) => None,
            _ => Some(PinnedBuffer::pin(address, len, &mut account)?),
        };
        buffers.push(buffer, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(Arc::new(Buffers(buffers), GFP_KERNEL_ACCOUNT)?)
}

fn read_files(task: FullTask<'_>, what: &raio_register) -> Result<Arc<Files>> {
    // The limit is that of descriptors. Registered files are no descriptors, and no other limit counts
    // them.
    if what.nr > MAX_FILES || what.nr as usize > sched::max_open_files() {
        return Err(EMFILE);
    }
    let mut files = KVVec::with_capacity(what.nr as usize, GFP_KERNEL_ACCOUNT)?;
    let mut fds = reader(what, size_of::<i32>())?;
    for _ in 0..what.nr {
        let file = match fds.read::<i32>()? {
            -1 => None,
            fd => Some(file_to_register(
                task,
                u32::try_from(fd).map_err(|_| EBADF)?,
            )?),
        };
        files.push(file, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(Arc::new(Files(files), GFP_KERNEL_ACCOUNT)?)
}

fn file_to_register(task: FullTask<'_>, fd: u32) -> Result<ARef<File>> {
    let file = fs::fget(task, fd)?;
    if miscdevice::is_open_device(&file) {
        return Err(EINVAL);
    }
    Ok(file)
}
