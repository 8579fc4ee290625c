// SPDX-License-Identifier: GPL-2.0

//! Whether the memory of a transfer is there, and bringing it in without a wait.
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h) (`get_user_pages_*`),
//! [`include/linux/uio.h`](srctree/include/linux/uio.h)

use super::{
    bindings,
    fs::{
        Direction,
        Transfer, //
    },
    request::{
        Client,
        Owned,
        Run, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    types::Opaque, //
};

/// Whether the program's memory is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Memory {
    /// It is, or some of it was brought in.
    Present,
    /// It comes, or will when somebody serves the fault.
    Later,
    /// Who knows: a try must find out.
    Unknown,
}

/// The most that is brought in at once.
const FAULT_IN: usize = 16 * PAGE_SIZE;

impl<C: Client> Owned<C> {
    /// Whether the program's memory for what is left of the transfer is there, or can be brought in
    /// without waiting for anybody; `all` of it, or the next part.
    ///
    /// Process context, in the address space that the buffers are in.
    pub(crate) fn has_memory(&self, all: bool) -> bool {
        has_memory(self.transfer(), all)
    }
}

impl<C: Client> Run<C> {
    /// As [`Owned::has_memory`].
    pub(crate) fn has_memory(&self, all: bool) -> bool {
        has_memory(self.transfer(), all)
    }

    /// Brings in the next of the program's memory for what is left of the transfer, without waiting
    /// for anybody; `all` of it, or a part.
    ///
    /// Process context, in the address space that the buffers are in.
    pub(crate) fn fault_in(&self, all: bool) -> Memory {
        fault_in(self.transfer(), all)
    }
}

/// Whether the program's memory for what is left of the transfer is there, or can be brought in
/// without waiting for anybody; `all` of it, or the next part.
///
/// Process context, in the address space that the buffers are in.
fn has_memory(transfer: &Transfer, all: bool) -> bool {
    let write_to = match transfer.direction() {
        Some(Direction::Read) => bindings::FOLL_WRITE,
        _ => 0,
    };
    if transfer.left() == 0 || transfer.is_pinned() {
        return true;
    }
    // Mostly it is one piece in a page, and was touched just now.
    if let (0, Some(address)) = (transfer.done(), transfer.address()) {
        let in_page = transfer.left() <= PAGE_SIZE - address % PAGE_SIZE;
        // SAFETY: It looks at one address of the program, whatever that is.
        if in_page && unsafe { bindings::raio_helper_is_there(address, write_to != 0) } {
            return true;
        }
    }
    fault_in(transfer, all) != Memory::Later
}

/// Brings in the next of the program's memory for what is left of the transfer, without waiting
/// for anybody; `all` of it, or a part.
///
/// Process context, in the address space that the buffers are in.
fn fault_in(transfer: &Transfer, all: bool) -> Memory {
    if transfer.is_pinned() {
        // It is, so it is another fault that somebody asks for.
        return Memory::Unknown;
    }
    let write_to = match transfer.direction() {
        Some(Direction::Read) => bindings::FOLL_WRITE,
        _ => 0,
    };
    let iter = Opaque::<bindings::iov_iter>::uninit();
    // A stream gives no more at once, as a rule, and no datagram is larger.
    let most = if transfer.is_direct() {
        usize::MAX
    } else {
        FAULT_IN
    };
    let mut left = most.min(transfer.left());
    // SAFETY: `prep_rw` prepared it. The iterator is our own.
    let iter = unsafe {
        transfer.iterate(iter.get());
        iter.get()
    };
    let mut unknown = false;
    while left > 0 {
        // SAFETY: There is more in the iterator, which is over user memory. Without pages to
        // return, the call only faults; it checks the addresses.
        let (address, len, pages, got) = unsafe {
            let address = bindings::raio_helper_iter_address(iter);
            let len = bindings::raio_helper_iter_len(iter).min(left).min(FAULT_IN);
            let first = address & !(PAGE_SIZE - 1);
            let pages = (address % PAGE_SIZE + len).div_ceil(PAGE_SIZE);
            let flags = write_to | bindings::FOLL_NOWAIT | bindings::FOLL_HONOR_NUMA_FAULT;
            let got = bindings::get_user_pages_unlocked(
                first,
                pages,
                core::ptr::null_mut(),
                flags as c_uint,
            );
            (address, len, pages, got)
        };
        let done = match usize::try_from(got) {
            Ok(got) if got >= pages => len,
            // Some of it is enough to go on with.
            Ok(got) if got > 0 && !all => return Memory::Present,
            // The next page is another matter.
            Ok(got) if got > 0 => (got * PAGE_SIZE - address % PAGE_SIZE).min(len),
            Ok(_) => return Memory::Later,
            // Not mapped, or a device's: that says nothing of the rest.
            Err(_) => {
                unknown = true;
                (PAGE_SIZE - address % PAGE_SIZE).min(len)
            }
        };
        left -= done;
        // SAFETY: `done` is within what is left in the iterator.
        unsafe { bindings::iov_iter_advance(iter, done) };
    }
    if unknown {
        return Memory::Unknown;
    }
    Memory::Present
}
