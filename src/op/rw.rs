// SPDX-License-Identifier: GPL-2.0

//! PREAD and PWRITE.

use super::Op;
use crate::{
    request::Request,
    sys::{
        fs::{
            Direction,
            Issued, //
        },
        uapi::iocb, //
    }, //
};
use kernel::prelude::*;

/// Checks a transfer, with native aio's errors in its order.
pub(super) fn prep(request: &mut Request, iocb: &iocb, direction: Direction) -> Result<Op> {
    request.prep_rw(
        direction,
        iocb.aio_offset,
        iocb.aio_rw_flags,
        iocb.aio_buf,
        usize::try_from(iocb.aio_nbytes)?,
    )?;
    Ok(Op::Rw)
}

/// Issues it in the submitting task: O_DIRECT is in flight afterwards, all else is over.
pub(super) fn issue(request: Request) {
    match request.issue_rw() {
        Issued::Over(request, result) => request.complete(result),
        Issued::InFlight => {}
    }
}
