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

/// When it is looked again at a request that is just on its way from one to another, in nanoseconds.
const SOON: i64 = 100_000;

/// The request can be cancelled from here on: it is, if its time is over. Any context.
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
        // Before it is cancelled: who ends it because of that looks here.
        this.past.xchg(true, Full);
        if cancel::cancel_late(context, this.key) {
            return;
        }
        // It has just been taken off a list, or its run has ended, and somebody else goes on with it.
        let at = wait::now().saturating_add(SOON);
        start_at(this, at);
    }
}
