// SPDX-License-Identifier: MIT OR Apache-2.0

//! `raio run`: starts a program of libaio's with libraio.

mod check;
#[cfg(any(target_arch = "aarch64", test))]
#[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
mod code_arm64;
#[cfg(not(target_arch = "aarch64"))]
mod code_x86;
mod elf;
mod library;
mod program;
mod stats;

use crate::{
    cli::{self, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_NOT_RUN},
    device,
    output::{self, Quoted},
    Outcome,
};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

const PRELOAD: &str = "LD_PRELOAD";

/// Runs the command.
pub fn run(args: &cli::Run) -> Outcome {
    // There is one, or the command line was refused.
    let (name, rest) = match args.command.split_first() {
        Some((name, rest)) => (name.as_os_str(), rest),
        None => (OsStr::new(""), args.command.as_slice()),
    };
    if name.as_encoded_bytes().starts_with(b"-") {
        let bad = output::BAD;
        output::complain(&format!(
            "raio run: {bad}error{bad:#}: unexpected argument {}; see raio run --help\n",
            Quoted(Path::new(name))
        ));
        return Ok(ExitCode::from(EXIT_NOT_RUN));
    }
    let path = match program::find(name, std::env::var_os("PATH").as_deref()) {
        Ok(path) => path,
        Err(error) => return Ok(not_started(Path::new(name), &error)),
    };
    if args.check {
        return check::run(&path, args.json);
    }
    let library = library::find(args.library.as_deref())?;
    // As the program will: that it may be opened, and that the limits have room for a ring.
    device::context(1)?;
    let found = program::inspect(&path);
    for warning in &found.warnings {
        let warn = output::WARN;
        output::complain(&format!("raio run: {warn}warning{warn:#}: {warning}\n"));
    }
    let mut command = Command::new(&path);
    command
        .arg0(name)
        .args(rest)
        .env(PRELOAD, with_library(std::env::var_os(PRELOAD), &library));
    if args.stats {
        return stats::run(&mut command, &path, args.json);
    }
    let error = command.exec();
    Ok(not_started(&path, &error))
}

/// Says why, and what env(1) would end with.
fn not_started(program: &Path, error: &io::Error) -> ExitCode {
    let bad = output::BAD;
    output::complain(&format!(
        "raio run: {bad}error{bad:#}: {}: {}\n",
        Quoted(program),
        output::reason(error)
    ));
    ExitCode::from(match error.kind() {
        io::ErrorKind::NotFound => EXIT_NOT_FOUND,
        _ => EXIT_NOT_EXECUTABLE,
    })
}

/// LD_PRELOAD with the library, after what was there: a sanitizer has to be the first.
fn with_library(before: Option<OsString>, library: &Path) -> OsString {
    let before = before.unwrap_or_default();
    let separators = |byte: &u8| *byte == b':' || *byte == b' ';
    let mut names = before.as_encoded_bytes().split(separators);
    if names.any(|name| name == library.as_os_str().as_encoded_bytes()) {
        return before;
    }
    let mut list = before;
    if !list.is_empty() {
        list.push(OsStr::new(":"));
    }
    list.push(library);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_preloaded_stays() {
        let library = Path::new("/lib/libraio-preload.so");
        for (before, after) in [
            (None, "/lib/libraio-preload.so"),
            (Some(""), "/lib/libraio-preload.so"),
            (Some("a.so b.so"), "a.so b.so:/lib/libraio-preload.so"),
            (
                Some("/lib/libraio-preload.so:a.so"),
                "/lib/libraio-preload.so:a.so",
            ),
        ] {
            assert_eq!(with_library(before.map(OsString::from), library), after);
        }
    }
}
