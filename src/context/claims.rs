// SPDX-License-Identifier: GPL-2.0

//! Claims: how many threads there must be for the requests of a context.

use crate::pure::lists::List;

/// What a request needs a thread for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    /// Tries that don't block.
    Own,
    /// Tries that may block, perhaps for ever.
    Block,
}

impl Claim {
    /// The claim of a request that goes to `list`.
    pub(crate) fn of(list: List) -> Self {
        match list {
            List::Page | List::Block => Claim::Block,
            _ => Claim::Own,
        }
    }
}

/// The number of requests with a claim, of each kind.
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

    /// Adds a claim.
    pub(crate) fn add(&mut self, claim: Claim) {
        let count = self.of(claim);
        *count = count.saturating_add(1);
    }

    /// Gives a claim back.
    pub(crate) fn remove(&mut self, claim: Claim) {
        let count = self.of(claim);
        *count = count.saturating_sub(1);
    }

    /// Whether there is a claim for tries that don't block.
    pub(crate) fn has_own(self) -> bool {
        self.own > 0
    }

    /// The number of threads that the claims need: a blocked thread must not keep other tries from
    /// being run.
    pub(crate) fn threads(self) -> u32 {
        u32::from(self.own > 0) + u32::from(self.block > 0)
    }
}
