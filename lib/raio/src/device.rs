// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{sys, Error, ErrorKind, Info, Limit, Result};
use std::{fs, fs::File, io, mem::MaybeUninit, os::fd::AsRawFd, path::Path};

/// Where the device is.
pub(crate) const DEVICE: &str = "/dev/raio";

/// An open `/dev/raio`.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) file: File,
    /// What it can do, `RAIO_FEATURE_*`.
    pub(crate) features: u64,
    /// `RAIO_SETUP_*` that it knows.
    pub(crate) setup_flags: u64,
}

impl Device {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let open = File::options().read(true).write(true).open(path);
        let file = open.map_err(|error| {
            let kind = match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENXIO | libc::ENODEV) => ErrorKind::NoDevice,
                Some(libc::EACCES | libc::EPERM) => ErrorKind::PermissionDenied,
                _ => ErrorKind::Os,
            };
            Error::new("open", error)
                .with_kind(kind)
                .with_path(path.into())
        })?;
        let mut device = Self {
            file,
            features: 0,
            setup_flags: 0,
        };
        let unsupported = |text| {
            let error = io::Error::new(io::ErrorKind::Unsupported, text);
            Error::new("RAIO_IOC_INFO", error)
                .with_kind(ErrorKind::Unsupported)
                .with_path(path.into())
        };
        match device.info() {
            Ok(info) if info.major == sys::RAIO_API_MAJOR => {
                device.features = info.features;
                device.setup_flags = info.setup_flags;
                Ok(device)
            }
            Ok(_) => Err(unsupported("another major version of the interface")),
            Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => {
                Err(unsupported("not a device of raio"))
            }
            Err(error) => Err(error.with_path(path.into())),
        }
    }

    /// Calls the ioctl with that argument.
    ///
    /// # Safety
    ///
    /// `arg` is of the type that `request` takes, and the addresses in it are good
    /// for what the kernel does with them.
    pub(crate) unsafe fn call<T>(
        &self,
        call: &'static str,
        request: u32,
        arg: &mut T,
    ) -> Result<usize> {
        // SAFETY: By the contract of this function.
        let ret = unsafe { libc::ioctl(self.file.as_raw_fd(), request as _, arg as *mut T) };
        usize::try_from(ret).map_err(|_| Error::new(call, io::Error::last_os_error()))
    }

    /// Calls the ioctl with that argument, by fadvise64(2) where the module and the program can.
    ///
    /// # Safety
    ///
    /// As for [`call`](Self::call); `advice` is the constant that stands for `request`.
    pub(crate) unsafe fn call_shortly<T>(
        &self,
        call: &'static str,
        advice: u32,
        request: u32,
        arg: &mut T,
    ) -> Result<usize> {
        #[cfg(not(target_pointer_width = "64"))]
        let _ = advice;
        #[cfg(target_pointer_width = "64")]
        if self.features & sys::RAIO_FEATURE_ADVISE != 0 {
            let fd = self.file.as_raw_fd();
            // SAFETY: By the contract of this function. The file is raio's.
            let ret = unsafe { libc::syscall(libc::SYS_fadvise64, fd, &raw mut *arg, 0, advice) };
            return usize::try_from(ret).map_err(|_| Error::new(call, io::Error::last_os_error()));
        }
        // SAFETY: By the contract of this function.
        unsafe { self.call(call, request, arg) }
    }

    pub(crate) fn info(&self) -> Result<Info> {
        let mut info = Info::default();
        // SAFETY: The argument has no addresses.  A device that is not raio's does
        // not know the call, or agrees about the size, which is a part of its number.
        unsafe { self.call("RAIO_IOC_INFO", sys::RAIO_IOC_INFO, &mut info)? };
        Ok(info)
    }

    /// Which limit it was that did not allow a setup, as far as that can be told now.
    pub(crate) fn explain_setup(&self, nr_events: u32, error: Error) -> Error {
        let limit = match error.raw_os_error() {
            Some(libc::EINVAL) => self.info().ok().and_then(|info| {
                (nr_events > info.max_events).then_some(Limit::Events {
                    wanted: nr_events,
                    max: info.max_events,
                })
            }),
            Some(libc::EAGAIN) => self
                .info()
                .ok()
                .and_then(|info| count_limit(crate::ring::capacity(nr_events, page_size()), &info)),
            Some(libc::ENOMEM) => {
                memlock_limit(crate::ring::mapping_len(nr_events, page_size()) as u64)
            }
            _ => None,
        };
        match limit {
            Some(limit) => error.with_kind(ErrorKind::Limit(limit)),
            None => error,
        }
    }
}

impl Info {
    /// Asks `/dev/raio`.
    pub fn query() -> Result<Self> {
        Device::open(Path::new(DEVICE))?.info()
    }
}

/// `wanted` is what the context counts as.
fn count_limit(wanted: u32, info: &Info) -> Option<Limit> {
    if info.nr.saturating_add(wanted.into()) > info.max_nr {
        Some(Limit::System {
            wanted,
            used: info.nr,
            max: info.max_nr,
        })
    } else if info.user_nr.saturating_add(wanted.into()) > info.max_user_nr {
        Some(Limit::User {
            wanted,
            used: info.user_nr,
            max: info.max_user_nr,
        })
    } else {
        None
    }
}

/// The limit of pinned memory, if as many bytes more are beyond it.
pub(crate) fn memlock_limit(wanted: u64) -> Option<Limit> {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: The kernel writes `limit`.
    if unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, limit.as_mut_ptr()) } < 0 {
        return None;
    }
    // SAFETY: It was written.
    let max = unsafe { limit.assume_init() }.rlim_cur;
    let used = pinned(&fs::read_to_string("/proc/self/status").ok()?)?;
    (max != libc::RLIM_INFINITY && used.saturating_add(wanted) > max).then_some(Limit::Memlock {
        wanted,
        used,
        max,
    })
}

/// The bytes that `VmPin` in the status of a process counts.
fn pinned(status: &str) -> Option<u64> {
    let rest = status
        .lines()
        .find_map(|line| line.strip_prefix("VmPin:"))?;
    let kilobytes: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

pub(crate) fn page_size() -> usize {
    // SAFETY: It only says a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_device_says_so() {
        let error = Device::open(Path::new("/dev/raio-not-there")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoDevice);
        let error = Device::open(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "RAIO_IOC_INFO /dev/null: not a device of raio"
        );
    }

    #[test]
    fn tells_which_count_it_was() {
        let mut info = Info::default();
        (info.nr, info.max_nr, info.user_nr, info.max_user_nr) = (90, 100, 45, 50);
        let (wanted, system) = (11, 90);
        assert_eq!(
            count_limit(wanted, &info),
            Some(Limit::System {
                wanted,
                used: system,
                max: 100
            })
        );
        assert_eq!(
            count_limit(6, &info),
            Some(Limit::User {
                wanted: 6,
                used: 45,
                max: 50
            })
        );
        assert_eq!(count_limit(5, &info), None);
    }

    #[test]
    fn pinned_is_in_bytes() {
        assert_eq!(pinned("VmLck:\t 0 kB\nVmPin:\t      12 kB\n"), Some(12288));
        assert_eq!(pinned("VmLck:\t 0 kB\n"), None);
    }
}
