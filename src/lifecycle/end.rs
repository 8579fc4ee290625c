// SPDX-License-Identifier: GPL-2.0

//! The end of contexts, by io_destroy or with the mapping.
//!
//! Either way the context is marked dead first, then what is in flight finishes, and then the share of
//! the limits is given back. So when io_destroy, exec or wait4 have returned, no request of the context
//! touches a file or memory any more.
//!
//! As with native aio, exec and exit end the mapping only if no other task uses the address space at
//! that moment, as a reader of `/proc/PID/maps` does. Otherwise the last user ends it. At exit the
//! [`open_device`](super::open_device) ends the context before that, if it is still open.

use crate::{
    context::{
        registered::unregister_all,
        Context, //
        ALL_REQUESTS,
    },
    engine::cancel,
    run,
    sys::{
        fs,
        mapping,
        sched,
        task::FullTask,
        wait,
        workqueue, //
    },
    window::Window, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::ordering::Relaxed,
        Arc, //
    },
    time::Jiffies,
    workqueue::WorkItem, //
};

/// The interval in ticks at which the work queue checks whether a context can end.
const END_TICKS: Jiffies = 5;
/// How many requests each check looks at, except the first one, which looks at all.
const END_REQUESTS: u32 = 1024;

impl WorkItem<1> for Context {
    type Pointer = Arc<Context>;

    /// Continues the end of a context that no task waits for. Never sleeps for long.
    fn run(context: Arc<Context>) {
        // Requests that are in flight afterwards see that the context is dead. The later checks are for
        // requests that were between two owners at the first.
        let next = match context.next_ended().load(Relaxed) {
            ALL_REQUESTS => cancel::cancel_some(&context, 0, u32::MAX, drop),
            next => cancel::cancel_some(&context, next, END_REQUESTS, drop),
        };
        context.next_ended().store(next, Relaxed);
        unregister_all(&context, drop);
        context.interrupt_threads();
        if context.outstanding() == 0 || !context.queues().lock().threads.is_there() {
            run::cancel_queued(&context);
        }
        if context.outstanding() > 0 || !context.close_pool(drop) {
            let _ = workqueue::queue().enqueue_delayed::<_, 1>(context, END_TICKS);
            return;
        }
        context.give_back();
        context.member().leave();
        let module = context.take_module();
        drop(context);
        drop(module);
        Window::Last.pass_asleep();
    }
}

impl Context {
    /// io_destroy: ends the context and waits until what is in flight has finished.
    ///
    /// EINVAL if it is ending already. Sleeps.
    pub(crate) fn destroy(self: &Arc<Self>, task: FullTask<'_>) -> Result {
        self.kill()?;
        self.drain(Some(task));
        self.wait_for_threads();
        mapping::unmap(self);
        Ok(())
    }

    /// Cancels the requests of a dead context, except for accepted ones, waits until nothing is in
    /// flight, and gives back its share. Accepted requests are run by `task`, a task of the process, or
    /// without one by the threads of the process, as long as there are any.
    fn drain(self: &Arc<Self>, task: Option<FullTask<'_>>) {
        Window::Destroy.pass_asleep();
        // Files are released now, not by task work, which runs after the wait below: what is in flight
        // may wait for the release of a file, such as that of a FUSE server.
        cancel::cancel_all(self, fs::put_now);
        self.interrupt_threads();
        unregister_all(self, fs::put_now);
        loop {
            let any = match task {
                Some(task) => run::run_accepted(self, task),
                None if !self.queues().lock().threads.is_there() => run::cancel_queued(self),
                None => false,
            };
            if !any && self.outstanding() == 0 {
                break;
            }
            if !any {
                self.wait_for_drain(|| {
                    self.outstanding() == 0 || {
                        let queues = self.queues().lock();
                        queues.queued() > 0 && (task.is_some() || !queues.threads.is_there())
                    }
                });
            }
        }
        Window::Drained.pass_asleep();
        // All events are published, but the last requests may be freed a moment later. They can't wake
        // this task for that: the context may go with the last one.
        while !self.close_pool(fs::put_now) {
            // For requests that were cancelled on a page, and had their events then.
            if !run::cancel_queued(self) {
                wait::pause_briefly();
            }
        }
        self.give_back();
    }

    /// Waits until no thread is left, except stopped ones. Sleeps.
    fn wait_for_threads(&self) {
        let tasks = loop {
            match self.take_left_threads() {
                Some(tasks) => break tasks,
                None => wait::pause_briefly(),
            }
        };
        for task in tasks.into_iter().flatten() {
            while !sched::is_gone(&task) && !sched::is_stopped(&task) {
                wait::pause_briefly();
            }
        }
    }

    /// The mapping has gone: ends the context. Process context, sleeps.
    pub(crate) fn unmapped(this: Arc<Self>, task: Option<FullTask<'_>>) {
        Window::Unmapped.pass_asleep();
        // The last user of the address space is a task of another process. What it has to release must
        // not wait for these requests.
        if !sched::is_of(this.mm(), this.task()) {
            // The context may be dead already.
            let _ = this.kill();
            this.hold_module();
            let _ = workqueue::queue().enqueue_delayed::<_, 1>(this, 0);
            return;
        }
        this.end(task);
        this.member().leave();
    }

    /// Ends the context. If it is ending already, waits until it has ended. Called in a task of the
    /// process; without `task`, in one that exits. Sleeps.
    pub(crate) fn end(self: &Arc<Self>, task: Option<FullTask<'_>>) {
        let _ = self.kill();
        self.drain(task);
    }
}
