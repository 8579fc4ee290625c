// SPDX-License-Identifier: GPL-2.0

//! Open devices: the open files of `/dev/raio`.
//!
//! A context belongs to its address space, not to an open device, which can be closed before it. The
//! open device that a context was set up through reports on it by poll and fdinfo. So two libraries in
//! one process, each with an open device of its own, don't wake each other.
//!
//! When an exiting process closes an open device, the contexts that it set up through it end. The
//! release of their mappings would end them too, but later if another task holds the address space for
//! a moment, as a reader of `/proc/PID/maps` does; and then the parent may be told of the exit first.
//!
//! Locks: `OpenDevice::members` (mutex) is taken with no lock of a context held. Inside it only
//! `Context::queues` and `OpenDevice::recent` (spinlocks) are taken. Nothing is taken inside
//! `OpenDevice::recent`.

use crate::{
    context::{
        counters::Totals,
        limit::Users,
        member::{
            Membership,
            Register, //
        },
        Context, //
    },
    sys::{
        poll_queue::{
            new_poll_queue,
            PollQueue, //
        },
        proc_fs,
        sched::{
            self,
            Process, //
        },
        task_work, //
    }, //
};
use kernel::{
    new_mutex,
    new_spinlock,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    seq_file::SeqFile,
    seq_print,
    sync::{
        Arc,
        ArcBorrow,
        Mutex,
        SpinLock, //
    }, //
};

/// The number of places for contexts that are found without a look-up of the VMA.
const PLACES: usize = 16;

/// A context that was set up through an open device.
struct Member {
    context: Arc<Context>,
    /// The process that set it up.
    process: Process,
    /// The index of its place, which another context may have taken since.
    place: Option<usize>,
}

struct Members {
    /// The members by serial, in the order of setup.
    tree: RBTree<u64, Member>,
    next: u64,
    /// The totals of the members that have left.
    ended: Totals,
}

/// An open `/dev/raio`.
#[pin_data]
pub(crate) struct OpenDevice {
    #[pin]
    members: Mutex<Members>,
    /// The contexts that were set up last, each at the place of its id. Each place has a lock of its
    /// own, so that calls on different contexts rarely share one.
    #[pin]
    recent: [SpinLock<Option<Arc<Context>>>; PLACES],
    pollers: Arc<PollQueue>,
    users: Arc<Users>,
}

/// The place of the context with this id.
#[inline]
fn place_of(id: usize) -> usize {
    // Rings start at pages, and are often adjacent.
    let hash = ((id >> 12) as u32).wrapping_mul(0x9e37_79b1);
    (hash >> 16) as usize % PLACES
}

impl OpenDevice {
    /// Makes an open device. Process context.
    pub(crate) fn open(users: Arc<Users>) -> Result<Arc<Self>> {
        let pollers = Arc::pin_init(new_poll_queue!("OpenDevice::pollers"), GFP_KERNEL_ACCOUNT)?;
        Arc::pin_init(
            pin_init!(OpenDevice {
                members <- new_mutex!(
                    Members { tree: RBTree::new(), next: 0, ended: Totals::default() },
                    "OpenDevice::members"
                ),
                recent <- pin_init::pin_init_array_from_fn(
                    |_| new_spinlock!(None, "OpenDevice::recent")
                ),
                pollers,
                users,
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// The context at `id` in the current address space, if it was set up through this open device
    /// recently. Process context.
    #[inline(always)]
    pub(crate) fn recall(&self, id: usize) -> Option<Arc<Context>> {
        let place = self.recent[place_of(id)].lock();
        let context = place.as_ref().filter(|context| context.is_at(id))?;
        Some(context.clone())
    }

    /// The accounts of all users.
    pub(crate) fn users(&self) -> &Arc<Users> {
        &self.users
    }

    /// The pollers of this open device.
    pub(crate) fn pollers(&self) -> &PollQueue {
        &self.pollers
    }

    /// Whether a context has events.
    pub(crate) fn is_readable(&self) -> bool {
        let members = self.members.lock();
        let mut contexts = members.tree.values().map(|member| &member.context);
        contexts.any(|context| context.has_events())
    }

    /// Writes a line for each context, and one for those that have ended.
    pub(crate) fn show(&self, seq: &SeqFile) {
        let members = self.members.lock();
        let mut ending = 0;
        for member in members.tree.values() {
            // It is not mapped yet.
            if member.context.id() == 0 {
                continue;
            }
            if member.context.is_dead() {
                ending += 1;
                continue;
            }
            let counts = member.context.counts();
            // The address is hidden from a process that has only inherited the descriptor.
            let id = if proc_fs::may_know_addresses(seq, member.context.mm()) {
                member.context.id()
            } else {
                0
            };
            seq_print!(
                seq,
                "context:\tid={:#x} size={} inflight={} armed={} queued={} completed={} \
                 kicks={} retries={} punts={} cancels={}\n",
                id,
                counts.size,
                counts.inflight,
                counts.armed,
                counts.queued,
                counts.completed,
                counts.kicks,
                counts.retries,
                counts.punts,
                counts.cancels,
            );
        }
        let ended = &members.ended;
        seq_print!(
            seq,
            "ended:\tcontexts={} ending={} completed={} kicks={} retries={} punts={} cancels={}\n",
            ended.contexts,
            ending,
            ended.completed,
            ended.kicks,
            ended.retries,
            ended.punts,
            ended.cancels,
        );
    }

    /// The file of this open device is released. Process context.
    pub(crate) fn closed(this: Arc<Self>) {
        if sched::is_group_exiting() {
            // After other task work: the process may first have to release other files before a request
            // can finish, such as the server's end of a FUSE mount. And if the mapping goes first,
            // nothing is left to do.
            task_work::after_others(move || this.end_contexts());
        }
    }

    /// Ends the contexts of the current process, which is exiting. Process context, sleeps.
    fn end_contexts(&self) {
        let mut next = 0;
        while let Some((serial, context)) = self.first_of_current(next) {
            context.end(None);
            next = serial + 1;
        }
    }

    /// The first context from `serial` on that the current process set up, if no other process uses its
    /// address space.
    fn first_of_current(&self, serial: u64) -> Option<(u64, Arc<Context>)> {
        let mut members = self.members.lock();
        let mut cursor = members.tree.cursor_lower_bound_mut(&serial)?;
        loop {
            let (serial, member) = cursor.current();
            if member.process.is_current_alone() {
                return Some((*serial, member.context.clone()));
            }
            cursor = cursor.move_next()?;
        }
    }

    /// The membership of a context that will [`join`](Self::join).
    pub(crate) fn member(this: ArcBorrow<'_, Self>) -> Membership {
        let serial = {
            let mut members = this.members.lock();
            let serial = members.next;
            members.next += 1;
            serial
        };
        let device: Arc<Self> = this.into();
        let pollers = device.pollers.clone();
        Membership::new(device, pollers, serial)
    }

    /// Adds `context`, which the current process has set up, until it leaves.
    ///
    /// ENOMEM. Process context.
    pub(crate) fn join(&self, context: Arc<Context>) -> Result {
        let process = Process::current()?;
        let serial = context.member().serial();
        let member = Member {
            context,
            process,
            place: None,
        };
        let node = RBTreeNode::new(serial, member, GFP_KERNEL_ACCOUNT)?;
        // Serials are not reused, so there is no old node.
        self.members.lock().tree.insert(node);
        Ok(())
    }

    /// Lets calls through the open device find `context`, whose id is `id`, without its VMA, until it
    /// leaves. Process context.
    pub(crate) fn remember(&self, context: &Arc<Context>, id: usize) {
        let mut members = self.members.lock();
        // Another thread may have unmapped it already.
        let Some(member) = members.tree.get_mut(&context.member().serial()) else {
            return;
        };
        let place = place_of(id);
        member.place = Some(place);
        let before = self.recent[place].lock().replace(context.clone());
        drop(members);
        drop(before);
    }
}

impl Register for OpenDevice {
    /// Removes the context, which has ended. Process context.
    fn left(&self, serial: u64) {
        let mut members = self.members.lock();
        let Some(member) = members.tree.remove(&serial) else {
            return;
        };
        if member.context.id() != 0 {
            members.ended.add(&member.context.counts());
        }
        // These may be the last references to the context, so they are dropped without a lock.
        drop(members);
        let place = member.place.and_then(|place| self.recent.get(place));
        let recent = place.and_then(|place| {
            let mut place = place.lock();
            place.take_if(|context| Arc::ptr_eq(context, &member.context))
        });
        drop(recent);
    }
}
