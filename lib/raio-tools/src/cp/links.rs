// SPDX-License-Identifier: MIT OR Apache-2.0

//! Names of one file: with -a their copies are names of one file as well.

use super::{
    report::{Failure, Report},
    source::{id, Id},
    target::with_new_name,
};
use crate::output::Quoted;
use rustix::io::Errno;
use std::{
    collections::HashMap,
    fs::{self, Metadata},
    path::{Path, PathBuf},
};

/// What is known of a file that has several names.
enum State<T> {
    /// It is being copied, and these wait for that.
    Begun(Vec<T>),
    /// It was copied, to there.
    Copied(PathBuf),
}

/// The files with several names that were met; `T` is what waits.
pub struct Links<T>(HashMap<Id, State<T>>);

/// What is to be done with a name.
pub enum Name<T> {
    /// It is the first: the file is copied, and [`Links::end`] is told of that.
    First(T),
    /// The copy is there: its name gets another.
    Another(T, PathBuf),
    /// It waits for the first.
    Waits,
}

impl<T> Links<T> {
    /// None was met.
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    /// A name of that file was met.
    pub fn meet(&mut self, file: Id, waits: T) -> Name<T> {
        match self.0.get_mut(&file) {
            Some(State::Begun(waiting)) => {
                waiting.push(waits);
                Name::Waits
            }
            Some(State::Copied(path)) => Name::Another(waits, path.clone()),
            None => {
                self.0.insert(file, State::Begun(Vec::new()));
                Name::First(waits)
            }
        }
    }

    /// The copy is at that path, or there is none: those that waited for it.
    pub fn end(&mut self, file: Id, copy: Option<&Path>) -> Vec<T> {
        let state = match copy {
            Some(path) => self.0.insert(file, State::Copied(path.to_path_buf())),
            None => self.0.remove(&file),
        };
        match state {
            Some(State::Begun(waiting)) => waiting,
            _ => Vec::new(),
        }
    }
}

/// What became of a name.
#[derive(Debug, PartialEq, Eq)]
pub enum Linked {
    /// It is a name of the copy.
    Yes,
    /// Something is there, and stays.
    Skipped,
    /// It has to be copied as a file of its own.
    No,
}

/// Gives the copy at `copy` the name `path` too.  As cp, it replaces what is there.
pub fn link(
    source: &Path,
    file: Id,
    copy: &Path,
    path: &Path,
    no_clobber: bool,
    report: &mut Report,
) -> Result<Linked, Failure> {
    let errno = match rustix::fs::link(copy, path) {
        Ok(()) => return Ok(Linked::Yes),
        Err(Errno::EXIST) if no_clobber => return Ok(Linked::Skipped),
        Err(Errno::EXIST) => match replace(source, file, copy, path)? {
            Ok(()) => return Ok(Linked::Yes),
            Err(errno) => errno,
        },
        Err(errno) => errno,
    };
    match errno {
        Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP | Errno::XDEV => {
            let (source, copy) = (Quoted(source), Quoted(copy));
            let why = std::io::Error::from(errno);
            report.note(&format!(
                "{source}: its copy can't be a hard link to {copy}, and is a file of its own: {}",
                crate::output::reason(&why)
            ));
            Ok(Linked::No)
        }
        errno => Err(Failure::new(path, "link", errno)),
    }
}

fn replace(
    source: &Path,
    file: Id,
    copy: &Path,
    path: &Path,
) -> Result<rustix::io::Result<()>, Failure> {
    let stat =
        |path: &Path| fs::symlink_metadata(path).map_err(|error| (path.to_path_buf(), error));
    let both = stat(copy).and_then(|copy| Ok((copy, stat(path)?)));
    let (from, there): (Metadata, Metadata) =
        both.map_err(|(path, error)| Failure::new(path, "stat", error))?;
    // It is one already: rename(2) would do nothing.
    if id(&from) == id(&there) {
        return Ok(Ok(()));
    }
    if id(&there) == file {
        let why = format!("{} is the same file", Quoted(path));
        return Err(Failure::refused(source, "copy", why));
    }
    if there.is_dir() {
        return Err(Failure::refused(path, "replace", "it is a directory"));
    }
    let name = match with_new_name(path, |name| rustix::fs::link(copy, name)) {
        Ok(((), name)) => name,
        Err(errno) => return Ok(Err(errno)),
    };
    if let Err(errno) = rustix::fs::rename(&name, path) {
        // There is nothing else that could be done.
        let _ = fs::remove_file(&name);
        return Err(Failure::new(path, "rename", errno));
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_before_the_copy_is_there_waits() {
        let mut links = Links::new();
        assert!(matches!(links.meet((1, 2), "a"), Name::First("a")));
        assert!(matches!(links.meet((1, 2), "b"), Name::Waits));
        assert!(matches!(links.meet((1, 3), "c"), Name::First("c")));
        assert_eq!(links.end((1, 2), Some(Path::new("to"))), ["b"]);
        match links.meet((1, 2), "d") {
            Name::Another("d", path) => assert_eq!(path, Path::new("to")),
            _ => panic!("it was copied"),
        }
    }

    #[test]
    fn if_there_is_no_copy_another_is_the_first() {
        let mut links = Links::new();
        assert!(matches!(links.meet((1, 2), "a"), Name::First("a")));
        assert!(matches!(links.meet((1, 2), "b"), Name::Waits));
        assert_eq!(links.end((1, 2), None), ["b"]);
        assert!(matches!(links.meet((1, 2), "b"), Name::First("b")));
    }

    #[test]
    fn what_is_there_is_replaced_but_not_the_source() {
        use clap::Parser;
        let line = ["raio", "cp", "--quiet", "a", "b"];
        let crate::cli::Command::Cp(args) = crate::cli::Cli::parse_from(line).command else {
            unreachable!()
        };
        let mut report = Report::new(&args, None);
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["source", "copy", "there"] {
            fs::write(path(name), name).unwrap();
        }
        fs::hard_link(path("source"), path("source2")).unwrap();
        fs::create_dir(path("dir")).unwrap();
        let file = id(&fs::metadata(path("source")).unwrap());
        let mut to = |name: &str, no_clobber| {
            link(
                &path("source"),
                file,
                &path("copy"),
                &path(name),
                no_clobber,
                &mut report,
            )
        };
        assert_eq!(to("new", false).unwrap(), Linked::Yes);
        assert_eq!(to("there", true).unwrap(), Linked::Skipped);
        assert_eq!(fs::read(path("there")).unwrap(), b"there");
        assert_eq!(to("there", false).unwrap(), Linked::Yes);
        assert_eq!(to("there", false).unwrap(), Linked::Yes);
        assert!(to("source2", false).is_err());
        assert!(to("dir", false).is_err());
        let number = |name: &str| id(&fs::metadata(path(name)).unwrap());
        assert_eq!(number("there"), number("copy"));
        assert_eq!(number("source2"), file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 6);
    }
}
