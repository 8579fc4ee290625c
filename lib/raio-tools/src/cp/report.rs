// SPDX-License-Identifier: MIT OR Apache-2.0

//! What was copied and what was not, and the progress bar.

use crate::{
    cli,
    output::{self, plural, reason, Quoted},
};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Instant,
};

/// A call that failed, and for which file.
#[derive(Debug)]
pub struct Failure {
    /// The file.
    pub path: PathBuf,
    /// The call, or what was to be done.
    pub call: &'static str,
    /// Why.
    pub error: io::Error,
}

impl Failure {
    /// Of a call of the operating system, or the library.
    pub fn new(path: impl Into<PathBuf>, call: &'static str, error: impl Into<io::Error>) -> Self {
        Self {
            path: path.into(),
            call,
            error: error.into(),
        }
    }

    /// Whether a signal is why.
    pub fn is_interrupted(&self) -> bool {
        self.error.kind() == io::ErrorKind::Interrupted
    }

    /// Of something that is not done, and why.
    pub fn refused(path: impl Into<PathBuf>, call: &'static str, why: impl Into<String>) -> Self {
        Self::new(path, call, io::Error::other(why.into()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: {}",
            Quoted(&self.path),
            self.call,
            reason(&self.error)
        )
    }
}

impl std::error::Error for Failure {}

/// A failure in the summary.
#[derive(Serialize)]
struct Failed {
    path: String,
    call: &'static str,
    error: String,
    errno: Option<i32>,
}

/// The summary.
#[derive(Serialize, Default)]
struct Summary {
    /// Files that are in place.
    files: u64,
    directories: u64,
    symlinks: u64,
    /// FIFOs, sockets and devices that were made anew.
    specials: u64,
    /// Further names of files that were copied, by -a.
    hard_links: u64,
    /// Of --no-clobber.
    skipped: u64,
    /// The sizes of the files.
    bytes: u64,
    /// What was written of that: the rest is holes, or was cloned.
    data_bytes: u64,
    /// Files that share the blocks of their sources.
    cloned: u64,
    /// Their sizes.
    cloned_bytes: u64,
    verified: u64,
    /// Files that have no asynchronous reads or writes.
    synchronous: u64,
    /// Files that --direct could not be done for.
    not_direct: u64,
    failures: u64,
    errors: Vec<Failed>,
    seconds: f64,
    bytes_per_second: f64,
    interrupted: bool,
    /// By which signal.
    signal: Option<&'static str>,
}

/// Collects, tells, and sums up.
pub struct Report {
    summary: Summary,
    bar: ProgressBar,
    start: Instant,
    verbose: bool,
    quiet: bool,
    json: bool,
    /// Why standard output does not take names any more.
    unheard: Option<io::Error>,
}

/// A file was copied.
#[derive(Default)]
pub struct Copied {
    /// Its size.
    pub bytes: u64,
    /// What was written of that.
    pub data_bytes: u64,
    /// How much of it shares the blocks of the source.
    pub cloned_bytes: u64,
    /// It was compared.
    pub verified: bool,
    /// It could not be read or written asynchronously.
    pub synchronous: bool,
}

/// What else is made.
#[derive(Clone, Copy)]
pub enum Made {
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A FIFO, socket or device.
    Special,
    /// Another name of a copy.
    HardLink,
}

impl Report {
    /// The bar is for `total` bytes, if that is known.
    pub fn new(args: &cli::Cp, total: Option<u64>) -> Self {
        let bar = match total {
            Some(total) => {
                let target = ProgressDrawTarget::stderr_with_hz(10);
                let bar = ProgressBar::with_draw_target(Some(total), target);
                // Of streams and files of /proc the size is not known.
                let template = match total {
                    0 => "{spinner} {bytes:>10} {binary_bytes_per_sec:>12}  {wide_msg}",
                    _ => "{percent:>3}% [{bar:30}] {bytes:>10} of {total_bytes} {binary_bytes_per_sec:>12} {eta:>4}  {wide_msg}",
                };
                let style = ProgressStyle::with_template(template).expect("the template is right");
                bar.set_style(style.progress_chars("=> "));
                bar
            }
            None => ProgressBar::hidden(),
        };
        Self {
            summary: Summary::default(),
            bar,
            start: Instant::now(),
            verbose: args.verbose,
            quiet: args.quiet,
            json: args.json,
            unheard: None,
        }
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| output::complain(text));
    }

    /// A file was not copied, or not as it should be.  The rest is.
    pub fn fail(&mut self, failure: Failure) {
        let bad = output::BAD;
        self.say(&format!("raio cp: {bad}error{bad:#}: {failure}\n"));
        self.summary.failures += 1;
        self.summary.errors.push(Failed {
            path: failure.path.to_string_lossy().into_owned(),
            call: failure.call,
            error: reason(&failure.error),
            errno: failure.error.raw_os_error(),
        });
    }

    /// Something that is good to know.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            let warn = output::WARN;
            self.say(&format!("raio cp: {warn}note{warn:#}: {text}\n"));
        }
    }

    /// That many bytes of files are done.
    pub fn advance(&self, bytes: u64) {
        if !self.bar.is_hidden() {
            self.bar.inc(bytes);
        }
    }

    /// The bar moves though nothing is done.
    pub fn tick(&self) {
        // It would look at the clock.
        if !self.bar.is_hidden() {
            self.bar.tick();
        }
    }

    /// How many failures there were.
    #[cfg(test)]
    pub fn failures(&self) -> u64 {
        self.summary.failures
    }

    /// A file is begun.
    pub fn begin(&self, path: &Path) {
        if !self.bar.is_hidden() {
            self.bar.set_message(Quoted(path).to_string());
        }
    }

    /// A file is in place.
    pub fn copied(&mut self, source: &Path, destination: &Path, copied: &Copied) {
        self.summary.files += 1;
        self.summary.bytes += copied.bytes;
        self.summary.data_bytes += copied.data_bytes;
        self.summary.cloned += u64::from(copied.cloned_bytes > 0);
        self.summary.cloned_bytes += copied.cloned_bytes;
        self.summary.verified += u64::from(copied.verified);
        self.summary.synchronous += u64::from(copied.synchronous);
        self.name(source, destination);
    }

    /// Something that has no data is there.
    pub fn made(&mut self, what: Made, source: &Path, destination: &Path) {
        *match what {
            Made::Directory => &mut self.summary.directories,
            Made::Symlink => &mut self.summary.symlinks,
            Made::Special => &mut self.summary.specials,
            Made::HardLink => &mut self.summary.hard_links,
        } += 1;
        self.name(source, destination);
    }

    fn name(&mut self, source: &Path, destination: &Path) {
        if self.verbose {
            let line = format!("{} -> {}\n", Quoted(source), Quoted(destination));
            // JSON is alone on standard output.
            match self.json {
                true => self.say(&line),
                false => {
                    let printed = self.bar.suspend(|| output::print(&line));
                    self.unheard = self.unheard.take().or(printed.err());
                }
            }
        }
    }

    /// A file is there already, and stays.
    pub fn skipped(&mut self) {
        self.summary.skipped += 1;
    }

    /// A file is copied through the page cache though that was not wanted.
    pub fn not_direct(&mut self) {
        self.summary.not_direct += 1;
    }

    /// Says what is to be said in the end, and whether all went well.  `signal` is what ended it.
    pub fn finish(mut self, signal: Option<&'static str>) -> io::Result<bool> {
        let summary = &mut self.summary;
        (summary.interrupted, summary.signal) = (signal.is_some(), signal);
        summary.seconds = self.start.elapsed().as_secs_f64();
        summary.bytes_per_second = summary.bytes as f64 / summary.seconds.max(1e-9);
        let well = summary.failures == 0 && signal.is_none();
        let shown = !self.bar.is_hidden();
        self.bar.finish_and_clear();
        if let Some(signal) = signal {
            let bad = output::BAD;
            output::complain(&format!(
                "raio cp: {bad}interrupted{bad:#} by {signal}, and not complete; copied: {}\n",
                self.summary.text()
            ));
        }
        if self.json {
            output::print(&format!("{}\n", serde_json::to_string(&self.summary)?))?;
        } else if shown && !self.quiet && signal.is_none() {
            output::complain(&format!("{}\n", self.summary.text()));
        }
        match self.unheard {
            Some(error) => Err(error),
            None => Ok(well),
        }
    }
}

impl Summary {
    fn text(&self) -> String {
        let mut text = format!(
            "{}, {} in {:.1} s ({}/s)",
            plural(self.files, "file", "files"),
            HumanBytes(self.bytes),
            self.seconds,
            HumanBytes(self.bytes_per_second as u64)
        );
        if self.hard_links > 0 {
            let links = plural(self.hard_links, "hard link", "hard links");
            text += &format!(", {links}");
        }
        if self.cloned_bytes > 0 {
            text += &format!(", {} of it cloned", HumanBytes(self.cloned_bytes));
        }
        let holes = self
            .bytes
            .saturating_sub(self.data_bytes + self.cloned_bytes);
        if holes > 0 {
            text += &format!(", {} of it holes", HumanBytes(holes));
        }
        if self.failures > 0 {
            let errors = plural(self.failures, "error", "errors");
            text += &format!("; {errors}, see above");
        }
        text
    }
}
