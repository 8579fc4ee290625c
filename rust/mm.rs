// SPDX-License-Identifier: GPL-2.0

//! Memory that kernel and program share, and its accounting.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use super::{
    bindings,
    capability,
    printk,
    uapi::{
        io_event,
        raio_ring, //
    },
    user::LockedCharge, //
};
use core::ptr::NonNull;
use kernel::{
    current,
    mm::Mm,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Atomic, //
    }, //
};

/// A page that is never moved or reclaimed.
///
/// # Invariants
///
/// The page is allocated and ours, and `address` is its address in the kernel's direct map.
struct Page {
    page: NonNull<bindings::page>,
    address: NonNull<u8>,
}

impl Page {
    /// Allocates a zeroed page, charged to the memory cgroup of the current task.
    ///
    /// At the cgroup's limit the allocation fails, and does not invoke the OOM killer. The kernel
    /// crate's `Page` does not offer these flags.
    fn new() -> Result<Self> {
        // SAFETY: The flags ask for a zeroed page and allow to sleep. The only caller is
        // `SharedPages::new()`, in process context.
        let page = unsafe { bindings::alloc_pages(bindings::RING_GFP, 0) };
        let page = NonNull::new(page).ok_or(ENOMEM)?;
        // SAFETY: The page was just allocated, and not from high memory, so it has an address for
        // as long as it is allocated. The helper only computes.
        let address = unsafe { bindings::raio_helper_page_address(page.as_ptr()) };
        // INVARIANT: The page was just allocated, and this is its address.
        Ok(Page {
            page,
            address: NonNull::new(address.cast()).ok_or(ENOMEM)?,
        })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: By the invariants the page is ours, of order 0. It is not used any more:
        // mappings, and whoever has the page pinned, have references of their own. The call does
        // not sleep.
        unsafe { bindings::__free_pages(self.page.as_ptr(), 0) };
    }
}

/// The maximum number of events that are copied one by one: the checks of copy_to_user() would cost
/// more.
const FEW: usize = 16;

/// Pages that a program can map and write at any time. Nothing in them can be trusted, and no Rust
/// reference to their content may exist, except to atomics.
pub(crate) struct SharedPages(KVVec<Page>);

// SAFETY: Pages are bound to no task: any task may free them.
unsafe impl Send for SharedPages {}
// SAFETY: The list of pages does not change. All access to their content is by volatile words, raw
// copies and atomics, which tolerate concurrent access.
unsafe impl Sync for SharedPages {}

impl SharedPages {
    /// Allocates `nr` zeroed pages, or fails with ENOMEM. Process context, sleeps.
    pub(crate) fn new(nr: usize) -> Result<Self> {
        let mut pages = KVVec::with_capacity(nr, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..nr {
            pages.push(Page::new()?, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(SharedPages(pages))
    }

    /// The number of pages.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A reference to page `index`, which the caller owns.
    pub(super) fn get(&self, index: usize) -> Option<*mut bindings::page> {
        let page = self.0.get(index)?.page.as_ptr();
        // SAFETY: We hold a reference ourselves, so the count is not 0. This is an atomic: any
        // context.
        unsafe { bindings::raio_helper_get_page(page) };
        Some(page)
    }

    /// The address of the `len` bytes of events at `offset`, if they are aligned and all in one
    /// page.
    #[inline]
    fn events(&self, offset: usize, len: usize) -> Option<*mut io_event> {
        let (page, within) = (self.0.get(offset / PAGE_SIZE)?, offset % PAGE_SIZE);
        if len > PAGE_SIZE - within || within % align_of::<io_event>() != 0 {
            return None;
        }
        // SAFETY: The sum is within the page, which is allocated as long as `self` exists.
        Some(unsafe { page.address.as_ptr().add(within) }.cast())
    }

    /// The header of the ring, if there is a page.
    #[inline]
    pub(crate) fn header(&self) -> Option<Header<'_>> {
        const { assert!(size_of::<raio_ring>() <= PAGE_SIZE) };
        let at = self.0.first()?.address.as_ptr().cast::<raio_ring>();
        // SAFETY: `at` is aligned to a page, in which the header fits, and valid for as long as
        // `self` is borrowed. The program's accesses are outside of the memory model; ours are all
        // atomic.
        unsafe {
            let word = |field: *mut u32| Atomic::from_ptr(field);
            Some(Header {
                id: word(&raw mut (*at).id),
                nr: word(&raw mut (*at).nr),
                head: word(&raw mut (*at).head),
                tail: word(&raw mut (*at).tail),
                magic: word(&raw mut (*at).magic),
                compat_features: word(&raw mut (*at).compat_features),
                incompat_features: word(&raw mut (*at).incompat_features),
                header_length: word(&raw mut (*at).header_length),
            })
        }
    }

    /// Writes `event` at `offset`. The event must not cross a page boundary. Any context.
    #[inline]
    pub(crate) fn write_event(&self, offset: usize, event: &io_event) {
        if let Some(at) = self.events(offset, size_of::<io_event>()) {
            // SAFETY: `at` is aligned, and valid for writes of an event. A lock of the caller
            // excludes other writers in the kernel. The program's writes are outside of the memory
            // model, so these writes are volatile; one for each word takes half as long as one for
            // the whole event.
            unsafe {
                (&raw mut (*at).data).write_volatile(event.data);
                (&raw mut (*at).obj).write_volatile(event.obj);
                (&raw mut (*at).res).write_volatile(event.res);
                (&raw mut (*at).res2).write_volatile(event.res2);
            }
        }
    }

    /// Copies `nr` events at `offset`, all in one page, to `to` in the current address space.
    ///
    /// EFAULT if `to` can't be written. Process context, sleeps.
    pub(crate) fn copy_to_user(&self, offset: usize, nr: usize, to: usize) -> Result {
        let len = nr * size_of::<io_event>();
        let from = self.events(offset, len).ok_or(EINVAL)?;
        // SAFETY: `from` is aligned, and valid for reads of `len` bytes. For few events `len` is
        // that of `nr` events: the product is exact. The program may write there meanwhile; the
        // copies, which are made in C, see it or not, without harm. They check `to`, and fail where
        // page faults are disabled.
        let done = unsafe {
            if nr <= FEW {
                bindings::raio_helper_put_events(to as *mut io_event, from, nr)
            } else {
                bindings::copy_to_user(to as *mut c_void, from.cast(), len) == 0
            }
        };
        if done {
            Ok(())
        } else {
            Err(EFAULT)
        }
    }
}

/// The words of `struct raio_ring`.
pub(crate) struct Header<'a> {
    pub(crate) id: &'a Atomic<u32>,
    pub(crate) nr: &'a Atomic<u32>,
    pub(crate) head: &'a Atomic<u32>,
    pub(crate) tail: &'a Atomic<u32>,
    pub(crate) magic: &'a Atomic<u32>,
    pub(crate) compat_features: &'a Atomic<u32>,
    pub(crate) incompat_features: &'a Atomic<u32>,
    pub(crate) header_length: &'a Atomic<u32>,
}

/// Pages charged as pinned to an address space, and as locked to its user, until this is dropped.
///
/// They show as VmPin in `/proc/PID/status`.
///
/// # Invariants
///
/// `pages` are charged to `mm`, and to `user` as well.
pub(crate) struct PinnedCharge {
    mm: ARef<Mm>,
    pages: usize,
    /// `None` with CAP_IPC_LOCK: memory pinned with it must not count against the user's other
    /// processes.
    user: Option<LockedCharge>,
}

impl PinnedCharge {
    /// Charges `pages` to the current task's address space and its user. ENOMEM, and a message in
    /// the kernel log, if either then exceeds RLIMIT_MEMLOCK and the task does not have
    /// CAP_IPC_LOCK. Process context.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        let mm: ARef<Mm> = {
            let current = current!();
            let mm: &Mm = current.mm().ok_or(EINVAL)?;
            mm.into()
        };
        // INVARIANT: Nothing is charged yet.
        let mut charge = PinnedCharge {
            mm,
            pages: 0,
            user: (!capability::has_ipc_lock()).then(LockedCharge::new),
        };
        charge.add(pages)?;
        Ok(charge)
    }

    /// Charges `pages` more to the same address space, like [`Self::new`].
    pub(crate) fn add(&mut self, pages: usize) -> Result {
        let limited = self.user.is_some();
        // SAFETY: Our reference keeps `mm` valid, even if it has no users. The helper uses an
        // atomic of `mm`, and a limit of the current task, which any task has: any context.
        if !unsafe { bindings::raio_helper_charge_pinned(self.mm.as_raw(), pages, limited) } {
            printk::notice_memlock();
            return Err(ENOMEM);
        }
        // INVARIANT: The pages were charged, and are uncharged below if the user's limit does not
        // allow them.
        self.pages += pages;
        if let Err(e) = self.user.as_mut().map_or(Ok(()), |user| user.add(pages)) {
            self.uncharge(pages);
            printk::notice_memlock();
            return Err(e);
        }
        Ok(())
    }

    /// Uncharges `pages` of the charged pages from the address space.
    fn uncharge(&mut self, pages: usize) {
        self.pages -= pages;
        // SAFETY: Our reference keeps the `mm_struct` itself, and by the invariants at least as
        // many pages were charged. This is an atomic: any context.
        unsafe { bindings::raio_helper_uncharge_pinned(self.mm.as_raw(), pages) };
    }

    /// The address space.
    pub(crate) fn mm(&self) -> &Mm {
        &self.mm
    }
}

impl Drop for PinnedCharge {
    /// May run in any context; the address space may have lost its last user.
    fn drop(&mut self) {
        self.uncharge(self.pages);
    }
}

/// The memory of the machine that the kernel manages, in bytes.
pub(crate) fn total_ram() -> usize {
    // SAFETY: Reads a counter of the kernel, which may change: any context.
    let pages = unsafe { bindings::raio_helper_totalram_pages() };
    pages.saturating_mul(PAGE_SIZE)
}

/// Whether `mm` is the address space of the current task.
#[inline]
pub(crate) fn is_current(mm: &Mm) -> bool {
    current!().mm().is_some_and(|own| core::ptr::eq(&**own, mm))
}
