// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where a copy is written to, and how it gets its name.

use super::{meta, report::Failure};
use crate::cli;
use rustix::{
    fs::{Access, AtFlags, Mode, OFlags, RenameFlags, CWD},
    io::Errno,
};
use std::{
    fs::{self, File, Metadata},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

/// The file that a copy is written to.
pub struct Target {
    /// It, open for writing, and for reading if it is regular or to be verified.
    pub file: File,
    /// Whether it is a regular file, that was empty.
    pub regular: bool,
    /// Where it shall be in the end.
    pub path: PathBuf,
    /// What is there now, and will be replaced.
    replaced: Option<Metadata>,
    temporary: Temporary,
}

enum Temporary {
    /// It has its name already.
    None,
    Unnamed,
    /// Removed when it is dropped.
    Named(PathBuf),
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Installed {
    /// It is in place.
    Yes,
    /// Something has come there meanwhile, which is not to be replaced.
    NotWanted,
}

impl Target {
    /// Opens what shall become `path`, with that mode unless something is there.
    ///
    /// `follow` says that a symbolic link at `path` is followed, and not replaced.
    pub fn create(path: &Path, follow: bool, mode: Mode, args: &cli::Cp) -> Result<Self, Failure> {
        let found = match look(path, follow) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::new(path, "stat", error)),
        };
        // What has no name, as a pipe in /proc/self/fd, is written to through the link.
        let mut named = true;
        let mut path = path.to_path_buf();
        if follow && fs::symlink_metadata(&path).is_ok_and(|link| link.is_symlink()) {
            // As cp: where a link leads nowhere no file is made.
            let Some((file, there)) = &found else {
                return Err(Failure::new(path, "follow the link", Errno::NOENT));
            };
            // Where the kernel was led to when it was asked: by now the link may be another's, which
            // it would not have followed (fs.protected_symlinks).
            match fs::read_link(own(file)) {
                Ok(target) if fs::symlink_metadata(&target).is_ok_and(|is| same(&is, there)) => {
                    path = target;
                }
                _ => named = false,
            }
        }
        let existing = found.map(|(_, existing)| existing);
        let write = |flags| {
            let nofollow = match named {
                true => OFlags::NOFOLLOW,
                false => OFlags::empty(),
            };
            let flags = flags | nofollow | OFlags::CLOEXEC | OFlags::NOCTTY;
            rustix::fs::open(&path, flags, Mode::empty())
                .map(File::from)
                .map_err(|errno| Failure::new(&path, "open for writing", errno))
        };
        match &existing {
            Some(existing) if existing.is_dir() => {
                return Err(Failure::refused(path, "replace", "it is a directory"));
            }
            Some(existing) if existing.is_file() && (args.inplace || !named) => {
                return Ok(Self {
                    file: write(OFlags::RDWR | OFlags::TRUNC)?,
                    regular: true,
                    path,
                    replaced: None,
                    temporary: Temporary::None,
                });
            }
            Some(existing) if !existing.is_file() && !existing.is_symlink() => {
                let access = if args.verify {
                    OFlags::RDWR
                } else {
                    OFlags::WRONLY
                };
                return Ok(Self {
                    file: write(access)?,
                    regular: false,
                    path,
                    replaced: None,
                    temporary: Temporary::None,
                });
            }
            Some(existing) if existing.is_file() => {
                // A file that can't be written to is not to be replaced either.
                rustix::fs::accessat(CWD, &path, Access::WRITE_OK, AtFlags::empty())
                    .map_err(|errno| Failure::new(&path, "open for writing", errno))?;
            }
            _ => {}
        }
        let replaced = existing.filter(Metadata::is_file);
        // It gets the mode and the owner of another file: nobody else reads it before.
        let mode = if replaced.is_some() || args.preserve {
            Mode::RUSR | Mode::WUSR
        } else {
            mode
        };
        let (file, temporary) = temporary(&path, mode)?;
        Ok(Self {
            file,
            regular: true,
            path,
            replaced,
            temporary,
        })
    }

    /// Whether `metadata` is that of the file that will be replaced.
    pub fn is(path: &Path, metadata: &Metadata) -> bool {
        fs::metadata(path).is_ok_and(|there| same(&there, metadata))
    }

    /// Gives the file what the one that it replaces has.
    pub fn keep(&self) -> Result<(), meta::Failed> {
        match &self.replaced {
            Some(replaced) => meta::keep(&self.file, replaced),
            None => Ok(()),
        }
    }

    /// Gives the file its name.
    pub fn install(mut self, no_clobber: bool) -> Result<Installed, Failure> {
        let path = self.path.clone();
        let fail = |call| {
            let path = path.clone();
            move |errno: Errno| Failure::new(path, call, errno)
        };
        if let Temporary::Unnamed = self.temporary {
            match link(&self.file, &path) {
                Ok(()) => return Ok(Installed::Yes),
                Err(Errno::EXIST) if no_clobber => return Ok(Installed::NotWanted),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(fail("linkat")(errno)),
            }
            let named =
                with_new_name(&path, |name| link(&self.file, name)).map_err(fail("linkat"))?;
            self.temporary = Temporary::Named(named.1);
        }
        if let Temporary::Named(name) = &self.temporary {
            let renamed = match no_clobber {
                true => rustix::fs::renameat_with(CWD, name, CWD, &path, RenameFlags::NOREPLACE),
                false => rustix::fs::rename(name, &path),
            };
            match renamed {
                Err(Errno::EXIST) if no_clobber => return Ok(Installed::NotWanted),
                result => result.map_err(fail("rename"))?,
            }
        }
        self.temporary = Temporary::None;
        Ok(Installed::Yes)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Temporary::Named(name) = &self.temporary {
            // There is nothing else that could be done.
            let _ = fs::remove_file(name);
        }
    }
}

/// What is at a path, and what it is.
fn look(path: &Path, follow: bool) -> io::Result<(File, Metadata)> {
    let nofollow = match follow {
        true => OFlags::empty(),
        false => OFlags::NOFOLLOW,
    };
    let flags = OFlags::PATH | OFlags::CLOEXEC | nofollow;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Whether both are of one file.
fn same(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// A path of an open file, whatever its name is.
fn own(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Gives a file without a name one.
fn link(file: &File, path: &Path) -> rustix::io::Result<()> {
    rustix::fs::linkat(CWD, own(file), CWD, path, AtFlags::SYMLINK_FOLLOW)
}

/// The directory of a path.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) => Path::new("."),
        None => Path::new("/"),
    }
}

/// Calls `make` with names next to `path` until there is no such file yet.
pub fn with_new_name<T>(
    path: &Path,
    mut make: impl FnMut(&Path) -> rustix::io::Result<T>,
) -> rustix::io::Result<(T, PathBuf)> {
    loop {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        // Of its own length: the file's name may be as long as a name can be.
        let name = format!(".raio-{:016x}", u64::from_ne_bytes(random));
        let name = parent(path).join(name);
        match make(&name) {
            Err(Errno::EXIST) => {}
            Ok(made) => return Ok((made, name)),
            Err(errno) => return Err(errno),
        }
    }
}

fn temporary(path: &Path, mode: Mode) -> Result<(File, Temporary), Failure> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    // To give it a name later, /proc is needed.
    if Path::new("/proc/self/fd").exists() {
        match rustix::fs::open(parent(path), flags | OFlags::TMPFILE, mode) {
            Ok(file) => return Ok((file.into(), Temporary::Unnamed)),
            // The file system has none.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {}
            Err(errno) => return Err(cannot_create(path, errno)),
        }
    }
    let create = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    with_new_name(path, |name| rustix::fs::open(name, create, mode))
        .map(|(file, name)| (file.into(), Temporary::Named(name)))
        .map_err(|errno| cannot_create(path, errno))
}

fn cannot_create(path: &Path, errno: Errno) -> Failure {
    match errno {
        Errno::ACCESS if path.exists() => Failure::new(
            path,
            "create a temporary in its directory (--inplace does without)",
            errno,
        ),
        _ => Failure::new(path, "create", errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::{
        io::Write,
        os::unix::fs::{symlink, PermissionsExt},
    };

    fn args(more: &[&str]) -> cli::Cp {
        let line = ["raio", "cp", "a", "b"].iter().chain(more);
        match cli::Cli::parse_from(line).command {
            cli::Command::Cp(args) => args,
            _ => unreachable!(),
        }
    }

    fn create(path: &Path, more: &[&str]) -> Result<Target, Failure> {
        Target::create(path, true, Mode::from_raw_mode(0o600), &args(more))
    }

    fn names(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn appears_when_it_is_installed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let mut target = create(&path, &[]).unwrap();
        target.file.write_all(b"data").unwrap();
        assert!(!path.exists());
        assert_eq!(target.install(false).unwrap(), Installed::Yes);
        assert_eq!(fs::read(&path).unwrap(), b"data");
        assert_eq!(names(dir.path()), 1);
    }

    #[test]
    fn replaces_and_keeps_the_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
        let mut target = create(&path, &[]).unwrap();
        target.file.write_all(b"new").unwrap();
        target.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(target.install(false).unwrap(), Installed::Yes);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o751
        );
        assert_eq!(names(dir.path()), 1);
    }

    #[test]
    fn leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        drop(create(&path, &[]).unwrap());
        // Also where it has a name.
        let named = with_new_name(&path, |name| File::create(name).map_err(|_| Errno::IO));
        let (file, name) = named.unwrap();
        assert_eq!(names(dir.path()), 1);
        drop(Target {
            file,
            regular: true,
            path,
            replaced: None,
            temporary: Temporary::Named(name),
        });
        assert_eq!(names(dir.path()), 0);
    }

    #[test]
    fn what_came_meanwhile_is_not_clobbered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let target = create(&path, &[]).unwrap();
        fs::write(&path, "other").unwrap();
        assert_eq!(target.install(true).unwrap(), Installed::NotWanted);
        assert_eq!(fs::read(&path).unwrap(), b"other");
        assert_eq!(names(dir.path()), 1);
    }

    #[test]
    fn links_are_followed_or_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink("file", &link).unwrap();
        create(&link, &[]).unwrap().install(false).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"");
        let mode = Mode::from_raw_mode(0o600);
        let target = Target::create(&link, false, mode, &args(&[])).unwrap();
        target.install(false).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        assert!(create(&dir.path().join("dangling"), &[]).is_err());
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn in_place_keeps_the_inode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "old").unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        create(&path, &["--inplace"])
            .unwrap()
            .install(false)
            .unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
    }

    #[test]
    fn directories_are_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        assert!(create(dir.path(), &[]).is_err());
        assert!(create(&dir.path().join("none/file"), &[]).is_err());
    }
}
