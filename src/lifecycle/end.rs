// SPDX-License-Identifier: GPL-2.0

//! How contexts end: with io_destroy, or with their mapping.
//!
//! Either way a context is dead first, then what is in flight finishes, and then its share of the limits
//! is given back. So when io_destroy, exec or wait4 have returned, no request of it touches a file or
//! memory any more. (As with native aio, exec and exit end the mapping only if nobody else uses the
//! address space at that moment, as a reader of `/proc/PID/maps` does: then it is ended by whoever is
//! last. At exit the [`open_device`](super::open_device) sees to the context before that, if it is still open.)

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

/// How often the work queue looks whether a context can end, in ticks.
const END_TICKS: Jiffies = 5;
/// At how many requests it looks then, but for the first time.
const END_REQUESTS: u32 = 1024;

impl WorkItem<1> for Context {
    type Pointer = Arc<Context>;

    /// Goes on with the end of a context that nobody waits for. Never sleeps for long.
    fn run(context: Arc<Context>) {
        // What is in flight afterwards finds that the context is dead: the later looks are for what was
        // just on its way from the one to the other.
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
    /// io_destroy: ends the context, when what is in flight has finished.
    ///
    /// EINVAL if somebody else does so already. Sleeps.
    pub(crate) fn destroy(self: &Arc<Self>, task: FullTask<'_>) -> Result {
        self.kill()?;
        self.drain(Some(task));
        self.wait_for_threads();
        mapping::unmap(self);
        Ok(())
    }

    /// Cancels what a dead context has, has what was accepted finished, waits until nothing is in
    /// flight, and gives back what it has. A `task` of the process does what there is to do; without
    /// one, threads of the process do, as long as there are any.
    fn drain(self: &Arc<Self>, task: Option<FullTask<'_>>) {
        Window::Destroy.pass_asleep();
        // What is in flight may wait for the release of a file, that of a FUSE server's end say,
        // and the task does not come to other work before it was waited for.
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
        // The events are there; the last requests are freed in a moment. They can't tell: with
        // the last one the context may be gone.
        while !self.close_pool(fs::put_now) {
            // One that was cancelled on a page, and had its event then.
            if !run::cancel_queued(self) {
                wait::pause_briefly();
            }
        }
        self.give_back();
    }

    /// Waits until no thread is left; but not for those that somebody has stopped. Sleeps.
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

    /// The mapping is gone: so is the context. Process context, sleeps.
    pub(crate) fn unmapped(this: Arc<Self>, task: Option<FullTask<'_>>) {
        Window::Unmapped.pass_asleep();
        // Somebody else was the address space's last user. What it releases for others must not
        // wait for the requests.
        if !sched::is_of(this.mm(), this.task()) {
            // It may be dead already.
            let _ = this.kill();
            this.hold_module();
            let _ = workqueue::queue().enqueue_delayed::<_, 1>(this, 0);
            return;
        }
        this.end(task);
        this.member().leave();
    }

    /// Ends the context, or waits until it has ended if somebody else does so already. In a task of
    /// the process; without a token that exits. Sleeps.
    pub(crate) fn end(self: &Arc<Self>, task: Option<FullTask<'_>>) {
        let _ = self.kill();
        self.drain(task);
    }
}
