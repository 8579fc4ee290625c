// SPDX-License-Identifier: GPL-2.0

//! Threads of the process, for requests that may block, and for those that no task takes.
//!
//! Tasks that submit or wait create them when they are first needed, up to [`MAX_THREADS`] for each
//! context. A thread ends by itself: when it has been idle for a while and no request has a claim to
//! it, since only a task of the process can create another; when its context has ended; and when it is
//! killed. If requests that don't block have claims, then those that do never take the last free
//! thread, nor the last seat for one.
//!
//! Only the task that destroys a context waits for its threads, and not for one that is stopped. When a
//! thread is killed, nothing is lost: it finishes accepted requests, and the last one to die cancels
//! what else is queued for threads.

use crate::{
    context::{
        claims::Claim,
        threads::{
            Seat,
            State,
            Worker, //
            MAX_THREADS,
            NO_REQUEST,
        },
        Context, //
    },
    sys::{
        cred,
        sched::Identity,
        task::FullTask,
        vhost_task::Thread, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    task::Task, //
};

impl Context {
    /// Makes sure that there is a thread for a request with `claim`.
    ///
    /// ERESTARTNOINTR if a signal is pending and must be handled first, another error if there can be
    /// no thread.
    pub(crate) fn claim_thread(self: &Arc<Self>, task: FullTask<'_>, claim: Claim) -> Result {
        if !self.may_have_threads() {
            return Err(EPERM);
        }
        {
            let mut queues = self.queues().lock();
            if queues.try_claim(claim) {
                return Ok(());
            }
            let who = Identity::current();
            if queues.threads.of != who {
                if queues.threads.is_coming_up() {
                    return Err(EBUSY);
                }
                if queues.threads.is_there() {
                    let idle = queues
                        .threads
                        .count(|_, state| matches!(state, State::Idle(_)));
                    if queues.claims.threads() > 0 || idle < queues.threads.alive {
                        return Err(EBUSY);
                    }
                    // These have nothing to do, and make room.
                    queues.threads.retire();
                }
                queues.threads.of = who;
            }
            queues.claims.add(claim);
            if queues.has_claimed() {
                return Ok(());
            }
        }
        loop {
            let created = self.create_thread(task);
            let mut queues = self.queues().lock();
            if let Err(e) = created {
                queues.claims.remove(claim);
                // A thread that was kept free for the claim may take what is queued.
                queues.threads.wake();
                return Err(e);
            }
            if queues.has_claimed() {
                return Ok(());
            }
        }
    }

    /// Creates threads, if more requests are queued for them than there are threads on their way.
    pub(crate) fn threads_for_queued(self: &Arc<Self>, task: FullTask<'_>) {
        let who = Identity::current();
        loop {
            {
                let mut queues = self.queues().lock();
                queues.grow = false;
                if queues.for_threads() <= queues.coming()
                    || !queues.may_grow()
                    || queues.threads.of != who
                        && (queues.threads.is_there() || queues.threads.is_coming_up())
                    || queues.closing
                {
                    return;
                }
                queues.threads.of = who;
            }
            // If it can't be created, the existing threads run everything.
            if self.create_thread(task).is_err() {
                return;
            }
        }
    }

    fn create_thread(self: &Arc<Self>, task: FullTask<'_>) -> Result {
        if !self.may_have_threads() {
            return Err(EPERM);
        }
        let place = {
            let mut queues = self.queues().lock();
            if queues.closing {
                return Err(EINVAL);
            }
            let mut places = queues.threads.places.iter_mut().enumerate();
            let free = places.find(|(_, place)| matches!(place, Seat::Free));
            let (place, free) = free.ok_or(EAGAIN)?;
            *free = Seat::Taken;
            place
        };
        let thread = self.new_thread(task, place);
        let result = {
            let mut queues = self.queues().lock();
            let queues = &mut *queues;
            let place = queues.threads.places.get_mut(place).ok_or(EINVAL)?;
            match thread {
                Ok(thread) => {
                    thread.start();
                    *place = Seat::Used(thread, State::Woken);
                    queues.threads.alive += 1;
                    return Ok(());
                }
                Err(e) => {
                    *place = Seat::Free;
                    Err(e)
                }
            }
        };
        self.wake_drain();
        result
    }

    fn new_thread(self: &Arc<Self>, task: FullTask<'_>, place: usize) -> Result<Thread<Worker>> {
        let worker = Arc::new(
            Worker {
                context: self.clone(),
                place,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        // With the task's own credentials, not those of a request that it is running.
        cred::with_own(|| Thread::create(task, worker, c"raio-worker"))
    }

    /// Interrupts the threads of a dead context, except in accepted requests, and wakes those that are
    /// idle. Any context.
    pub(crate) fn interrupt_threads(&self) {
        let mut queues = self.queues().lock();
        let streams = |index| {
            let shared = self.pool().shared(index);
            index == NO_REQUEST || shared.is_some_and(|shared| !shared.is_accepted())
        };
        queues.threads.interrupt(streams);
        queues.threads.wake_all();
    }

    /// Returns the tasks that were threads of a dead context, once no thread is left, or only those
    /// that can't end before they are continued. `None` until then.
    pub(crate) fn take_left_threads(&self) -> Option<[Option<ARef<Task>>; MAX_THREADS]> {
        let mut queues = self.queues().lock();
        let threads = &mut queues.threads;
        if !threads.is_empty() && !threads.are_stopped() {
            return None;
        }
        Some(core::mem::replace(
            &mut threads.left,
            [const { None }; MAX_THREADS],
        ))
    }
}
