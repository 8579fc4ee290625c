// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keeps the context full: as many requests as it has room for, of as many files as that needs.

use super::{
    job::{Job, Next, Order, Phase, ALIGN},
    links::Links,
    pool::{Pool, Shared},
    reflink::Reflink,
    report::Report,
    small::Small,
    source::Work,
    walk::Walk,
};
use crate::cli;
use raio::{Buffer, Completion, Context, Request};
use slab::Slab;
use std::{
    collections::{HashSet, VecDeque},
    os::unix::fs::MetadataExt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// So long a signal may go unnoticed that came just before a wait.
const NAP: Duration = Duration::from_millis(300);
/// And what threads have done.
const SHORT_NAP: Duration = Duration::from_millis(5);
/// So many files are begun before one looks at what has come back.
const AT_A_TIME: usize = 64;

/// What a request is for.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// Of `len` bytes; more is asked for where O_DIRECT wants it.
    Read,
    /// Of `len` bytes of data; then come `rest` bytes that the read did not yield.
    Write {
        rest: usize,
    },
    Sync,
    /// To compare; of the source or of the copy.
    Compare {
        pair: usize,
        copy: bool,
    },
}

#[derive(Clone, Copy)]
pub(super) struct Op {
    pub(super) job: usize,
    pub(super) what: What,
    pub(super) offset: u64,
    pub(super) len: usize,
}

/// Two parts that have to be alike.
pub(super) struct Pair {
    pub(super) offset: u64,
    pub(super) len: usize,
    /// How many of the two reads have come back.
    pub(super) back: u32,
    pub(super) source: Option<Buffer>,
    pub(super) copy: Option<Buffer>,
}

/// The engine.  What is dropped first is the context: it waits for all requests.
pub struct Engine<'scope, 'a> {
    context: Context,
    pub(super) args: &'a cli::Cp,
    pub(super) shared: &'a Shared<'a>,
    pub(super) pool: Pool<'scope, 'a>,
    pub(super) small: Small<'a>,
    pub(super) links: Links<Work>,
    reflink: &'a Reflink,
    /// Not 0 if it is to stop.
    signal: &'a AtomicUsize,
    pub(super) jobs: Slab<Job>,
    /// In the order in which they were begun.
    pub(super) order: VecDeque<usize>,
    pub(super) ops: Slab<Op>,
    pub(super) pairs: Slab<Pair>,
    /// To be submitted.
    pending: VecDeque<(usize, Option<Buffer>)>,
    pub(super) free: Vec<Buffer>,
    /// How many more may be allocated.
    unallocated: usize,
    max_jobs: usize,
    /// File systems that it was said of that they have no O_DIRECT.
    not_direct: HashSet<u64>,
    /// There may be more files.
    more: bool,
}

impl<'scope, 'a> Engine<'scope, 'a> {
    /// With that context, and for so many files at a time.
    pub fn new(
        context: Context,
        pool: Pool<'scope, 'a>,
        shared: &'a Shared<'a>,
        max_jobs: usize,
    ) -> Self {
        let Shared {
            args,
            reflink,
            signal,
            ..
        } = *shared;
        // Comparing takes two.
        let buffers = args.queue_depth.max(1 + u32::from(args.verify)) as usize;
        Self {
            context,
            args,
            shared,
            pool,
            small: shared.small(),
            links: Links::new(),
            reflink,
            signal,
            jobs: Slab::new(),
            order: VecDeque::new(),
            ops: Slab::new(),
            pairs: Slab::new(),
            pending: VecDeque::new(),
            free: Vec::new(),
            unallocated: buffers,
            max_jobs,
            not_direct: HashSet::new(),
            more: true,
        }
    }

    /// Copies all files, unless there is a signal.
    pub fn run(&mut self, walk: &mut Walk, report: &mut Report) -> Result<(), raio::Error> {
        let mut completions = Vec::new();
        while !self.stopped() {
            self.fill(walk, report);
            self.submit(walk, report);
            let can_go_on = self.can_begin() || !self.pending.is_empty();
            let in_flight = self.context.in_flight() > 0;
            let nap = match (can_go_on, in_flight) {
                (false, false) => NAP,
                _ => Duration::ZERO,
            };
            let settled = self.pool.settled(nap);
            self.settle(settled, walk, report);
            if !in_flight {
                let idle = self.jobs.is_empty() && !self.pool.is_busy();
                if !self.more && idle && self.context.in_flight() == 0 {
                    break;
                }
                continue;
            }
            // Threads wake nobody who waits here.
            let nap = match (can_go_on, self.pool.is_busy()) {
                (true, _) => Duration::ZERO,
                (false, true) => SHORT_NAP,
                (false, false) => NAP,
            };
            match self.context.getevents(1, Some(nap), &mut completions) {
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                result => {
                    result?;
                }
            }
            for completion in completions.drain(..) {
                let Completion {
                    result,
                    buffer,
                    user_data,
                    ..
                } = completion;
                self.complete(user_data as usize, result, buffer, walk, report);
            }
            report.tick();
        }
        Ok(())
    }

    pub(super) fn stopped(&self) -> bool {
        self.signal.load(Relaxed) != 0
    }

    fn buffers(&self) -> usize {
        self.free.len() + self.unallocated
    }

    fn take_buffer(&mut self, len: usize) -> Buffer {
        let mut buffer = self.free.pop().unwrap_or_else(|| {
            self.unallocated -= 1;
            Buffer::new(self.args.block_size)
        });
        buffer.set_len(len);
        buffer
    }

    /// Makes requests as long as there are buffers: of the files that were begun first.
    fn fill(&mut self, walk: &mut Walk, report: &mut Report) {
        for id in self.order.clone() {
            if self.buffers() == 0 {
                return;
            }
            self.go_on(id, walk, report);
        }
        for _ in 0..AT_A_TIME {
            if !self.can_begin() {
                break;
            }
            match walk.next(report) {
                Some(work) => self.start(work, walk, report),
                None => {
                    self.more = false;
                    let rest = self.pool.rest();
                    self.copy_batch(rest, walk, report);
                }
            }
        }
    }

    /// Whether another file can be begun.
    fn can_begin(&self) -> bool {
        self.more && self.buffers() > 0 && self.jobs.len() < self.max_jobs && !self.stopped()
    }

    pub(super) fn begin(&mut self, mut job: Job, walk: &mut Walk, report: &mut Report) {
        let cloned = job.clone(self.reflink).unwrap_or_else(|failure| {
            job.fail(failure);
            false
        });
        report.advance(job.cloned);
        // Of an empty file nothing is read.
        let data = job.order != Order::Stream || !job.source.metadata.is_file();
        if self.args.direct && data && !cloned && !job.go_direct() {
            report.not_direct();
            if self.not_direct.insert(job.source.metadata.dev()) {
                let source = crate::output::Quoted(&job.work.source);
                report.note(&format!(
                    "{source}: it or its copy can't be O_DIRECT; the page cache is used, here and for what is like it"
                ));
            }
        }
        if !cloned && job.failure.is_none() {
            if let Err(failure) = job.allocate(self.args.block_size) {
                job.fail(failure);
            }
        }
        let id = self.jobs.insert(job);
        self.order.push_back(id);
        self.go_on(id, walk, report);
    }

    /// Makes the requests of a file that can be made now, or ends it.
    pub(super) fn go_on(&mut self, id: usize, walk: &mut Walk, report: &mut Report) {
        loop {
            let Some(job) = self.jobs.get_mut(id) else {
                return;
            };
            let block = self.args.block_size;
            let next = match job.phase {
                _ if job.failure.is_some() => Next::End,
                Phase::Copy if self.free.is_empty() && self.unallocated == 0 => Next::Wait,
                Phase::Copy => job.next_read(block),
                Phase::Verify if self.free.len() + self.unallocated < 2 => Next::Wait,
                Phase::Verify => job.next_compare(block),
                Phase::Sync | Phase::Install => Next::End,
            };
            match next {
                Next::Wait => return,
                Next::End if job.outstanding > 0 => return,
                Next::End => {
                    if self.step(id, walk, report) {
                        return;
                    }
                }
                Next::Read(offset, len) if job.phase == Phase::Copy => self.read(id, offset, len),
                Next::Read(offset, len) => self.compare(id, offset, len),
            }
        }
    }

    pub(super) fn push(&mut self, op: Op, buffer: Option<Buffer>) {
        self.jobs[op.job].outstanding += 1;
        let key = self.ops.insert(op);
        self.pending.push_back((key, buffer));
    }

    /// How much to ask for, to get `len` bytes.
    pub(super) fn aligned(&self, id: usize, len: usize) -> usize {
        match self.jobs[id].direct {
            true => len.next_multiple_of(ALIGN as usize),
            false => len,
        }
    }

    fn read(&mut self, id: usize, offset: u64, len: usize) {
        let buffer = self.take_buffer(self.aligned(id, len));
        let what = What::Read;
        self.push(
            Op {
                job: id,
                what,
                offset,
                len,
            },
            Some(buffer),
        );
    }

    fn compare(&mut self, id: usize, offset: u64, len: usize) {
        let pair = self.pairs.insert(Pair {
            offset,
            len,
            back: 0,
            source: None,
            copy: None,
        });
        for copy in [false, true] {
            let mut buffer = self.take_buffer(self.aligned(id, len));
            // A device that does not fill it is not to pass because of what is in it already.
            buffer.fill(if copy { 0x5a } else { 0xa5 });
            let what = What::Compare { pair, copy };
            self.push(
                Op {
                    job: id,
                    what,
                    offset,
                    len,
                },
                Some(buffer),
            );
        }
    }

    fn submit(&mut self, walk: &mut Walk, report: &mut Report) {
        while !self.pending.is_empty() && !self.stopped() {
            let (ops, jobs) = (&self.ops, &self.jobs);
            let keys: Vec<usize> = self.pending.iter().map(|(key, _)| *key).collect();
            let mut queue: VecDeque<Request<'_>> = self
                .pending
                .drain(..)
                .map(|(key, buffer)| request(&jobs[ops[key].job], &ops[key], buffer, key))
                .collect();
            let result = self.context.submit(&mut queue);
            // What was not taken is at the end.
            let left = keys.len() - queue.len();
            let buffers = queue.into_iter().map(Request::into_buffer);
            self.pending = keys[left..].iter().copied().zip(buffers).collect();
            match result {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    let errno = error.raw_os_error();
                    // Memory is short: it will be there when something has come back.
                    if errno == Some(libc::EAGAIN) && self.context.in_flight() > 0 {
                        return;
                    }
                    let (key, buffer) = self.pending.pop_front().expect("its error it was");
                    self.refused(key, errno, buffer, walk, report);
                }
            }
        }
    }
}

fn request<'job>(job: &'job Job, op: &Op, buffer: Option<Buffer>, key: usize) -> Request<'job> {
    let request = match (op.what, buffer) {
        (What::Read | What::Compare { copy: false, .. }, Some(buffer)) => {
            Request::read_at(&job.source.file, buffer, op.offset)
        }
        (What::Compare { copy: true, .. }, Some(buffer)) => {
            Request::read_at(&job.target.file, buffer, op.offset)
        }
        (What::Write { .. }, Some(buffer)) => {
            Request::write_at(&job.target.file, buffer, op.offset)
        }
        (_, _) => Request::fsync(&job.target.file),
    };
    request.with_user_data(key as u64)
}
