// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/raio`: what it is, and what to do where it can't be used.

use crate::output::reason;
use raio::{Context, ErrorKind, Info, Limit};
use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
};

/// The device.
pub const PATH: &str = "/dev/raio";

/// The device can't be used: why, and what can be done about it.
#[derive(Debug, thiserror::Error)]
#[error("{what}{}", indented(hint))]
pub struct DeviceError {
    what: String,
    hint: &'static [&'static str],
}

fn indented(lines: &[&str]) -> String {
    lines
        .iter()
        .fold(String::new(), |text, line| text + "\n    " + line)
}

impl From<raio::Error> for DeviceError {
    fn from(error: raio::Error) -> Self {
        let hint: &[_] = match error.kind() {
            ErrorKind::NoDevice => &[
                "the module raio is not loaded: as root, `modprobe raio`",
                "(`insmod raio.ko` if it is not installed); a container must be given the device",
            ],
            ErrorKind::PermissionDenied => &[
                "only root may use it, unless the udev rule 70-raio.rules is installed: see raio(4)",
            ],
            ErrorKind::Limit(Limit::Memlock { .. }) => &["`ulimit -l` shows and sets RLIMIT_MEMLOCK"],
            ErrorKind::Limit(_) => &["fewer requests at a time may do; `sysctl fs` shows the limits"],
            _ => &[],
        };
        let what = match error.kind() {
            ErrorKind::NoDevice | ErrorKind::PermissionDenied => {
                format!("open {PATH}: {}", reason(&error.into_io_error()))
            }
            _ => error.to_string(),
        };
        Self { what, hint }
    }
}

/// What the kernel's side is and can do.
pub fn info() -> Result<Info, DeviceError> {
    Ok(Info::query()?)
}

/// A context for that many requests.
pub fn context(nr_events: u32) -> Result<Context, DeviceError> {
    Ok(Context::new(nr_events)?)
}

/// The device's number, if it is there.
pub fn rdev() -> io::Result<u64> {
    let metadata = fs::metadata(PATH)?;
    match metadata.file_type().is_char_device() {
        true => Ok(metadata.rdev()),
        false => Err(io::Error::other("it is no device")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_indented() {
        let error = DeviceError {
            what: "open".to_string(),
            hint: &["load", "it"],
        };
        assert_eq!(error.to_string(), "open\n    load\n    it");
    }
}
