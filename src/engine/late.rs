// SPDX-License-Identifier: GPL-2.0

//! What a deadline does when its time is over.

use super::cancel;
use crate::{
    request::deadline::{
        start_at,
        Deadline,
        Due, //
    },
    sys::{
        hrtimer::{
            Alarm,
            Alarmed, //
        },
        wait, //
    }, //
};
use kernel::sync::{
    atomic::ordering::{
        Acquire,
        Full, //
    },
    Arc, //
};

/// The delay of the next attempt to cancel a request that is between two owners, in nanoseconds.
const SOON: i64 = 100_000;

/// Called when the request can be cancelled again: cancels it if its time is over. Any context.
pub(crate) fn meet(deadline: &Deadline) {
    if let Some(context) = deadline.context.as_ref().filter(|_| deadline.is_past()) {
        cancel::cancel_late(context, deadline.key);
    }
}

impl Alarmed for Due {
    fn fired(this: Arc<Alarm<Self>>) {
        if this.over.load(Acquire) {
            return;
        }
        let Some(context) = &this.context else {
            return;
        };
        // Before the request is cancelled: the owner that ends it because of that reads `past`.
        this.past.xchg(true, Full);
        if cancel::cancel_late(context, this.key) {
            return;
        }
        // The request was just taken off a list, or its run has ended, and another owner continues it.
        let at = wait::now().saturating_add(SOON);
        start_at(this, at);
    }
}
