// SPDX-License-Identifier: MIT OR Apache-2.0

//! Makes what has no data: directories, symbolic links, special files, and further names of files.

use super::{
    links::{self, Linked, Name},
    meta,
    report::{Failure, Made, Report},
    source::{id, Id},
    target::{parent, with_new_name},
    walk::Walk,
};
use rustix::{
    fs::{FileType, Mode, OFlags, CWD},
    io::Errno,
};
use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// A directory that has to be finished when all is in it.
pub(super) struct Finish {
    source: PathBuf,
    path: PathBuf,
    metadata: Metadata,
    /// Which directory it is.
    made: Id,
    /// The mode that it shall have, if it has not.
    mode: Option<Mode>,
}

impl Finish {
    fn apply(&self, preserve: bool) -> Result<(), meta::Failed> {
        let open = |path: &Path| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let dir = rustix::fs::open(path, flags, Mode::empty());
            dir.map(fs::File::from)
                .map_err(|errno| ("open", errno.into()))
        };
        let dir = open(&self.path)?;
        let there = dir.metadata().map_err(|error| ("stat", error))?;
        // A link to one of others', say.
        if id(&there) != self.made {
            let why = io::Error::other("another was put in its place");
            return Err(("finish", why));
        }
        match (preserve, self.mode) {
            (true, _) => meta::preserve(&dir, &open(&self.source)?, &self.metadata, None, true),
            (false, Some(mode)) => meta::chmod(&dir, mode),
            (false, None) => Ok(()),
        }
    }
}

/// Makes something that has no data.
type Make = Box<dyn Fn(&Path) -> rustix::io::Result<()>>;

impl Walk {
    /// Makes a directory, if it is not there: says which it is, and whether it was made.
    pub(super) fn directory(
        &mut self,
        source: &Path,
        path: &Path,
        metadata: &Metadata,
        named: bool,
        report: &mut Report,
    ) -> Result<(Id, bool), Failure> {
        let wanted = metadata.permissions().mode() & 0o777;
        // Into one that is not ours, nothing could be copied.  With --preserve it gets its mode in the end.
        let mode = match self.args.preserve {
            true => 0o700,
            false => wanted | 0o700,
        };
        let made = fs::DirBuilder::new().mode(mode).create(path);
        let created = match made {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(Failure::new(path, "mkdir", error)),
        };
        // As cp: a link that another has put into DST, or another source, leads nowhere.
        let follow = !created && named && self.args.destination() == Some(path);
        let there = match follow {
            true => fs::metadata(path),
            false => fs::symlink_metadata(path),
        };
        let there = there.map_err(|error| Failure::new(path, "stat", error))?;
        if !there.is_dir() {
            let why = "it exists, and is none";
            return Err(Failure::refused(path, "make a directory", why));
        }
        let widened = created && wanted & 0o700 != 0o700;
        let mode = widened.then(|| Mode::from_raw_mode(there.mode() & (0o7077 | wanted)));
        if mode.is_some() || self.args.preserve {
            self.finish.push(Finish {
                source: source.to_path_buf(),
                path: path.to_path_buf(),
                metadata: metadata.clone(),
                made: id(&there),
                mode,
            });
        }
        if self.args.fsync {
            self.changed.insert(path.to_path_buf());
            self.changed.insert(parent(path).to_path_buf());
        }
        if created {
            report.made(Made::Directory, source, path);
        }
        Ok((id(&there), created))
    }

    /// Makes a symbolic link or a special file.
    pub(super) fn node(
        &mut self,
        source: &Path,
        path: &Path,
        metadata: &Metadata,
        report: &mut Report,
    ) -> Result<(), Failure> {
        if !self.args.archive || metadata.nlink() < 2 {
            return self.new_node(source, path, metadata, report).map(|_| ());
        }
        let file = id(metadata);
        if let Name::Another((), copy) = self.nodes.meet(file, ()) {
            if self.link(source, file, &copy, path, report)? {
                return Ok(());
            }
        }
        let made = self.new_node(source, path, metadata, report);
        self.nodes
            .end(file, matches!(made, Ok(true)).then_some(path));
        made.map(|_| ())
    }

    /// Gives a copy another name: says whether that is done with.
    pub(super) fn link(
        &mut self,
        source: &Path,
        file: Id,
        copy: &Path,
        path: &Path,
        report: &mut Report,
    ) -> Result<bool, Failure> {
        match links::link(source, file, copy, path, self.args.no_clobber, report)? {
            Linked::Yes => {
                self.changed(path);
                report.made(Made::HardLink, source, path);
            }
            Linked::Skipped => report.skipped(),
            Linked::No => return Ok(false),
        }
        Ok(true)
    }

    /// Says whether it was made.
    fn new_node(
        &mut self,
        source: &Path,
        path: &Path,
        metadata: &Metadata,
        report: &mut Report,
    ) -> Result<bool, Failure> {
        let (call, made): (_, Made);
        let make: Make = if metadata.is_symlink() {
            let link =
                fs::read_link(source).map_err(|error| Failure::new(source, "readlink", error))?;
            (call, made) = ("symlink", Made::Symlink);
            Box::new(move |path| rustix::fs::symlink(&link, path))
        } else {
            let kind = FileType::from_raw_mode(metadata.mode());
            // With --preserve it gets its mode when it has its owner.
            let mode = match self.args.preserve {
                true => Mode::RUSR | Mode::WUSR,
                false => Mode::from_raw_mode(metadata.mode() & 0o777),
            };
            let device = match kind {
                FileType::CharacterDevice | FileType::BlockDevice => metadata.rdev(),
                _ => 0,
            };
            (call, made) = ("mknod", Made::Special);
            Box::new(move |path| rustix::fs::mknodat(CWD, path, kind, mode, device))
        };
        let fail = |errno| Failure::new(path, call, errno);
        match make(path) {
            Ok(()) => {}
            Err(Errno::EXIST) if self.args.no_clobber => {
                report.skipped();
                return Ok(false);
            }
            Err(Errno::EXIST) => {
                if fs::symlink_metadata(path).is_ok_and(|there| there.is_dir()) {
                    return Err(Failure::refused(path, "replace", "it is a directory"));
                }
                let ((), name) = with_new_name(path, &make).map_err(fail)?;
                if let Err(errno) = rustix::fs::rename(&name, path) {
                    // There is nothing else that could be done.
                    let _ = fs::remove_file(&name);
                    return Err(Failure::new(path, "rename", errno));
                }
            }
            Err(errno) => return Err(fail(errno)),
        }
        self.changed(path);
        report.made(made, source, path);
        if self.args.preserve {
            meta::preserve_node(path, metadata)
                .map_err(|(call, error)| Failure::new(path, call, error))?;
        }
        Ok(true)
    }

    /// Finishes the directories, when all is in them.
    pub fn finish(&mut self, report: &mut Report) {
        for dir in self.finish.drain(..).rev() {
            if let Err((call, error)) = dir.apply(self.args.preserve) {
                report.fail(Failure::new(dir.path, call, error));
            }
        }
        for dir in self.changed.drain() {
            let synced = fs::File::open(&dir).and_then(|dir| dir.sync_all());
            match synced {
                // A file system whose directories can't be.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                Err(error) => report.fail(Failure::new(dir, "fsync", error)),
                Ok(()) => {}
            }
        }
    }
}
