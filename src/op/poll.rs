// SPDX-License-Identifier: GPL-2.0

//! POLL: waits once until a file is ready.

use super::{
    file_cache::FileCache,
    Punted,
    Waiting, //
};
use crate::{
    context::Context,
    engine::{
        self,
        Place, //
    },
    pure::{
        lists::List,
        policy::{
            First,
            Policy, //
        }, //
    },
    request::{
        Op,
        Request,
        Running, //
    },
    sys::{
        fs,
        poll::{
            self,
            Mask, //
        },
        uapi::iocb, //
    }, //
};
use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

/// Checks a POLL, with the errors of native aio in its order.
pub(super) fn prep(request: &mut Request, iocb: &iocb, cache: &mut FileCache<'_>) -> Result {
    // Reject values that are no event mask.
    let mask = u16::try_from(iocb.aio_buf).map_err(|_| EINVAL)?;
    if iocb.aio_offset != 0 || iocb.aio_nbytes != 0 || iocb.aio_rw_flags != 0 {
        return Err(EINVAL);
    }
    let file = request.file().ok_or(EBADF)?;
    let (_, facts) = cache.open().ok_or(EBADF)?;
    let policy = Policy::of_poll(*facts, fs::is_fuse(file));
    let events = poll::from_user(mask) | poll::ALWAYS;
    // A file without `poll` is always ready for the same events, and never for others.
    if !poll::can_poll(file) && poll::ALWAYS_READY & events == 0 {
        return Err(EINVAL);
    }
    request.begin(Op::Poll { events }, &policy, 0);
    Ok(())
}

/// Completes the request if the file is ready, or arms it. See [`super::go`].
pub(super) fn go(
    context: &Arc<Context>,
    mut run: Running,
    events: Mask,
    place: Place<'_>,
) -> Result {
    let told = run.shared().told();
    if told != 0 && !place.is_submit() {
        run.finish().complete(poll::to_user(told) as isize);
        return Ok(());
    }
    let blocks = run.private().policy.first == First::Punt;
    // If there can be no thread, the file is polled here, as in native aio.
    if blocks && place.is_submit() {
        match super::punt(context, run, List::Block, place)? {
            Punted::Queued => return Ok(()),
            Punted::Unable(back) => run = back,
        }
        run.private().policy.retry = List::Task;
    }
    loop {
        match super::arm(context, run, events, place)? {
            Waiting::Left => return Ok(()),
            // The wake may have been for other events.
            Waiting::Ready(next, 0) => run = next,
            // `poll` may wait by itself, for a FUSE server for example. If that was interrupted, its
            // mask is not valid.
            Waiting::Ready(run, _)
                if place.is_thread() && (run.is_cancelled() || context.is_dead()) =>
            {
                run.finish().complete_cancelled();
                return Ok(());
            }
            Waiting::Ready(run, _) if place.is_thread() && current!().signal_pending() => {
                engine::queue_in_order(context, run.finish(), List::Block);
                return Ok(());
            }
            Waiting::Ready(run, mask) => {
                run.finish().complete(poll::to_user(mask) as isize);
                return Ok(());
            }
            Waiting::Unable(run) if place.is_submit() => {
                run.finish().without_event();
                return Err(EINVAL);
            }
            Waiting::Unable(run) => {
                run.finish().complete(EINVAL.to_errno() as isize);
                return Ok(());
            }
            Waiting::Cancelled(run) => {
                run.finish().complete_cancelled();
                return Ok(());
            }
        }
    }
}
