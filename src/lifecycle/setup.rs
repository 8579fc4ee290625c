// SPDX-License-Identifier: GPL-2.0

//! io_setup, and how a call finds its context.

use super::door::Door;
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

/// io_setup: makes a context for `nr_events` requests through `door`, with the
/// RAIO_SETUP_* of `flags`, and returns its id.
///
/// EINVAL if that is none or too many, EAGAIN beyond `fs.raio-max-nr` or
/// `fs.raio-max-user-nr`, ENOMEM beyond RLIMIT_MEMLOCK or without memory. Process context.
pub(crate) fn setup(
    door: ArcBorrow<'_, Door>,
    task: FullTask<'_>,
    nr_events: u32,
    flags: u32,
) -> Result<(Arc<Context>, usize)> {
    let context = Context::new(door.users(), Door::member(door), nr_events, flags)?;
    // If it can't be mapped, or is unmapped already, it leaves.
    door.join(context.clone())?;
    // As native aio: what else mmap could say would be taken for an answer of io_setup.
    mapping::map(task, context.clone()).map_err(|e| if e == EINTR { e } else { ENOMEM })?;
    let id = context.id();
    door.remember(&context, id);
    Ok((context, id))
}

/// The context of the current address space whose id is `id`; a call came through `door`.
/// EINVAL if there is none.
///
/// Process context.
#[inline(always)]
pub(crate) fn lookup(door: ArcBorrow<'_, Door>, id: u64) -> Result<Arc<Context>> {
    let id = usize::try_from(id)?;
    let context = match door.recall(id) {
        Some(context) => context,
        None => mapping::lookup(id).ok_or(EINVAL)?,
    };
    if context.is_dead() {
        return Err(EINVAL);
    }
    Ok(context)
}
