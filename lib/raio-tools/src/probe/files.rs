// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which way requests go on the file system of a path.

use super::{
    facts::Facts,
    line::Line,
    measure::{buffer, Kind, Measured, Prober, Way},
    why::Ask,
};
use crate::output::{reason, Quoted};
use raio::Request;
use rustix::{
    fs::{Advice, AtFlags, Mode, OFlags, StatxFlags},
    io::Errno,
};
use serde::Serialize;
use std::{
    fs::{self, File},
    io,
    num::NonZeroU64,
    os::{fd::AsRawFd, unix::fs::FileTypeExt},
    path::Path,
};

/// The size of a request, and what one that is not the first is away from it.
const STEP: usize = 64 << 10;

/// What was found for a path.
#[derive(Serialize)]
pub struct Found {
    /// The path.
    pub path: String,
    /// The type of its file system, or "block device".
    pub file_system: Option<String>,
    /// What the file system is on.
    pub source: Option<String>,
    /// How requests go.
    pub requests: Vec<Line>,
    /// What the file that was probed says of itself.
    pub facts: Option<Facts>,
    /// Why it could not be probed.
    pub error: Option<String>,
}

/// Probes a path.
pub fn probe(prober: Option<&mut Prober>, path: &Path) -> Found {
    let (file_system, source) = match fs::metadata(path) {
        // What its node lies on says nothing.
        Ok(metadata) if metadata.file_type().is_block_device() => {
            (Some("block device".into()), None)
        }
        _ => file_system(path).unzip(),
    };
    let kind = file_system.as_deref().unwrap_or("the file system");
    let (facts, requests, error) = match prober.map(|prober| requests(prober, path, kind)) {
        Some(Ok((facts, requests))) => (Some(facts), requests, None),
        Some(Err(error)) => (None, vec![], Some(reason(&error))),
        // The module is not there: that is told elsewhere.
        None => {
            let error = fs::metadata(path).err();
            (None, vec![], error.map(|error| reason(&error)))
        }
    };
    Found {
        path: path.to_string_lossy().into_owned(),
        file_system,
        source,
        facts,
        requests,
        error,
    }
}

/// The type and the source of the mount that a path is on.
fn file_system(path: &Path) -> Option<(String, String)> {
    let statx =
        rustix::fs::statx(rustix::fs::CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    parse_mounts(&String::from_utf8_lossy(&mounts), statx.stx_mnt_id)
}

fn parse_mounts(mounts: &str, id: u64) -> Option<(String, String)> {
    let line = mounts
        .lines()
        .find(|line| line.split(' ').next().and_then(|word| word.parse().ok()) == Some(id))?;
    let mut words = line.split_once(" - ")?.1.split(' ');
    Some((words.next()?.to_string(), words.next()?.to_string()))
}

fn requests(prober: &mut Prober, path: &Path, kind: &str) -> io::Result<(Facts, Vec<Line>)> {
    let is = fs::metadata(path)?.file_type();
    if is.is_dir() {
        let file = temporary(path).map_err(|error| {
            io::Error::other(format!("no file can be made in it: {}", reason(&error)))
        })?;
        let mut facts = Facts::new(kind, &file);
        facts.try_write(&file, &[0xa1]);
        let mut lines = writes(prober, &file, &facts);
        facts.try_read(&file);
        lines.extend(reads(prober, &file, &facts, true)?);
        return Ok((facts, lines));
    }
    if !is.is_file() && !is.is_block_device() {
        return Err(io::Error::other(
            "not probed: neither a directory nor a regular file nor a block device",
        ));
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let mut facts = Facts::new(kind, &file);
    // That it is in the cache: a try says something then.
    rustix::io::pread(&file, &mut [0; 8], 0)?;
    facts.try_read(&file);
    let lines = reads(prober, &file, &facts, false)?;
    Ok((facts, lines))
}

/// A file without a name.
fn temporary(dir: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    match rustix::fs::open(dir, flags | OFlags::TMPFILE, mode) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {}
        file => return Ok(file?.into()),
    }
    let name = dir.join(format!(".raio-probe-{}", std::process::id()));
    let file = rustix::fs::open(&name, flags | OFlags::CREATE | OFlags::EXCL, mode)?;
    fs::remove_file(&name)?;
    Ok(file.into())
}

fn twice(
    request: &'static str,
    ask: Ask,
    facts: &Facts,
    mut measure: impl FnMut(u64) -> io::Result<Measured>,
) -> Line {
    let first = measure(0);
    // The second would only say the same.
    let then = match &first {
        Ok(_) => measure(STEP as u64),
        Err(_) => Err(io::Error::other("")),
    };
    Line::new(request, ask, facts, first, then)
}

fn writes(prober: &mut Prober, file: &File, facts: &Facts) -> Vec<Line> {
    vec![
        twice("write", Ask::Write, facts, |offset| {
            prober.measure(
                Request::write_at(file, buffer(STEP), offset),
                Kind::Plain,
                || Ok(()),
            )
        }),
        twice("write again", Ask::Write, facts, |offset| {
            prober.measure(
                Request::write_at(file, buffer(STEP), offset),
                Kind::Plain,
                || Ok(()),
            )
        }),
        twice("fsync", Ask::Sync, facts, |_| {
            prober.measure(Request::fsync(file), Kind::Plain, || Ok(()))
        }),
    ]
}

fn reads(prober: &mut Prober, file: &File, facts: &Facts, write: bool) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut probe = [0];
    if rustix::io::pread(file, &mut probe, 0)? == 0 {
        return Ok(vec![Line::note("read", "the file is empty")]);
    }
    lines.push(twice("read, cached", Ask::Read, facts, |offset| {
        // So that it is.
        rustix::io::pread(file, &mut vec![0; STEP], offset)?;
        prober.measure(
            Request::read_at(file, buffer(STEP), offset),
            Kind::Plain,
            || Ok(()),
        )
    }));
    let mut dropped = true;
    let mut cold = twice("read, not cached", Ask::ReadAbsent, facts, |offset| {
        dropped &= drop_cached(file)?;
        prober.measure(
            Request::read_at(file, buffer(STEP), offset),
            Kind::Plain,
            || Ok(()),
        )
    });
    if !dropped && [cold.first, cold.then].contains(&Some(Way::AtOnce)) {
        let why = "it may have been cached: the cache could not be dropped";
        cold.note.get_or_insert(why.to_string());
    }
    lines.push(cold);

    let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = access | OFlags::CLOEXEC | OFlags::DIRECT | OFlags::NONBLOCK;
    match rustix::fs::open(own, flags, Mode::empty()) {
        Ok(direct) => {
            let direct = File::from(direct);
            // Data in the cache would have to be written or dropped first.
            drop_cached(file)?;
            lines.push(twice("read, O_DIRECT", Ask::Direct, facts, |offset| {
                prober.measure(
                    Request::read_at(&direct, buffer(STEP), offset),
                    Kind::Direct,
                    || Ok(()),
                )
            }));
            if write {
                lines.push(twice("write, O_DIRECT", Ask::Direct, facts, |offset| {
                    let request = Request::write_at(&direct, buffer(STEP), offset);
                    prober.measure(request, Kind::Direct, || Ok(()))
                }));
            }
        }
        Err(Errno::INVAL) => lines.push(Line::note("O_DIRECT", "the file system has none")),
        Err(errno) => lines.push(Line::note("O_DIRECT", &reason(&errno.into()))),
    }
    Ok(lines)
}

/// Drops what is cached; says whether that is known to be so.
fn drop_cached(file: &File) -> io::Result<bool> {
    match rustix::fs::fdatasync(file) {
        // It is not for those that are read-only.
        Ok(()) | Err(Errno::INVAL | Errno::ROFS) => {}
        Err(errno) => return Err(errno.into()),
    }
    // No more than is needed, of what may be somebody's database; but large folios go only whole.
    rustix::fs::fadvise(file, 0, NonZeroU64::new(2 << 20), Advice::DontNeed)?;
    Ok(cached_pages(file, 2 * STEP as u64) == Some(0))
}

/// Not in the libc crate for all targets; the number is the same for all architectures but alpha.
const SYS_CACHESTAT: libc::c_long = 451;

/// How many of the file's first bytes' pages are cached, if the kernel says so.  (A read with
/// RWF_NOWAIT would begin to read them.)
fn cached_pages(file: &File, len: u64) -> Option<u64> {
    // struct cachestat_range: offset and length; struct cachestat: the first is nr_cache.
    let (range, mut counts) = ([0u64, len], [0u64; 5]);
    // SAFETY: Both addresses are of memory as large as the kernel's structures.
    let ret = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            file.as_raw_fd(),
            range.as_ptr(),
            counts.as_mut_ptr(),
            0,
        )
    };
    (ret == 0).then_some(counts[0])
}

/// The title of what was found.
pub fn title(found: &Found) -> String {
    let path = Quoted(Path::new(&found.path)).to_string();
    match (&found.file_system, &found.source) {
        (Some(kind), Some(source)) => format!(
            "{path}: {} on {}",
            crate::output::printable(kind),
            crate::output::printable(source)
        ),
        (Some(kind), None) => format!("{path}: {}", crate::output::printable(kind)),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_by_id() {
        let mounts = "21 1 0:5 / /proc rw - proc proc rw\n\
                      22 1 254:0 / /a\\040b rw,noatime shared:1 - ext4 /dev/vda rw\n";
        let found = parse_mounts(mounts, 22);
        assert_eq!(found, Some(("ext4".to_string(), "/dev/vda".to_string())));
        assert_eq!(parse_mounts(mounts, 2), None);
        assert!(file_system(Path::new("/proc")).is_some_and(|(kind, _)| kind == "proc"));
    }

    #[test]
    fn without_the_module_paths_are_looked_at() {
        assert!(probe(None, Path::new("/nonexistent")).error.is_some());
        assert!(probe(None, Path::new("/")).error.is_none());
    }
}
