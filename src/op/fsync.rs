// SPDX-License-Identifier: GPL-2.0

//! FSYNC and FDSYNC.
//!
//! They sleep, so a worker runs them, with the submitter's credentials.

use super::Op;
use crate::{
    request::Request,
    sys::{
        cred,
        fs,
        uapi::iocb,
        workqueue, //
    }, //
};
use kernel::prelude::*;

/// Checks it, with native aio's errors in its order.
pub(super) fn prep(request: &mut Request, iocb: &iocb, datasync: bool) -> Result<Op> {
    if iocb.aio_buf != 0
        || iocb.aio_offset != 0
        || iocb.aio_nbytes != 0
        || iocb.aio_rw_flags != 0
        || !request.file().is_some_and(fs::has_fsync)
    {
        return Err(EINVAL);
    }
    request.private().cred = Some(cred::current());
    Ok(Op::Fsync { datasync })
}

/// Hands it to a worker.
pub(super) fn issue(mut request: Request, op: Op) {
    request.private().queued = Some(op);
    if let Err(request) = request.queue(workqueue::unbound()) {
        request.complete(EINVAL.to_errno() as isize);
    }
}

/// Runs it. Process context, a worker.
pub(super) fn run(mut request: Request, datasync: bool) {
    let cred = request.private().cred.take();
    let result = match (request.file(), &cred) {
        (Some(file), Some(cred)) => cred::with(cred, || fs::fsync(file, datasync)),
        _ => Err(EBADF),
    };
    drop(cred);
    request.complete(result.map_or_else(|e| e.to_errno() as isize, |()| 0));
}
