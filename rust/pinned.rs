// SPDX-License-Identifier: GPL-2.0

//! Registered buffers: memory of a program that stays pinned, for many transfers.
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h) (`pin_user_pages_fast`),
//! [`include/linux/bvec.h`](srctree/include/linux/bvec.h)

use super::{
    bindings,
    mm::PinnedCharge,
    uio::Direction,
    workqueue, //
};
use crate::pure::{
    folios::{
        Folios,
        Met, //
    },
    span::Span, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    impl_has_work,
    new_work,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::Arc,
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

/// The maximum size of a buffer, in bytes, as for io_uring.
const MAX_LEN: usize = 1 << 30;
/// The maximum number of bytes of one transfer, MAX_RW_COUNT.
const MAX_TRANSFER: usize = i32::MAX as usize & !(PAGE_SIZE - 1);

/// The maximum number of pages that are pinned before they are charged.
const MAX_UNCHARGED: usize = 1 << 9;

/// The account of the buffers of a table. Each large folio is charged once, and as a whole, since
/// one pinned page keeps all of it. Small pages are charged each time they are pinned.
pub(crate) struct Account {
    folios: Folios,
    /// The charges, indexed by buffer number.
    charges: KVVec<Arc<PinnedCharge>>,
}

impl Account {
    /// An account without buffers.
    pub(crate) fn new() -> Self {
        Account {
            folios: Folios::new(),
            charges: KVVec::new(),
        }
    }
}

/// The charges for one buffer: its own, and those of other buffers of the table that it keeps.
struct Bill<'a> {
    account: &'a mut Account,
    own: PinnedCharge,
    kept: KVVec<Arc<PinnedCharge>>,
    /// The folio of the previous page.
    last: usize,
}

impl<'a> Bill<'a> {
    /// Creates the bill of the next buffer in the table. Process context.
    fn new(account: &'a mut Account) -> Result<Self> {
        account.folios.next_buffer()?;
        Ok(Bill {
            account,
            own: PinnedCharge::new(0)?,
            kept: KVVec::new(),
            last: 0,
        })
    }

    /// Charges the memory that the pinned `pages` keep. ENOMEM beyond RLIMIT_MEMLOCK.
    fn charge(&mut self, pages: &[*mut bindings::page]) -> Result {
        let mut nr = 0;
        for &page in pages {
            // SAFETY: The caller has pinned the page, so it is valid, and its folio is not split.
            // This only reads words of them: any context.
            let (shift, folio) = unsafe {
                (
                    bindings::raio_helper_folio_shift(page) as usize,
                    bindings::raio_helper_folio_id(page),
                )
            };
            if shift == PAGE_SHIFT {
                nr += 1;
            } else if folio != self.last {
                match self.account.folios.meet(folio)? {
                    Met::New => nr += 1 << (shift - PAGE_SHIFT),
                    Met::Known => (),
                    Met::PaidBy(payer) => {
                        let charge = self.account.charges.get(payer).ok_or(EINVAL)?;
                        self.kept.push(charge.clone(), GFP_KERNEL_ACCOUNT)?;
                    }
                }
            }
            self.last = folio;
        }
        self.own.add(nr)
    }

    /// Returns the charges that the buffer must keep.
    fn settle(mut self) -> Result<KVVec<Arc<PinnedCharge>>> {
        let own = Arc::new(self.own, GFP_KERNEL_ACCOUNT)?;
        self.kept.push(own.clone(), GFP_KERNEL_ACCOUNT)?;
        self.account.charges.push(own, GFP_KERNEL_ACCOUNT)?;
        Ok(self.kept)
    }
}

/// Pinned pages.
///
/// # Invariants
///
/// Each page is pinned by `pin_user_pages_fast()`, and its pin is ours.
struct Pages(KVVec<*mut bindings::page>);

impl Pages {
    /// Pins `nr` pages of the current address space for writing, from that of `address` on, and
    /// charges them to `bill`.
    ///
    /// EFAULT, ENOMEM, EINTR. Process context, sleeps.
    fn pin(address: usize, nr: usize, bill: &mut Bill<'_>) -> Result<Self> {
        let first = address & !(PAGE_SIZE - 1);
        let mut pages = Pages(KVVec::with_capacity(nr, GFP_KERNEL_ACCOUNT)?);
        while pages.0.len() < nr {
            let have = pages.0.len();
            let wanted = c_int::try_from((nr - have).min(MAX_UNCHARGED))?;
            let flags = bindings::FOLL_WRITE | bindings::FOLL_LONGTERM;
            // SAFETY: There is room for `nr` pointers, `have` of them are used, and `wanted` is no
            // more than the rest. The call checks the addresses. It sleeps, and takes mmap_lock of
            // the current task's address space: this is process context without locks, and
            // `Bill::new` has checked that there is an address space.
            let got = unsafe {
                bindings::pin_user_pages_fast(
                    first + have * PAGE_SIZE,
                    wanted,
                    flags as c_uint,
                    pages.0.as_mut_ptr().add(have),
                )
            };
            let got = match usize::try_from(got) {
                Ok(0) => return Err(EFAULT),
                Ok(got) => got,
                Err(_) => return Err(Error::from_errno(got)),
            };
            // INVARIANT: The call pinned `got` more pages.
            // SAFETY: `got` is at most `wanted`, for which there is room, and the call has
            // initialised them.
            unsafe { pages.0.inc_len(got) };
            bill.charge(pages.0.get(have..).unwrap_or_default())?;
        }
        Ok(pages)
    }

    /// The size of the parts in which the pages can be described, as the base 2 logarithm of bytes,
    /// and the index of the first page in its part. Parts are large folios if all pages are in
    /// folios of the same size; otherwise they are pages.
    fn shape(&self) -> (usize, usize) {
        let Some(&head) = self.0.first() else {
            return (PAGE_SHIFT, 0);
        };
        // SAFETY: By the invariants the page is pinned, so it is valid, and its folio is not split.
        // This only reads words of them: any context.
        let (shift, first) = unsafe {
            (
                bindings::raio_helper_folio_shift(head) as usize,
                bindings::raio_helper_folio_page_index(head),
            )
        };
        let per_part = 1 << (shift - PAGE_SHIFT);
        let alike = self.0.iter().enumerate().all(|(i, &page)| {
            let within = (first + i) % per_part;
            // SAFETY: By the invariants all pages are pinned, so they are valid, and no folio is
            // split. This only reads words of them: any context.
            unsafe {
                bindings::raio_helper_folio_shift(page) as usize == shift
                    && bindings::raio_helper_folio_page_index(page) == within
                    && (within == 0
                        || i == 0
                        || bindings::raio_helper_is_same_folio(page, self.0[i - 1]))
            }
        });
        if alike {
            (shift, first)
        } else {
            (PAGE_SHIFT, 0)
        }
    }
}

impl Drop for Pages {
    /// May sleep.
    fn drop(&mut self) {
        // SAFETY: By the invariants the pins are ours. The pages are not used any more: the last
        // reference to the buffer is gone. They are marked dirty, as transfers may have written to
        // them. Locking a page may sleep: `put` leaves a last reference to the work queue, as its
        // callers must not sleep.
        unsafe {
            bindings::unpin_user_pages_dirty_lock(self.0.as_mut_ptr(), self.0.len(), true);
        }
    }
}

/// A registered buffer.
///
/// # Invariants
///
/// `parts` describe `span` of the memory of `pages`, divided into the parts of `span`.
#[pin_data]
pub(crate) struct PinnedBuffer {
    span: Span,
    parts: KVVec<bindings::bio_vec>,
    pages: Pages,
    /// Drops a last reference that was given up where sleeping is not allowed.
    #[pin]
    last: Work<PinnedBuffer>,
    // Dropped after the pages that are charged.
    charges: KVVec<Arc<PinnedCharge>>,
}

impl_has_work! {
    impl HasWork<PinnedBuffer> for PinnedBuffer { self.last }
}

impl WorkItem for PinnedBuffer {
    type Pointer = Arc<PinnedBuffer>;

    fn run(buffer: Arc<PinnedBuffer>) {
        drop(buffer);
    }
}

// SAFETY: Pins are bound to no task: any task may give them back.
unsafe impl Send for PinnedBuffer {}
// SAFETY: Nothing that a shared reference reaches changes after creation, except `last`, which is
// made for that.
unsafe impl Sync for PinnedBuffer {}

impl PinnedBuffer {
    /// Pins the `len` bytes at `address` of the current address space, and charges them to it and
    /// its user as locked memory. `account` is that of the table that the buffer will be in.
    ///
    /// EFAULT if the memory does not exist, can't be written, belongs to a file that must not be
    /// pinned for long, or is larger than 1 GiB; ENOMEM beyond RLIMIT_MEMLOCK. Process context,
    /// sleeps.
    pub(crate) fn pin(address: usize, len: usize, account: &mut Account) -> Result<Arc<Self>> {
        if len == 0 || len > MAX_LEN || address.checked_add(len).is_none() {
            return Err(EFAULT);
        }
        let nr = (address % PAGE_SIZE + len).div_ceil(PAGE_SIZE);
        let mut bill = Bill::new(account)?;
        let pages = Pages::pin(address, nr, &mut bill)?;
        let (shift, first) = pages.shape();
        let span = Span::new(address, len, shift, first).ok_or(EFAULT)?;
        let mut parts = KVVec::with_capacity(span.parts(), GFP_KERNEL_ACCOUNT)?;
        for index in 0..span.parts() {
            let (start, lack, len) = span.part(index).ok_or(EFAULT)?;
            let page = (address % PAGE_SIZE + start) / PAGE_SIZE;
            parts.push(
                bindings::bio_vec {
                    bv_page: *pages.0.get(page).ok_or(EFAULT)?,
                    bv_len: u32::try_from(len)?,
                    // The data of the part begins in `bv_page`, the first page of the part that the
                    // buffer has.
                    bv_offset: (lack % PAGE_SIZE) as u32,
                },
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        let charges = bill.settle()?;
        // INVARIANT: The loop above made `parts` from `span` and `pages`.
        Arc::pin_init(
            pin_init!(PinnedBuffer {
                span,
                parts,
                pages,
                last <- new_work!("PinnedBuffer::last"),
                charges,
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Initialises `iter` for the `len` bytes at `address` of the program, which must lie in the
    /// buffer; for at most as many as one call may transfer. EFAULT.
    ///
    /// # Safety
    ///
    /// `iter` is valid for writes, and is out of use before the buffer is gone.
    #[inline]
    pub(super) unsafe fn import(
        &self,
        direction: Direction,
        address: u64,
        len: usize,
        iter: *mut bindings::iov_iter,
    ) -> Result {
        let len = len.min(MAX_TRANSFER);
        let piece = self
            .span
            .find(usize::try_from(address)?, len)
            .ok_or(EFAULT)?;
        let parts = self.parts.get(piece.first..piece.first + piece.parts);
        let parts = parts.ok_or(EFAULT)?;
        // SAFETY: By this function's requirements `iter` is valid for writes, and is out of use
        // before the buffer, which owns the parts, is gone. By `Span::find` the piece has `len`
        // bytes from its offset on, and the offset is in its first part. This only writes memory:
        // any context.
        unsafe {
            bindings::raio_helper_import_bvec(
                iter,
                direction.rw(),
                parts.as_ptr(),
                parts.len(),
                piece.offset,
                len,
            );
        }
        Ok(())
    }

    /// Adds the memory of the `len` bytes at `address` of the program to `list`. EFAULT if they do
    /// not all lie in the buffer; ENOMEM, also if the list would be too large for `kmalloc()`.
    /// Process context.
    pub(super) fn collect(
        &self,
        address: usize,
        len: usize,
        list: &mut KVec<bindings::bio_vec>,
    ) -> Result {
        let piece = self.span.find(address, len).ok_or(EFAULT)?;
        let (mut offset, mut left) = (piece.offset, len);
        for part in self.parts.iter().skip(piece.first).take(piece.parts) {
            let len = left.min((part.bv_len as usize).saturating_sub(offset));
            if len > 0 {
                list.push(
                    bindings::bio_vec {
                        bv_page: part.bv_page,
                        bv_len: len as u32,
                        bv_offset: part.bv_offset + offset as u32,
                    },
                    // The program decides how long the list gets.
                    GFP_KERNEL_ACCOUNT | __GFP_NOWARN,
                )?;
            }
            offset = 0;
            left -= len;
        }
        // If bytes were missing, an iterator would run past the end of the list.
        if left > 0 {
            return Err(EFAULT);
        }
        Ok(())
    }
}

/// Gives back a reference that a transfer held. Any context.
#[inline]
pub(super) fn put(buffer: Arc<PinnedBuffer>) {
    if let Some(last) = Arc::into_unique_or_drop(buffer) {
        // The buffer was unregistered meanwhile, and unpinning may sleep.
        let _ = workqueue::queue().enqueue(Arc::from(last));
    }
}
