// SPDX-License-Identifier: MIT OR Apache-2.0

//! `raio run --stats`: what was done through raio, by the program and its children.
//!
//! They set their contexts up through an open `/dev/raio` that is ours as well (`RAIO_DOOR`, see
//! libraio's device.c). Its fdinfo has the sums of contexts that have ended, however that was.

use crate::{
    device,
    fdinfo::{self, Totals},
    output::{self, plural},
    Outcome,
};
use rustix::{
    fs::{open, Mode, OFlags},
    io::{fcntl_dupfd_cloexec, fcntl_setfd, FdFlags},
    process::{getrlimit, set_ptracer, setrlimit, PTracer, Resource, Rlimit},
};
use serde::Serialize;
use std::{
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus},
    thread,
    time::{Duration, Instant},
};

/// Out of the way of programs that expect the low numbers.
const HIGHEST: u64 = 1024;

/// How long contexts of processes that have ended may take to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is sent on.
const SIGNALS: [libc::c_int; 6] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// The module has no sums.
#[derive(Debug, thiserror::Error)]
#[error("--stats: the module is older than that: it does not tell of contexts that have ended")]
struct NoTotals;

#[derive(Serialize)]
struct Report {
    /// Of the program, or that of a shell: 128 + the number of the signal.
    status: i32,
    #[serde(flatten)]
    totals: Totals,
    /// Contexts that had not ended, of processes that are still there.
    open: u64,
}

/// Runs the command, and then ends as it did.
pub fn run(command: &mut Command, path: &Path, json: bool) -> Outcome {
    let file = open_device()?;
    read(&file)?.ok_or(NoTotals)?;
    // Children that have closed it take it from us, where the kernel asks whether they may.
    let _ = set_ptracer(PTracer::Any);
    command.env(
        "RAIO_DOOR",
        format!("{}:{}", file.as_raw_fd(), std::process::id()),
    );
    let signals = Signals::block()?;
    let mut child = match signals.spawn(command) {
        Ok(child) => child,
        Err(error) => return Ok(super::not_started(path, &error)),
    };
    let status = signals.wait(&mut child)?;
    let (totals, open) = last(&file)?;
    let code = status.code().unwrap_or(128 + status.signal().unwrap_or(0));
    let report = Report {
        status: code,
        totals,
        open,
    };
    output::complain(&match json {
        true => format!("{}\n", serde_json::to_string(&report)?),
        false => report.render(),
    });
    if let Some(signal) = status.signal() {
        // The program has dumped its core, if that is wished.
        let limit = getrlimit(Resource::Core);
        let none = Rlimit {
            current: Some(0),
            ..limit
        };
        let _ = setrlimit(Resource::Core, none);
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// One that children inherit.
fn open_device() -> Result<OwnedFd, Box<dyn std::error::Error>> {
    let file = open(device::PATH, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let files = getrlimit(Resource::Nofile).current.unwrap_or(HIGHEST);
    let lowest = files.min(HIGHEST).saturating_sub(32);
    let high = fcntl_dupfd_cloexec(&file, i32::try_from(lowest)?).unwrap_or(file);
    fcntl_setfd(&high, FdFlags::empty())?;
    Ok(high)
}

/// The sums, with those of contexts that are there, and how many these are.
fn read(file: &OwnedFd) -> io::Result<Option<(Totals, u64)>> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    Ok(fdinfo::totals(&text))
}

fn last(file: &OwnedFd) -> Result<(Totals, u64), Box<dyn std::error::Error>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (totals, open) = read(file)?.ok_or(NoTotals)?;
        if open == 0 || Instant::now() > deadline {
            return Ok((totals, open));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

impl Report {
    fn render(&self) -> String {
        let Totals {
            contexts,
            completed,
            kicks,
            retries,
            punts,
            cancels,
        } = self.totals;
        if contexts + self.open == 0 {
            return "raio run: no context of raio's was set up; raio run --check may say why\n"
                .to_string();
        }
        let requests = plural(completed, "request", "requests");
        let places = plural(contexts + self.open, "context", "contexts");
        let mut text = format!(
            "raio run: {requests} through raio, in {places}\n\
             raio run: {} left to threads, {} of what waited, {}, {} cancelled;\n\
             raio run: all else was done at once, or by a driver\n",
            punts,
            plural(kicks, "wake", "wakes"),
            plural(retries, "retry", "retries"),
            cancels
        );
        if self.open > 0 {
            text += &format!(
                "raio run: {} still there, of processes that go on\n",
                plural(self.open, "context is", "contexts are")
            );
        }
        text
    }
}

/// The signals that are waited for, and the mask that was there before.
struct Signals {
    set: libc::sigset_t,
    before: libc::sigset_t,
}

impl Signals {
    fn block() -> io::Result<Self> {
        // SAFETY: A set is made of bits that sigemptyset() and sigaddset() write; the addresses are
        // those of sets. SIGCHLD has no handler here, and must not be ignored to be waited for.
        unsafe {
            let mut set = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            for signal in SIGNALS {
                libc::sigaddset(&mut set, signal);
            }
            libc::sigaddset(&mut set, libc::SIGCHLD);
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            match libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before) {
                0 => Ok(Self { set, before }),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }

    /// With the mask that was there before.
    fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let before = self.before;
        // SAFETY: pthread_sigmask() may be called between fork and exec.
        unsafe {
            command.pre_exec(move || {
                match libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) {
                    0 => Ok(()),
                    error => Err(io::Error::from_raw_os_error(error)),
                }
            });
        }
        command.spawn()
    }

    /// Sends signals on until it has ended.
    fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            // SAFETY: The addresses are those of a set, and of memory for a siginfo_t, which is
            // valid as zeroes.
            let (signal, info) = unsafe {
                let mut info: libc::siginfo_t = std::mem::zeroed();
                (libc::sigwaitinfo(&self.set, &mut info), info)
            };
            // What the terminal sends to all of the job, the program has got itself.
            if signal > 0 && signal != libc::SIGCHLD && info.si_code <= 0 {
                let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
                // SAFETY: No memory is concerned; it is our child, which was not waited for.
                unsafe { libc::kill(pid, signal) };
            }
        }
    }
}
