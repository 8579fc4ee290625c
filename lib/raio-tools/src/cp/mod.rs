// SPDX-License-Identifier: MIT OR Apache-2.0

//! `raio cp`: copies files with many requests in flight.

mod complete;
mod engine;
mod extent;
mod job;
mod links;
mod make;
mod meta;
mod phases;
mod pool;
mod reflink;
mod report;
mod signals;
mod small;
mod source;
mod start;
mod target;
mod total;
mod walk;

use crate::{
    cli::{self, Cli},
    device,
    output::Quoted,
    Outcome,
};
use clap::{error::ErrorKind, CommandFactory};
use engine::Engine;
use pool::{Pool, Shared};
use reflink::Reflink;
use report::{Failure, Report};
use rustix::{
    fs::Mode,
    process::{getrlimit, setrlimit, umask, Resource, Rlimit},
};
use std::{
    io::{self, IsTerminal},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering::Relaxed,
    thread,
};
use walk::Walk;

/// As much memory as the buffers of all requests may have.
const MAX_MEMORY: usize = 1 << 30;

/// Runs the command.
pub fn run(mut args: cli::Cp) -> Outcome {
    args.apply();
    if (args.queue_depth as usize).saturating_mul(args.block_size) > MAX_MEMORY {
        usage("--queue-depth times --block-size is more than 1G");
    }
    let sources = plan(&args)?;
    let context = device::context(args.queue_depth)?;

    let shown = !args.quiet && !args.no_progress && io::stderr().is_terminal();
    let total = shown.then(|| total::total(&args, &sources));
    let signal = signals::catch()?;
    let mut report = Report::new(&args, total);
    let mut walk = Walk::new(&args, sources, signal.clone());
    if args.preserve {
        // The modes are those of the sources.
        umask(Mode::empty());
    }
    let reflink = Reflink::new(&args);
    let (shared, feed) = Shared::new(&args, &reflink, &signal);
    let result = thread::scope(|scope| {
        let pool = Pool::new(scope, &shared, feed);
        // When it is dropped it waits for what is in flight, and removes what is not complete.
        Engine::new(context, pool, &shared, max_jobs(&args)).run(&mut walk, &mut report)
    });
    walk.finish(&mut report);
    if let Err(error) = result {
        let call = error.call();
        report.fail(Failure::new(device::PATH, call, io::Error::from(error)));
    }
    let signal = signal.load(Relaxed);
    let well = report.finish((signal != 0).then(|| signals::name(signal)))?;
    if signal != 0 {
        signal_hook::low_level::emulate_default_handler(signal as i32)?;
    }
    Ok(match well {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(cli::EXIT_FAILURE),
    })
}

/// Ends with what is wrong on the command line.
fn usage(text: &str) -> ! {
    let mut command = Cli::command();
    command.build();
    let cp = command.find_subcommand_mut("cp").expect("it is this one");
    cp.error(ErrorKind::ValueValidation, text).exit()
}

/// Which source is to be copied to where.
fn plan(args: &cli::Cp) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let (sources, destination) = match (&args.target_directory, args.paths.split_last()) {
        (Some(dir), _) => (args.paths.as_slice(), dir),
        (None, Some((last, sources))) => (sources, last),
        (None, None) => usage("no paths"),
    };
    if sources.is_empty() {
        usage(&format!(
            "where shall {} be copied to?",
            Quoted(destination)
        ));
    }
    if args.no_target_directory && sources.len() > 1 {
        usage("-T is for one source");
    }
    let is_dir = destination.is_dir();
    let into = !args.no_target_directory && is_dir;
    if !into && (sources.len() > 1 || args.target_directory.is_some()) {
        return Err(Failure::refused(
            destination,
            "copy into",
            "it is not a directory",
        ));
    }
    let slash = destination.as_os_str().as_bytes().ends_with(b"/");
    if slash && !is_dir && !(args.recursive && sources[0].is_dir()) {
        return Err(Failure::refused(
            destination,
            "copy into",
            "it is not a directory",
        ));
    }
    let plan = sources.iter().map(|source| {
        let destination = match name(source) {
            Some(name) if into => destination.join(name),
            _ => destination.clone(),
        };
        (source.clone(), destination)
    });
    Ok(plan.collect())
}

/// The name of a copy in a directory; of `.` and the like all that is in it is copied.
fn name(source: &Path) -> Option<&std::ffi::OsStr> {
    let bytes = source.as_os_str().as_bytes();
    let trimmed = bytes.len() - bytes.iter().rev().take_while(|&&byte| byte == b'/').count();
    match bytes[..trimmed].rsplit(|&byte| byte == b'/').next() {
        Some(b"." | b"..") => None,
        _ => source.file_name(),
    }
}

/// How many files can be open at a time, as far as it is of use.
fn max_jobs(args: &cli::Cp) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = getrlimit(Resource::Nofile);
        }
    }
    // Two for each, and some for all else.
    let files = limit.current.map_or(usize::MAX, |current| current as usize);
    let most = files.saturating_sub(32) / 2;
    most.clamp(1, args.queue_depth as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn planned(line: &[&str]) -> Result<Vec<(String, String)>, Failure> {
        let line = ["raio", "cp"].iter().chain(line);
        let cli::Command::Cp(mut args) = Cli::parse_from(line).command else {
            unreachable!()
        };
        args.apply();
        let text = |path: PathBuf| path.to_str().unwrap().to_string();
        let plan = plan(&args)?;
        Ok(plan
            .into_iter()
            .map(|(from, to)| (text(from), text(to)))
            .collect())
    }

    #[test]
    fn destinations_are_as_cps() {
        let to = |line: &[&str]| planned(line).unwrap()[0].1.clone();
        assert_eq!(to(&["a", "/nonexistent/b"]), "/nonexistent/b");
        assert_eq!(to(&["x/a", "/usr"]), "/usr/a");
        assert_eq!(to(&["x/a", "/usr/"]), "/usr/a");
        assert_eq!(to(&["-r", "x/a/", "/usr"]), "/usr/a");
        assert_eq!(to(&["-r", "x/a/.", "/usr"]), "/usr");
        assert_eq!(to(&["-r", ".", "/usr"]), "/usr");
        assert_eq!(to(&["-r", "..//", "/usr"]), "/usr");
        assert_eq!(to(&["-r", "/", "/usr"]), "/usr");
        assert_eq!(to(&["-rT", "x/a", "/usr"]), "/usr");
        assert_eq!(to(&["-t", "/usr", "x/a"]), "/usr/a");
        assert_eq!(to(&["x/.a.", "/usr"]), "/usr/.a.");
        assert_eq!(planned(&["a", "b", "/usr"]).unwrap().len(), 2);
        assert_eq!(to(&["-r", "/etc", "/nonexistent/"]), "/nonexistent/");
    }

    #[test]
    fn what_is_no_directory_can_not_be_copied_into() {
        for line in [
            &["a", "b", "/etc/passwd"][..],
            &["a", "b", "/nonexistent"],
            &["a", "/nonexistent/"],
            &["a", "/etc/passwd/"],
            &["-t", "/nonexistent", "a"],
        ] {
            assert!(planned(line).is_err(), "{line:?}");
        }
    }
}
