// SPDX-License-Identifier: MIT OR Apache-2.0

//! What --preserve keeps of a file besides its data.

use rustix::{
    fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags},
    io::{Errno, Result},
};
use std::{
    ffi::CStr,
    fs::{File, Metadata},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::Path,
};

/// A call that failed, and why.
pub type Failed = (&'static str, io::Error);

fn failed(call: &'static str) -> impl Fn(Errno) -> Failed {
    move |errno| (call, errno.into())
}

fn times(metadata: &Metadata) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: metadata.atime(),
            tv_nsec: metadata.atime_nsec() as _,
        },
        last_modification: Timespec {
            tv_sec: metadata.mtime(),
            tv_nsec: metadata.mtime_nsec() as _,
        },
    }
}

/// The permissions; without set-user-ID and set-group-ID if the owner is another.
fn mode(metadata: &Metadata, owned: bool) -> Mode {
    let bits = metadata.permissions().mode() & 0o7777;
    Mode::from_raw_mode(if owned { bits } else { bits & !0o6000 })
}

/// Gives a file its owner.  It may not be for us to do so: says whether it was.
fn own(
    metadata: &Metadata,
    chown: impl Fn(Option<Uid>, Option<Gid>) -> Result<()>,
) -> Result<bool> {
    let (uid, gid) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    let forbidden = |errno| matches!(errno, Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP);
    match chown(Some(uid), Some(gid)) {
        Err(errno) if forbidden(errno) => {}
        result => return result.map(|()| true),
    }
    // A group that we are in may be given.
    match chown(None, Some(gid)) {
        Err(errno) if !forbidden(errno) => Err(errno),
        _ => Ok(false),
    }
}

/// What the copy of a file that was there before keeps of it.
pub fn keep(file: &File, replaced: &Metadata) -> std::result::Result<(), Failed> {
    let chown = |uid, gid| rustix::fs::fchown(file, uid, gid);
    let owned = own(replaced, chown).map_err(failed("fchown"))?;
    rustix::fs::fchmod(file, mode(replaced, owned)).map_err(failed("fchmod"))
}

/// Makes an open file like its source.
///
/// `there` is what it is now, if that is known: what is right already is left alone.  `inherited`
/// says that it may have an ACL of its directory.
pub fn preserve(
    file: &File,
    source: &File,
    metadata: &Metadata,
    there: Option<&Metadata>,
    inherited: bool,
) -> std::result::Result<(), Failed> {
    let owner = |metadata: &Metadata| (metadata.uid(), metadata.gid());
    let is_owned = there.is_some_and(|there| owner(there) == owner(metadata));
    let owned = is_owned || {
        let chown = |uid, gid| rustix::fs::fchown(file, uid, gid);
        own(metadata, chown).map_err(failed("fchown"))?
    };
    let copied = copy_xattrs(source, file)?;
    if inherited && !copied.acl {
        remove_acl(file).map_err(failed("fremovexattr"))?;
    }
    let mode = mode(metadata, owned);
    // A new owner, and an ACL, change it.
    let is_like = is_owned && !copied.any && !inherited;
    let has = |there: &Metadata| Mode::from_raw_mode(there.mode() & 0o7777);
    if !(is_like && there.is_some_and(|there| has(there) == mode)) {
        rustix::fs::fchmod(file, mode).map_err(failed("fchmod"))?;
    }
    rustix::fs::futimens(file, &times(metadata)).map_err(failed("futimens"))
}

/// Makes a special file or symbolic link like its source.
pub fn preserve_node(path: &Path, metadata: &Metadata) -> std::result::Result<(), Failed> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let node = rustix::fs::open(path, flags, Mode::empty()).map_err(failed("open"))?;
    let node = File::from(node);
    let there = node.metadata().map_err(|error| ("stat", error))?;
    let kind = |metadata: &Metadata| (metadata.mode() & libc::S_IFMT, metadata.rdev());
    // What another has put there meanwhile is not to get these rights.
    if kind(&there) != kind(metadata) {
        let why = io::Error::other("another file was put in its place");
        return Err(("preserve", why));
    }
    let chown = |uid, gid| rustix::fs::chownat(&node, "", uid, gid, AtFlags::EMPTY_PATH);
    let owned = own(metadata, chown).map_err(failed("chown"))?;
    if !metadata.is_symlink() {
        let own = format!("/proc/self/fd/{}", node.as_raw_fd());
        rustix::fs::chmod(own, mode(metadata, owned)).map_err(failed("chmod"))?;
    }
    rustix::fs::utimensat(&node, "", &times(metadata), AtFlags::EMPTY_PATH)
        .map_err(failed("utimensat"))
}

/// Gives a new directory the permissions that it shall have, once all is in it.
pub fn chmod(dir: &File, mode: Mode) -> std::result::Result<(), Failed> {
    rustix::fs::fchmod(dir, mode).map_err(failed("fchmod"))
}

/// The attribute that an ACL is.
const ACL: &CStr = c"system.posix_acl_access";
/// The attribute of a directory that is the ACL of what is made in it.
const DEFAULT_ACL: &CStr = c"system.posix_acl_default";

/// Removes the ACL that a file got from its directory, as its source has none.
fn remove_acl(file: &File) -> Result<()> {
    match rustix::fs::fremovexattr(file, ACL) {
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM | Errno::ACCESS) => {
            Ok(())
        }
        result => result,
    }
}

/// Whether what is made in a directory gets an ACL from it.
pub fn has_default_acl(dir: &Path) -> bool {
    rustix::fs::getxattr(dir, DEFAULT_ACL, &mut [0; 0][..]).is_ok()
}

/// As large as the kernel lets a list or a value be.
const XATTR_MAX: usize = 64 << 10;

/// What was copied of the extended attributes.
#[derive(Default)]
struct Xattrs {
    any: bool,
    acl: bool,
}

fn copy_xattrs(source: &File, copy: &File) -> std::result::Result<Xattrs, Failed> {
    let mut copied = Xattrs::default();
    // Most files have none, or a few.
    let mut few = [0; 512];
    let mut many = Vec::new();
    let mut len = rustix::fs::flistxattr(source, &mut few);
    if len == Err(Errno::RANGE) {
        many.resize(XATTR_MAX, 0);
        len = rustix::fs::flistxattr(source, &mut many);
    }
    let len = match len {
        // As cp: what a file system does not have is not kept.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM | Errno::ACCESS) => return Ok(copied),
        len => len.map_err(failed("flistxattr"))?,
    };
    if len == 0 {
        return Ok(copied);
    }
    let names = if many.is_empty() { &few[..] } else { &many };
    let mut value = vec![0; XATTR_MAX];
    for name in names[..len].split_inclusive(|&byte| byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else {
            continue;
        };
        let len = match rustix::fs::fgetxattr(source, name, &mut value) {
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => continue,
            len => len.map_err(failed("fgetxattr"))?,
        };
        match rustix::fs::fsetxattr(copy, name, &value[..len], XattrFlags::empty()) {
            Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => {}
            result => {
                result.map_err(failed("fsetxattr"))?;
                copied.any = true;
                copied.acl |= name == ACL;
            }
        }
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn mode_and_times_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&a, "a").unwrap();
        fs::write(&b, "b").unwrap();
        fs::set_permissions(&a, fs::Permissions::from_mode(0o640)).unwrap();
        let old = Timestamps {
            last_access: Timespec {
                tv_sec: 1,
                tv_nsec: 2,
            },
            last_modification: Timespec {
                tv_sec: 3,
                tv_nsec: 4,
            },
        };
        rustix::fs::utimensat(CWD, &a, &old, AtFlags::empty()).unwrap();
        let metadata = fs::metadata(&a).unwrap();
        preserve(
            &File::create(&b).unwrap(),
            &File::open(&a).unwrap(),
            &metadata,
            None,
            true,
        )
        .unwrap();
        let copy = fs::metadata(&b).unwrap();
        assert_eq!(copy.permissions().mode() & 0o7777, 0o640);
        assert_eq!((copy.mtime(), copy.mtime_nsec()), (3, 4));
        assert_eq!((copy.atime(), copy.atime_nsec()), (1, 2));
    }

    /// A file of those attributes, if there can be such.
    fn with_xattrs(path: &Path, xattrs: &[(&CStr, &[u8])]) -> Option<File> {
        fs::write(path, "x").unwrap();
        let file = File::open(path).unwrap();
        for (name, value) in xattrs {
            if let Err(errno) = rustix::fs::fsetxattr(&file, *name, value, XattrFlags::empty()) {
                eprintln!("SKIP: {errno}: no such attribute here");
                return None;
            }
        }
        Some(file)
    }

    #[test]
    fn attributes_are_kept_and_an_inherited_acl_is_not() {
        let dir = tempfile::tempdir().unwrap();
        // Version 2: read and write for the owner, and for the user 7; nothing for others.
        let mut acl = vec![2, 0, 0, 0];
        for (tag, perm, id) in [
            (1u16, 6u16, !0u32),
            (2, 6, 7),
            (4, 0, !0),
            (16, 6, !0),
            (32, 0, !0),
        ] {
            acl.extend(tag.to_le_bytes());
            acl.extend(perm.to_le_bytes());
            acl.extend(id.to_le_bytes());
        }
        let long = [b'x'; 2000];
        let colours = [(c"user.colour", &b"blue"[..]), (c"user.long", &long)];
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let (Some(source), Some(copy)) =
            (with_xattrs(&a, &colours), with_xattrs(&b, &[(ACL, &acl)]))
        else {
            return;
        };
        let metadata = source.metadata().unwrap();
        let there = copy.metadata().unwrap();
        preserve(&copy, &source, &metadata, Some(&there), true).unwrap();
        let mut value = [0; 4000];
        assert_eq!(
            rustix::fs::fgetxattr(&copy, c"user.colour", &mut value),
            Ok(4)
        );
        assert_eq!(
            rustix::fs::fgetxattr(&copy, c"user.long", &mut value),
            Ok(2000)
        );
        assert_eq!(
            rustix::fs::fgetxattr(&copy, ACL, &mut value),
            Err(Errno::NODATA)
        );
        assert_eq!(copy.metadata().unwrap().mode(), metadata.mode());

        // One of the source's own is kept, and is the mode too.
        let (c, d) = (dir.path().join("c"), dir.path().join("d"));
        let (Some(source), Some(copy)) = (with_xattrs(&c, &[(ACL, &acl)]), with_xattrs(&d, &[]))
        else {
            return;
        };
        let metadata = source.metadata().unwrap();
        preserve(
            &copy,
            &source,
            &metadata,
            Some(&copy.metadata().unwrap()),
            false,
        )
        .unwrap();
        assert_eq!(rustix::fs::fgetxattr(&copy, ACL, &mut value), Ok(acl.len()));
        assert_eq!(copy.metadata().unwrap().mode(), metadata.mode());
    }

    #[test]
    fn who_may_not_give_files_away_gives_no_rights_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "a").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let owned = own(&metadata, |uid, _| match uid {
            Some(_) => Err(Errno::PERM),
            None => Ok(()),
        });
        assert_eq!(owned, Ok(false));
        assert_eq!(mode(&metadata, false).as_raw_mode(), 0o755);
        assert_eq!(mode(&metadata, true).as_raw_mode(), 0o6755);
        assert_eq!(own(&metadata, |_, _| Err(Errno::IO)), Err(Errno::IO));
    }
}
