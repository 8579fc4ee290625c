// SPDX-License-Identifier: GPL-2.0

//! The constructor of contexts.

use super::{
    counters::Counters,
    limit::{
        Share,
        Users, //
    },
    member::Membership,
    queues::Queues,
    registered::Registered,
    Context,
    Submit,
    Tail, //
    ALL_REQUESTS,
};
use crate::{
    pure::{
        credit::Credits,
        key::Keys,
        ring::Shape, //
    },
    sys::{
        compat::new_spinlock_irq,
        cred,
        mm::{
            PinnedCharge,
            SharedPages, //
        },
        request::Pool,
        task_work::TaskWork,
        uapi::{
            raio_ring,
            RAIO_RING_COMPAT_FEATURES,
            RAIO_RING_INCOMPAT_FEATURES,
            RAIO_RING_MAGIC, //
        },
        util::once::Once,
        wait::new_wait_queue, //
    }, //
};
use kernel::{
    current,
    new_delayed_work,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        Arc, //
    }, //
};

impl Context {
    /// Makes a context for the open device of `member`. It is not mapped yet, see
    /// [`lifecycle`](crate::lifecycle).
    ///
    /// EAGAIN beyond `fs.raio-max-nr` or `fs.raio-max-user-nr`, ENOMEM. Process context.
    pub(crate) fn new(
        users: &Arc<Users>,
        member: Membership,
        nr_events: u32,
        flags: u32,
    ) -> Result<Arc<Context>> {
        let shape = Shape::new(nr_events)?;
        let (share, before) = Share::take(users, shape.capacity())?;
        let pinned = PinnedCharge::new(shape.pages)?;
        let credits = Credits::new(shape.capacity());
        let (pool, free) = Pool::new(shape.slots())?;
        let pages = SharedPages::new(shape.pages)?;
        let keys = Keys::new(pool.capacity());
        let queues = Queues::new(shape.slots(), before)?;
        let cred = cred::current();
        let share = Some(share);

        let context = Arc::pin_init(
            pin_init!(Context {
                shape,
                flags,
                pages,
                keys,
                pool,
                member,
                address: Atomic::new(0),
                mapped: Once::new(0),
                dead: Atomic::new(false),
                submit <- new_mutex!(
                    Submit { credits, free: Some(free), dead: false, share, module: None },
                    "Context::submit"
                ),
                taken: Atomic::new(0),
                tail <- new_spinlock_irq!(Tail { slot: 0, published: 0 }, "Context::tail"),
                shown_slot: Atomic::new(0),
                shown_published: Atomic::new(0),
                events <- new_wait_queue!("Context::events"),
                reap <- new_mutex!((), "Context::reap"),
                registered <- new_mutex!(Registered::default(), "Context::registered"),
                queues <- new_spinlock_irq!(queues, "Context::queues"),
                may_have_queued: Once::new(0),
                held: Once::new(0),
                barriers: Once::new(0),
                callers: Atomic::new(0),
                counters: Counters::new(),
                cred,
                task: (&**current!()).into(),
                resume_work: TaskWork::new(),
                signal_work: TaskWork::new(),
                looks <- new_delayed_work!("Context::looks"),
                woken_in_wake: Once::new(0),
                last <- new_delayed_work!("Context::last"),
                next_ended: Atomic::new(ALL_REQUESTS),
                pinned,
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        context.init_header();
        Ok(context)
    }

    fn init_header(&self) {
        if let Some(header) = self.header() {
            header.nr.store(self.shape.slots(), Relaxed);
            header.magic.store(RAIO_RING_MAGIC, Relaxed);
            header
                .compat_features
                .store(RAIO_RING_COMPAT_FEATURES, Relaxed);
            header
                .incompat_features
                .store(RAIO_RING_INCOMPAT_FEATURES, Relaxed);
            header
                .header_length
                .store(size_of::<raio_ring>() as u32, Relaxed);
        }
    }
}
