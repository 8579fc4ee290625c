// SPDX-License-Identifier: MIT OR Apache-2.0

use std::{fmt, ops};

/// A set of flags of one word.
macro_rules! flags {
    ($(#[$doc:meta])* $name:ident: $word:ty { $($(#[$flag_doc:meta])* $flag:ident = $value:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $name($word);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: Self = Self($value);)*

            /// No flag.
            pub const fn empty() -> Self {
                Self(0)
            }

            /// The flags as the kernel has them.
            pub const fn bits(self) -> $word {
                self.0
            }

            /// From the kernel's word, also with flags that have no name here.
            pub const fn from_bits(bits: $word) -> Self {
                Self(bits)
            }

            /// Whether there is no flag.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether all flags of `other` are there.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any flag of `other` is there.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }
        }

        impl ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }

        impl ops::BitAnd for $name {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                let mut rest = self.0;
                let mut separator = "";
                $(if rest & $value != 0 {
                    write!(f, "{separator}{}", stringify!($flag))?;
                    separator = " | ";
                    rest &= !$value;
                })*
                if rest != 0 {
                    write!(f, "{separator}{rest:#x}")?;
                }
                f.write_str(")")
            }
        }
    };
}

flags! {
    /// Flags of one transfer, as of preadv2(2): `aio_rw_flags`.
    RwFlags: u32 {
        /// High priority: the driver is polled, where it can be.
        HIPRI = 0x01;
        /// A write is durable when it has ended, as with `O_DSYNC`.
        DSYNC = 0x02;
        /// The same with metadata, as with `O_SYNC`.
        SYNC = 0x04;
        /// One try: what can't go on ends with `EAGAIN`.
        NOWAIT = 0x08;
        /// A write goes to the end of the file, as with `O_APPEND`.
        APPEND = 0x10;
        /// A write goes to its offset, though the file is `O_APPEND`.
        NOAPPEND = 0x20;
        /// A write is not torn, where the file can do that.
        ATOMIC = 0x40;
        /// The page cache does not keep the data.
        DONTCACHE = 0x80;
    }
}

flags! {
    /// What a file is ready for, as of poll(2).
    Readiness: u16 {
        /// There is data to read, or the end.
        IN = 0x001;
        /// There is something exceptional, such as out-of-band data.
        PRI = 0x002;
        /// A write has room.
        OUT = 0x004;
        /// An error; comes without having been asked for.
        ERR = 0x008;
        /// Hung up; comes without having been asked for.
        HUP = 0x010;
        /// The other end of a stream socket does not write any more.
        RDHUP = 0x2000;
    }
}

flags! {
    /// What is done with the pages of a range, as of sync_file_range(2).
    SyncRangeFlags: u32 {
        /// Waits for those that are being written, before.
        WAIT_BEFORE = 0x1;
        /// Starts to write those that are dirty.
        WRITE = 0x2;
        /// Waits for those that are being written, after.
        WAIT_AFTER = 0x4;
    }
}

impl Readiness {
    /// A read would not wait, be it for data, the end or an error.
    pub const fn is_readable(self) -> bool {
        self.intersects(Self(Self::IN.0 | Self::HUP.0 | Self::ERR.0 | Self::RDHUP.0))
    }

    /// A write would not wait, be it for room or an error.
    pub const fn is_writable(self) -> bool {
        self.intersects(Self(Self::OUT.0 | Self::ERR.0))
    }
}

/// The I/O priority of a request, see ioprio_set(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IoPriority(u16);

impl IoPriority {
    const CLASS_SHIFT: u16 = 13;

    /// Of the real-time class, which wants a privilege; 0 is the highest level and
    /// 7 the lowest.  What is more is 7.
    pub const fn real_time(level: u8) -> Self {
        Self::new(1, level)
    }

    /// Of the best-effort class; 0 is the highest level and 7 the lowest.  What is
    /// more is 7.
    pub const fn best_effort(level: u8) -> Self {
        Self::new(2, level)
    }

    /// Served when nobody else wants the device.
    pub const fn idle() -> Self {
        Self::new(3, 0)
    }

    const fn new(class: u16, level: u8) -> Self {
        let level = if level > 7 { 7 } else { level };
        Self((class << Self::CLASS_SHIFT) | level as u16)
    }

    pub(crate) const fn bits(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_those_of_the_kernel() {
        assert_eq!(RwFlags::HIPRI.bits(), libc::RWF_HIPRI as u32);
        assert_eq!(RwFlags::DSYNC.bits(), libc::RWF_DSYNC as u32);
        assert_eq!(RwFlags::SYNC.bits(), libc::RWF_SYNC as u32);
        assert_eq!(RwFlags::NOWAIT.bits(), libc::RWF_NOWAIT as u32);
        assert_eq!(RwFlags::APPEND.bits(), libc::RWF_APPEND as u32);
        let range = [
            libc::SYNC_FILE_RANGE_WAIT_BEFORE,
            libc::SYNC_FILE_RANGE_WRITE,
            libc::SYNC_FILE_RANGE_WAIT_AFTER,
        ];
        let flags = [
            SyncRangeFlags::WAIT_BEFORE,
            SyncRangeFlags::WRITE,
            SyncRangeFlags::WAIT_AFTER,
        ];
        assert_eq!(flags.map(SyncRangeFlags::bits), range);
        assert_eq!(Readiness::IN.bits(), libc::POLLIN as u16);
        assert_eq!(Readiness::PRI.bits(), libc::POLLPRI as u16);
        assert_eq!(Readiness::OUT.bits(), libc::POLLOUT as u16);
        assert_eq!(Readiness::ERR.bits(), libc::POLLERR as u16);
        assert_eq!(Readiness::HUP.bits(), libc::POLLHUP as u16);
        assert_eq!(Readiness::RDHUP.bits(), libc::POLLRDHUP as u16);
    }

    #[test]
    fn say_their_names() {
        let flags = RwFlags::DSYNC | RwFlags::APPEND | RwFlags::from_bits(0x100);
        assert_eq!(format!("{flags:?}"), "RwFlags(DSYNC | APPEND | 0x100)");
        assert_eq!(format!("{:?}", RwFlags::empty()), "RwFlags()");
    }

    #[test]
    fn priority_is_class_and_level() {
        assert_eq!(IoPriority::best_effort(4).bits(), (2 << 13) | 4);
        assert_eq!(IoPriority::real_time(9).bits(), (1 << 13) | 7);
        assert_eq!(IoPriority::idle().bits(), 3 << 13);
    }
}
