// SPDX-License-Identifier: GPL-2.0

//! io_cancel.

use crate::context::Context;
use kernel::prelude::*;

/// Asks for the cancellation of the request that was submitted by the iocb at `address`, whose
/// key is `key`.
///
/// EAGAIN if it is in flight: it can't be stopped, and its event will come. EINVAL if there is no
/// such request. Process context.
pub(crate) fn cancel(context: &Context, address: u64, key: u32) -> Result {
    let named = context.keys().read(key);
    let found = context
        .pool()
        .cancel(named.index, named.generation, named.mask, |shared| {
            shared.is_of(address)
        });
    Err(if found { EAGAIN } else { EINVAL })
}
