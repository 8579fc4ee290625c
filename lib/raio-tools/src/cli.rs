// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line.

use clap::{builder::ValueParser, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::path::PathBuf;

/// Exit status: something failed.
pub const EXIT_FAILURE: u8 = 1;

const EXIT_STATUS: &str = "\
Exit status:
  0    all went well
  1    something failed; what, is on standard error
  2    the command line is wrong
  128+N  ended by signal N, as seen by a shell";

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

How they go is measured: requests are submitted, and the counters in fdinfo compared. In a directory \
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

/// Asynchronous I/O through /dev/raio: see what goes on.
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
    fn intervals() {
        assert_eq!(seconds("0.5"), Ok(0.5));
        for bad in ["0", "-1", "nan", "inf", "x", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
