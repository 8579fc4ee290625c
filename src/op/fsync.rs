// SPDX-License-Identifier: GPL-2.0

//! FSYNC, FDSYNC and SYNC_FILE_RANGE.
//!
//! They sleep. So a thread of the process runs them, after the earlier writes to the inode. If threads
//! may not run the file, submit does.

use super::{
    rw,
    Punted, //
};
use crate::{
    context::Context,
    engine::Place,
    pure::{
        lists::List,
        policy::{
            First,
            Policy, //
        }, //
    },
    request::{
        is_restart,
        Op,
        Request,
        Running,
        What, //
    },
    sys::{
        fs::{
            self,
            Range, //
        },
        task::{
            Caller,
            WorkerTask, //
        },
        uapi::{
            iocb,
            RAIO_IOCB_FLAG_RANGE, //
        },
        uio::Direction,
        vhost_task, //
    }, //
};
use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

/// Checks an FSYNC or FDSYNC, with the errors of native aio in its order.
pub(super) fn prep(request: &mut Request, iocb: &iocb, datasync: bool) -> Result {
    let range = if iocb.aio_flags & RAIO_IOCB_FLAG_RANGE != 0 {
        Range::new(iocb.aio_offset, iocb.aio_nbytes)?
    } else if iocb.aio_offset != 0 || iocb.aio_nbytes != 0 {
        return Err(EINVAL);
    } else {
        Range::ALL
    };
    if iocb.aio_buf != 0 || iocb.aio_rw_flags != 0 || !request.file().is_some_and(fs::has_fsync) {
        return Err(EINVAL);
    }
    begin(request, What::File { datasync }, range)
}

/// Checks a SYNC_FILE_RANGE, with the errors of sync_file_range(2).
pub(super) fn prep_pages(request: &mut Request, iocb: &iocb) -> Result {
    let flags = iocb.aio_rw_flags as u32;
    if iocb.aio_buf != 0 || flags & !fs::SYNC_FLAGS != 0 {
        return Err(EINVAL);
    }
    let range = Range::new(iocb.aio_offset, iocb.aio_nbytes)?;
    if !request.file().is_some_and(fs::can_sync_range) {
        return Err(ESPIPE);
    }
    let flags = flags as u8;
    begin(request, What::Pages { flags }, range)
}

fn begin(request: &mut Request, what: What, range: Range) -> Result {
    let file = request.file().ok_or(EBADF)?;
    let policy = Policy::of_fsync(fs::facts(file));
    let key = rw::key(file, policy.order, Direction::Write);
    request.begin(Op::Sync(what), &policy, key);
    request.set_range(range);
    Ok(())
}

/// Runs the fsync, or punts it to a thread. See [`super::go`].
pub(super) fn go(context: &Arc<Context>, mut run: Running, what: What, place: Place<'_>) -> Result {
    let here = place.is_thread() || run.private().policy.first == First::Block;
    let run = if here {
        run
    } else {
        match super::punt(context, run, List::Block, place)? {
            Punted::Queued => return Ok(()),
            // As native aio did before it had a work queue for fsync.
            Punted::Unable(run) => run,
        }
    };
    let result = sync(&run, what, place.caller());
    if place.is_thread() && (is_restart(result) || result == EINTR.to_errno() as isize) {
        let accepted = run.shared().is_accepted();
        if !accepted && (vhost_task::is_killed() || run.is_cancelled() || context.is_dead()) {
            run.finish().complete_cancelled();
            return Ok(());
        }
        if current!().signal_pending() {
            // A stop or the freezer: the request is run again after that. Or the process ends, and the
            // request is accepted: it is run again before the end.
            return super::punt(context, run, List::Block, place).map(|_| ());
        }
    }
    run.finish().complete(result);
    Ok(())
}

fn sync(run: &Running, what: What, caller: Caller<'_>) -> isize {
    let range = run.transfer().range();
    let may = caller.may_block();
    let result = match (run.file(), what) {
        (None, _) => Err(EBADF),
        (Some(file), What::File { datasync }) => fs::fsync(file, range, datasync, may),
        (Some(file), What::Pages { flags }) => fs::sync_range(file, range, flags.into(), may),
    };
    result.map_or_else(|e| e.to_errno() as isize, |()| 0)
}

/// See [`super::finish_accepted`].
pub(super) fn finish_accepted(run: Running, what: What, task: WorkerTask<'_>) {
    let result = sync(&run, what, Caller::Worker(task));
    run.finish().complete(result);
}
