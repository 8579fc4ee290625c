// SPDX-License-Identifier: MIT OR Apache-2.0

//! Goes through the sources; makes directories, links and special files, and yields the files
//! whose data is to be copied.

use super::{
    links::Links,
    make::Finish,
    report::{Failure, Report},
    source::{id, Dirs, Id, Place, Work},
    target::{parent, Target},
};
use crate::cli;
use std::{
    collections::{HashSet, VecDeque},
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        Arc,
    },
};
use walkdir::WalkDir;

/// A directory that the walk is in.
struct Level {
    /// Its copy, which it is, and whether we have made it.
    path: PathBuf,
    copy: Id,
    fresh: bool,
}

struct Tree {
    entries: walkdir::IntoIter,
    source: PathBuf,
    destination: PathBuf,
    /// Where the walk is, from the top; the copy of that is not to be copied into itself.
    levels: Vec<Level>,
    /// The last directory that was opened, and how far down it is.
    open: Option<(usize, Arc<Dirs>)>,
}

impl Tree {
    /// A directory was made, that far down.
    fn enter(&mut self, depth: usize, path: PathBuf, (copy, fresh): (Id, bool)) {
        self.levels.truncate(depth);
        self.levels.push(Level { path, copy, fresh });
        self.open.take_if(|(open, _)| *open >= depth);
    }

    /// Where a file and its copy are.  `None`: they are not where they were; their paths may tell why.
    fn place(&mut self, entry: &walkdir::DirEntry) -> Option<Place> {
        let depth = entry.depth().checked_sub(1)?;
        let level = self.levels.get(depth)?;
        let dirs = match &self.open {
            Some((open, dirs)) if *open == depth => dirs.clone(),
            _ => {
                let dirs = Arc::new(Dirs::open(parent(entry.path()), &level.path, level.copy)?);
                self.open = Some((depth, dirs.clone()));
                dirs
            }
        };
        let fresh = level.fresh;
        Some(Place { dirs, fresh })
    }
}

/// Goes through the sources.
pub struct Walk {
    pub(super) args: cli::Cp,
    sources: VecDeque<(PathBuf, PathBuf)>,
    tree: Option<Tree>,
    pub(super) finish: Vec<Finish>,
    /// What was copied to, where two sources could have the same name.
    made: Option<HashSet<PathBuf>>,
    /// Directories whose entries have to be made durable.
    pub(super) changed: HashSet<PathBuf>,
    /// Links and special files with several names.
    pub(super) nodes: Links<()>,
    /// Not 0 if it is to stop.
    signal: Arc<AtomicUsize>,
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
            nodes: Links::new(),
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
                place: None,
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
            levels: Vec::new(),
            open: None,
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
        let follow = self.args.dereference;
        // Who opens it sees what it is.
        if entry.file_type().is_file() && !named {
            let place = tree.place(&entry);
            self.once(&source, &destination)?;
            return Ok(Some(Work {
                source,
                destination,
                named,
                follow,
                place,
            }));
        }
        let metadata = match entry.path_is_symlink() && !entry.file_type().is_symlink() {
            true => fs::metadata(&source),
            false => fs::symlink_metadata(&source),
        };
        let metadata = metadata.map_err(|error| Failure::new(&source, "stat", error))?;
        if metadata.is_dir() {
            let root = tree.levels.first();
            let made = match root.is_some_and(|root| root.copy == id(&metadata)) {
                true => Err(Failure::refused(source, "copy", "it is the copy itself")),
                false => self.directory(&source, &destination, &metadata, named, report),
            };
            let tree = self.tree.as_mut().expect("as above");
            match &made {
                Ok(made) => tree.enter(entry.depth(), destination, *made),
                Err(_) => tree.entries.skip_current_dir(),
            }
            return made.map(|_| None);
        }
        self.check(&source, &destination, &metadata, follow)?;
        if metadata.is_file() {
            return Ok(Some(Work {
                source,
                destination,
                named,
                follow,
                place: None,
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
        self.once(source, destination)
    }

    /// No two sources are copied to one name.
    fn once(&mut self, source: &Path, destination: &Path) -> Result<(), Failure> {
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

    /// A file has its name.
    pub fn changed(&mut self, path: &Path) {
        if self.args.fsync {
            self.changed.insert(parent(path).to_path_buf());
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

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
