// SPDX-License-Identifier: MIT OR Apache-2.0

//! `raio run --check`: what a program would do natively.

use super::{
    elf::{Program, Uses},
    program,
};
use crate::{
    cli,
    output::{self, printable, Quoted},
    Outcome,
};
use serde::Serialize;
use std::{
    fmt::Write,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

/// Files whose aio is not the program's: the C library has none, and libaio's is taken over.
const OTHERS: &[&str] = &["ld-linux-", "libaio.so", "libc.so", "libraio"];

#[derive(Serialize)]
struct Report {
    program: PathBuf,
    /// Another file than the program if that is a script.
    executable: PathBuf,
    /// Whether all that was seen goes through raio.
    raio: bool,
    natively: Vec<String>,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    path: PathBuf,
    #[serde(flatten)]
    uses: Uses,
}

/// Runs the command.
pub fn run(path: &Path, json: bool) -> Outcome {
    let found = program::inspect(path);
    let mut report = Report {
        program: path.to_path_buf(),
        executable: found.executable,
        raio: false,
        natively: found.warnings,
        files: Vec::new(),
    };
    let mut paths = vec![report.executable.clone()];
    if let Ok(Program::Dynamic(loader)) = Program::read(&report.executable) {
        match needed(Path::new(&loader), &report.executable) {
            Ok(libraries) => paths.extend(libraries),
            Err(error) => report.natively.push(format!(
                "{}: its libraries: {}",
                Quoted(&report.executable),
                output::reason(&error)
            )),
        }
    }
    for path in paths {
        match Uses::read(&path) {
            Ok(uses) => report.add(File { path, uses }),
            // That it is no program was said already.
            Err(_) if path == report.executable && !report.natively.is_empty() => {}
            Err(error) => {
                let error = output::reason(&error);
                report.natively.push(format!("{}: {error}", Quoted(&path)));
            }
        }
    }
    report.raio = report.natively.is_empty();
    output::print(&match json {
        true => format!("{}\n", serde_json::to_string(&report)?),
        false => report.render(),
    })?;
    Ok(match report.raio {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(cli::EXIT_FAILURE),
    })
}

/// The libraries that the loader would load, with all that they need.
fn needed(loader: &Path, executable: &Path) -> io::Result<Vec<PathBuf>> {
    // A path, or it is looked for.
    let executable = std::path::absolute(executable)?;
    let listed = Command::new(loader)
        .arg("--list")
        .arg(&executable)
        .stdin(Stdio::null())
        .env_remove(super::PRELOAD)
        .output()?;
    if !listed.status.success() {
        let said = String::from_utf8_lossy(&listed.stderr);
        return Err(io::Error::other(printable(said.trim())));
    }
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    if let Some(line) = text.lines().find(|line| line.ends_with("=> not found")) {
        return Err(io::Error::other(printable(line.trim())));
    }
    Ok(parse(&text))
}

/// Lines as `\tlibm.so.6 => /lib/libm.so.6 (0x00007f...)`.
fn parse(text: &str) -> Vec<PathBuf> {
    let paths = text.lines().filter_map(|line| {
        let (line, _) = line.trim().rsplit_once(" (0x")?;
        let path = line.split_once(" => ").map_or(line, |(_, path)| path);
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    paths.filter(|path| !is_other(path)).collect()
}

fn is_other(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    OTHERS.iter().any(|other| name.starts_with(other))
}

impl Report {
    fn add(&mut self, file: File) {
        let uses = &file.uses;
        for inlined in &uses.inlined {
            self.natively.push(format!(
                "{}: {} by an instruction of its own, at {:#x}",
                Quoted(&file.path),
                inlined.call,
                inlined.address
            ));
        }
        if !uses.functions.is_empty() || uses.syscall || uses.loads || !uses.inlined.is_empty() {
            self.files.push(file);
        }
    }

    fn render(&self) -> String {
        let mut out = String::new();
        let (good, bad, dim) = (output::GOOD, output::BAD, output::DIM);
        if self.executable != self.program {
            let _ = writeln!(
                out,
                "{}: {dim}a script, of {}{dim:#}",
                Quoted(&self.program),
                Quoted(&self.executable)
            );
        }
        for File { path, uses } in &self.files {
            if !uses.functions.is_empty() {
                let names = uses.functions.join(", ");
                let _ = writeln!(out, "{}: libaio's {names}", Quoted(path));
            }
        }
        let mut others = |uses: fn(&Uses) -> bool, what: &str, then: &str| {
            let mut names = self.files.iter().filter(|file| uses(&file.uses));
            if let Some(first) = names.next() {
                let more = match names.count() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let _ = writeln!(
                    out,
                    "{}{more}: {what}: {dim}{then}{dim:#}",
                    Quoted(&first.path)
                );
            }
        };
        others(
            |uses| uses.syscall,
            "syscall(2)",
            "its aio, if any, goes through raio",
        );
        others(
            |uses| uses.loads,
            "dlopen(3)",
            "libaio would be libraio; other libraries were not looked at",
        );
        if self.files.is_empty() && self.natively.is_empty() {
            out.push_str("no aio is seen in it\n");
        }
        for line in &self.natively {
            let _ = writeln!(out, "{bad}natively{bad:#}: {line}");
        }
        if self.natively.is_empty() {
            let _ = writeln!(out, "{good}through raio{good:#}: all that is seen");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_of_the_list() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
                    \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f01)\n\
                    \tlibaio.so.1t64 => /lib/libaio.so.1t64 (0x00007f02)\n\
                    \t/opt/a b/liby.so (0x00007f03)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f04)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f05)\n";
        let expected = ["/lib/x86_64-linux-gnu/libm.so.6", "/opt/a b/liby.so"];
        assert_eq!(parse(text), expected.map(PathBuf::from));
    }
}
