// SPDX-License-Identifier: GPL-2.0

//! What a context knows of whom it was set up through: whom to wake, and whom to tell of its end.

use crate::sys::{
    poll_queue::PollQueue,
    wait::Shown, //
};
use kernel::sync::Arc;

/// Where contexts are registered.
pub(crate) trait Register: Send + Sync {
    /// The context that has this number there has ended. Process context.
    fn left(&self, serial: u64);
}

/// A context's entry there.
pub(crate) struct Membership {
    register: Arc<dyn Register>,
    pollers: Arc<PollQueue>,
    serial: u64,
}

impl Membership {
    /// The entry with that number, whose `pollers` are to be woken.
    pub(crate) fn new(register: Arc<dyn Register>, pollers: Arc<PollQueue>, serial: u64) -> Self {
        Membership {
            register,
            pollers,
            serial,
        }
    }

    /// Its number.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// The context has ended. Process context.
    pub(crate) fn leave(&self) {
        self.register.left(self.serial);
    }

    /// Whether somebody polls. Any context.
    pub(crate) fn has_pollers(&self) -> bool {
        self.pollers.has_pollers()
    }

    /// The context has events, which were written before `shown`. Any context but a wake function.
    #[inline]
    pub(crate) fn wake_pollers(&self, shown: &Shown) {
        self.pollers.wake_readable(shown);
    }
}
