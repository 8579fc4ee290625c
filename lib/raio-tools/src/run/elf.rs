// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an ELF file says of the aio of its program.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register,
};
use object::{
    elf::{FileHeader64, EM_X86_64, PF_X, PT_LOAD},
    read::elf::{ElfFile64, FileHeader, ProgramHeader},
    Endianness, Object, ObjectSymbol, ReadCache,
};
use serde::Serialize;
use std::{fs, io, path::Path};

/// The loader of the GNU C library, which libraio is for.
const LOADER: &str = "ld-linux-x86-64.so.2";

/// libaio's functions that go to the kernel.
const FUNCTIONS: &[&str] = &[
    "io_cancel",
    "io_destroy",
    "io_getevents",
    "io_pgetevents",
    "io_queue_init",
    "io_queue_release",
    "io_queue_run",
    "io_queue_wait",
    "io_setup",
    "io_submit",
];

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

/// How a program is started.
pub enum Program {
    /// By that loader.
    Dynamic(String),
    Static,
    /// Of another machine, or with 32 bits.
    Foreign,
}

impl Program {
    /// Looks at the headers alone.
    pub fn read(path: &Path) -> io::Result<Self> {
        let data = ReadCache::new(fs::File::open(path)?);
        let data = &data;
        let kind = object::FileKind::parse(data).map_err(invalid)?;
        if kind != object::FileKind::Elf64 {
            return match kind {
                object::FileKind::Elf32 => Ok(Self::Foreign),
                _ => Err(invalid("it is no ELF file")),
            };
        }
        let header = FileHeader64::<Endianness>::parse(data).map_err(invalid)?;
        let endian = header.endian().map_err(invalid)?;
        if header.e_machine(endian) != EM_X86_64 {
            return Ok(Self::Foreign);
        }
        for segment in header.program_headers(endian, data).map_err(invalid)? {
            if let Some(name) = segment.interpreter(endian, data).map_err(invalid)? {
                return Ok(Self::Dynamic(String::from_utf8_lossy(name).into_owned()));
            }
        }
        Ok(Self::Static)
    }

    /// Why nothing can be preloaded.
    pub fn obstacle(&self) -> Option<String> {
        match self {
            Self::Dynamic(loader) if Path::new(loader).ends_with(LOADER) => None,
            Self::Dynamic(loader) => Some(format!(
                "its loader is {}, and libraio is for that of the GNU C library",
                crate::output::printable(loader)
            )),
            Self::Static => Some(
                "it is statically linked: nothing can be preloaded, and its own aio is native aio"
                    .to_string(),
            ),
            Self::Foreign => Some("it is no program for x86-64 with 64 bits".to_string()),
        }
    }
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// A system call instruction with the number of native aio's.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Inlined {
    pub call: &'static str,
    pub address: u64,
}

/// What a file uses.
#[derive(Debug, Default, Serialize)]
pub struct Uses {
    /// libaio's functions.
    pub functions: Vec<String>,
    /// syscall(2)
    pub syscall: bool,
    /// dlopen(3), or dlmopen(3)
    pub loads: bool,
    pub inlined: Vec<Inlined>,
}

impl Uses {
    /// Looks at all of the file.
    pub fn read(path: &Path) -> io::Result<Self> {
        let data = fs::read(path)?;
        let file = ElfFile64::<Endianness>::parse(&*data).map_err(invalid)?;
        let mut uses = Self::default();
        for symbol in file.dynamic_symbols().filter(ObjectSymbol::is_undefined) {
            match symbol.name().map_err(invalid)? {
                "syscall" => uses.syscall = true,
                "dlopen" | "dlmopen" => uses.loads = true,
                name if FUNCTIONS.contains(&name) => uses.functions.push(name.to_string()),
                _ => {}
            }
        }
        // A name for each version.
        uses.functions.sort_unstable();
        uses.functions.dedup();
        let endian = file.endian();
        for segment in file.elf_program_headers() {
            if segment.p_type(endian) == PT_LOAD && segment.p_flags(endian).0 & PF_X.0 != 0 {
                let code = segment
                    .data(endian, &*data)
                    .map_err(|()| invalid("a segment is not in the file"))?;
                uses.inlined.extend(inlined(code, segment.p_vaddr(endian)));
            }
        }
        Ok(uses)
    }
}

/// Follows constants from register to register, in a straight line, to the instruction.
fn inlined(code: &[u8], address: u64) -> Vec<Inlined> {
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

    #[test]
    fn this_program_is_read() {
        let exe = std::env::current_exe().unwrap();
        assert!(Program::read(&exe).unwrap().obstacle().is_none());
        assert!(Uses::read(&exe).unwrap().functions.is_empty());
        assert!(Program::read(Path::new("/etc/passwd")).is_err());
        assert!(Uses::read(Path::new("/dev/null")).is_err());
    }
}
