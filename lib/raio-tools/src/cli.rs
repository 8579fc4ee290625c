// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line.

use clap::{builder::ValueParser, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Exit status: something failed.
pub const EXIT_FAILURE: u8 = 1;

/// Exit status of `raio run`, as of env(1): the program was not started.
pub const EXIT_NOT_RUN: u8 = 125;
/// It can't be executed.
pub const EXIT_NOT_EXECUTABLE: u8 = 126;
/// It is not there.
pub const EXIT_NOT_FOUND: u8 = 127;

const EXIT_STATUS: &str = "\
Exit status:
  0    all went well
  1    something failed; what, is on standard error
  2    the command line is wrong
  128+N  ended by signal N, as seen by a shell";

const CP_HELP: &str = "\
A file appears under its name only when it is complete: it is written to a file without a name in \
the destination's directory (or to .raio-XXXXXXXXXXXXXXXX, if the file system has none without names), \
which then replaces what was there. So a replaced file's other hard links keep the old data; \
--inplace avoids that. Its mode and owner stay. Devices and FIFOs that exist are written to.

Without -r, symbolic links and special files are opened and what they yield is copied. With -r, links \
are copied as links, and FIFOs, sockets and devices are made anew. A link in the destination is followed \
if it is DST, or where a file named on the command line goes; inside of directories that are copied it is \
replaced. A directory never goes where a link other than DST is. Holes stay holes. With -a the names of one \
file are names of one copy, also across the sources; a name that can't be one is a copy of its own, and a \
note says so. Without -a each name is a copy.

Where the file system can do that, a copy shares the blocks of its source until one of the two is written \
to (a reflink): no data are moved. --no-reflink copies them.

Files up to 128K are copied by plain reads and writes where nothing is yet, those of directories by \
as many threads as there are CPUs (up to 8), unless --direct, --fsync or --verify is given. All else \
goes through /dev/raio.

A file that is changed while it is copied is put in place, and is a failure: there is no telling \
what of it was when. Files that have no asynchronous reads (some of /proc) are read \
synchronously; --json counts them.

After a failure the rest is still copied. After SIGINT (Ctrl-C), SIGTERM or SIGHUP it is not: what is not \
complete is removed, what was copied is told on standard error, and in --json, and raio ends by that \
signal. A second one ends it at once.

As with cp, who may rename directories below DST while they are copied to can lead the copy elsewhere: \
root should not copy into trees of others that are in use.

Examples:
  raio cp image.qcow2 /backup/
  raio cp -a ~/photos /mnt/disk
  raio cp --direct --verify -q 64 -b 1M disk.img /dev/sdb
  raio cp -r --json src dst | jq .bytes

Exit status:
  0    all was copied
  1    something was not copied, or not as asked for; what, is on standard error
  2    the command line is wrong
  128+N  ended by signal N, as seen by a shell";

const RUN_HELP: &str = "\
libraio-preload.so is added to LD_PRELOAD, and the program takes the place of raio. Its calls of libaio go to \
/dev/raio, whether it is linked with libaio, loads it, or calls syscall(2); so do those of its children. Before \
that it is tried whether the device can be opened and the limits have room for a ring. What is known to \
prevent it, as that the program is statically linked, is a warning. See libraio(7), also for the \
environment: RAIO_WRITES, RAIO_FALLBACK, RAIO_QUIET.

With --stats raio stays, sends signals on to the program, and ends as it does. The counts are those of \
all contexts that were set up by the program and its children, also of those that were killed. Not counted are \
processes that can't have raio's open /dev/raio: those that have closed it and run as another user or in \
another PID namespace, or start when raio has ended; libraio says so. Nor are native requests. \
Contexts of an exiting process may end a moment after it. With --json it is a line of JSON, on standard error as well.

--check looks at the program, or at the interpreter of a script, and at the libraries that they need: which of \
libaio's functions are used, whether syscall(2) is, and whether there are system call instructions with a number of \
native aio. The last is a guess by the code's looks: it can miss some, and can see one in what is data. Libraries \
that are loaded later are not looked at. The program's loader is run, to list the libraries.

Examples:
  raio run mariadbd --user=mysql
  raio run --stats fio --ioengine=libaio --name=a --filename=/tmp/a --size=1M
  raio run --check $(which qemu-system-x86_64)

Exit status:
  125  the program was not started: the command line, the device, a limit, or the library
  126  the program can't be executed
  127  there is no such program
  else that of the program; with --stats, ended by the signal that ended it
With --check:
  0    all that is seen goes through raio
  1    something goes natively, or could not be looked at";

const STAT_HELP: &str = "\
A row for each context of /dev/raio. The columns (see raio(4)):
  SIZE        events that the ring can hold
  INFLIGHT    requests that have no event yet
  ARMED       of these, waiting for their file
  QUEUED      of these, waiting to be run
  COMPLETED   events so far
  KICKS       wakes of armed requests
  RETRIES     tries after the first
  PUNTS       requests that were left to threads
  CANCELS     requests that were cancelled
With --watch, /S is what was added in each second. A context has - where the process has closed the \
/dev/raio that it was set up through: nothing tells of it then.

Other users' processes can be read by root only.

Examples:
  raio stat
  raio stat -w 1 $(pidof mariadbd)
  raio stat --json | jq '.contexts[] | select(.armed > 0)'

Exit status:
  0    all went well
  1    a process could not be read, or something else failed
  2    the command line is wrong";

const PROBE_HELP: &str = "\
Shows the module's version and limits, what else the kernel has for asynchronous I/O, and how requests go \
on the file systems of the paths (by default, the current directory and /tmp) and for pipes, sockets and the like.

How they go is measured: requests are submitted, and the counters in fdinfo compared. Why they go so is \
told from what the file says of itself: whether it takes a read and a write with RWF_NOWAIT, and whether it can be \
polled; --json has these facts and the counters. In a directory \
a temporary file without a name is used; of other paths only regular files and block devices are probed, and only read. 'first' is \
the first request of its kind on the open file, 'then' one after it. The ways:
  at once      done when submit returned
  in flight    with the driver when submit returned
  armed        waits for its file, without a thread
  thread       a thread of the process runs it
  thread, page a thread starts the read, and does not wait for the page
'at once or in flight' is a request that had ended before one could look.

Examples:
  raio probe
  raio probe /var/lib/mysql /mnt
  raio probe --json | jq .paths

Exit status:
  0    the module is there, and all paths could be probed
  1    it is not, or a path could not be probed
  2    the command line is wrong";

/// Asynchronous I/O through /dev/raio: copy files, run programs of libaio's, and see what goes on.
#[derive(Debug, Parser)]
#[command(name = "raio", version, max_term_width = 100, after_help = EXIT_STATUS, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy files and directories with many requests in flight
    #[command(visible_alias = "copy", after_help = CP_HELP)]
    Cp(Cp),
    /// Run a program of libaio's with its requests going through raio
    #[command(after_help = RUN_HELP)]
    Run(Run),
    /// Show the contexts of processes: requests in flight, counters
    #[command(after_help = STAT_HELP)]
    Stat(Stat),
    /// Show whether and how raio works here
    #[command(after_help = PROBE_HELP)]
    Probe(Probe),
    /// Print a script that completes the command line
    #[command(
        after_help = "Examples:\n  raio completion bash > /etc/bash_completion.d/raio\n  \
        raio completion zsh > \"${fpath[1]}/_raio\"\n  \
        raio completion fish > ~/.config/fish/completions/raio.fish"
    )]
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages
    #[command(hide = true)]
    Man {
        /// The directory to write them to
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// What `raio cp` is told.
#[derive(Debug, Clone, Args)]
pub struct Cp {
    /// What to copy, and where to: a file, or a directory to copy into
    #[arg(required = true, value_name = "SRC... DST", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Copy directories with all that is in them
    #[arg(short, long, visible_short_alias = 'R')]
    pub recursive: bool,
    /// As -r -P -p, and hard links stay hard links
    #[arg(short, long)]
    pub archive: bool,
    /// Keep mode, owner, times and extended attributes (ACLs too), where that is allowed
    #[arg(short, long)]
    pub preserve: bool,
    /// Follow all symbolic links
    #[arg(short = 'L', long, conflicts_with = "no_dereference")]
    pub dereference: bool,
    /// Copy symbolic links as such (-r does so, too)
    #[arg(short = 'P', long)]
    pub no_dereference: bool,
    /// Leave out directories of other file systems
    #[arg(short = 'x', long)]
    pub one_file_system: bool,

    /// Leave files that exist as they are
    #[arg(short, long)]
    pub no_clobber: bool,
    /// Write into files that exist: not atomic, but hard links and all else of the file stay
    #[arg(long, visible_alias = "in-place", conflicts_with = "no_clobber")]
    pub inplace: bool,
    /// Whether copies share the blocks of their sources, where the file system can do that (FICLONE)
    #[arg(long, value_name = "WHEN", default_value = "auto", value_enum)]
    pub reflink: Reflink,
    /// As --reflink=never: all data are copied
    #[arg(long, conflicts_with = "reflink")]
    pub no_reflink: bool,
    /// Take DST for the copy's name, even if it is a directory
    #[arg(short = 'T', long, conflicts_with = "target_directory")]
    pub no_target_directory: bool,
    /// Copy all paths into DIR
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub target_directory: Option<PathBuf>,

    /// Requests in flight at a time
    #[arg(short, long, value_name = "N", default_value_t = 32, help_heading = "I/O",
          value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub queue_depth: u32,
    /// Bytes of a request, a multiple of 4K
    #[arg(short, long, value_name = "SIZE", default_value = "256K", help_heading = "I/O",
          value_parser = ValueParser::new(block_size))]
    pub block_size: usize,
    /// Go past the page cache (O_DIRECT), where files can
    #[arg(long, help_heading = "I/O")]
    pub direct: bool,
    /// Have the data and its name on the device before a file counts as copied
    #[arg(long, help_heading = "I/O")]
    pub fsync: bool,
    /// Read source and copy again and compare, before the copy gets its name
    ///
    /// The copy is made durable and dropped from the page cache first, so it is the device that is read.
    #[arg(long, help_heading = "I/O")]
    pub verify: bool,

    /// Name each file that is copied
    #[arg(short, long, help_heading = "Output", conflicts_with = "quiet")]
    pub verbose: bool,
    /// Show no progress bar; there is one only if standard error is a terminal
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,
    /// Say nothing but what fails
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,
    /// Print a summary as JSON on standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// When copies share the blocks of their sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Reflink {
    /// Where that can be
    Auto,
    /// It is a failure of the file if it can't be
    Always,
    /// All data are copied
    Never,
}

impl Cp {
    /// DST.
    pub fn destination(&self) -> Option<&Path> {
        let last = || self.paths.last().map(PathBuf::as_path);
        self.target_directory.as_deref().or_else(last)
    }

    /// Does what -a stands for.
    pub fn apply(&mut self) {
        if self.archive {
            self.recursive = true;
            self.preserve = true;
            self.no_dereference = !self.dereference;
        }
    }
}

/// What `raio run` is told.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// The program, and what it is told: options before it are for raio, all after it are its own
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true,
          value_name = "PROGRAM", num_args = 1.., value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
    /// Say on standard error what went through raio, when the program has ended
    #[arg(long)]
    pub stats: bool,
    /// Run nothing, and say what of the program's aio would not go through raio
    #[arg(long, conflicts_with = "stats")]
    pub check: bool,
    /// Say it as JSON
    #[arg(long)]
    pub json: bool,
    /// The library to preload, libraio-preload.so
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub library: Option<PathBuf>,
}

/// What `raio stat` is told.
#[derive(Debug, Clone, Args)]
pub struct Stat {
    /// The processes; by default all that can be read
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,
    /// Show it again every SEC seconds, with rates, until interrupted
    #[arg(short, long, value_name = "SEC", value_parser = ValueParser::new(seconds))]
    pub watch: Option<f64>,
    /// Show it that many times; a second apart without --watch
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Print JSON, an object in a line each time
    #[arg(long)]
    pub json: bool,
}

/// What `raio probe` is told.
#[derive(Debug, Clone, Args)]
pub struct Probe {
    /// Where to probe: directories, regular files, block devices [default: . and /tmp]
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn block_size(text: &str) -> Result<usize, String> {
    let size = parse_size::Config::new()
        .with_binary()
        .parse_size(text)
        .map_err(|error| error.to_string())?;
    match usize::try_from(size) {
        Ok(size) if size > 0 && size % raio::Buffer::ALIGN == 0 && size <= 1 << 30 => Ok(size),
        _ => Err("it must be a multiple of 4K, from 4K to 1G".to_string()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.01..=86400.0).contains(&seconds) => Ok(seconds),
        _ => Err("it must be a number of seconds, from 0.01 to 86400".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes() {
        assert_eq!(block_size("256K"), Ok(256 << 10));
        assert_eq!(block_size("1MiB"), Ok(1 << 20));
        assert_eq!(block_size("8192"), Ok(8192));
        for bad in [
            "0",
            "1",
            "4097",
            "2G",
            "-4096",
            "",
            "K",
            "1e30",
            "99999999999999999999999",
        ] {
            assert!(block_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn intervals() {
        assert_eq!(seconds("0.5"), Ok(0.5));
        for bad in ["0", "-1", "nan", "inf", "x", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
