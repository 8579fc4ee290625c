// SPDX-License-Identifier: GPL-2.0

//! Where the memory of a transfer is: iterators over what a program has described.

use super::{
    transfer::Memory,
    Transfer, //
};
use crate::sys::{
    bindings,
    pinned::PinnedBuffer,
    uio::Direction, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// What `iter` is over.
///
/// # Safety
///
/// It is initialised and was not advanced.
pub(in crate::sys) unsafe fn memory_of(iter: *const bindings::iov_iter) -> Memory {
    // SAFETY: By the requirement all of it is initialised, and the type says which field of the
    // union it is. Memory is read: any context.
    unsafe {
        let at = (*iter)
            .__bindgen_anon_1
            .__bindgen_anon_1
            .as_ref()
            .__bindgen_anon_1;
        let nr = (*iter).__bindgen_anon_2.nr_segs;
        match u32::from((*iter).iter_type) {
            bindings::iter_type_ITER_BVEC => Memory::Parts(at.bvec, nr, (*iter).iov_offset),
            bindings::iter_type_ITER_IOVEC => Memory::Segments(at.__iov, nr),
            // An array of one is none.
            _ => Memory::Buffer(at.ubuf.addr()),
        }
    }
}

/// The bytes of an iterator.
///
/// # Safety
///
/// `iter` is initialised.
pub(in crate::sys) unsafe fn iter_count(iter: *const bindings::iov_iter) -> usize {
    // SAFETY: By the requirement it is initialised; all of the union's kinds have the count there.
    unsafe { (*iter).__bindgen_anon_1.__bindgen_anon_1.as_ref().count }
}

/// Imports the `nr` segments of the array at `address`.
///
/// # Safety
///
/// As of `import()` in `rust/request/prepare.rs`.
pub(in crate::sys) unsafe fn import_segments(
    transfer: &mut Transfer,
    iter: *mut bindings::iov_iter,
    direction: Direction,
    address: u64,
    nr: usize,
) -> Result {
    let (mut segments, room) = transfer.segments.room(nr)?;
    // SAFETY: By the requirement transfer and iterator are ours, and the current task may sleep for
    // the program's memory. The import checks the addresses, and may shorten the length. It
    // allocates nothing, as there is room, or refuses so many. What is in place stays there: a slot
    // does not move, and its transfer is forgotten before it is prepared anew.
    let result = unsafe {
        bindings::import_iovec(
            direction.rw(),
            address as *const bindings::iovec,
            c_uint::try_from(nr).map_err(|_| EINVAL)?,
            room as c_uint,
            &raw mut segments,
            iter,
        )
    };
    to_result(result.min(0) as c_int)
}

/// Finds the segments that were imported in `pinned`, and replaces them by what is there. EFAULT if
/// they are not all there, ENOMEM.
///
/// # Safety
///
/// As of `import()` in `rust/request/prepare.rs`; `iter` is over what was imported.
pub(in crate::sys) unsafe fn import_pinned_segments(
    transfer: &mut Transfer,
    iter: *mut bindings::iov_iter,
    direction: Direction,
    pinned: &PinnedBuffer,
) -> Result {
    let mut parts = KVec::new();
    // SAFETY: By the requirement `iter` is initialised, over what was imported.
    let len = unsafe { iter_count(iter) };
    if len == 0 {
        // It is over no memory as it is.
        return Ok(());
    }
    // Segments without a byte lie nowhere; this goes over those at the start.
    // SAFETY: `iter` is ours, over what was imported. It is advanced by no more than it has: it
    // only reads the segments, in any context.
    unsafe { bindings::iov_iter_advance(iter, 0) };
    let mut left = len;
    while left > 0 {
        // SAFETY: There is more in the iterator, which is over segments, or one buffer, of the
        // program: those kinds are what the helpers read. What is there is not touched.
        let (address, len) = unsafe {
            (
                bindings::raio_helper_iter_address(iter),
                bindings::raio_helper_iter_len(iter).min(left),
            )
        };
        pinned.collect(address, len, &mut parts)?;
        // SAFETY: `iter` is ours and initialised, and has `len` bytes more, as that is at most
        // `left`.
        unsafe { bindings::iov_iter_advance(iter, len) };
        left -= len;
    }
    let nr = parts.len();
    let parts = transfer.segments.replace(parts);
    // SAFETY: `iter` is valid for writes. The transfer has the parts, of pages that `pinned` keeps,
    // which it is to take over; they have `len` bytes, as `collect` has found all. Memory is
    // written.
    unsafe { bindings::raio_helper_import_bvec(iter, direction.rw(), parts, nr, 0, len) };
    Ok(())
}
