// SPDX-License-Identifier: GPL-2.0

//! `aio_key` names a request in flight, so that io_cancel finds it at once.
//!
//! The low bits are the request's index in its pool, the other bits are the low bits of its generation.

use super::state::Word;

/// How a context encodes its keys.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    index_bits: u32,
}

/// A decoded key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    /// The index of the request.
    pub(crate) index: u32,
    /// The generation of the request, as far as `mask` goes.
    pub(crate) generation: u32,
    /// The bits of the generation that the key holds.
    pub(crate) mask: u32,
}

impl Keys {
    /// Keys for indices less than `capacity`.
    pub(crate) fn new(capacity: usize) -> Self {
        let bits = usize::BITS - capacity.saturating_sub(1).leading_zeros();
        Keys {
            index_bits: bits.min(u32::BITS - 1),
        }
    }

    fn index_mask(self) -> u32 {
        (1 << self.index_bits) - 1
    }

    /// The key of request `index` in generation `generation`.
    pub(crate) fn make(self, index: u32, generation: u32) -> u32 {
        (index & self.index_mask()) | (generation << self.index_bits)
    }

    /// Decodes `key`, which comes from a program.
    pub(crate) fn read(self, key: u32) -> Named {
        let bits = (u32::BITS - self.index_bits).min(Word::GENERATION_BITS);
        Named {
            index: key & self.index_mask(),
            generation: key >> self.index_bits,
            mask: (1 << bits) - 1,
        }
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_key)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_index_and_generation() {
        for capacity in [1, 2, 32, 33, 64, 160, 65568, 1 << 23] {
            let keys = Keys::new(capacity);
            let index = capacity as u32 - 1;
            for generation in [0, 1, 2, 255, 0xff_ffff] {
                let named = keys.read(keys.make(index, generation));
                assert_eq!(named.index, index);
                assert_eq!((named.generation ^ generation) & named.mask, 0);
            }
        }
    }

    #[test]
    fn other_generations_have_other_keys() {
        let keys = Keys::new(65568);
        assert!(keys.make(7, 1) != keys.make(7, 2));
        assert!(keys.read(0).mask >= 0x7fff);
        assert_eq!(
            Keys::new(64).read(u32::MAX).mask,
            (1 << Word::GENERATION_BITS) - 1
        );
    }
}
