// SPDX-License-Identifier: MIT OR Apache-2.0

//! Programs for x86-64: their loader, and system call instructions with the numbers of native
//! aio's.

use super::elf::Inlined;
use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register,
};

/// `e_machine`
pub const MACHINE: object::elf::Machine = object::elf::EM_X86_64;
pub const MACHINE_NAME: &str = "x86-64";
/// The loader of the GNU C library, which libraio is for.
pub const LOADER: &str = "ld-linux-x86-64.so.2";

/// The name of native aio's system call.
fn aio_call(number: u32) -> Option<&'static str> {
    Some(match number {
        206 => "io_setup",
        207 => "io_destroy",
        208 => "io_getevents",
        209 => "io_submit",
        210 => "io_cancel",
        333 => "io_pgetevents",
        _ => return None,
    })
}

/// Follows constants from register to register, in a straight line, to the instruction.
pub fn inlined(code: &[u8], address: u64) -> Vec<Inlined> {
    let mut found = Vec::new();
    let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut known = Known::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if instruction.code() == Code::Syscall {
            if let Some(call) = known.get(Register::EAX).and_then(aio_call) {
                found.push(Inlined {
                    call,
                    address: instruction.ip(),
                });
            }
        }
        known.follow(&instruction);
    }
    found
}

/// The constants in general registers.
#[derive(Default)]
struct Known([Option<u32>; 16]);

impl Known {
    fn place(&mut self, register: Register) -> Option<&mut Option<u32>> {
        match register.is_gpr() {
            true => self.0.get_mut(register.full_register().number()),
            false => None,
        }
    }

    fn get(&mut self, register: Register) -> Option<u32> {
        self.place(register).and_then(|place| *place)
    }

    fn follow(&mut self, instruction: &Instruction) {
        // What a call may change.
        const SCRATCH: [Register; 9] = [
            Register::RAX,
            Register::RCX,
            Register::RDX,
            Register::RSI,
            Register::RDI,
            Register::R8,
            Register::R9,
            Register::R10,
            Register::R11,
        ];
        match instruction.flow_control() {
            FlowControl::Next | FlowControl::ConditionalBranch => self.compute(instruction),
            // A system call is one as well.
            FlowControl::Call | FlowControl::IndirectCall => {
                let changed: &[_] = match instruction.code() {
                    Code::Syscall => &[Register::RAX, Register::RCX, Register::R11],
                    _ => &SCRATCH,
                };
                for &register in changed {
                    self.set(register, None);
                }
            }
            _ => *self = Self::default(),
        }
    }

    fn set(&mut self, register: Register, value: Option<u32>) {
        if let Some(place) = self.place(register) {
            *place = value;
        }
    }

    fn compute(&mut self, instruction: &Instruction) {
        let mnemonic = instruction.mnemonic();
        let reads = matches!(mnemonic, Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Push);
        if instruction.op0_kind() != OpKind::Register || reads {
            return;
        }
        let to = instruction.op0_register();
        let whole = to.is_gpr32() || to.is_gpr64();
        let value = match instruction.op1_kind() {
            _ if mnemonic != Mnemonic::Mov || !whole => None,
            OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64 => {
                u32::try_from(instruction.immediate(1)).ok()
            }
            OpKind::Register => self.get(instruction.op1_register()),
            _ => None,
        };
        self.set(to, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(code: &[u8]) -> Vec<(&'static str, u64)> {
        let found = inlined(code, 0x1000);
        found.iter().map(|one| (one.call, one.address)).collect()
    }

    #[test]
    fn numbers_are_followed_to_the_instruction() {
        // mov $0xd1,%eax; mov %r12,%rdi; syscall
        let direct = b"\xb8\xd1\0\0\0\x4c\x89\xe7\x0f\x05";
        assert_eq!(calls(direct), [("io_submit", 0x1008)]);
        // mov $0x14d,%rax; syscall
        assert_eq!(
            calls(b"\x48\xc7\xc0\x4d\x01\0\0\x0f\x05"),
            [("io_pgetevents", 0x1007)]
        );
        // write(2)
        assert_eq!(calls(b"\xb8\x01\0\0\0\x0f\x05"), []);
        // mov $0xd1,%eax; xor %eax,%eax; syscall
        assert_eq!(calls(b"\xb8\xd1\0\0\0\x31\xc0\x0f\x05"), []);
        // mov $0xd1,%eax; ret; syscall
        assert_eq!(calls(b"\xb8\xd1\0\0\0\xc3\x0f\x05"), []);
        // mov $0xd1,%eax; test %eax,%eax; syscall; syscall
        assert_eq!(
            calls(b"\xb8\xd1\0\0\0\x85\xc0\x0f\x05\x0f\x05"),
            [("io_submit", 0x1007)]
        );
        // mov $0xd1,%ecx; mov %ecx,%eax; syscall; mov %ecx,%eax; syscall: it is lost in the first
        assert_eq!(
            calls(b"\xb9\xd1\0\0\0\x89\xc8\x0f\x05\x89\xc8\x0f\x05"),
            [("io_submit", 0x1007)]
        );
        // mov $0xce,%ebx; call; mov %ebx,%eax; syscall
        assert_eq!(
            calls(b"\xbb\xce\0\0\0\xe8\0\0\0\0\x89\xd8\x0f\x05"),
            [("io_setup", 0x100c)]
        );
        // mov $0xce,%eax; call; syscall
        assert_eq!(calls(b"\xb8\xce\0\0\0\xe8\0\0\0\0\x0f\x05"), []);
    }
}
