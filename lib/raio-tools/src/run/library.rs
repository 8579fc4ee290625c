// SPDX-License-Identifier: MIT OR Apache-2.0

//! The library that is preloaded.

use crate::output::Quoted;
use std::{
    env, fmt, io,
    path::{Path, PathBuf},
};

const NAME: &str = "libraio-preload.so";

/// Debian's directory of an architecture's libraries.
#[cfg(target_arch = "aarch64")]
macro_rules! multiarch {
    ($before:literal) => {
        concat!($before, "aarch64-linux-gnu")
    };
}
#[cfg(not(target_arch = "aarch64"))]
macro_rules! multiarch {
    ($before:literal) => {
        concat!($before, "x86_64-linux-gnu")
    };
}

/// Where it is, from the directory of this program on: installed, or in the tree it was built in.
const BESIDE: &[&str] = &[
    multiarch!("../lib/"),
    "../lib64",
    "../lib",
    "../../libraio",
    "../../../libraio",
];
const INSTALLED: &[&str] = &[
    "/usr/local/lib",
    multiarch!("/usr/lib/"),
    "/usr/lib64",
    "/usr/lib",
];

/// There is none that can be preloaded.
#[derive(Debug)]
pub enum LibraryError {
    NotFound,
    Unreadable(PathBuf, io::Error),
    /// The loader would take it for several.
    Separator(PathBuf),
}

impl std::error::Error for LibraryError {}

impl fmt::Display for LibraryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => write!(
                f,
                "{NAME} is not found\n    install libraio (Debian: libraio1), or say --library PATH"
            ),
            Self::Unreadable(path, error) => {
                write!(f, "{}: {}", Quoted(path), crate::output::reason(error))
            }
            Self::Separator(path) => write!(
                f,
                "{}: LD_PRELOAD can't have names with a blank or a colon\n    \
                 say --library with another path, as of a link to its directory",
                Quoted(path)
            ),
        }
    }
}

/// The library's absolute path.
pub fn find(chosen: Option<&Path>) -> Result<PathBuf, LibraryError> {
    let path = match chosen {
        Some(path) => path.to_path_buf(),
        None => candidates()
            .find(|path| path.is_file())
            .ok_or(LibraryError::NotFound)?,
    };
    // A directory, or what can't be read, the loader would only complain of.
    let readable = std::fs::File::open(&path).and_then(|file| match file.metadata()?.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is no file")),
    });
    readable.map_err(|error| LibraryError::Unreadable(path.clone(), error))?;
    // Its directory may be a link, where the rest of libraio is.
    let path = std::path::absolute(&path)
        .map_err(|error| LibraryError::Unreadable(path.clone(), error))?;
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.iter().any(|byte| b" :\t\n".contains(byte)) {
        return Err(LibraryError::Separator(path));
    }
    Ok(path)
}

fn candidates() -> impl Iterator<Item = PathBuf> {
    let exe = env::current_exe().ok();
    let dir = exe.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let beside = dir.into_iter().flat_map(|dir| {
        let names = BESIDE.iter();
        names.map(move |name| dir.join(name).join(NAME))
    });
    let installed = INSTALLED.iter().map(|dir| Path::new(dir).join(NAME));
    // `..` of the first kind is for people who read LD_PRELOAD.
    let plain = |path: PathBuf| match path.canonicalize() {
        Ok(path) => path,
        Err(_) => path,
    };
    beside.chain(installed).map(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_separators_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (name, refused) in [("a.so", false), ("a b.so", true), ("a:b.so", true)] {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            match find(Some(&path)) {
                Ok(found) => assert!(!refused && found == path),
                Err(error) => assert!(refused && matches!(error, LibraryError::Separator(_))),
            }
        }
        assert!(find(Some(&dir.path().join("none"))).is_err());
        assert!(find(Some(dir.path())).is_err());
    }
}
