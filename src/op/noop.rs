// SPDX-License-Identifier: GPL-2.0

//! NOOP: nothing but the event.

use crate::request::Running;
use kernel::prelude::*;

/// Completes it.
pub(super) fn go(run: Running) -> Result {
    run.finish().complete(0);
    Ok(())
}
