// SPDX-License-Identifier: MIT OR Apache-2.0

//! The program that is to be run: where it is, and whether the loader will preload anything.

use super::elf;
use crate::output::Quoted;
use rustix::io::Errno;
use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

/// The kernel goes no further either.
const MAX_INTERPRETERS: usize = 5;

/// The file that exec would take, as execvp(3).
pub fn find(name: &OsStr, path: Option<&OsStr>) -> io::Result<PathBuf> {
    if name.is_empty() {
        return Err(Errno::NOENT.into());
    }
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        fs::metadata(&path)?;
        return Ok(path);
    }
    let mut refused = None;
    for dir in env::split_paths(path.unwrap_or(OsStr::new("/bin:/usr/bin"))) {
        let dir = match dir.as_os_str().is_empty() {
            true => Path::new("."),
            false => &dir,
        };
        let candidate = dir.join(name);
        let Ok(metadata) = fs::metadata(&candidate) else {
            continue;
        };
        if metadata.is_file() && rustix::fs::access(&candidate, rustix::fs::Access::EXEC_OK).is_ok()
        {
            return Ok(candidate);
        }
        refused = Some(Errno::ACCESS);
    }
    Err(refused.unwrap_or(Errno::NOENT).into())
}

/// What will run.
pub struct Found {
    /// The program itself, or the interpreter of a script.
    pub executable: PathBuf,
    /// What of it keeps its aio from raio.
    pub warnings: Vec<String>,
}

/// Follows scripts to their interpreter, and looks at that.
pub fn inspect(path: &Path) -> Found {
    let mut found = Found {
        executable: path.to_path_buf(),
        warnings: Vec::new(),
    };
    for _ in 0..MAX_INTERPRETERS {
        let next = match interpreter(&found.executable) {
            Ok(Some(next)) => next,
            Ok(None) => {
                found.warn();
                break;
            }
            Err(error) => {
                let name = Quoted(&found.executable);
                let reason = crate::output::reason(&error);
                found.warnings.push(format!("{name}: {reason}"));
                break;
            }
        };
        found.executable = next;
    }
    found
}

impl Found {
    fn warn(&mut self) {
        let name = Quoted(&self.executable);
        let mut warnings = Vec::new();
        match elf::Program::read(&self.executable) {
            Ok(program) => warnings.extend(program.obstacle()),
            // Without #! it is the shell's, which is another program.
            Err(error) => warnings.push(format!("can't be looked at: {error}")),
        }
        match fs::metadata(&self.executable) {
            Ok(metadata) if gains_rights(&self.executable, &metadata) => warnings.push(
                "it has the rights of another user, or capabilities: the loader preloads nothing"
                    .to_string(),
            ),
            _ => {}
        }
        let lines = warnings.iter().map(|text| format!("{name}: {text}"));
        self.warnings = lines.collect();
    }
}

/// What `#!` says, if it says something.
fn interpreter(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut start = Vec::new();
    File::open(path)?.take(256).read_to_end(&mut start)?;
    let Some(line) = start.strip_prefix(b"#!") else {
        return Ok(None);
    };
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut words = line
        .split(|byte| b" \t".contains(byte))
        .filter(|word| !word.is_empty());
    let word = words.next().ok_or(io::ErrorKind::InvalidData)?;
    let interpreter = PathBuf::from(OsString::from_vec(word.to_vec()));
    // env(1) looks for its own program, which is what matters.
    if interpreter.file_name() == Some(OsStr::new("env")) {
        let name = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='));
        if let Some(name) = name {
            let path = env::var_os("PATH");
            return find(OsStr::from_bytes(name), path.as_deref()).map(Some);
        }
    }
    fs::metadata(&interpreter).map_err(|error| {
        let reason = crate::output::reason(&error);
        io::Error::new(
            error.kind(),
            format!("its interpreter {}: {reason}", Quoted(&interpreter)),
        )
    })?;
    Ok(Some(interpreter))
}

/// Whether the loader is in its secure mode then.
fn gains_rights(path: &Path, metadata: &Metadata) -> bool {
    let user =
        metadata.mode() & 0o4000 != 0 && metadata.uid() != rustix::process::geteuid().as_raw();
    let group =
        metadata.mode() & 0o2010 == 0o2010 && metadata.gid() != rustix::process::getegid().as_raw();
    let mut value = [0_u8; 32];
    let capable = rustix::fs::getxattr(path, "security.capability", &mut value).is_ok();
    user || group || (capable && !rustix::process::geteuid().is_root())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_found_as_exec_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["a", "b"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("prog"), "").unwrap();
        }
        let list = env::join_paths([path("none"), path("a"), path("b")]).unwrap();
        let found = |name: &str| find(OsStr::new(name), Some(&list));
        assert_eq!(
            found("prog").unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        assert_eq!(found("none").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(found("").unwrap_err().kind(), io::ErrorKind::NotFound);
        let program = path("b").join("prog");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(found("prog").unwrap(), program);
        assert_eq!(found("./prog").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn scripts_are_their_interpreters() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        for (text, executable) in [
            ("#!/bin/sh\n", "/bin/sh"),
            ("#! \t/bin/sh -e\necho\n", "/bin/sh"),
        ] {
            fs::write(&script, text).unwrap();
            let found = inspect(&script);
            assert_eq!(found.executable, Path::new(executable), "{text}");
            assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        }
        fs::write(&script, "#!/usr/bin/env -S sh -e\n").unwrap();
        assert_eq!(
            inspect(&script).executable.file_name(),
            Some(OsStr::new("sh"))
        );
        fs::write(&script, "#!/nowhere\n").unwrap();
        assert_eq!(inspect(&script).warnings.len(), 1);
        // One that is its own.
        fs::write(&script, format!("#!{}\n", script.display())).unwrap();
        assert!(inspect(&script).warnings.is_empty());
    }
}
