// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an ELF file says of the aio of its program.

#[cfg(target_arch = "aarch64")]
use super::code_arm64::{inlined, LOADER, MACHINE, MACHINE_NAME};
#[cfg(not(target_arch = "aarch64"))]
use super::code_x86::{inlined, LOADER, MACHINE, MACHINE_NAME};
use object::{
    elf::{FileHeader64, PF_X, PT_LOAD},
    read::elf::{ElfFile64, FileHeader, ProgramHeader},
    Endianness, Object, ObjectSymbol, ReadCache,
};
use serde::Serialize;
use std::{fs, io, path::Path};

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
        if header.e_machine(endian) != MACHINE {
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
            Self::Foreign => Some(format!("it is no program for {MACHINE_NAME} with 64 bits")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_read() {
        let exe = std::env::current_exe().unwrap();
        assert!(Program::read(&exe).unwrap().obstacle().is_none());
        assert!(Uses::read(&exe).unwrap().functions.is_empty());
        assert!(Program::read(Path::new("/etc/passwd")).is_err());
        assert!(Uses::read(Path::new("/dev/null")).is_err());
    }
}
