// SPDX-License-Identifier: GPL-2.0

//! Claims: how many threads there have to be for the requests that there are.

use crate::pure::lists::List;

/// What a request wants of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    /// Tries that don't block.
    Own,
    /// To block, perhaps for ever.
    Block,
}

impl Claim {
    /// What a request that goes to `list` wants.
    pub(crate) fn of(list: List) -> Self {
        match list {
            List::Page | List::Block => Claim::Block,
            _ => Claim::Own,
        }
    }
}

/// Requests with claims, of each kind.
#[derive(Clone, Copy, Default)]
pub(crate) struct Claims {
    own: u32,
    block: u32,
}

impl Claims {
    fn of(&mut self, claim: Claim) -> &mut u32 {
        match claim {
            Claim::Own => &mut self.own,
            Claim::Block => &mut self.block,
        }
    }

    /// Adds one.
    pub(crate) fn add(&mut self, claim: Claim) {
        let count = self.of(claim);
        *count = count.saturating_add(1);
    }

    /// Gives one back.
    pub(crate) fn remove(&mut self, claim: Claim) {
        let count = self.of(claim);
        *count = count.saturating_sub(1);
    }

    /// Whether there is one to what does not block.
    pub(crate) fn has_own(self) -> bool {
        self.own > 0
    }

    /// The threads that they need: what blocks must not keep what does not from being run.
    pub(crate) fn threads(self) -> u32 {
        u32::from(self.own > 0) + u32::from(self.block > 0)
    }
}
