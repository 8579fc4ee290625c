// SPDX-License-Identifier: GPL-2.0

//! Who ends a request from outside: its context, and its deadline.

use super::{End, Request};
use crate::state::Phase;
use loom::sync::atomic::{
    fence,
    Ordering::{AcqRel, SeqCst},
};

impl Request {
    /// Its context ends: `Context::kill`, `cancel::cancel_all`, and what was accepted is run.
    pub(crate) fn destroy(&self) {
        self.dead.swap(true, AcqRel);
        fence(SeqCst);
        self.lists.lock().unwrap().closing = true;
        self.cancel_for_end();
        self.work();
    }

    pub(super) fn cancel_for_end(&self) {
        if !self.accepted {
            self.cancel_one(self.end_of_cancelled());
        }
    }

    /// Its deadline is over: `Due::fired`.
    pub(crate) fn due(&self) {
        self.past.swap(true, AcqRel);
        fence(SeqCst);
        if !self.cancel_late() {
            self.seen.lock().unwrap().timer = true;
        }
    }

    /// `cancel::cancel_late`.
    pub(super) fn cancel_late(&self) -> bool {
        match self.cancel_one(End::Late) {
            Some(_) => true,
            None => !self.word().is_out(1, u32::MAX),
        }
    }

    /// After everybody has done what he had to, with a deadline that is over: nobody need come that it
    /// ends, but who holds it until then.
    pub(crate) fn expect_late(&self) {
        while std::mem::take(&mut self.seen.lock().unwrap().timer) {
            self.due();
        }
        let word = self.word();
        assert!(
            word.phase() == Phase::Free || word.is_ended(),
            "its deadline is forgotten: {:?}",
            word.phase()
        );
    }

    /// It waits for nobody, but a page: who ends the context is told of what is on a list.
    pub(crate) fn expect_ended(&self) {
        let phase = self.word().phase();
        assert!(
            matches!(phase, Phase::Free | Phase::Queued | Phase::PageArmed),
            "it is left as it is: {phase:?}"
        );
    }
}
