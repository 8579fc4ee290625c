// SPDX-License-Identifier: GPL-2.0

//! The memory of a transfer: iterators over the buffers of an iocb.

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

/// The memory that `iter` is over.
///
/// # Safety
///
/// `iter` is initialised and was not advanced.
pub(in crate::sys) unsafe fn memory_of(iter: *const bindings::iov_iter) -> Memory {
    // SAFETY: By this function's requirements all of `iter` is initialised, and its type says which
    // field of the union is valid. This only reads memory: any context.
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
            // `import_iovec()` turns an array of one segment into a plain buffer.
            _ => Memory::Buffer(at.ubuf.addr()),
        }
    }
}

/// The number of bytes of an iterator.
///
/// # Safety
///
/// `iter` is initialised.
pub(in crate::sys) unsafe fn iter_count(iter: *const bindings::iov_iter) -> usize {
    // SAFETY: By this function's requirements `iter` is initialised. The count is at the same place
    // for all types.
    unsafe { (*iter).__bindgen_anon_1.__bindgen_anon_1.as_ref().count }
}

/// Imports the `nr` segments of the array at `address`.
///
/// # Safety
///
/// The same as for `import` in `request::prepare`.
pub(in crate::sys) unsafe fn import_segments(
    transfer: &mut Transfer,
    iter: *mut bindings::iov_iter,
    direction: Direction,
    address: u64,
    nr: usize,
) -> Result {
    let (mut segments, room) = transfer.segments.room(nr)?;
    // SAFETY: By this function's requirements transfer and iterator are ours, and the current task
    // may sleep for the program's memory. The import checks the addresses, and may shorten the
    // length. It allocates nothing: there is room for all segments, or it refuses as many. The
    // segments stay in place: a slot does not move, and its transfer is forgotten before it is
    // prepared anew.
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

/// Looks up the imported segments in `pinned`, and replaces them by the pinned memory. EFAULT if
/// they do not all lie there, ENOMEM.
///
/// # Safety
///
/// The same as for `import` in `request::prepare`; `iter` is over the imported segments.
pub(in crate::sys) unsafe fn import_pinned_segments(
    transfer: &mut Transfer,
    iter: *mut bindings::iov_iter,
    direction: Direction,
    pinned: &PinnedBuffer,
) -> Result {
    let mut parts = KVec::new();
    // SAFETY: By this function's requirements `iter` is initialised, over the imported segments.
    let len = unsafe { iter_count(iter) };
    if len == 0 {
        // The iterator is empty and stays as it is.
        return Ok(());
    }
    // Empty segments lie in no buffer. This skips those at the start.
    // SAFETY: `iter` is ours, over the imported segments. It is advanced by no more than it has.
    // The call only reads the segments, in any context.
    unsafe { bindings::iov_iter_advance(iter, 0) };
    let mut left = len;
    while left > 0 {
        // SAFETY: The iterator is not at its end. It is over segments or one buffer of the program,
        // which the helpers can read. They do not access the memory itself.
        let (address, len) = unsafe {
            (
                bindings::raio_helper_iter_address(iter),
                bindings::raio_helper_iter_len(iter).min(left),
            )
        };
        pinned.collect(address, len, &mut parts)?;
        // SAFETY: `iter` is ours and initialised, and has at least `len` bytes left, as `len` is at
        // most `left`.
        unsafe { bindings::iov_iter_advance(iter, len) };
        left -= len;
    }
    let nr = parts.len();
    let parts = transfer.segments.replace(parts);
    // SAFETY: `iter` is valid for writes. The transfer owns the parts. Their pages are kept by
    // `pinned`, which the transfer will take over. The parts have `len` bytes, as `collect` has
    // found all of them. This only writes memory.
    unsafe { bindings::raio_helper_import_bvec(iter, direction.rw(), parts, nr, 0, len) };
    Ok(())
}
