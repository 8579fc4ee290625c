// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the module says of itself, and what else the kernel has.

use crate::{device, output::reason};
use raio::Info;
use serde::Serialize;
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    ptr,
};

/// The module's side.
#[derive(Serialize)]
pub struct Module {
    /// The version of its interface.
    pub api: String,
    /// The module's own version or source, if sysfs has it.
    pub module_version: Option<String>,
    /// Names of `RAIO_FEATURE_*`.
    pub features: Vec<String>,
    /// Names of `IOCB_CMD_*`.
    pub opcodes: Vec<String>,
    /// Names of `RAIO_SETUP_*`.
    pub setup_flags: Vec<String>,
    /// The largest context.
    pub max_events: u32,
    /// fs.raio-nr
    pub nr: u64,
    /// fs.raio-max-nr
    pub max_nr: u64,
    /// What our user has of nr.
    pub user_nr: u64,
    /// fs.raio-max-user-nr
    pub max_user_nr: u64,
}

/// The device node.
#[derive(Serialize)]
pub struct Node {
    /// Its permissions.
    pub mode: String,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// Names of bits; a bit without one is "bit N".
fn names(bits: u64, known: &[(u32, &str)]) -> Vec<String> {
    let name = |bit: u32| match known.iter().find(|known| known.0 == bit) {
        Some((_, name)) => name.to_string(),
        None => format!("bit {bit}"),
    };
    (0..64)
        .filter(|bit| bits & (1 << bit) != 0)
        .map(name)
        .collect()
}

const OPCODES: [(u32, &str); 9] = [
    (0, "pread"),
    (1, "pwrite"),
    (2, "fsync"),
    (3, "fdsync"),
    (5, "poll"),
    (6, "noop"),
    (7, "preadv"),
    (8, "pwritev"),
    (32, "sync-file-range"),
];
const FEATURES: [(u32, &str); 10] = [
    (0, "direct"),
    (1, "retry"),
    (2, "threads"),
    (3, "page-wait"),
    (4, "register"),
    (5, "deadline"),
    (6, "cur-pos"),
    (7, "sync-range"),
    (8, "barrier"),
    (9, "flags-checked"),
];
const SETUP_FLAGS: [(u32, &str); 3] = [(0, "cancel-event"), (1, "no-threads"), (2, "sync-writes")];

impl Module {
    /// What INFO says.
    pub fn new(info: &Info) -> Self {
        let version = fs::read_to_string("/sys/module/raio/version")
            .or_else(|_| fs::read_to_string("/sys/module/raio/srcversion"));
        Self {
            api: format!("{}.{}", info.major, info.minor),
            module_version: version.ok().map(|text| text.trim().to_string()),
            features: names(info.features, &FEATURES),
            opcodes: names(info.opcodes, &OPCODES),
            setup_flags: names(info.setup_flags, &SETUP_FLAGS),
            max_events: info.max_events,
            nr: info.nr,
            max_nr: info.max_nr,
            user_nr: info.user_nr,
            max_user_nr: info.max_user_nr,
        }
    }
}

impl Node {
    /// The node, if it is there.
    pub fn new() -> Option<Self> {
        let metadata = fs::metadata(device::PATH).ok()?;
        Some(Self {
            mode: format!("{:04o}", metadata.permissions().mode() & 0o7777),
            uid: metadata.uid(),
            gid: metadata.gid(),
        })
    }
}

/// An interface that may be switched off.
#[derive(Serialize)]
pub struct Interface {
    /// Whether calls of it are served.
    pub available: bool,
    /// What its first call says of it, or the setting.
    pub why: Option<String>,
}

impl Interface {
    /// Of what a call with an argument that is wrong fails with: where it is served, with `expected`.
    fn new(errno: io::Error, expected: &[i32]) -> Self {
        let available = errno
            .raw_os_error()
            .is_some_and(|errno| expected.contains(&errno));
        Self {
            available,
            why: (!available).then(|| reason(&errno)),
        }
    }
}

/// Native aio.
pub fn native_aio() -> Interface {
    // SAFETY: No events and no address: the call has nothing to write to.
    unsafe { libc::syscall(libc::SYS_io_setup, 0, ptr::null_mut::<u64>()) };
    Interface::new(io::Error::last_os_error(), &[libc::EINVAL, libc::EFAULT])
}

/// io_uring.
pub fn io_uring() -> Interface {
    // SAFETY: No entries and no address: the call has nothing to write to.
    unsafe { libc::syscall(libc::SYS_io_uring_setup, 0, ptr::null_mut::<u64>()) };
    let mut found = Interface::new(io::Error::last_os_error(), &[libc::EINVAL, libc::EFAULT]);
    let setting = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    match (found.available, setting.trim()) {
        (false, "1") => {
            found.why =
                Some("kernel.io_uring_disabled is 1: for members of its group only".to_string())
        }
        (false, "2") => found.why = Some("kernel.io_uring_disabled is 2".to_string()),
        (true, "1") => found.why = Some("but kernel.io_uring_disabled is 1".to_string()),
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_names() {
        assert_eq!(names(0b1_0010_1111, &OPCODES)[4..], ["poll", "pwritev"]);
        assert_eq!(names(1 << 40, &FEATURES), ["bit 40"]);
    }

    #[test]
    fn a_refusal_is_no_interface() {
        let of = |errno| Interface::new(io::Error::from_raw_os_error(errno), &[libc::EINVAL]);
        assert!(of(libc::EINVAL).available);
        assert!(!of(libc::ENOSYS).available);
        assert_eq!(of(libc::EPERM).why.unwrap(), "Operation not permitted");
    }
}
