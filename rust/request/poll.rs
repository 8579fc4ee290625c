// SPDX-License-Identifier: GPL-2.0

//! Waiting for the file without a task: entries on the wait queues that its `poll` names.
//!
//! C header: [`include/linux/poll.h`](srctree/include/linux/poll.h)

use super::{
    kick::kick_file,
    Client,
    Run,
    Slot, //
};
use crate::sys::{
    bindings,
    fs::operations,
    poll::{
        take_off,
        Entry,
        Mask,
        Woken, //
        ALWAYS_READY,
        CROWD,
    },
    task::Caller, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    container_of,
    prelude::*,
    sync::atomic::ordering::Relaxed,
    types::Opaque, //
};

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
