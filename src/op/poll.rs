// SPDX-License-Identifier: GPL-2.0

//! POLL: waits until a file is ready, once.

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

/// Checks it, with native aio's errors in its order.
pub(super) fn prep(request: &mut Request, iocb: &iocb, cache: &mut FileCache<'_>) -> Result {
    // Reject what is no event mask.
    let mask = u16::try_from(iocb.aio_buf).map_err(|_| EINVAL)?;
    if iocb.aio_offset != 0 || iocb.aio_nbytes != 0 || iocb.aio_rw_flags != 0 {
        return Err(EINVAL);
    }
    let file = request.file().ok_or(EBADF)?;
    let (_, facts) = cache.open().ok_or(EBADF)?;
    let policy = Policy::of_poll(*facts, fs::is_fuse(file));
    let events = poll::from_user(mask) | poll::ALWAYS;
    // What has no wait queue is ready for what it is ready for, or never.
    if !poll::can_poll(file) && poll::ALWAYS_READY & events == 0 {
        return Err(EINVAL);
    }
    request.begin(Op::Poll { events }, &policy, 0);
    Ok(())
}

/// Completes it if the file is ready, or arms it. See [`super::go`].
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
    // Where there can be no thread, it is asked here, as by native aio.
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
            // Kicked, perhaps for what it does not wait for.
            Waiting::Ready(next, 0) => run = next,
            // A wait of its own, for a server say, that was ended is no answer.
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
