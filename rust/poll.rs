// SPDX-License-Identifier: GPL-2.0

//! The wait entries of a request, and events of poll(2).
//!
//! C header: [`include/linux/poll.h`](srctree/include/linux/poll.h)

mod mask;
mod woken;

use super::{
    bindings,
    fs::operations, //
};
use core::{
    cell::UnsafeCell,
    mem::ManuallyDrop,
    ptr, //
};
use kernel::{
    fs::File,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Relaxed, //
            },
            Atomic, //
        },
        rcu, //
    },
    types::Opaque, //
};
pub(crate) use mask::{
    from_user,
    to_user,
    Mask,
    ALWAYS,
    ALWAYS_READY,
    CAN_READ,
    CAN_WRITE, //
};
pub(super) use woken::{
    take_off,
    Woken, //
};

/// The maximum number of wait queues that a request is armed on. A FIFO or a tty that is open for
/// both directions has two.
const QUEUES: usize = 2;

/// The maximum number of request entries on one wait queue. A waker walks them under the queue's
/// lock, with interrupts off.
pub(super) const CROWD: c_uint = 64;

/// An entry on a wait queue.
pub(super) struct Entry {
    pub(super) wait: Opaque<bindings::wait_queue_entry>,
    /// The queue; NULL if the entry is on none, or the queue is gone.
    pub(super) head: Atomic<*mut bindings::wait_queue_head>,
}

/// Storage for the entries: those for a file, or the one for a page. A request never waits for
/// both.
union Room {
    file: ManuallyDrop<[Entry; QUEUES]>,
    page: ManuallyDrop<Opaque<bindings::wait_page_queue>>,
}

/// The entries of a request.
pub(super) struct Entries {
    /// Holds a page's entry only if `used` is 0.
    room: UnsafeCell<Room>,
    /// The number of entries queued since they were last taken off. Belongs to the run or the
    /// owner.
    pub(super) used: UnsafeCell<u32>,
    /// Whether any entry was queued for this file. Belongs to the run or the owner.
    pub(super) ever: UnsafeCell<bool>,
    /// The events that the request waits for. Written before an entry is queued.
    pub(super) events: Atomic<u32>,
    /// 1 if a queue has gone since: no wake will ever come from it.
    pub(super) gone: Atomic<u32>,
}

/// Whether `file` has a `poll`. Any context.
pub(crate) fn can_poll(file: &File) -> bool {
    operations(file).poll.is_some()
}

impl Entries {
    pub(super) fn new() -> Self {
        Entries {
            room: UnsafeCell::new(Room {
                file: ManuallyDrop::new(
                    [const {
                        Entry {
                            wait: Opaque::zeroed(),
                            head: Atomic::new(ptr::null_mut()),
                        }
                    }; QUEUES],
                ),
            }),
            used: UnsafeCell::new(0),
            ever: UnsafeCell::new(false),
            events: Atomic::new(0),
            gone: Atomic::new(0),
        }
    }

    /// The entries for a file.
    ///
    /// # Safety
    ///
    /// The entry for a page is not queued, and will not be queued while the reference lives.
    pub(super) unsafe fn of_file(&self) -> &[Entry; QUEUES] {
        // SAFETY: By this function's requirements nobody writes the union as a page's entry.
        // Whatever bytes a page's entry left there are valid for file entries: `wait` is opaque,
        // and `head` is written before it is read, see `used`. The references are shared; entries
        // consist of cells and atomics.
        unsafe { &(*self.room.get()).file }
    }

    /// The entry for a page. The run may queue it after [`Self::disarm`].
    pub(super) fn of_page(&self) -> *mut bindings::wait_page_queue {
        // SAFETY: The address of a field is that of its union, in a cell that is valid as `self` is
        // borrowed. No reference is created.
        let page = unsafe { &raw const (*self.room.get()).page };
        Opaque::cast_into(page.cast())
    }

    /// Takes the entries off, before the request gets another file. Same rules as [`Self::disarm`].
    #[inline(always)]
    pub(super) fn forget(&self) {
        // SAFETY: `ever` belongs to the run or the owner, which the caller is. Nobody else has a
        // reference, and the functions called below create none.
        let ever = unsafe { &mut *self.ever.get() };
        if *ever {
            *ever = false;
            self.disarm();
            self.gone.store(0, Relaxed);
        }
    }

    /// Takes the entries off their queues. When this returns, no wake function uses them any more.
    ///
    /// Only the owner or the run may call this, and not under the lock of a wait queue or of the
    /// lists.
    #[inline]
    pub(super) fn disarm(&self) {
        // SAFETY: `used` belongs to the run or the owner, which the caller is. Nobody else has a
        // reference: only `poll` calls `queue`, and this function does not call `poll`.
        let used = unsafe { &mut *self.used.get() };
        if *used > 0 {
            self.take_off(used);
        }
    }

    fn take_off(&self, used: &mut u32) {
        // If a queue goes before its file (POLLFREE), it is freed after a grace period.
        let guard = rcu::read_lock();
        // SAFETY: `used` is not 0, so the union holds file entries. A run disarms the request
        // before it prepares a page's entry, and the request comes back to an owner or a run only
        // when that entry is off.
        let entries = unsafe { self.of_file() };
        for entry in entries.iter().take(*used as usize) {
            let head = entry.head.load(Acquire);
            if head.is_null() {
                continue;
            }
            // SAFETY: The queue belongs to the file, which the request still holds; or, if the
            // queue went meanwhile, it is freed after a grace period, and RCU is locked here. The
            // entry is on the queue, or `wake` took it off with `list_del_init()`, under the lock.
            // The helper takes that lock, which the caller does not hold, and enables interrupts
            // afterwards.
            unsafe { bindings::raio_helper_remove_wait_entry(head, entry.wait.get()) };
            entry.head.store(ptr::null_mut(), Relaxed);
        }
        drop(guard);
        *used = 0;
    }
}
