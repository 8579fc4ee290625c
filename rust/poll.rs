// SPDX-License-Identifier: GPL-2.0

//! Waiting for a file without a task: entries on the wait queues that its `poll` names.
//!
//! C header: [`include/linux/poll.h`](srctree/include/linux/poll.h)

mod mask;
mod woken;

use super::{
    bindings,
    fs::operations,
    request::{
        kick_file,
        Client,
        Run,
        Slot, //
    },
    task::Caller, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    container_of,
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
use woken::take_off;
pub(super) use woken::Woken;

/// The most wait queues that a request is armed on: a FIFO or a tty that is open for both
/// directions has two.
const QUEUES: usize = 2;

/// The most entries of requests that are on a wait queue in a row: who wakes them does so under its
/// lock, with interrupts off.
const CROWD: c_uint = 64;

/// An entry on a wait queue.
struct Entry {
    wait: Opaque<bindings::wait_queue_entry>,
    /// The queue; NULL when the entry is on none, or the queue has gone.
    head: Atomic<*mut bindings::wait_queue_head>,
}

/// Where entries lie: those of a file, or that of a page. A request never waits for both.
union Room {
    file: ManuallyDrop<[Entry; QUEUES]>,
    page: ManuallyDrop<Opaque<bindings::wait_page_queue>>,
}

/// The entries of a request.
pub(super) struct Entries<C: Client> {
    /// Of a page only if `used` is 0.
    room: UnsafeCell<Room>,
    /// How many of them were queued since they were last taken off. The run's or the owner's.
    used: UnsafeCell<u32>,
    /// Whether any was queued for this file. The run's or the owner's.
    ever: UnsafeCell<bool>,
    /// What the request waits for. Written before an entry is queued.
    events: Atomic<u32>,
    /// 1 if a queue has gone since: nothing will ever come from there.
    gone: Atomic<u32>,
    _client: PhantomData<C>,
}

/// What is passed to `poll`.
#[repr(C)]
struct Table<C: Client> {
    table: bindings::poll_table_struct,
    slot: *const Slot<C>,
    too_many: bool,
    crowded: bool,
}

/// What arming came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polled {
    /// These events are there now; no entry is queued.
    Ready(Mask),
    /// None is; a wake will kick the request.
    Queued,
    /// The file has no wait queue, or too many; no entry is queued.
    Unable,
    /// Too many requests wait there already; no entry is queued.
    Crowded,
}

/// Whether `file` has a `poll`. Any context.
pub(crate) fn can_poll(file: &File) -> bool {
    operations(file).poll.is_some()
}

impl<C: Client> Entries<C> {
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
            _client: PhantomData,
        }
    }

    /// Those of a file.
    ///
    /// # Safety
    ///
    /// That of a page is not queued, and will not be while the reference lives.
    unsafe fn of_file(&self) -> &[Entry; QUEUES] {
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

impl<C: Client> Run<C> {
    /// Asks the file for `events`, and queues wait entries if none of them is there.
    ///
    /// Sleeps only if the file's `poll` does.
    pub(crate) fn poll(&mut self, _caller: Caller<'_>, events: Mask) -> Polled {
        let slot = self.slot();
        slot.entries.disarm();
        if slot.entries.gone.xchg(0, Relaxed) != 0 {
            return Polled::Ready(bindings::EPOLLHUP);
        }
        slot.entries.events.store(events, Relaxed);
        let Some(file) = self.file() else {
            return Polled::Unable;
        };
        let Some(poll) = operations(file).poll else {
            return match ALWAYS_READY & events {
                0 => Polled::Unable,
                ready => Polled::Ready(ready),
            };
        };
        let mut table = Table {
            table: bindings::poll_table_struct {
                _qproc: Some(queue::<C>),
                _key: events,
            },
            slot,
            too_many: false,
            crowded: false,
        };
        // SAFETY: `poll` is an operation of this file, which the request holds, and the table,
        // which is on the stack until it returns, is as `queue` wants it. The entries are off all
        // queues, and the run is ours. `_caller` says that the current task is in process context,
        // may sleep, and is one that files can be called from.
        let mask = unsafe { poll(file.as_ptr(), &raw mut table.table) } & events;
        // SAFETY: `used` is the run's, which this is; `poll`, in which `queue` wrote it, has
        // returned.
        let none = unsafe { *slot.entries.used.get() } == 0;
        let whole = !table.too_many && !table.crowded;
        if mask == 0 && !none && whole {
            return Polled::Queued;
        }
        slot.entries.disarm();
        if mask != 0 {
            Polled::Ready(mask)
        } else if table.crowded {
            Polled::Crowded
        } else {
            Polled::Unable
        }
    }
}

/// Called by `poll` for each of the file's wait queues.
///
/// # Safety
///
/// `table` is the first field of a [`Table`], whose slot is in a run that calls `poll`; `head` is
/// valid until the file is released, or wakes its entries with POLLFREE before.
unsafe extern "C" fn queue<C: Client>(
    _file: *mut bindings::file,
    head: *mut bindings::wait_queue_head,
    table: *mut bindings::poll_table_struct,
) {
    let table = table.cast::<Table<C>>();
    // SAFETY: By this function's requirements the table is a `Table`, which nobody else uses during
    // the call, and the slot valid.
    let (slot, too_many, crowded) = unsafe {
        (
            &*(*table).slot,
            &mut (*table).too_many,
            &mut (*table).crowded,
        )
    };
    // SAFETY: Both are the run's, which is in `poll`, and so here: it has no reference to them
    // meanwhile.
    let used = unsafe {
        *slot.entries.ever.get() = true;
        &mut *slot.entries.used.get()
    };
    // SAFETY: The run is in `poll`, so its page entry is not queued: before that was, it would have
    // ended.
    let entries = unsafe { slot.entries.of_file() };
    let Some(entry) = entries.get(*used as usize) else {
        *too_many = true;
        return;
    };
    entry.head.store(head, Relaxed);
    let wait = entry.wait.get();
    // SAFETY: The entry is the next that is not used, so it is on no queue, and may be written. It
    // stays where it is, and is taken off before the slot is used for another file or goes. `head`
    // is valid by the requirement; its lock is taken with interrupts off, and a `poll` does not
    // hold it.
    unsafe {
        (*wait).flags = 0;
        (*wait).private = ptr::from_ref(slot).cast_mut().cast();
        (*wait).func = Some(wake::<C>);
        bindings::raio_helper_init_list_head(&raw mut (*wait).entry);
        // Before it can be woken.
        *used += 1;
        if !bindings::raio_helper_add_wait_entry(head, wait, CROWD) {
            *used -= 1;
            *crowded = true;
        }
    }
}

/// # Safety
///
/// `wait` was queued by [`queue`], and is on a queue whose lock is held, with interrupts off.
unsafe extern "C" fn wake<C: Client>(
    wait: *mut bindings::wait_queue_entry,
    _mode: c_uint,
    _flags: c_int,
    key: *mut c_void,
) -> c_int {
    // SAFETY: `queue` put the slot there. Whoever makes something else of it takes the entry off
    // before, under the lock that is held: so it is valid until we take the entry off, or return.
    let slot = unsafe { &*(*wait).private.cast::<Slot<C>>() };
    let mask = key.addr() as Mask;
    if mask != 0 && mask & slot.entries.events.load(Relaxed) == 0 {
        return 0;
    }
    let gone = mask & bindings::POLLFREE != 0;
    // SAFETY: By the requirement `wait` was queued by `queue`, so it is the field of an `Entry`.
    let entry = unsafe { container_of!(Opaque::cast_from(wait).cast_mut(), Entry, wait) };
    // What the queue says is all there is to know if it is the only one, and says what.
    let ready = if gone {
        slot.entries.gone.store(1, Relaxed);
        0
    } else {
        mask & slot.entries.events.load(Relaxed)
    };
    let woken = Woken {
        ready,
        told: mask,
        entry: entry.cast(),
    };
    // SAFETY: The entry is on the wait queue of the request's file, whose lock is held.
    unsafe { kick_file(NonNull::from(slot), woken) };
    if gone {
        // SAFETY: The lock is held, and the entry on the queue: nobody fired the request, as
        // `ready` is 0, and `disarm` waits for the lock, so it is still what it was. `entry` is not
        // used after.
        unsafe { take_off(entry) };
    }
    1
}
