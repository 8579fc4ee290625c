// SPDX-License-Identifier: MIT OR Apache-2.0

//! Goes through the sources; makes directories, links and special files, and yields the files
//! whose data is to be copied.

use super::{
    meta,
    report::{Failure, Made, Report},
    target::{parent, with_new_name, Target},
};
use crate::cli;
use rustix::{
    fs::{FileType, Mode, OFlags, CWD},
    io::Errno,
};
use std::{
    collections::{HashSet, VecDeque},
    fs::{self, Metadata},
    io::{self, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        Arc,
    },
};
use walkdir::WalkDir;

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
}

/// A directory that has to be finished when all is in it.
struct Finish {
    source: PathBuf,
    path: PathBuf,
    metadata: Metadata,
    /// Which directory it is.
    made: (u64, u64),
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
            (true, _) => meta::preserve(&dir, &open(&self.source)?, &self.metadata),
            (false, Some(mode)) => meta::chmod(&dir, mode),
            (false, None) => Ok(()),
        }
    }
}

struct Tree {
    entries: walkdir::IntoIter,
    source: PathBuf,
    destination: PathBuf,
    /// What was made for the tree itself: not to be copied into itself.
    root: Option<(u64, u64)>,
}

/// Makes something that has no data.
type Make = Box<dyn Fn(&Path) -> rustix::io::Result<()>>;

/// Goes through the sources.
pub struct Walk {
    args: cli::Cp,
    sources: VecDeque<(PathBuf, PathBuf)>,
    tree: Option<Tree>,
    finish: Vec<Finish>,
    /// What was copied to, where two sources could have the same name.
    made: Option<HashSet<PathBuf>>,
    /// Directories whose entries have to be made durable.
    changed: HashSet<PathBuf>,
    /// Not 0 if it is to stop.
    signal: Arc<AtomicUsize>,
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Walk {
    /// Of the sources, each with its destination, until there is a signal.
    pub fn new(args: &cli::Cp, sources: Vec<(PathBuf, PathBuf)>, signal: Arc<AtomicUsize>) -> Self {
        Self {
            args: args.clone(),
            made: (sources.len() > 1).then(HashSet::new),
            sources: sources.into(),
            tree: None,
            finish: Vec::new(),
            changed: HashSet::new(),
            signal,
        }
    }

    /// The next file.
    pub fn next(&mut self, report: &mut Report) -> Option<Work> {
        // Links and empty directories alone may be many.
        while self.signal.load(Relaxed) == 0 {
            let work = match &mut self.tree {
                Some(tree) => match tree.entries.next() {
                    Some(entry) => self.entry(entry, report),
                    None => {
                        self.tree = None;
                        Ok(None)
                    }
                },
                None => {
                    let (source, destination) = self.sources.pop_front()?;
                    self.begin(source, destination)
                }
            };
            match work {
                Ok(Some(work)) => return Some(work),
                Ok(None) => {}
                Err(failure) => report.fail(failure),
            }
            report.tick();
        }
        None
    }

    fn begin(&mut self, source: PathBuf, destination: PathBuf) -> Result<Option<Work>, Failure> {
        let follow = self.args.dereference || !(self.args.recursive || self.args.no_dereference);
        let metadata = match follow {
            true => fs::metadata(&source),
            false => fs::symlink_metadata(&source),
        };
        let metadata = metadata.map_err(|error| Failure::new(&source, "stat", error))?;
        if metadata.is_dir() {
            if !self.args.recursive {
                let why = "it is a directory: give -r to copy it";
                return Err(Failure::refused(source, "copy", why));
            }
            if is_inside(&destination, &metadata) {
                return Err(Failure::refused(
                    source,
                    "copy",
                    "the destination is inside of it",
                ));
            }
        } else if !self.args.recursive && !metadata.is_symlink() {
            self.check(&source, &destination, &metadata, follow)?;
            return Ok(Some(Work {
                source,
                destination,
                named: true,
                follow,
            }));
        }
        let entries = WalkDir::new(&source)
            .follow_links(self.args.dereference)
            .follow_root_links(follow)
            .same_file_system(self.args.one_file_system)
            .into_iter();
        self.tree = Some(Tree {
            entries,
            source,
            destination,
            root: None,
        });
        Ok(None)
    }

    fn entry(
        &mut self,
        entry: walkdir::Result<walkdir::DirEntry>,
        report: &mut Report,
    ) -> Result<Option<Work>, Failure> {
        let tree = self.tree.as_mut().expect("the entry is of one");
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(&tree.source).to_path_buf();
            match error.loop_ancestor() {
                Some(ancestor) => {
                    let why = format!("it leads back to {}", crate::output::Quoted(ancestor));
                    Failure::refused(path, "follow the link", why)
                }
                None => {
                    let error = error.into_io_error();
                    Failure::new(
                        path,
                        "read the directory",
                        error.unwrap_or_else(|| io::Error::other("?")),
                    )
                }
            }
        })?;
        let source = entry.path().to_path_buf();
        let below = source.strip_prefix(&tree.source).unwrap_or(Path::new(""));
        let named = below.as_os_str().is_empty();
        let destination = match named {
            true => tree.destination.clone(),
            false => tree.destination.join(below),
        };
        let metadata = match entry.path_is_symlink() && !entry.file_type().is_symlink() {
            true => fs::metadata(&source),
            false => fs::symlink_metadata(&source),
        };
        let metadata = metadata.map_err(|error| Failure::new(&source, "stat", error))?;
        let follow = self.args.dereference;
        if metadata.is_dir() {
            if tree.root == Some(id(&metadata)) {
                tree.entries.skip_current_dir();
                return Err(Failure::refused(source, "copy", "it is the copy itself"));
            }
            return match self.directory(&source, &destination, &metadata, named, report) {
                Ok(()) => Ok(None),
                Err(failure) => {
                    self.tree
                        .as_mut()
                        .expect("as above")
                        .entries
                        .skip_current_dir();
                    Err(failure)
                }
            };
        }
        self.check(&source, &destination, &metadata, follow)?;
        if metadata.is_file() {
            return Ok(Some(Work {
                source,
                destination,
                named,
                follow,
            }));
        }
        self.node(&source, &destination, &metadata, report)?;
        Ok(None)
    }

    /// What must not be copied.
    fn check(
        &mut self,
        source: &Path,
        destination: &Path,
        metadata: &Metadata,
        follow: bool,
    ) -> Result<(), Failure> {
        let same = match follow || !metadata.is_symlink() {
            true => Target::is(destination, metadata),
            false => {
                fs::symlink_metadata(destination).is_ok_and(|there| id(&there) == id(metadata))
            }
        };
        if same {
            let why = format!("{} is the same file", crate::output::Quoted(destination));
            return Err(Failure::refused(source, "copy", why));
        }
        if let Some(made) = &mut self.made {
            if !made.insert(destination.to_path_buf()) {
                let why = format!(
                    "{} has just been made of another source",
                    crate::output::Quoted(destination)
                );
                return Err(Failure::refused(source, "copy", why));
            }
        }
        Ok(())
    }

    fn directory(
        &mut self,
        source: &Path,
        path: &Path,
        metadata: &Metadata,
        named: bool,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let wanted = metadata.permissions().mode() & 0o777;
        // Into one that is not ours, nothing could be copied.
        let made = fs::DirBuilder::new().mode(wanted | 0o700).create(path);
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
        if named {
            self.tree.as_mut().expect("it is of one").root = Some(id(&there));
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
        Ok(())
    }

    /// Makes a symbolic link or a special file.
    fn node(
        &mut self,
        source: &Path,
        path: &Path,
        metadata: &Metadata,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let (call, made): (_, Made);
        let make: Make = if metadata.is_symlink() {
            let link =
                fs::read_link(source).map_err(|error| Failure::new(source, "readlink", error))?;
            (call, made) = ("symlink", Made::Symlink);
            Box::new(move |path| rustix::fs::symlink(&link, path))
        } else {
            let kind = FileType::from_raw_mode(metadata.mode());
            let mode = Mode::from_raw_mode(metadata.mode() & 0o777);
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
                return Ok(());
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
        if self.args.fsync {
            self.changed.insert(parent(path).to_path_buf());
        }
        report.made(made, source, path);
        if self.args.preserve {
            meta::preserve_node(path, metadata)
                .map_err(|(call, error)| Failure::new(path, call, error))?;
        }
        Ok(())
    }

    /// A file has its name.
    pub fn changed(&mut self, path: &Path) {
        if self.args.fsync {
            self.changed.insert(parent(path).to_path_buf());
        }
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

/// Whether `path`, which need not be there, is a directory or lies in it.
fn is_inside(path: &Path, dir: &Metadata) -> bool {
    // What is not there yet will be made in the first of its parents that is.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let there = absolute
        .ancestors()
        .find_map(|path| fs::canonicalize(path).ok());
    let mut ancestors = there.iter().flat_map(|there| there.ancestors());
    ancestors.any(|path| fs::metadata(path).is_ok_and(|found| id(&found) == id(dir)))
}

/// How many bytes there are to copy, for the progress bar.
pub fn total(args: &cli::Cp, sources: &[(PathBuf, PathBuf)]) -> u64 {
    let follow = args.dereference || !(args.recursive || args.no_dereference);
    let sizes = sources.iter().flat_map(|(source, _)| {
        WalkDir::new(source)
            .max_depth(if args.recursive { usize::MAX } else { 0 })
            .follow_links(args.dereference)
            .follow_root_links(follow)
            .same_file_system(args.one_file_system)
            .into_iter()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                match metadata.file_type().is_block_device() && !args.recursive {
                    true => fs::File::open(entry.path())
                        .and_then(|mut file| file.seek(SeekFrom::End(0)))
                        .ok(),
                    false => metadata.is_file().then_some(metadata.len()),
                }
            })
    });
    sizes.sum()
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
