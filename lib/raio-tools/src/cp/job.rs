// SPDX-License-Identifier: MIT OR Apache-2.0

//! A file that is being copied: what is to be read next, and what is known of it.
//!
//! A file whose size is known, and a copy that can be written anywhere, are copied in *parts*, many
//! at a time and in no order; holes are left out.  All else is a *stream*: a part is read when the
//! one before it is written, until the end.  A file that has grown meanwhile ends as a stream.

use super::{
    extent::next_data,
    reflink::Reflink,
    report::Failure,
    source::{Id, Source, Work},
    target::Target,
};
use crate::{cli, output::Quoted};
use raio::Buffer;
use rustix::{
    fs::{AtFlags, FallocateFlags, Mode, OFlags, SeekFrom, StatxFlags},
    io::Errno,
};
use std::{
    fs::File,
    io,
    os::unix::fs::{FileTypeExt, MetadataExt},
};

/// What to read next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// That many bytes from there.
    Read(u64, usize),
    /// Nothing before something has come back.
    Wait,
    /// Nothing any more.
    End,
}

/// In what order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// In parts, up to that size.
    Parts(u64),
    /// One after the other.
    Stream,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is copied.
    Copy,
    /// It is made durable.
    Sync,
    /// It is read again.
    Verify,
    /// It gets its name.
    Install,
}

/// A file that is being copied.
pub struct Job {
    /// What was asked for.
    pub work: Work,
    /// The source.
    pub source: Source,
    /// Where to.
    pub target: Target,
    /// What is being done.
    pub phase: Phase,
    /// In what order.
    pub order: Order,
    /// Requests that have not come back.
    pub outstanding: usize,
    /// What went wrong first.
    pub failure: Option<Failure>,
    /// The source or the copy can't be read or written asynchronously.
    pub synchronous: bool,
    /// Where the next part begins; in verification as well.
    pub next: u64,
    /// Where the data ends that `next` is in.
    extent: u64,
    /// Holes are looked for.
    pub sparse: bool,
    /// Where the source was found to end.
    pub end: Option<u64>,
    /// Where the last byte that was written ends.
    pub written: u64,
    /// How many were written.
    pub data: u64,
    /// How many the copy shares with the source.
    pub cloned: u64,
    /// It has other names, which wait for this one.
    pub links: Option<Id>,
    /// Both are O_DIRECT: what is read and written is aligned.
    pub direct: bool,
}

/// How requests of O_DIRECT are aligned.
pub const ALIGN: u64 = Buffer::ALIGN as u64;

impl Job {
    /// Opens the copy.  `Ok(None)`: there is nothing to be done.
    pub fn open(work: Work, source: Source, args: &cli::Cp) -> Result<Option<Self>, Failure> {
        let metadata = &source.metadata;
        // What is named was looked at.
        let fresh = work.place.as_ref().is_some_and(|place| place.fresh);
        if !work.named && !fresh && Target::is(&work.destination, metadata) {
            let why = format!("{} is the same file", Quoted(&work.destination));
            return Err(Failure::refused(&work.source, "copy", why));
        }
        if args.no_clobber && std::fs::symlink_metadata(&work.destination).is_ok() {
            return Ok(None);
        }
        let mode = Mode::from_raw_mode(metadata.mode() & 0o777);
        let target = Target::create(&work.destination, work.named, mode, args)?;
        let block = metadata.file_type().is_block_device();
        let size = match block {
            true => rustix::fs::seek(&source.file, SeekFrom::End(0))
                .map_err(|errno| Failure::new(&work.source, "lseek", errno))?,
            false => metadata.len(),
        };
        let anywhere = target.regular
            || target
                .file
                .metadata()
                .is_ok_and(|copy| copy.file_type().is_block_device());
        if args.verify && !(anywhere && (block || metadata.is_file())) {
            return Err(Failure::refused(
                &work.source,
                "verify",
                "it or its copy can't be read again",
            ));
        }
        let order = match (metadata.is_file() || block) && size > 0 && anywhere {
            true => Order::Parts(size),
            // Files of /proc have a size of 0, and data.
            false => Order::Stream,
        };
        // As cp: only where blocks are missing there can be holes.
        let sparse = metadata.is_file() && metadata.blocks() < size.div_ceil(512) && target.regular;
        Ok(Some(Self {
            work,
            source,
            target,
            phase: Phase::Copy,
            order,
            outstanding: 0,
            failure: None,
            synchronous: false,
            next: 0,
            extent: 0,
            sparse,
            end: None,
            written: 0,
            data: 0,
            cloned: 0,
            links: None,
            direct: false,
        }))
    }

    /// Makes both files O_DIRECT, if both can be.
    pub fn go_direct(&mut self) -> bool {
        match self.order {
            // What is written beyond the end is cut off of a regular file.
            Order::Parts(size) if self.target.regular || size % ALIGN == 0 => {}
            _ => return false,
        }
        self.direct = set_direct(&self.source.file, true) && set_direct(&self.target.file, true);
        if !self.direct {
            self.through_cache();
        }
        self.direct
    }

    /// Uses the page cache from here on.
    pub fn through_cache(&mut self) {
        set_direct(&self.source.file, false);
        set_direct(&self.target.file, false);
        self.direct = false;
    }

    /// Makes the copy a clone, if that can be: says whether it is.
    pub fn clone(&mut self, reflink: &Reflink) -> Result<bool, Failure> {
        if !self.target.regular {
            return Ok(false);
        }
        let stat = |error| self.failed("stat", error);
        let (source, copy) = (&self.source, &self.target.file);
        let dev = copy.metadata().map_err(stat)?.dev();
        if !reflink.clone(&self.work, &source.file, &source.metadata, copy, dev)? {
            return Ok(false);
        }
        // It is of the size that the source has now.
        let len = copy.metadata().map_err(stat)?.len();
        let size = source.metadata.len();
        if len < size {
            self.ends_at(len);
        }
        self.cloned = len.min(size);
        (self.next, self.extent, self.written) = (size, size, self.cloned);
        Ok(true)
    }

    /// Gives the copy its blocks and its size where that helps: writes that change them wait for
    /// each other.
    pub fn allocate(&self, block: usize) -> Result<(), Failure> {
        let Order::Parts(size) = self.order else {
            return Ok(());
        };
        if !self.target.regular || size <= block as u64 {
            return Ok(());
        }
        let file = &self.target.file;
        if !self.sparse {
            loop {
                match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size) {
                    Ok(()) => return Ok(()),
                    Err(Errno::INTR) => {}
                    // Not every file system can.
                    Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => break,
                    Err(errno) => return Err(self.failed("fallocate", errno)),
                }
            }
        }
        file.set_len(size)
            .map_err(|error| self.failed("ftruncate", error))
    }

    /// Of the copy.
    pub fn failed(&self, call: &'static str, error: impl Into<io::Error>) -> Failure {
        Failure::new(&self.work.destination, call, error)
    }

    /// Of the source.
    pub fn source_failed(&self, call: &'static str, error: impl Into<io::Error>) -> Failure {
        Failure::new(&self.work.source, call, error)
    }

    /// Notes what went wrong; the first counts.
    pub fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// What to read next, up to `block` bytes of it, to be copied.
    pub fn next_read(&mut self, block: usize) -> Next {
        if self.failure.is_some() {
            return Next::End;
        }
        let size = match self.order {
            Order::Stream if self.end.is_some() => return Next::End,
            Order::Stream if self.outstanding > 0 => return Next::Wait,
            Order::Stream => return Next::Read(self.next, block),
            Order::Parts(size) => self.end.unwrap_or(size),
        };
        let found = match self.sparse {
            true => next_data(&[&self.source.file], &mut self.next, &mut self.extent, size),
            false => {
                self.extent = size;
                Ok(())
            }
        };
        if let Err(errno) = found {
            let failure = self.source_failed("lseek", errno);
            self.fail(failure);
            return Next::End;
        }
        self.part(block, size)
    }

    /// What to read next of both files, to be compared.
    pub fn next_compare(&mut self, block: usize) -> Next {
        let size = self.size();
        if self.failure.is_some() {
            return Next::End;
        }
        let files = [&self.source.file, &self.target.file];
        // What is a hole in both is alike.
        let found = match self.target.regular && self.source.metadata.is_file() {
            true => next_data(&files, &mut self.next, &mut self.extent, size),
            false => {
                self.extent = size;
                Ok(())
            }
        };
        if let Err(errno) = found {
            let failure = self.source_failed("lseek", errno);
            self.fail(failure);
            return Next::End;
        }
        self.part(block, size)
    }

    fn part(&mut self, block: usize, size: u64) -> Next {
        let end = self.extent.min(size);
        if self.next >= end {
            return Next::End;
        }
        let (from, len) = (self.next, (end - self.next).min(block as u64));
        self.next += len;
        Next::Read(from, len as usize)
    }

    /// From the beginning again.
    pub fn restart(&mut self) {
        (self.next, self.extent) = (0, 0);
    }

    /// How long the copy is.
    pub fn size(&self) -> u64 {
        match (self.end, self.order) {
            (Some(end), _) => end,
            (None, Order::Parts(size)) => size.max(self.written),
            (None, Order::Stream) => self.written,
        }
    }

    /// A read found the end of the source.
    pub fn ends_at(&mut self, offset: u64) {
        self.end = Some(self.end.map_or(offset, |end| end.min(offset)));
    }

    /// All was written: gives the copy its size.  False: there is more, it has grown.
    pub fn finish_copy(&mut self) -> Result<bool, Failure> {
        let now = self
            .source
            .file
            .metadata()
            .map_err(|error| self.source_failed("stat", error))?;
        if let (Order::Parts(size), None) = (self.order, self.end) {
            if self.source.metadata.is_file() && now.len() > size {
                if self.direct {
                    self.through_cache();
                }
                (self.order, self.next) = (Order::Stream, size);
                self.written = self.written.max(size);
                return Ok(false);
            }
        }
        if self.target.regular {
            let size = self.size();
            let file = &self.target.file;
            let there = file
                .metadata()
                .map_err(|error| self.failed("stat", error))?;
            if there.len() != size {
                file.set_len(size)
                    .map_err(|error| self.failed("ftruncate", error))?;
            }
        }
        Ok(true)
    }
}

/// Switches O_DIRECT; says whether the file does that with our alignment.
fn set_direct(file: &File, on: bool) -> bool {
    let Ok(flags) = rustix::fs::fcntl_getfl(file) else {
        return false;
    };
    let flags = if on {
        flags | OFlags::DIRECT
    } else {
        flags - OFlags::DIRECT
    };
    if rustix::fs::fcntl_setfl(file, flags).is_err() {
        return false;
    }
    match rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) {
        Ok(statx) if statx.stx_mask & StatxFlags::DIOALIGN.bits() != 0 => {
            let aligns = [statx.stx_dio_mem_align, statx.stx_dio_offset_align];
            aligns
                .iter()
                .all(|&align| align > 0 && u64::from(align) <= ALIGN)
        }
        // It does not tell; requests will.
        _ => true,
    }
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
