// SPDX-License-Identifier: MIT OR Apache-2.0

//! How a file is copied: at once if it is small, as another name of a copy, or with requests.

use super::{
    engine::Engine,
    job::Job,
    links::Name,
    pool::Settled,
    report::{Failure, Report},
    small::{Done, Outcome, Small},
    source::{id, Id, Source, Work},
    walk::Walk,
};
use std::{os::unix::fs::MetadataExt, path::Path};

impl Engine<'_, '_> {
    /// Begins to copy a file.
    pub(super) fn start(&mut self, work: Work, walk: &mut Walk, report: &mut Report) {
        report.begin(&work.source);
        if Small::wanted(self.args) && work.place.is_some() {
            let batch = self.pool.give(work);
            self.copy_batch(batch, walk, report);
            return;
        }
        match Source::open(&work) {
            Ok(source) => self.opened(work, source, walk, report),
            Err(failure) => self.not_started(failure, report),
        }
    }

    /// Copies small files in our own thread.
    pub(super) fn copy_batch(&mut self, batch: Vec<Work>, walk: &mut Walk, report: &mut Report) {
        if !batch.is_empty() {
            let settled = self.shared.copy(batch, &mut self.small);
            self.settle(settled, walk, report);
        }
    }

    /// What became of small files.
    pub(super) fn settle(&mut self, all: Vec<Settled>, walk: &mut Walk, report: &mut Report) {
        for (work, outcome) in all {
            match outcome {
                Ok(Outcome::NotSmall(source)) => self.opened(work, source, walk, report),
                Ok(Outcome::Done(done)) => self.done(&work, done, walk, report),
                Ok(Outcome::Skipped) => report.skipped(),
                Err(failure) => self.not_started(failure, report),
            }
        }
    }

    fn not_started(&self, failure: Failure, report: &mut Report) {
        // A FIFO that nobody else has opened, and a signal.
        if !(self.stopped() && failure.is_interrupted()) {
            report.fail(failure);
        }
    }

    /// The source is open.
    fn opened(&mut self, work: Work, source: Source, walk: &mut Walk, report: &mut Report) {
        let metadata = &source.metadata;
        if !(self.args.archive && metadata.is_file() && metadata.nlink() > 1) {
            return self.copy(work, source, None, walk, report);
        }
        let file = id(metadata);
        match self.links.meet(file, work) {
            Name::First(work) => self.copy(work, source, Some(file), walk, report),
            Name::Another(work, copy) => self.link(work, file, &copy, walk, report),
            Name::Waits => {}
        }
    }

    /// Copies the data.  `links` is the file, if it has other names that are to be kept.
    fn copy(
        &mut self,
        work: Work,
        source: Source,
        links: Option<Id>,
        walk: &mut Walk,
        report: &mut Report,
    ) {
        let outcome = match Small::wanted(self.args) {
            true => self.small.copy_opened(&work, source),
            false => Ok(Outcome::NotSmall(source)),
        };
        let job = match outcome {
            Ok(Outcome::NotSmall(source)) => Job::open(work, source, self.args),
            Ok(Outcome::Done(done)) => {
                self.done(&work, done, walk, report);
                return self.end_links(links, Some(&work.destination), walk, report);
            }
            Ok(Outcome::Skipped) => Ok(None),
            Err(failure) => Err(failure),
        };
        match job {
            Ok(Some(mut job)) => {
                job.links = links;
                return self.begin(job, walk, report);
            }
            Ok(None) => report.skipped(),
            Err(failure) => self.not_started(failure, report),
        }
        self.end_links(links, None, walk, report);
    }

    /// Gives a copy another name.
    fn link(&mut self, work: Work, file: Id, copy: &Path, walk: &mut Walk, report: &mut Report) {
        match walk.link(&work.source, file, copy, &work.destination, report) {
            Ok(true) => {}
            Ok(false) => match Source::open(&work) {
                Ok(source) => self.copy(work, source, None, walk, report),
                Err(failure) => self.not_started(failure, report),
            },
            Err(failure) => report.fail(failure),
        }
    }

    /// The copy of a file with other names is at that path, or there is none.
    pub(super) fn end_links(
        &mut self,
        file: Option<Id>,
        copy: Option<&Path>,
        walk: &mut Walk,
        report: &mut Report,
    ) {
        let Some(file) = file else {
            return;
        };
        for work in self.links.end(file, copy) {
            match copy {
                Some(copy) => self.link(work, file, copy, walk, report),
                // One of them will be the first.
                None => self.start(work, walk, report),
            }
        }
    }

    /// A file is in place.
    pub(super) fn done(&self, work: &Work, done: Done, walk: &mut Walk, report: &mut Report) {
        let path = &work.destination;
        let copied = &done.copied;
        // Of the data that was written one was told.
        report.advance(copied.bytes.saturating_sub(done.told));
        walk.changed(path);
        report.copied(&work.source, path, copied);
        if let Err((call, error)) = done.kept {
            report.fail(Failure::new(path, call, error));
        }
        if done.changed {
            let why = "it was changed meanwhile, and so the copy may be of no one time";
            report.fail(Failure::refused(&work.source, "copy", why));
        }
    }
}
