// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the tests on a device share.

#![allow(dead_code)] // each binary uses a part

use std::{
    fs::File,
    io::Read,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

/// Whether there is a device.  If not, tests have nothing to say, unless
/// `RAIO_DEVICE` is set.
pub fn device() -> bool {
    let there = std::path::Path::new("/dev/raio").exists();
    assert!(
        there || std::env::var_os("RAIO_DEVICE").is_none(),
        "no /dev/raio"
    );
    if !there {
        eprintln!("skipped: no /dev/raio");
    }
    there
}

/// Leaves the test if there is no device.
#[macro_export]
macro_rules! need_device {
    () => {
        if !$crate::common::device() {
            return;
        }
    };
}

/// A pipe: where to read, and where to write.
pub fn pipe() -> (File, File) {
    let mut fds = [-1; 2];
    // SAFETY: There is room for two numbers.
    assert_eq!(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: Both are new, and nobody else has them.
    let [reader, writer] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    (reader.into(), writer.into())
}

/// The number of bytes in a pipe.
pub fn bytes_in(pipe: &File) -> usize {
    let mut bytes: libc::c_int = -1;
    // SAFETY: It writes an int.
    let ret = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &mut bytes) };
    assert_eq!(ret, 0);
    bytes as usize
}

pub fn eventfd() -> File {
    // SAFETY: It only makes a new one.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: It is new, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }.into()
}

/// A new file in the test directory that is gone when it is closed.
pub fn temp_file() -> File {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::var_os("RAIO_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = dir.join(format!("raio-test-{}-{count}", std::process::id()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

/// What a sysctl of raio says.
pub fn sysctl(name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/sys/fs/{name}")).unwrap();
    text.trim().parse().unwrap()
}

/// All of what can be read from a stream until its end.
pub fn rest(mut file: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}
