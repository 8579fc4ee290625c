// SPDX-License-Identifier: GPL-2.0

//! What `src/pure/` uses of the kernel crate, for the host: the same names, and no more than it uses.

/// Attributes.
pub mod macros {
    pub use kunit::kunit_tests;
}

/// `kernel::page`.
pub mod page {
    /// Bits of an offset in a page.
    pub const PAGE_SHIFT: usize = 12;
    /// Bytes of a page.
    pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;
}

/// `kernel::prelude`.
pub mod prelude {
    /// A negative errno.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Error(i32);

    /// A result of the kernel's functions.
    pub type Result<T = (), E = Error> = core::result::Result<T, E>;

    /// Invalid argument.
    pub const EINVAL: Error = Error(-22);

    impl From<core::num::TryFromIntError> for Error {
        fn from(_: core::num::TryFromIntError) -> Error {
            EINVAL
        }
    }

    /// How memory is allocated.
    pub struct Flags;
    /// From any zone, for the current memory cgroup.
    pub const GFP_KERNEL_ACCOUNT: Flags = Flags;
    /// From any zone.
    pub const GFP_KERNEL: Flags = Flags;

    /// A vector whose growth may fail.
    #[derive(Default)]
    pub struct KVVec<T>(Vec<T>);

    /// As [`KVVec`].
    pub type KVec<T> = KVVec<T>;

    impl<T> KVVec<T> {
        /// An empty one.
        pub const fn new() -> Self {
            KVVec(Vec::new())
        }

        /// An empty one with room for so many.
        pub fn with_capacity(capacity: usize, _flags: Flags) -> Result<Self> {
            Ok(KVVec(Vec::with_capacity(capacity)))
        }

        /// Appends a value.
        pub fn push(&mut self, value: T, _flags: Flags) -> Result {
            self.0.push(value);
            Ok(())
        }
    }

    impl<T> core::ops::Deref for KVVec<T> {
        type Target = [T];

        fn deref(&self) -> &[T] {
            &self.0
        }
    }

    impl<T> core::ops::DerefMut for KVVec<T> {
        fn deref_mut(&mut self) -> &mut [T] {
            &mut self.0
        }
    }
}

/// `kernel::rbtree`.
pub mod rbtree {
    use crate::prelude::{Flags, Result};
    use std::collections::BTreeMap;

    /// A map.
    #[derive(Default)]
    pub struct RBTree<K, V>(BTreeMap<K, V>);

    impl<K: Ord, V> RBTree<K, V> {
        /// An empty one.
        pub const fn new() -> Self {
            RBTree(BTreeMap::new())
        }

        /// The value of `key`.
        pub fn get(&self, key: &K) -> Option<&V> {
            self.0.get(key)
        }

        /// Sets the value of `key`, and returns the one before.
        pub fn try_create_and_insert(&mut self, key: K, value: V, _: Flags) -> Result<Option<V>> {
            Ok(self.0.insert(key, value))
        }
    }
}
