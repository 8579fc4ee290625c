// SPDX-License-Identifier: GPL-2.0

//! Checks of the flags of an iocb that native aio does not have.

use crate::sys::uapi::{
    iocb,
    IOCB_CMD_FDSYNC,
    IOCB_CMD_FSYNC,
    IOCB_CMD_NOOP,
    IOCB_CMD_PREAD,
    IOCB_CMD_PREADV,
    IOCB_CMD_PWRITE,
    IOCB_CMD_PWRITEV,
    RAIO_IOCB_FLAG_BARRIER,
    RAIO_IOCB_FLAG_CUR_POS,
    RAIO_IOCB_FLAG_DEADLINE,
    RAIO_IOCB_FLAG_FIXED_BUFFER,
    RAIO_IOCB_FLAG_FIXED_FILE,
    RAIO_IOCB_FLAG_RANGE, //
};

/// The bits of `aio_flags` for raio's own flags. Native aio ignores unknown bits.
const OWN: u32 = 0xffff_0000;

/// Whether the flags of `iocb` are valid, its operation supports them, and fields that only they give a
/// meaning are zero without them.
#[inline]
pub(crate) fn are_sound(iocb: &iocb) -> bool {
    let own = iocb.aio_flags & OWN;
    if own == 0 {
        return iocb.aio_reserved2 == 0;
    }
    let opcode = u32::from(iocb.aio_lio_opcode);
    let allowed = RAIO_IOCB_FLAG_BARRIER
        | RAIO_IOCB_FLAG_DEADLINE
        | match opcode {
            IOCB_CMD_PREAD | IOCB_CMD_PWRITE | IOCB_CMD_PREADV | IOCB_CMD_PWRITEV => {
                RAIO_IOCB_FLAG_FIXED_FILE | RAIO_IOCB_FLAG_FIXED_BUFFER | RAIO_IOCB_FLAG_CUR_POS
            }
            IOCB_CMD_FSYNC | IOCB_CMD_FDSYNC => RAIO_IOCB_FLAG_FIXED_FILE | RAIO_IOCB_FLAG_RANGE,
            IOCB_CMD_NOOP => 0,
            _ => RAIO_IOCB_FLAG_FIXED_FILE,
        };
    let has_meaning = RAIO_IOCB_FLAG_FIXED_BUFFER | RAIO_IOCB_FLAG_DEADLINE;
    own & !allowed == 0
        && (own & has_meaning != 0 || iocb.aio_reserved2 == 0)
        && (own & RAIO_IOCB_FLAG_CUR_POS == 0 || iocb.aio_offset == -1)
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_op_flags)]
mod tests {
    use super::*;

    fn sound(opcode: u32, flags: u32, reserved2: u64) -> bool {
        are_sound(&iocb {
            aio_lio_opcode: opcode as u16,
            aio_flags: flags,
            aio_reserved2: reserved2,
            ..Default::default()
        })
    }

    #[test]
    fn natives_are_not_ours() {
        for flags in [0, 1, 2, 0xffff] {
            assert!(sound(IOCB_CMD_PREAD, flags, 0));
            assert!(!sound(IOCB_CMD_PREAD, flags, 1));
        }
    }

    #[test]
    fn unknown_ones_are_refused() {
        for bit in 16..26 {
            assert!(!sound(IOCB_CMD_PREAD, 1 << bit, 0));
            assert!(!sound(IOCB_CMD_FSYNC, 1 << bit, 0));
        }
    }

    #[test]
    fn the_position_has_no_offset() {
        for (offset, is_sound) in [(-1, true), (0, false), (-2, false)] {
            let iocb = iocb {
                aio_lio_opcode: IOCB_CMD_PREAD as u16,
                aio_flags: RAIO_IOCB_FLAG_CUR_POS,
                aio_offset: offset,
                ..Default::default()
            };
            assert_eq!(are_sound(&iocb), is_sound);
        }
    }

    #[test]
    fn each_is_for_its_operations() {
        assert!(sound(IOCB_CMD_PWRITEV, RAIO_IOCB_FLAG_FIXED_BUFFER, 7));
        assert!(!sound(IOCB_CMD_FSYNC, RAIO_IOCB_FLAG_FIXED_BUFFER, 7));
        assert!(sound(IOCB_CMD_FDSYNC, RAIO_IOCB_FLAG_RANGE, 0));
        assert!(!sound(IOCB_CMD_FDSYNC, RAIO_IOCB_FLAG_RANGE, 1));
        assert!(!sound(IOCB_CMD_PREAD, RAIO_IOCB_FLAG_RANGE, 0));
        assert!(!sound(IOCB_CMD_FSYNC, RAIO_IOCB_FLAG_CUR_POS, 0));
        assert!(!sound(IOCB_CMD_NOOP, RAIO_IOCB_FLAG_FIXED_FILE, 0));
        assert!(sound(IOCB_CMD_NOOP, RAIO_IOCB_FLAG_BARRIER, 0));
        assert!(!sound(IOCB_CMD_NOOP, RAIO_IOCB_FLAG_BARRIER, 1));
        assert!(sound(IOCB_CMD_NOOP, RAIO_IOCB_FLAG_DEADLINE, 1));
    }
}
