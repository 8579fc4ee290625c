// SPDX-License-Identifier: MIT OR Apache-2.0

/// `struct iovec`.  The fields are addresses, so that it is `Send`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct IoVec {
    pub(crate) base: usize,
    pub(crate) len: usize,
}

const _: () = assert!(size_of::<IoVec>() == size_of::<libc::iovec>());

impl IoVec {
    /// The bytes that are pinned with it, which are whole pages.
    pub(crate) fn pinned(&self, page: usize) -> u64 {
        (self.base % page + self.len).next_multiple_of(page) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_are_whole_pages() {
        let pinned = |base, len| IoVec { base, len }.pinned(4096);
        assert_eq!(pinned(4096, 4096), 4096);
        assert_eq!(pinned(8191, 2), 8192);
        assert_eq!(pinned(0, 0), 0);
    }
}
