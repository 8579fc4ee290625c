// SPDX-License-Identifier: GPL-2.0

//! Asynchronous waits for the file: entries on the wait queues that the file's `poll` names.
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

/// The poll table that is passed to `poll`.
#[repr(C)]
struct Table<C: Client> {
    table: bindings::poll_table_struct,
    slot: *const Slot<C>,
    too_many: bool,
    crowded: bool,
}

/// The outcome of [`Run::poll`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polled {
    /// These events are ready; no entry is queued.
    Ready(Mask),
    /// No event is ready; a wake will kick the request.
    Queued,
    /// The file has no wait queue, or too many; no entry is queued.
    Unable,
    /// Too many requests already wait there; no entry is queued.
    Crowded,
}

impl<C: Client> Run<C> {
    /// Polls the file for `events`, and queues wait entries if none of them is ready.
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
        // SAFETY: `poll` is an operation of this file, which the request holds. The table meets the
        // requirements of `queue`, and stays on the stack until `poll` returns. The entries are off
        // all queues, and the run is ours. `_caller` proves that the current task is in process
        // context, may sleep, and may call into files.
        let mask = unsafe { poll(file.as_ptr(), &raw mut table.table) } & events;
        // SAFETY: `used` belongs to the run, which this is. `queue` wrote it inside `poll`, which
        // has returned.
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

/// Called by `poll` for each wait queue of the file.
///
/// # Safety
///
/// `table` is the first field of a [`Table`], whose slot is in a run that calls `poll`. `head` is
/// valid until the file is released, or until its entries are woken with POLLFREE before that.
unsafe extern "C" fn queue<C: Client>(
    _file: *mut bindings::file,
    head: *mut bindings::wait_queue_head,
    table: *mut bindings::poll_table_struct,
) {
    let table = table.cast::<Table<C>>();
    // SAFETY: By this function's requirements the table is a `Table`, which nobody else uses during
    // the call, and the slot is valid.
    let (slot, too_many, crowded) = unsafe {
        (
            &*(*table).slot,
            &mut (*table).too_many,
            &mut (*table).crowded,
        )
    };
    // SAFETY: Both cells belong to the run, which is inside `poll`, and thus here. It has no
    // reference to them meanwhile.
    let used = unsafe {
        *slot.entries.ever.get() = true;
        &mut *slot.entries.used.get()
    };
    // SAFETY: The run is in `poll`, so its page entry is not queued: the run would have ended
    // before.
    let entries = unsafe { slot.entries.of_file() };
    let Some(entry) = entries.get(*used as usize) else {
        *too_many = true;
        return;
    };
    entry.head.store(head, Relaxed);
    let wait = entry.wait.get();
    // SAFETY: The entry is the next unused one, so it is on no queue, and may be written. It does
    // not move, and is taken off before the slot is used for another file or is freed. By this
    // function's requirements `head` is valid. Its lock is taken with interrupts off, and `poll`
    // does not hold it.
    unsafe {
        (*wait).flags = 0;
        (*wait).private = ptr::from_ref(slot).cast_mut().cast();
        (*wait).func = Some(wake::<C>);
        bindings::raio_helper_init_list_head(&raw mut (*wait).entry);
        // The count must include the entry before it can be woken.
        *used += 1;
        if !bindings::raio_helper_add_wait_entry(head, wait, CROWD) {
            *used -= 1;
            *crowded = true;
        }
    }
}

/// The wake function of a file's entry.
///
/// # Safety
///
/// `wait` was queued by [`queue`], and is on a queue whose lock is held, with interrupts off.
unsafe extern "C" fn wake<C: Client>(
    wait: *mut bindings::wait_queue_entry,
    _mode: c_uint,
    _flags: c_int,
    key: *mut c_void,
) -> c_int {
    // SAFETY: `queue` set the pointer to the slot. Whoever reuses or frees the slot takes the entry
    // off before, under the lock that is held here. So the slot is valid until this function takes
    // the entry off or returns.
    let slot = unsafe { &*(*wait).private.cast::<Slot<C>>() };
    let mask = key.addr() as Mask;
    if mask != 0 && mask & slot.entries.events.load(Relaxed) == 0 {
        return 0;
    }
    let gone = mask & bindings::POLLFREE != 0;
    // SAFETY: By this function's requirements `wait` was queued by `queue`, so it is a field of an
    // `Entry`.
    let entry = unsafe { container_of!(Opaque::cast_from(wait).cast_mut(), Entry, wait) };
    // If this is the only queue, and the wake has a mask, that mask tells all there is to know.
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
        // SAFETY: The lock is held, and the entry is on the queue: `ready` is 0, so nobody fired
        // the request. `disarm` has to wait for the lock, so the entry is still the one that was
        // queued. `entry` is not used afterwards.
        unsafe { take_off(entry) };
    }
    1
}
