// SPDX-License-Identifier: MIT OR Apache-2.0

//! Programs for arm64: their loader, and system call instructions with the numbers of native
//! aio's.

use super::elf::Inlined;

/// `e_machine`
pub const MACHINE: object::elf::Machine = object::elf::EM_AARCH64;
pub const MACHINE_NAME: &str = "arm64";
/// The loader of the GNU C library, which libraio is for.
pub const LOADER: &str = "ld-linux-aarch64.so.1";

/// The name of native aio's system call.
fn aio_call(number: u32) -> Option<&'static str> {
    Some(match number {
        0 => "io_setup",
        1 => "io_destroy",
        2 => "io_submit",
        3 => "io_cancel",
        4 => "io_getevents",
        292 => "io_pgetevents",
        _ => return None,
    })
}

const SVC: u32 = 0xd400_0001;
/// The register of the number.
const NUMBER: usize = 8;
/// What a call may change: registers below this one, and that for its return.
const SAVED: usize = 19;
const LINK: usize = 30;

/// Follows constants from register to register, in a straight line, to the instruction.
pub fn inlined(code: &[u8], address: u64) -> Vec<Inlined> {
    let mut found = Vec::new();
    let mut known = [None; 32];
    for (word, ip) in code.chunks_exact(4).zip((address..).step_by(4)) {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        if word == SVC {
            if let Some(call) = known[NUMBER].and_then(aio_call) {
                found.push(Inlined { call, address: ip });
            }
            known[0] = None;
            continue;
        }
        follow(&mut known, word);
    }
    found
}

/// Register 31 is zero in these instructions, and no constant is kept for it.
fn follow(known: &mut [Option<u32>; 32], word: u32) {
    let register = |at: u32| ((word >> at) & 31) as usize;
    let is_call = word >> 26 == 0b100101 || word & 0xffff_fc1f == 0xd63f_0000;
    let is_jump = word >> 26 == 0b000101 || word & 0xff9f_fc1f == 0xd61f_0000;
    if is_call {
        known[..SAVED].fill(None);
        known[LINK] = None;
    } else if is_jump {
        known.fill(None);
    } else if word >> 25 == 0b010_1010 || matches!((word >> 24) & 0x7e, 0x34 | 0x36) {
        // A conditional branch changes none.
    } else {
        let value = if word & 0x7fe0_0000 == 0x5280_0000 {
            // movz, not shifted
            Some((word >> 5) & 0xffff)
        } else if word & 0x7fe0_ffe0 == 0x2a00_03e0 {
            // mov, of a register
            match register(16) {
                31 => Some(0),
                from => known[from],
            }
        } else {
            None
        };
        // All else is taken to change the registers whose numbers are where a result's would be.
        if word & 0x3a00_0000 == 0x2800_0000 {
            known[register(10)] = None;
        }
        known[register(0)] = value;
        known[31] = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(code: &[u32]) -> Vec<(&'static str, u64)> {
        let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        let found = inlined(&bytes, 0x1000);
        found.iter().map(|one| (one.call, one.address)).collect()
    }

    #[test]
    fn numbers_are_followed_to_the_instruction() {
        const MOV_W8_2: u32 = 0x5280_0048;
        // mov w8, #2; mov x0, x19; svc #0
        assert_eq!(
            calls(&[MOV_W8_2, 0xaa13_03e0, SVC]),
            [("io_submit", 0x1008)]
        );
        // mov x8, #292; svc #0
        assert_eq!(calls(&[0xd280_2488, SVC]), [("io_pgetevents", 0x1004)]);
        // mov w8, wzr; svc #0; svc #0: it is still there
        assert_eq!(
            calls(&[0x2a1f_03e8, SVC, SVC]),
            [("io_setup", 0x1004), ("io_setup", 0x1008)]
        );
        // write(2): mov x8, #64
        assert_eq!(calls(&[0xd280_0808, SVC]), []);
        // mov w8, #2; ldr x8, [x1]; svc #0
        assert_eq!(calls(&[MOV_W8_2, 0xf940_0028, SVC]), []);
        // mov w8, #2; ldp x9, x8, [x1]; svc #0
        assert_eq!(calls(&[MOV_W8_2, 0xa940_2029, SVC]), []);
        // mov w8, #2; ret; svc #0
        assert_eq!(calls(&[MOV_W8_2, 0xd65f_03c0, SVC]), []);
        // mov w20, #2; bl; mov w8, w20; svc #0
        assert_eq!(
            calls(&[0x5280_0054, 0x9400_0000, 0x2a14_03e8, SVC]),
            [("io_submit", 0x100c)]
        );
        // mov w8, #2; bl; svc #0
        assert_eq!(calls(&[MOV_W8_2, 0x9400_0000, SVC]), []);
        // mov w8, #2; cbz x0, 8; svc #0
        assert_eq!(
            calls(&[MOV_W8_2, 0xb400_0048, SVC]),
            [("io_submit", 0x1008)]
        );
    }
}
