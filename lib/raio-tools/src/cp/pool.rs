// SPDX-License-Identifier: MIT OR Apache-2.0

//! Threads that copy small files, beside our own: as many as there are further CPUs.

use super::{
    reflink::Reflink,
    report::Failure,
    small::{Outcome, Small},
    source::Work,
};
use crate::cli;
use std::{
    mem,
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{self, Receiver, Sender, SyncSender, TrySendError},
        Mutex, PoisonError,
    },
    thread::{self, Scope},
    time::Duration,
};

/// So many files go to a thread at a time: to wake it takes about as long as to copy one.
const BATCH: usize = 16;
/// More threads wait for each other in the directories.
const MAX_THREADS: usize = 7;

/// A file, and what became of it.
pub type Settled = (Work, Result<Outcome, Failure>);

/// What the threads share.
pub struct Shared<'a> {
    /// What the command line says.
    pub args: &'a cli::Cp,
    /// What clones.
    pub reflink: &'a Reflink,
    /// Not 0 if they are to stop.
    pub signal: &'a AtomicUsize,
    queue: Mutex<Receiver<Vec<Work>>>,
}

impl<'a> Shared<'a> {
    /// For all threads that there may be, and what feeds them.
    pub fn new(
        args: &'a cli::Cp,
        reflink: &'a Reflink,
        signal: &'a AtomicUsize,
    ) -> (Self, SyncSender<Vec<Work>>) {
        let (feed, queue) = mpsc::sync_channel(2 * MAX_THREADS);
        let shared = Self {
            args,
            reflink,
            signal,
            queue: Mutex::new(queue),
        };
        (shared, feed)
    }

    /// What copies small files in a thread.
    pub fn small(&self) -> Small<'a> {
        Small::new(self.args, self.reflink)
    }

    /// Copies the files, until there is a signal.
    pub fn copy(&self, batch: Vec<Work>, small: &mut Small<'_>) -> Vec<Settled> {
        let works = batch.into_iter();
        works
            .take_while(|_| self.signal.load(Relaxed) == 0)
            .map(|work| {
                let outcome = small.copy(&work);
                (work, outcome)
            })
            .collect()
    }

    fn run(&self, settled: &Sender<Vec<Settled>>) {
        let mut small = self.small();
        loop {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let next = queue.recv();
            drop(queue);
            let Ok(batch) = next else {
                return;
            };
            if settled.send(self.copy(batch, &mut small)).is_err() {
                return;
            }
        }
    }
}

/// The threads.
pub struct Pool<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    shared: &'env Shared<'env>,
    /// Threads end when it is dropped.
    feed: SyncSender<Vec<Work>>,
    /// What the next batch will be.
    batch: Vec<Work>,
    threads: usize,
    max_threads: usize,
    settle: Sender<Vec<Settled>>,
    settled: Receiver<Vec<Settled>>,
    /// Batches that are with the threads.
    outstanding: usize,
}

impl<'scope, 'env> Pool<'scope, 'env> {
    /// Threads are started when there are files for them.
    pub fn new(
        scope: &'scope Scope<'scope, 'env>,
        shared: &'env Shared<'env>,
        feed: SyncSender<Vec<Work>>,
    ) -> Self {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let (settle, settled) = mpsc::channel();
        Self {
            scope,
            shared,
            feed,
            batch: Vec::new(),
            threads: 0,
            max_threads: (cpus - 1).min(MAX_THREADS),
            settle,
            settled,
            outstanding: 0,
        }
    }

    /// Takes a file.  What is returned is for our own thread: the others have enough to do.
    pub fn give(&mut self, work: Work) -> Vec<Work> {
        self.batch.push(work);
        if self.batch.len() < BATCH {
            return Vec::new();
        }
        if self.threads <= self.outstanding && self.threads < self.max_threads {
            let (shared, settle) = (self.shared, self.settle.clone());
            let started = thread::Builder::new()
                .name("raio-cp".into())
                .spawn_scoped(self.scope, move || shared.run(&settle));
            match started {
                Ok(_) => self.threads += 1,
                Err(_) => self.max_threads = self.threads,
            }
        }
        let batch = self.rest();
        if self.outstanding >= 2 * self.threads {
            return batch;
        }
        match self.feed.try_send(batch) {
            Ok(()) => {
                self.outstanding += 1;
                Vec::new()
            }
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => batch,
        }
    }

    /// What was taken and is with no thread yet.
    pub fn rest(&mut self) -> Vec<Work> {
        mem::take(&mut self.batch)
    }

    /// Whether threads have something to do.
    pub fn is_busy(&self) -> bool {
        self.outstanding > 0
    }

    /// What the threads have done; waits so long for it if there is none.
    pub fn settled(&mut self, timeout: Duration) -> Vec<Settled> {
        if self.outstanding == 0 {
            return Vec::new();
        }
        let first = match timeout.is_zero() {
            true => self.settled.try_recv().ok(),
            false => self.settled.recv_timeout(timeout).ok(),
        };
        let mut all = Vec::new();
        for batch in first.into_iter().chain(self.settled.try_iter()) {
            self.outstanding -= 1;
            all.extend(batch);
        }
        all
    }
}
