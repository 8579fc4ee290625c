// SPDX-License-Identifier: GPL-2.0

//! FSYNC and FDSYNC.
//!
//! They sleep, so a thread of the process runs them, after the writes of the inode that were
//! taken before.

use super::{
    rw,
    Op,
    Punted, //
};
use crate::{
    context::Context,
    lists::List,
    request::{
        is_restart,
        Request,
        Running, //
    },
    retry::Whence,
    sys::{
        fs::{
            self,
            Direction, //
        },
        uapi::iocb,
        vhost_task, //
    },
    way::Way, //
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
    let way = Way::of_fsync();
    let file = request.file().ok_or(EBADF)?;
    let key = rw::key(file, way.order, Direction::Write);
    let op = Op::Fsync { datasync };
    request.private().begin(op, &way, key);
    Ok(())
}

/// Runs it, or hands it to a thread. See [`super::go`].
pub(super) fn go(context: &Arc<Context>, run: Running, datasync: bool, whence: Whence) -> Result {
    let run = if whence == Whence::Thread {
        run
    } else {
        match super::punt(context, run, List::Block, whence)? {
            Punted::Queued => return Ok(()),
            // As native aio did before it had a work queue.
            Punted::Unable(run) => run,
        }
    };
    let result = match run.file() {
        Some(file) => fs::fsync(file, datasync),
        None => Err(EBADF),
    };
    let result = result.map_or_else(|e| e.to_errno() as isize, |()| 0);
    if whence == Whence::Thread && (is_restart(result) || result == EINTR.to_errno() as isize) {
        if vhost_task::is_killed() || run.is_cancelled() || context.is_dead() {
            run.finish().complete(ECANCELED.to_errno() as isize);
            return Ok(());
        }
        if !current!().signal_pending() {
            run.finish().complete(EINTR.to_errno() as isize);
            return Ok(());
        }
        // A stop, or the freezer: it is run again after that.
        return super::punt(context, run, List::Block, whence).map(|_| ());
    }
    run.finish().complete(result);
    Ok(())
}
