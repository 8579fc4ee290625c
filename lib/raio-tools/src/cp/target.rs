// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where a copy is written to, and how it gets its name.

use super::{
    meta,
    report::Failure,
    source::{id, Dirs, Work},
};
use crate::cli;
use rustix::{
    fs::{Access, AtFlags, Mode, OFlags, RenameFlags, CWD},
    io::Errno,
};
use std::{
    fs::{self, File, Metadata},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
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
    /// The directory of `path`, if it is open.
    dirs: Option<Arc<Dirs>>,
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
                Ok(target)
                    if fs::symlink_metadata(&target).is_ok_and(|is| id(&is) == id(there)) =>
                {
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
                    dirs: None,
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
                    dirs: None,
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
            dirs: None,
        })
    }

    /// A file without a name for the copy, where nothing is; `None` if the file system has none.
    pub fn unnamed(work: &Work, mode: Mode) -> Result<Option<Self>, Failure> {
        let path = &work.destination;
        let (dir, name) = match &work.place {
            Some(place) => (place.dirs.copy.as_fd(), Path::new(".")),
            None => (CWD, parent(path)),
        };
        let file = unnamed(dir, name, mode).map_err(|errno| cannot_create(path, errno))?;
        Ok(file.map(|file| Self {
            file,
            regular: true,
            path: path.clone(),
            replaced: None,
            temporary: Temporary::Unnamed,
            dirs: work.place.as_ref().map(|place| place.dirs.clone()),
        }))
    }

    /// Whether `metadata` is that of the file that will be replaced.
    pub fn is(path: &Path, metadata: &Metadata) -> bool {
        fs::metadata(path).is_ok_and(|there| id(&there) == id(metadata))
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
            let linked = match &self.dirs {
                Some(dirs) => {
                    let name = path.file_name().map_or(&*path, Path::new);
                    link(&self.file, dirs.copy.as_fd(), name)
                }
                None => link(&self.file, CWD, &path),
            };
            match linked {
                Ok(()) => return Ok(Installed::Yes),
                Err(Errno::EXIST) if no_clobber => return Ok(Installed::NotWanted),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(fail("linkat")(errno)),
            }
            let named =
                with_new_name(&path, |name| link(&self.file, CWD, name)).map_err(fail("linkat"))?;
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

/// A path of an open file, whatever its name is.
fn own(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Gives a file without a name one.
fn link(file: &File, dir: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<()> {
    match rustix::fs::linkat(file, "", dir, path, AtFlags::EMPTY_PATH) {
        // Or not for us, before Linux 6.10.
        Err(Errno::NOENT) => rustix::fs::linkat(CWD, own(file), dir, path, AtFlags::SYMLINK_FOLLOW),
        result => result,
    }
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

/// A file without a name; `None` if the file system has none, or no name could be given to it.
fn unnamed(dir: BorrowedFd<'_>, path: &Path, mode: Mode) -> rustix::io::Result<Option<File>> {
    static PROC: OnceLock<bool> = OnceLock::new();
    if !PROC.get_or_init(|| Path::new("/proc/self/fd").exists()) {
        return Ok(None);
    }
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::TMPFILE;
    match rustix::fs::openat(dir, path, flags, mode) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn temporary(path: &Path, mode: Mode) -> Result<(File, Temporary), Failure> {
    let unnamed = unnamed(CWD, parent(path), mode).map_err(|errno| cannot_create(path, errno))?;
    if let Some(file) = unnamed {
        return Ok((file, Temporary::Unnamed));
    }
    let create = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
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
#[path = "target_tests.rs"]
mod tests;
