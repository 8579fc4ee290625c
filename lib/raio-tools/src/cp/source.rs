// SPDX-License-Identifier: MIT OR Apache-2.0

//! A file that is to be copied: where it is and where to, and it, open.

use super::{meta, report::Failure};
use rustix::fs::{Mode, OFlags, CWD};
use std::{
    fs::{File, Metadata},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

/// Which file it is: its device and its number there.
pub type Id = (u64, u64);

/// Of which file that is.
pub fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

/// A file to be copied.
#[derive(Debug, Clone)]
pub struct Work {
    /// The file.
    pub source: PathBuf,
    /// Its copy.
    pub destination: PathBuf,
    /// The copy is named on the command line, or in a directory that is: links are followed there.
    pub named: bool,
    /// If the source is a link it is followed.
    pub follow: bool,
    /// Where both are, below a directory that is copied.
    pub place: Option<Place>,
}

/// Where a file and its copy are.
#[derive(Debug, Clone)]
pub struct Place {
    /// The directories.
    pub dirs: Arc<Dirs>,
    /// That of the copy was made by us: nothing is there.
    pub fresh: bool,
}

/// A directory and its copy, open: names in them are looked up from there.
#[derive(Debug)]
pub struct Dirs {
    /// The source.
    pub source: OwnedFd,
    /// The copy.
    pub copy: OwnedFd,
    /// What is made in the copy gets an ACL from it.
    pub default_acl: bool,
}

impl Dirs {
    /// Opens a directory and its copy, if that is the one it was.
    pub fn open(source: &Path, copy: &Path, id: Id) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let source = rustix::fs::open(source, flags, Mode::empty()).ok()?;
        let dir = rustix::fs::open(copy, flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&dir).ok()?;
        ((stat.st_dev, stat.st_ino) == id).then(|| Self {
            source,
            copy: dir,
            default_acl: meta::has_default_acl(copy),
        })
    }
}

impl Work {
    /// Where the source is, for calls that take a directory.
    pub fn source_at(&self) -> (BorrowedFd<'_>, &Path) {
        match &self.place {
            Some(place) => (place.dirs.source.as_fd(), last(&self.source)),
            None => (CWD, &self.source),
        }
    }

    /// Where the copy shall be.
    pub fn copy_at(&self) -> (BorrowedFd<'_>, &Path) {
        match &self.place {
            Some(place) => (place.dirs.copy.as_fd(), last(&self.destination)),
            None => (CWD, &self.destination),
        }
    }
}

/// The last name of a path below a directory that is copied.
fn last(path: &Path) -> &Path {
    path.file_name().map_or(path, Path::new)
}

/// The source.
pub struct Source {
    /// It, open for reading.
    pub file: File,
    /// What it was when it was opened.
    pub metadata: Metadata,
}

impl Source {
    /// Opens it.
    pub fn open(work: &Work) -> Result<Self, Failure> {
        let nofollow = match work.follow {
            true => OFlags::empty(),
            false => OFlags::NOFOLLOW,
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | nofollow;
        let (dir, path) = work.source_at();
        let file = rustix::fs::openat(dir, path, flags, Mode::empty())
            .map(File::from)
            .map_err(|errno| Failure::new(&work.source, "open", errno))?;
        Self::of(file, work)
    }

    /// What it is now.
    pub fn of(file: File, work: &Work) -> Result<Self, Failure> {
        let metadata = file
            .metadata()
            .map_err(|error| Failure::new(&work.source, "stat", error))?;
        if metadata.is_dir() {
            let why = "it has become a directory";
            return Err(Failure::refused(&work.source, "copy", why));
        }
        Ok(Self { file, metadata })
    }

    /// Whether it is another than it was, by its size or its time.
    pub fn has_changed(&self) -> bool {
        // Files of /proc always are.
        let known = self.metadata.is_file() && self.metadata.len() > 0;
        let times = |metadata: &Metadata| (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        known
            && self
                .file
                .metadata()
                .is_ok_and(|now| times(&now) != times(&self.metadata))
    }
}
