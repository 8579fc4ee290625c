// SPDX-License-Identifier: MIT OR Apache-2.0

//! Small files: one after the other, with no request, and with few calls.  What is not that simple
//! is left to the engine.

use super::{
    meta,
    reflink::Reflink,
    report::{Copied, Failure},
    source::{Source, Work},
    target::{Installed, Target},
};
use crate::cli;
use rustix::{
    fs::{AtFlags, Mode},
    io::{retry_on_intr as retry, Errno},
};
use std::os::unix::fs::MetadataExt;

/// As large as a small file may be.
const MAX: usize = 128 << 10;

/// What copies small files; one for each thread.
pub struct Small<'a> {
    args: &'a cli::Cp,
    reflink: &'a Reflink,
    buffer: Vec<u8>,
}

/// A file that is in place.
pub struct Done {
    /// What was copied.
    pub copied: Copied,
    /// How much of that the progress bar knows of.
    pub told: u64,
    /// The source was changed meanwhile.
    pub changed: bool,
    /// Whether the copy is like the source.
    pub kept: Result<(), meta::Failed>,
}

/// What became of a file.
pub enum Outcome {
    /// It is in place.
    Done(Done),
    /// Something is there, and stays.
    Skipped,
    /// It is not for here.
    NotSmall(Source),
}

impl<'a> Small<'a> {
    /// As the command line says.
    pub fn new(args: &'a cli::Cp, reflink: &'a Reflink) -> Self {
        Self {
            args,
            reflink,
            // One byte more tells a file that has grown.
            buffer: vec![0; MAX + 1],
        }
    }

    /// Whether there are any: what these options ask for takes requests, and time.
    pub fn wanted(args: &cli::Cp) -> bool {
        !(args.direct || args.verify || args.fsync)
    }

    /// Opens a file and copies it, if it has no other names that are to be kept.
    pub fn copy(&mut self, work: &Work) -> Result<Outcome, Failure> {
        let source = Source::open(work)?;
        match self.args.archive && source.metadata.nlink() > 1 {
            true => Ok(Outcome::NotSmall(source)),
            false => self.copy_opened(work, source),
        }
    }

    /// Copies a file, if it is a small one and nothing is there.
    pub fn copy_opened(&mut self, work: &Work, source: Source) -> Result<Outcome, Failure> {
        let metadata = &source.metadata;
        let size = metadata.len();
        // As for holes, see `Job::open`.
        let holes = metadata.blocks() < size.div_ceil(512) && size > 4096;
        if !metadata.is_file() || size > MAX as u64 || holes || !self.is_free(work) {
            return Ok(Outcome::NotSmall(source));
        }
        let Some(target) = Target::unnamed(work, self.mode(&source))? else {
            return Ok(Outcome::NotSmall(source));
        };
        let there = target
            .file
            .metadata()
            .map_err(|error| Failure::new(&work.destination, "stat", error))?;
        let mut copied = Copied {
            bytes: size,
            data_bytes: size,
            ..Copied::default()
        };
        let (file, dev) = (&source.file, there.dev());
        if self
            .reflink
            .clone(work, file, metadata, &target.file, dev)?
        {
            (copied.data_bytes, copied.cloned_bytes) = (0, size);
        } else if !self.copy_data(work, &source, &target)? {
            // A file of /proc, say.
            return Ok(Outcome::NotSmall(Source::of(source.file, work)?));
        }
        let changed = size > 0 && source.has_changed();
        let kept = match self.args.preserve {
            true => {
                let acl = work
                    .place
                    .as_ref()
                    .is_none_or(|place| place.dirs.default_acl);
                meta::preserve(&target.file, file, metadata, Some(&there), acl)
            }
            false => Ok(()),
        };
        Ok(match target.install(self.args.no_clobber)? {
            Installed::NotWanted => Outcome::Skipped,
            Installed::Yes => Outcome::Done(Done {
                copied,
                told: 0,
                changed,
                kept,
            }),
        })
    }

    /// Whether nothing is where the copy shall be.
    fn is_free(&self, work: &Work) -> bool {
        if work.place.as_ref().is_some_and(|place| place.fresh) {
            return true;
        }
        let (dir, path) = work.copy_at();
        let there = rustix::fs::statat(dir, path, AtFlags::SYMLINK_NOFOLLOW);
        there.is_err_and(|errno| errno == Errno::NOENT)
    }

    /// With what mode the copy is made: nobody else can open it before it has a name.
    fn mode(&self, source: &Source) -> Mode {
        Mode::from_raw_mode(source.metadata.mode() & 0o777)
    }

    /// Copies the data; says whether they are as long as they should be.
    fn copy_data(
        &mut self,
        work: &Work,
        source: &Source,
        target: &Target,
    ) -> Result<bool, Failure> {
        let size = source.metadata.len() as usize;
        let len = retry(|| rustix::io::read(&source.file, &mut self.buffer[..=size]))
            .map_err(|errno| Failure::new(&work.source, "read", errno))?;
        if len != size {
            return Ok(false);
        }
        let mut rest = &self.buffer[..size];
        while !rest.is_empty() {
            match retry(|| rustix::io::write(&target.file, rest)) {
                Ok(0) => {
                    let why = format!("only {} of {size} bytes", size - rest.len());
                    return Err(Failure::refused(&work.destination, "write", why));
                }
                Ok(len) => rest = &rest[len..],
                Err(errno) => return Err(Failure::new(&work.destination, "write", errno)),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
#[path = "small_tests.rs"]
mod tests;
