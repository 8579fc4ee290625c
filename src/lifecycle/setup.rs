// SPDX-License-Identifier: GPL-2.0

//! io_setup, and the look-up of contexts.

use super::open_device::OpenDevice;
use crate::{
    context::Context,
    sys::{
        mapping,
        task::FullTask, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    }, //
};

/// io_setup: makes a context for `nr_events` requests through `device`, with RAIO_SETUP_* `flags`.
/// Returns it and its id.
///
/// EINVAL if `nr_events` is 0 or too large, EAGAIN beyond `fs.raio-max-nr` or `fs.raio-max-user-nr`,
/// ENOMEM beyond RLIMIT_MEMLOCK or without memory. Process context.
pub(crate) fn setup(
    device: ArcBorrow<'_, OpenDevice>,
    task: FullTask<'_>,
    nr_events: u32,
    flags: u32,
) -> Result<(Arc<Context>, usize)> {
    let context = Context::new(device.users(), OpenDevice::member(device), nr_events, flags)?;
    // It leaves again if it can't be mapped, or is unmapped already.
    device.join(context.clone())?;
    // As in native aio: programs would take other errors of mmap for errors of io_setup.
    mapping::map(task, context.clone()).map_err(|e| if e == EINTR { e } else { ENOMEM })?;
    let id = context.id();
    device.remember(&context, id);
    Ok((context, id))
}

/// The context of the current address space with this id, for a call through `device`. EINVAL if there
/// is none.
///
/// Process context.
#[inline(always)]
pub(crate) fn lookup(device: ArcBorrow<'_, OpenDevice>, id: u64) -> Result<Arc<Context>> {
    let id = usize::try_from(id)?;
    let context = match device.recall(id) {
        Some(context) => context,
        None => mapping::lookup(id).ok_or(EINVAL)?,
    };
    if context.is_dead() {
        return Err(EINVAL);
    }
    Ok(context)
}
