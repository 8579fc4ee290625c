// SPDX-License-Identifier: GPL-2.0

//! Large folios that several buffers of a table lie in: which buffer pays for each. Bookkeeping alone.
//!
//! Buffers are numbered in order of registration. The first buffer that lies in a folio pays for it.
//! Any other buffer in that folio keeps it pinned too, and so holds the charge of the first, once.

use kernel::{
    prelude::*,
    rbtree::RBTree, //
};

/// What a buffer has to do for a folio that it lies in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Met {
    /// It pays for the folio.
    New,
    /// Nothing: the folio was met before.
    Known,
    /// It holds the charge of that buffer.
    PaidBy(usize),
}

/// The large folios that the buffers of a table have met.
pub(crate) struct Folios {
    /// The buffer that pays, by folio.
    payers: RBTree<usize, usize>,
    /// For each buffer, the last one that holds its charge.
    kept_by: KVVec<usize>,
}

impl Folios {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Folios {
            payers: RBTree::new(),
            kept_by: KVVec::new(),
        }
    }

    /// Begins the next buffer and returns its number. Fails with ENOMEM.
    pub(crate) fn next_buffer(&mut self) -> Result<usize> {
        let buffer = self.kept_by.len();
        self.kept_by.push(buffer, GFP_KERNEL_ACCOUNT)?;
        Ok(buffer)
    }

    /// The last buffer lies in `folio`. The number must stay that folio's for as long as a charge for
    /// it exists. Fails with ENOMEM.
    pub(crate) fn meet(&mut self, folio: usize) -> Result<Met> {
        let buffer = self.kept_by.len().saturating_sub(1);
        let Some(&payer) = self.payers.get(&folio) else {
            self.payers
                .try_create_and_insert(folio, buffer, GFP_KERNEL_ACCOUNT)?;
            return Ok(Met::New);
        };
        match self.kept_by.get_mut(payer) {
            Some(kept_by) if *kept_by != buffer => {
                *kept_by = buffer;
                Ok(Met::PaidBy(payer))
            }
            _ => Ok(Met::Known),
        }
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_folios)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pays_and_once() {
        let mut folios = Folios::new();
        assert_eq!(folios.next_buffer(), Ok(0));
        assert_eq!(folios.meet(64), Ok(Met::New));
        assert_eq!(folios.meet(64), Ok(Met::Known));
        assert_eq!(folios.meet(128), Ok(Met::New));
        assert_eq!(folios.meet(64), Ok(Met::Known));
    }

    #[test]
    fn others_keep_its_charge_once() {
        let mut folios = Folios::new();
        assert_eq!(folios.next_buffer(), Ok(0));
        assert_eq!(folios.meet(64), Ok(Met::New));
        assert_eq!(folios.meet(128), Ok(Met::New));
        assert_eq!(folios.next_buffer(), Ok(1));
        assert_eq!(folios.meet(64), Ok(Met::PaidBy(0)));
        assert_eq!(folios.meet(192), Ok(Met::New));
        assert_eq!(folios.meet(128), Ok(Met::Known));
        assert_eq!(folios.meet(192), Ok(Met::Known));
        assert_eq!(folios.next_buffer(), Ok(2));
        assert_eq!(folios.meet(192), Ok(Met::PaidBy(1)));
        assert_eq!(folios.meet(64), Ok(Met::PaidBy(0)));
        assert_eq!(folios.meet(64), Ok(Met::Known));
    }
}
