// SPDX-License-Identifier: GPL-2.0

//! Memory that kernel and program share, and its account.
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
/// The page is allocated, ours, and `address` is where it is in the kernel's map.
struct Page {
    page: NonNull<bindings::page>,
    address: NonNull<u8>,
}

impl Page {
    /// A page of zeroes, charged to the memory cgroup of the current task.
    ///
    /// At the cgroup's limit it fails, and does not call for the OOM killer. The kernel crate's
    /// `Page` has no such flags.
    fn new() -> Result<Self> {
        // SAFETY: The flags let it sleep, and say that a page of zeroes is wanted. All that comes
        // here is `SharedPages::new()`, in process context.
        let page = unsafe { bindings::alloc_pages(bindings::RING_GFP, 0) };
        let page = NonNull::new(page).ok_or(ENOMEM)?;
        // SAFETY: The page was just allocated, and not from high memory, so it has an address for
        // as long as it is allocated. Arithmetic alone.
        let address = unsafe { bindings::raio_helper_page_address(page.as_ptr()) };
        // INVARIANT: As the lines above say.
        Ok(Page {
            page,
            address: NonNull::new(address.cast()).ok_or(ENOMEM)?,
        })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: By the invariants it is ours, of order 0, and not used any more. Mappings, and
        // whoever has the page pinned, have references of their own. It does not sleep.
        unsafe { bindings::__free_pages(self.page.as_ptr(), 0) };
    }
}

/// Events that are copied one by one: the checks of copy_to_user() cost more.
const FEW: usize = 16;

/// Pages that a program can map, and write at any time: nothing in them can be trusted, and no
/// Rust reference to them may exist but to atomics.
pub(crate) struct SharedPages(KVVec<Page>);

// SAFETY: Pages are bound to no task: they are freed in any.
unsafe impl Send for SharedPages {}
// SAFETY: The list of pages does not change. All access to what is in them is by volatile words,
// raw copies and atomics, which suffer others at the same time.
unsafe impl Sync for SharedPages {}

impl SharedPages {
    /// Allocates `nr` pages of zeroes. ENOMEM if it can't. Process context, sleeps.
    pub(crate) fn new(nr: usize) -> Result<Self> {
        let mut pages = KVVec::with_capacity(nr, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..nr {
            pages.push(Page::new()?, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(SharedPages(pages))
    }

    /// Number of pages.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A reference to page `index`, that belongs to the caller.
    pub(super) fn get(&self, index: usize) -> Option<*mut bindings::page> {
        let page = self.0.get(index)?.page.as_ptr();
        // SAFETY: We hold a reference ourselves, so the count is not 0. An atomic: any context.
        unsafe { bindings::raio_helper_get_page(page) };
        Some(page)
    }

    /// Where the `len` bytes of events at `offset` are, if they are all in one page, and aligned.
    #[inline]
    fn events(&self, offset: usize, len: usize) -> Option<*mut io_event> {
        let (page, within) = (self.0.get(offset / PAGE_SIZE)?, offset % PAGE_SIZE);
        if len > PAGE_SIZE - within || within % align_of::<io_event>() != 0 {
            return None;
        }
        // SAFETY: The sum is within the page, which is allocated as long as `self` is there.
        Some(unsafe { page.address.as_ptr().add(within) }.cast())
    }

    /// The ring's header, if there is a page.
    #[inline]
    pub(crate) fn header(&self) -> Option<Header<'_>> {
        const { assert!(size_of::<raio_ring>() <= PAGE_SIZE) };
        let at = self.0.first()?.address.as_ptr().cast::<raio_ring>();
        // SAFETY: `at` is aligned to a page, in which the header fits, and valid for as long as
        // `self` is borrowed. The program's accesses are beyond the memory model; ours are all
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

    /// Writes `event` at `offset`. It must not lie across pages. Any context.
    #[inline]
    pub(crate) fn write_event(&self, offset: usize, event: &io_event) {
        if let Some(at) = self.events(offset, size_of::<io_event>()) {
            // SAFETY: `at` is aligned, and valid for writes of an event; the kernel's writers
            // exclude each other by the caller's lock, and the program's are beyond the memory
            // model, so the writes are volatile: of each word, which takes half as long as of the
            // whole.
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
    /// EFAULT if that can't be written. Process context, sleeps.
    pub(crate) fn copy_to_user(&self, offset: usize, nr: usize, to: usize) -> Result {
        let len = nr * size_of::<io_event>();
        let from = self.events(offset, len).ok_or(EINVAL)?;
        // SAFETY: `from` is aligned, and valid for reads of `len` bytes, which are `nr` events if
        // those are few: then the product is exact. What the program writes to it meanwhile is
        // copied or not; C's copies take no harm. They check `to`, and where faults are disabled
        // they fail.
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
    /// Not of who has CAP_IPC_LOCK: what he pins is nothing that others of the user must do
    /// without.
    user: Option<LockedCharge>,
}

impl PinnedCharge {
    /// Charges `pages` to the current task's address space and its user. ENOMEM if either has more
    /// than RLIMIT_MEMLOCK then, but for CAP_IPC_LOCK, and the kernel log says so. Process context.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        let mm: ARef<Mm> = {
            let current = current!();
            let mm: &Mm = current.mm().ok_or(EINVAL)?;
            mm.into()
        };
        // INVARIANT: Nothing is charged.
        let mut charge = PinnedCharge {
            mm,
            pages: 0,
            user: (!capability::has_ipc_lock()).then(LockedCharge::new),
        };
        charge.add(pages)?;
        Ok(charge)
    }

    /// Charges `pages` more, as [`Self::new`] does, in the same address space.
    pub(crate) fn add(&mut self, pages: usize) -> Result {
        let limited = self.user.is_some();
        // SAFETY: `mm` is valid by our reference, be it without users. An atomic of it, and a limit
        // of the current task, which any task has: any context.
        if !unsafe { bindings::raio_helper_charge_pinned(self.mm.as_raw(), pages, limited) } {
            printk::notice_memlock();
            return Err(ENOMEM);
        }
        // INVARIANT: They were charged, and are uncharged below if the user may not have them.
        self.pages += pages;
        if let Err(e) = self.user.as_mut().map_or(Ok(()), |user| user.add(pages)) {
            self.uncharge(pages);
            printk::notice_memlock();
            return Err(e);
        }
        Ok(())
    }

    /// Uncharges `pages`, of those that are charged, from the address space.
    fn uncharge(&mut self, pages: usize) {
        self.pages -= pages;
        // SAFETY: Our reference keeps the `mm_struct` itself, and by the invariants as much was
        // charged. An atomic: any context.
        unsafe { bindings::raio_helper_uncharge_pinned(self.mm.as_raw(), pages) };
    }

    /// The address space.
    pub(crate) fn mm(&self) -> &Mm {
        &self.mm
    }
}

impl Drop for PinnedCharge {
    /// Any context; the address space may have lost its last user.
    fn drop(&mut self) {
        self.uncharge(self.pages);
    }
}

/// The memory of the machine that the kernel gives out, in bytes.
pub(crate) fn total_ram() -> usize {
    // SAFETY: Reads a count of the kernel's, which may change: any context.
    let pages = unsafe { bindings::raio_helper_totalram_pages() };
    pages.saturating_mul(PAGE_SIZE)
}

/// Whether `mm` is the current task's address space.
#[inline]
pub(crate) fn is_current(mm: &Mm) -> bool {
    current!().mm().is_some_and(|own| core::ptr::eq(&**own, mm))
}
