// SPDX-License-Identifier: GPL-2.0

//! FSYNC and FDSYNC.
//!
//! They sleep, so a thread of the process runs them, after the writes of the inode that were
//! taken before; but in submit those of files of which nobody has looked whether a thread may.

use super::{
    rw,
    Op,
    Punted, //
};
use crate::{
    context::Context,
    lists::List,
    policy::{
        First,
        Policy, //
    },
    request::{
        is_restart,
        Request,
        Running, //
    },
    retry::Place,
    sys::{
        fs::{
            self,
            Direction, //
        },
        task::{
            Caller,
            WorkerTask, //
        },
        uapi::iocb,
        vhost_task, //
    }, //
};
use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

/// Checks it, with native aio's errors in its order.
pub(super) fn prep(request: &mut Request, iocb: &iocb, datasync: bool) -> Result {
    if iocb.aio_buf != 0
        || iocb.aio_offset != 0
        || iocb.aio_nbytes != 0
        || iocb.aio_rw_flags != 0
        || !request.file().is_some_and(fs::has_fsync)
    {
        return Err(EINVAL);
    }
    let file = request.file().ok_or(EBADF)?;
    let policy = Policy::of_fsync(fs::facts(file));
    let key = rw::key(file, policy.order, Direction::Write);
    let op = Op::Fsync { datasync };
    request.begin(op, &policy, key);
    Ok(())
}

/// Runs it, or hands it to a thread. See [`super::go`].
pub(super) fn go(
    context: &Arc<Context>,
    mut run: Running,
    datasync: bool,
    place: Place<'_>,
) -> Result {
    let here = place.is_thread() || run.private().policy.first == First::Block;
    let run = if here {
        run
    } else {
        match super::punt(context, run, List::Block, place)? {
            Punted::Queued => return Ok(()),
            // As native aio did before it had a work queue.
            Punted::Unable(run) => run,
        }
    };
    let result = sync(&run, datasync, place.caller());
    if place.is_thread() && (is_restart(result) || result == EINTR.to_errno() as isize) {
        let accepted = run.shared().is_accepted();
        if !accepted && (vhost_task::is_killed() || run.is_cancelled() || context.is_dead()) {
            run.finish().complete(ECANCELED.to_errno() as isize);
            return Ok(());
        }
        if current!().signal_pending() {
            // A stop, or the freezer: it is run again after that. Or the end, before which it is.
            return super::punt(context, run, List::Block, place).map(|_| ());
        }
    }
    run.finish().complete(result);
    Ok(())
}

fn sync(run: &Running, datasync: bool, caller: Caller<'_>) -> isize {
    let result = match run.file() {
        Some(file) => fs::fsync(file, datasync, caller.may_block()),
        None => Err(EBADF),
    };
    result.map_or_else(|e| e.to_errno() as isize, |()| 0)
}

/// See [`super::finish_accepted`].
pub(super) fn finish_accepted(run: Running, datasync: bool, task: WorkerTask<'_>) {
    let result = sync(&run, datasync, Caller::Worker(task));
    run.finish().complete(result);
}
