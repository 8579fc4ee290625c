// SPDX-License-Identifier: GPL-2.0

//! The wait entries of a request, and what files say that is ready.
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

/// The most wait queues that a request is armed on: a FIFO or a tty that is open for both
/// directions has two.
const QUEUES: usize = 2;

/// The most entries of requests that are on a wait queue in a row: who wakes them does so under its
/// lock, with interrupts off.
pub(super) const CROWD: c_uint = 64;

/// An entry on a wait queue.
pub(super) struct Entry {
    pub(super) wait: Opaque<bindings::wait_queue_entry>,
    /// The queue; NULL when the entry is on none, or the queue has gone.
    pub(super) head: Atomic<*mut bindings::wait_queue_head>,
}

/// Where entries lie: those of a file, or that of a page. A request never waits for both.
union Room {
    file: ManuallyDrop<[Entry; QUEUES]>,
    page: ManuallyDrop<Opaque<bindings::wait_page_queue>>,
}

/// The entries of a request.
pub(super) struct Entries {
    /// Of a page only if `used` is 0.
    room: UnsafeCell<Room>,
    /// How many of them were queued since they were last taken off. The run's or the owner's.
    pub(super) used: UnsafeCell<u32>,
    /// Whether any was queued for this file. The run's or the owner's.
    pub(super) ever: UnsafeCell<bool>,
    /// What the request waits for. Written before an entry is queued.
    pub(super) events: Atomic<u32>,
    /// 1 if a queue has gone since: nothing will ever come from there.
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

    /// Those of a file.
    ///
    /// # Safety
    ///
    /// That of a page is not queued, and will not be while the reference lives.
    pub(super) unsafe fn of_file(&self) -> &[Entry; QUEUES] {
        // SAFETY: By the requirement nobody writes it as that of a page. Whatever a page's entry
        // has left there, any bytes are an entry: what is in it is opaque, or an address that is
        // written before it is read, see `used`. The references are shared, and entries cells or
        // atomics.
        unsafe { &(*self.room.get()).file }
    }

    /// That of a page, to be queued by the run, after [`Self::disarm`].
    pub(super) fn of_page(&self) -> *mut bindings::wait_page_queue {
        // SAFETY: The address of a field is that of its union, in a cell that is valid as `self` is
        // borrowed; no reference is made.
        let page = unsafe { &raw const (*self.room.get()).page };
        Opaque::cast_into(page.cast())
    }

    /// Takes the entries off, for another file. As [`Self::disarm`].
    #[inline(always)]
    pub(super) fn forget(&self) {
        // SAFETY: `ever` belongs to the run or the owner, which the caller is: nobody else has a
        // reference, and what is called below makes none.
        let ever = unsafe { &mut *self.ever.get() };
        if *ever {
            *ever = false;
            self.disarm();
            self.gone.store(0, Relaxed);
        }
    }

    /// Takes the entries off their queues. When this returns, no wake is at them any more.
    ///
    /// The owner or the run may call it; not under the lock of a wait queue or of the lists.
    #[inline]
    pub(super) fn disarm(&self) {
        // SAFETY: `used` belongs to the run or the owner, which the caller is: nobody else has a
        // reference, as `queue` is called by `poll` alone, which this does not.
        let used = unsafe { &mut *self.used.get() };
        if *used > 0 {
            self.take_off(used);
        }
    }

    fn take_off(&self, used: &mut u32) {
        // A queue that goes before its file (POLLFREE) is freed after a grace period.
        let guard = rcu::read_lock();
        // SAFETY: As `used` is not 0, entries of a file are there: a run that prepares that of a
        // page has disarmed the request before, and it comes back to an owner or a run when that is
        // off.
        let entries = unsafe { self.of_file() };
        for entry in entries.iter().take(*used as usize) {
            let head = entry.head.load(Acquire);
            if head.is_null() {
                continue;
            }
            // SAFETY: The queue is the file's, which the request still has, or it is freed after a
            // grace period, under RCU here, if it went meanwhile. The entry is on it, or was taken
            // off by `wake` with `list_del_init()`, under the lock. The helper takes that lock,
            // which the caller does not hold, and enables interrupts after.
            unsafe { bindings::raio_helper_remove_wait_entry(head, entry.wait.get()) };
            entry.head.store(ptr::null_mut(), Relaxed);
        }
        drop(guard);
        *used = 0;
    }
}
