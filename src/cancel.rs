// SPDX-License-Identifier: GPL-2.0

//! io_cancel.

use crate::context::Context;
use kernel::prelude::*;

/// Looks for the request that was submitted by the iocb at `address`, whose key is `key`.
///
/// EAGAIN if it is in flight: it can't be cancelled yet, and its event will come. EINVAL if there is no
/// such request. Process context.
pub(crate) fn cancel(context: &Context, address: u64, key: u32) -> Result {
    let named = context.keys().read(key);
    let found = context
        .pool()
        .is_in_flight(named.index, named.generation, named.mask, |shared| {
            shared.is_of(address)
        });
    Err(if found { EAGAIN } else { EINVAL })
}
