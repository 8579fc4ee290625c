// SPDX-License-Identifier: MIT OR Apache-2.0

//! What comes after the data of a file: it is made durable, compared, and gets its name.

use super::{
    engine::{Engine, Op, What},
    job::{Job, Phase},
    meta,
    report::{Copied, Report},
    small::Done,
    target::Installed,
    walk::Walk,
};
use rustix::fs::Advice;

impl Engine<'_, '_> {
    /// A phase is over, and nothing is outstanding.  True: the file is done with.
    pub(super) fn step(&mut self, id: usize, walk: &mut Walk, report: &mut Report) -> bool {
        let job = &mut self.jobs[id];
        if job.failure.is_none() {
            match job.phase {
                Phase::Copy => match job.finish_copy() {
                    Ok(false) => return false,
                    Ok(true) => job.phase = Phase::Sync,
                    Err(failure) => job.fail(failure),
                },
                Phase::Sync if self.args.verify => {
                    // What is in the cache says nothing of the device.  Where it can't be dropped
                    // there is none, or nothing can be done.
                    let _ = rustix::fs::fadvise(&job.source.file, 0, None, Advice::DontNeed);
                    let _ = rustix::fs::fadvise(&job.target.file, 0, None, Advice::DontNeed);
                    job.phase = Phase::Verify;
                    job.restart();
                }
                Phase::Sync | Phase::Verify => job.phase = Phase::Install,
                Phase::Install => {}
            }
            let job = &self.jobs[id];
            if job.failure.is_none() && job.phase == Phase::Sync && self.durable() {
                let (offset, len) = (0, 0);
                self.push(
                    Op {
                        job: id,
                        what: What::Sync,
                        offset,
                        len,
                    },
                    None,
                );
                return false;
            }
            if job.failure.is_none() && job.phase != Phase::Install {
                return false;
            }
        }
        let job = self.jobs.remove(id);
        self.order.retain(|&other| other != id);
        match job.failure {
            Some(failure) => {
                report.fail(failure);
                self.end_links(job.links, None, walk, report);
            }
            None => self.install(job, walk, report),
        }
        true
    }

    /// Whether each file is made durable.
    fn durable(&self) -> bool {
        self.args.fsync || self.args.verify
    }

    fn install(&mut self, job: Job, walk: &mut Walk, report: &mut Report) {
        let source = &job.source;
        let changed = source.has_changed();
        let kept = match self.args.preserve && job.target.regular {
            true => meta::preserve(&job.target.file, &source.file, &source.metadata, None, true),
            false => job.target.keep(),
        };
        let copied = Copied {
            bytes: job.size(),
            data_bytes: job.data,
            cloned_bytes: job.cloned,
            verified: self.args.verify,
            synchronous: job.synchronous,
        };
        let work = job.work;
        let path = job.target.path.clone();
        let installed = job.target.install(self.args.no_clobber);
        let copy = match installed {
            Ok(Installed::Yes) => {
                let told = job.data + job.cloned;
                let done = Done {
                    copied,
                    told,
                    changed,
                    kept,
                };
                self.done(&work, done, walk, report);
                Some(&*path)
            }
            Ok(Installed::NotWanted) => {
                report.skipped();
                None
            }
            Err(failure) => {
                report.fail(failure);
                None
            }
        };
        self.end_links(job.links, copy, walk, report);
    }
}
