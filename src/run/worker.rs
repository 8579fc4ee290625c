// SPDX-License-Identifier: GPL-2.0

//! The main loop of a thread of the process.

use crate::{
    context::{
        queues::{
            take_from,
            Queues, //
        },
        threads::{
            Seat,
            State,
            Worker, //
            ALONE_NS,
            IDLE_NS,
            KILLED,
            NO_REQUEST,
        },
        Context, //
    },
    engine::Place,
    pure::lists::List,
    request::Running,
    sys::{
        task::WorkerTask,
        vhost_task::{
            self,
            Next,
            Thread, //
        },
        wait::{
            self,
            Deadline, //
        }, //
    }, //
};
use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

impl Worker {
    /// Takes the thread out of its seat. The caller holds the lock: nobody refers to the thread from
    /// then on.
    fn leave(&self, queues: &mut Queues) -> Option<Thread<Worker>> {
        let thread = queues.threads.leave(self.place);
        if queues.closing {
            if let Some(left) = queues.threads.left.get_mut(self.place) {
                *left = Some((&**current!()).into());
            }
        }
        thread
    }

    /// Ends the thread. The caller holds the lock.
    fn end(&self, queues: &mut Queues) -> Next<Self> {
        // A thread has a seat as long as it runs.
        self.leave(queues)
            .map_or(Next::Sleep(Deadline::Never), Next::End)
    }

    /// Decides what a thread does that has found no request: sleep, or end.
    fn idle(&self, alone: bool, queues: &mut Queues, since: Option<i64>) -> Next<Self> {
        let now = wait::now();
        let since = since.unwrap_or(now);
        let missed = queues.may_be_missed();
        let over = now.saturating_sub(since) >= IDLE_NS;
        if over && (!missed || alone) {
            return self.end(queues);
        }
        queues.threads.set(self.place, State::Idle(since));
        // If the thread may not take what is queued, wake a task that can create another thread.
        if queues.for_threads() > 0 {
            queues.need_thread(&self.context, || self.context.clone());
        }
        let pause = if over { ALONE_NS } else { IDLE_NS };
        Next::Sleep(Deadline::At(now.saturating_add(pause)))
    }

    /// The thread may block now. If it leaves requests that no other thread comes for, asks for one.
    fn note_left(&self, queues: &mut Queues) {
        if queues.is_unserved() {
            queues.need_thread(&self.context, || self.context.clone());
        }
    }

    /// Takes the next request, or decides what the thread does instead.
    fn take(&self, task: WorkerTask<'_>) -> Result<Running, Next<Self>> {
        let context = &self.context;
        // The last other task of the process may leave without the end of the process, and nothing
        // reports that.
        let alone = vhost_task::is_left_alone(task);
        let mut queues = context.queues().lock();
        let since = match queues.threads.places.get(self.place) {
            Some(Seat::Used(_, State::Idle(since))) => Some(*since),
            Some(Seat::Used(..)) => {
                // The thread has finished what it was busy with.
                queues.threads.set(self.place, State::Woken);
                None
            }
            _ => return Err(self.end(&mut queues)),
        };
        let lists: &[List] = if !queues.may_block() {
            &[List::Run, List::Held]
        } else if queues.threads.pages_left() > 0 {
            &[List::Run, List::Held, List::Page, List::Block]
        } else {
            &[List::Run, List::Held, List::Block]
        };
        match take_from(&mut queues, context, lists) {
            Some(mut run) => {
                if run.private().from == Some(List::Page) {
                    queues.threads.pages = queues.threads.pages.saturating_add(1);
                }
                if run.shared().is_accepted() && !run.private().counted {
                    run.private().counted = true;
                    queues.threads.writes = queues.threads.writes.saturating_add(1);
                }
                let index = run.index();
                queues.threads.set(self.place, State::Busy(index));
                // It is soon back from a page that it only starts to read.
                if run.private().from != Some(List::Page) {
                    self.note_left(&mut queues);
                }
                Ok(run)
            }
            None if queues.closing => Err(self.end(&mut queues)),
            None => Err(self.idle(alone, &mut queues, since)),
        }
    }
}

impl vhost_task::Worker for Worker {
    fn run(&self, task: WorkerTask<'_>) -> Next<Self> {
        let mut run = match self.take(task) {
            Ok(run) => run,
            Err(next) => {
                if matches!(next, Next::End(_)) {
                    self.context.wake_drain();
                }
                return next;
            }
        };
        vhost_task::set_running();
        let page = run.private().from == Some(List::Page);
        super::rerun(&self.context, run, Place::Thread(task));
        let mut queues = self.context.queues().lock();
        if page {
            queues.threads.pages = queues.threads.pages.saturating_sub(1);
        }
        // The thread may have to release a file before it returns here, and wait in that.
        if vhost_task::has_other_work(task) {
            queues.threads.set(self.place, State::Busy(NO_REQUEST));
            self.note_left(&mut queues);
        } else {
            queues.threads.set(self.place, State::Woken);
        }
        Next::Again
    }

    fn killed(&self, task: WorkerTask<'_>) -> Option<Thread<Self>> {
        // The thread runs no more requests.
        self.context
            .queues()
            .lock()
            .threads
            .set(self.place, State::Busy(KILLED));
        self.context.finish_accepted(task);
        let (thread, last) = {
            let mut queues = self.context.queues().lock();
            if queues.for_threads() > 0 {
                // It was on its way to these.
                self.context.note_queued(true);
            }
            (self.leave(&mut queues), !queues.threads.is_there())
        };
        if last {
            // Requests that were queued meanwhile, and those that only threads can run. Another process
            // may share the memory and use the context, but it is not the submitter.
            self.context.finish_accepted(task);
            super::end::cancel_for_threads(&self.context);
        }
        self.context.wake_drain();
        // The rest is for a task of another process in the same memory, if there is one.
        super::look_now(&self.context);
        thread
    }
}

impl Context {
    /// Finishes accepted requests, both queued ones and those that threads have issued. A part of the
    /// latter may be queued again, since their threads were killed. Called in a killed thread; sleeps.
    fn finish_accepted(self: &Arc<Self>, task: WorkerTask<'_>) {
        loop {
            super::end::finish_accepted(self, task);
            let is_over = || {
                let queues = self.queues().lock();
                queues.threads.writes == 0 || queues.lists.len(List::Block) > 0
            };
            self.wait_for_drain(is_over);
            if self.queues().lock().lists.len(List::Block) == 0 {
                return;
            }
        }
    }
}
