// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `/proc/PID/fdinfo` says of an open `/dev/raio`, and which processes have one.

use crate::device;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The counters of a context.  See raio(4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// The events that the ring can hold.
    pub size: u32,
    /// Requests without an event yet.
    pub inflight: u32,
    /// Those of them that wait to be woken.
    pub armed: u32,
    /// Those of them that wait to be run.
    pub queued: u32,
    /// Events in the ring, in all.
    pub completed: u32,
    /// Wakes of armed requests.
    pub kicks: u32,
    /// Tries after the first.
    pub retries: u32,
    /// Requests that were left to threads.
    pub punts: u32,
    /// Cancelled requests.
    pub cancels: u32,
}

impl Counters {
    /// What was counted since `before`: the counters wrap.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            completed: self.completed.wrapping_sub(before.completed),
            kicks: self.kicks.wrapping_sub(before.kicks),
            retries: self.retries.wrapping_sub(before.retries),
            punts: self.punts.wrapping_sub(before.punts),
            cancels: self.cancels.wrapping_sub(before.cancels),
            ..*self
        }
    }

    fn field(&mut self, name: &str) -> Option<&mut u32> {
        Some(match name {
            "size" => &mut self.size,
            "inflight" => &mut self.inflight,
            "armed" => &mut self.armed,
            "queued" => &mut self.queued,
            "completed" => &mut self.completed,
            "kicks" => &mut self.kicks,
            "retries" => &mut self.retries,
            "punts" => &mut self.punts,
            "cancels" => &mut self.cancels,
            _ => return None,
        })
    }
}

/// The names of a line, and what they are.
fn fields(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split_whitespace()
        .filter_map(|word| word.split_once('='))
}

/// The contexts in an fdinfo file, each with its id.
///
/// Fields that are not known are those of a newer module, and left out.
pub fn parse(text: &str) -> Vec<(u64, Counters)> {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("context:"));
    lines
        .filter_map(|line| {
            let (mut id, mut counters) = (None, Counters::default());
            for (name, value) in fields(line) {
                if name == "id" {
                    id = u64::from_str_radix(value.strip_prefix("0x")?, 16).ok();
                } else if let Some(field) = counters.field(name) {
                    *field = value.parse().ok()?;
                }
            }
            Some((id?, counters))
        })
        .collect()
}

/// The sums of contexts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Those that have ended.
    pub contexts: u64,
    /// As in [`Counters`], and so are the others.
    pub completed: u64,
    pub kicks: u64,
    pub retries: u64,
    pub punts: u64,
    pub cancels: u64,
}

impl Totals {
    fn field(&mut self, name: &str) -> Option<&mut u64> {
        Some(match name {
            "contexts" => &mut self.contexts,
            "completed" => &mut self.completed,
            "kicks" => &mut self.kicks,
            "retries" => &mut self.retries,
            "punts" => &mut self.punts,
            "cancels" => &mut self.cancels,
            _ => return None,
        })
    }
}

/// The sums in an fdinfo file, of contexts that have ended and of those that are there, and how
/// many have not ended. `None` if the module is too old to tell.
pub fn totals(text: &str) -> Option<(Totals, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("ended:"))?;
    let (mut totals, mut open) = (Totals::default(), 0u64);
    for (name, value) in fields(line) {
        if name == "ending" {
            open = value.parse().ok()?;
        } else if let Some(field) = totals.field(name) {
            *field = value.parse().ok()?;
        }
    }
    for (_, counters) in parse(text) {
        open = open.saturating_add(1);
        totals.completed = totals.completed.saturating_add(counters.completed.into());
        totals.kicks = totals.kicks.saturating_add(counters.kicks.into());
        totals.retries = totals.retries.saturating_add(counters.retries.into());
        totals.punts = totals.punts.saturating_add(counters.punts.into());
        totals.cancels = totals.cancels.saturating_add(counters.cancels.into());
    }
    Some((totals, open))
}

/// A process that has `/dev/raio` open, or contexts.
#[derive(Debug, Default)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub command: String,
    /// When it was started, in ticks: tells a pid that is used again.
    pub started: u64,
    /// The open files of the device that it has.
    pub device_files: usize,
    /// Its contexts, by id; `None` where nothing open tells of it.
    pub contexts: Vec<(u64, Option<Counters>)>,
}

/// The ids of all processes.
pub fn pids() -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    pids.sort_unstable();
    Ok(pids)
}

/// What a process has.  An error is that of its `/proc/PID/fd`: it is gone, or not ours.
///
/// `thorough` looks for contexts also if it has the device not open.
pub fn read_process(pid: u32, thorough: bool) -> io::Result<Process> {
    let process = look_at(pid, thorough)?;
    if process
        .contexts
        .iter()
        .all(|(_, counters)| counters.is_some())
    {
        return Ok(process);
    }
    // It may just have opened the device, between one look and the other.
    look_at(pid, thorough)
}

fn look_at(pid: u32, thorough: bool) -> io::Result<Process> {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let files = device_files(&proc)?;
    let mut process = Process {
        pid,
        device_files: files.len(),
        ..Process::default()
    };
    if files.is_empty() && !thorough {
        return Ok(process);
    }
    let stat = fs::read(proc.join("stat")).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    (process.command, process.started) = parse_stat(&stat).unwrap_or_default();
    // A forked child has the same open files, but not the contexts.
    let rings = parse_maps(&fs::read(proc.join("maps")).unwrap_or_default());
    let mut unseen: BTreeSet<u64> = rings.clone();
    for file in files {
        let text = fs::read_to_string(proc.join("fdinfo").join(file)).unwrap_or_default();
        for (id, counters) in parse(&text) {
            if unseen.remove(&id) {
                process.contexts.push((id, Some(counters)));
            }
        }
    }
    process
        .contexts
        .extend(unseen.into_iter().map(|id| (id, None)));
    Ok(process)
}

/// The fdinfo of the device in our own process, if it is open once.
pub fn own_fdinfo() -> io::Result<PathBuf> {
    let proc = Path::new("/proc/self");
    match &device_files(proc)?[..] {
        [file] => Ok(proc.join("fdinfo").join(file)),
        _ => Err(io::Error::other(
            "the device is not open, or more than once",
        )),
    }
}

/// The file descriptors of a process that are the device.
fn device_files(proc: &Path) -> io::Result<Vec<OsString>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(proc.join("fd"))? {
        let entry = entry?;
        // What was closed meanwhile is not there.
        if fs::read_link(entry.path()).is_ok_and(|target| is_device(&target, &entry.path())) {
            files.push(entry.file_name());
        }
    }
    Ok(files)
}

/// Whether an open file, by the name that it was opened by, is the device.
fn is_device(target: &Path, link: &Path) -> bool {
    // Only what is called so is looked at further: to look may block, for some files.
    let name = target.file_name().map(OsStr::as_encoded_bytes);
    matches!(name, Some(b"raio" | b"raio (deleted)"))
        && device::rdev().map_or(true, |rdev| {
            fs::metadata(link).is_ok_and(|file| file.rdev() == rdev)
        })
}

/// The name and the start of a process, of `/proc/PID/stat`.
fn parse_stat(stat: &str) -> Option<(String, u64)> {
    // The name is in parentheses, and may have some.
    let (start, end) = (stat.find('(')?, stat.rfind(')')?);
    let started = stat.get(end + 1..)?.split_whitespace().nth(19)?;
    Some((stat.get(start + 1..end)?.to_string(), started.parse().ok()?))
}

/// Where the rings are, of `/proc/PID/maps`.
fn parse_maps(maps: &[u8]) -> BTreeSet<u64> {
    maps.split(|&byte| byte == b'\n')
        .filter(|line| line.ends_with(b" anon_inode:[raio]"))
        .filter_map(|line| {
            let start = line.split(|&byte| byte == b'-').next()?;
            u64::from_str_radix(std::str::from_utf8(start).ok()?, 16).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of one that was set up for a request: its ring is a page, which holds 127 slots, one of them free.
    const LINE: &str =
        "pos:\t0\nflags:\t02100002\nmnt_id:\t5\nino:\t121\ncontext:\tid=0x7f1f4f6b8000 size=126 inflight=1 \
                        armed=1 queued=0 completed=5 kicks=1 retries=1 punts=0 cancels=0\n";

    #[test]
    fn reads_a_context() {
        let contexts = parse(LINE);
        assert_eq!(contexts.len(), 1);
        assert_eq!(contexts[0].0, 0x7f1f4f6b8000);
        assert_eq!(contexts[0].1.size, 126);
        assert_eq!(contexts[0].1.completed, 5);
        assert_eq!(contexts[0].1.retries, 1);
    }

    #[test]
    fn takes_what_is_new_and_leaves_what_is_wrong() {
        assert_eq!(
            parse("context:\tid=0x10 size=1 colour=blue naps=3").len(),
            1
        );
        assert!(parse("context:\tid=0x10 size=blue").is_empty());
        assert!(parse("context:\tsize=1").is_empty());
        assert!(parse("context").is_empty());
    }

    #[test]
    fn counters_wrap() {
        let at = |completed| Counters {
            completed,
            ..Counters::default()
        };
        assert_eq!(at(3).since(&at(u32::MAX)).completed, 4);
    }

    #[test]
    fn names_may_have_parentheses() {
        let rest = (3..=52)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(" ");
        let parsed = parse_stat(&format!("7 (a) R (b) {rest}\n"));
        assert_eq!(parsed, Some(("a) R (b".to_string(), 22)));
        assert_eq!(parse_stat("7 (a"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn finds_rings() {
        let maps = b"7f00-8000 r--p 0 00:00 0 /lib/\xff\n\
                     7f1f4f6b8000-7f1f4f6b9000 rw-s 00000000 00:0e 1 anon_inode:[raio]\n";
        assert_eq!(parse_maps(maps), BTreeSet::from([0x7f1f4f6b8000]));
    }

    #[test]
    fn our_own_process_is_there() {
        let own = std::process::id();
        assert!(pids().unwrap().contains(&own));
        let process = read_process(own, true).unwrap();
        assert!(process.started > 0);
        assert!(!process.command.is_empty());
    }
}
