// SPDX-License-Identifier: GPL-2.0

//! raio.ko: its points, and its line table.

use anyhow::{Context as _, Result};
use gimli::{EndianSlice, LittleEndian, RelocateReader};
use object::{
    Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionFlags, SectionIndex, SymbolKind,
};
use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

/// As in rust/coverage.c: where a dump's text ends, and its init text begins.
pub(crate) const TEXT_MAX: u64 = 1 << 20;

const POINT: &str = "__sanitizer_cov_trace_pc";
/// Of a call, after the displacement, which is what is relocated.
const REST_OF_CALL: u64 = 4;
const CALL: u64 = 5;

/// A point and the code that follows it, up to the next.
pub(crate) struct Block {
    pub(crate) point: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Addresses are those of a dump's bits.
pub(crate) struct Module<'data> {
    pub(crate) blocks: Vec<Block>,
    debug: HashMap<&'static str, Debug<'data>>,
}

#[derive(Default)]
struct Debug<'data> {
    data: Cow<'data, [u8]>,
    relocations: Relocations,
}

/// By their offsets; on x86-64 what was there before counts for nothing.
#[derive(Debug, Default)]
pub(crate) struct Relocations(HashMap<usize, u64>);

impl gimli::Relocate for &Relocations {
    fn relocate_address(&self, offset: usize, value: u64) -> gimli::Result<u64> {
        Ok(self.0.get(&offset).copied().unwrap_or(value))
    }

    fn relocate_offset(&self, offset: usize, value: usize) -> gimli::Result<usize> {
        let value = self.relocate_address(offset, value as u64)?;
        gimli::ReaderOffset::from_u64(value)
    }
}

type Reader<'a> = RelocateReader<EndianSlice<'a, LittleEndian>, &'a Relocations>;

/// Of sections with code.
type Bases = HashMap<SectionIndex, u64>;

pub(crate) fn is_set(bits: &[u8], address: u64) -> bool {
    bits[address as usize / 8] & (1 << (address % 8)) != 0
}

impl<'data> Module<'data> {
    pub(crate) fn parse(data: &'data [u8]) -> Result<Self> {
        let file = object::File::parse(data)?;
        let bases = layout(&file)?;
        let target = |relocation: &object::Relocation| {
            let RelocationTarget::Symbol(index) = relocation.target() else {
                return None;
            };
            file.symbol_by_index(index).ok()
        };

        let mut points = BTreeSet::new();
        let mut debug = HashMap::new();
        for section in file.sections() {
            let name = section.name()?;
            if let Some(base) = bases.get(&section.index()) {
                for (offset, relocation) in section.relocations() {
                    if target(&relocation).is_some_and(|symbol| symbol.name() == Ok(POINT)) {
                        points.insert(base + offset + REST_OF_CALL);
                    }
                }
            } else if let Some(id) = SECTIONS.iter().find(|id| id.name() == name) {
                let relocations = section.relocations().filter_map(|(offset, relocation)| {
                    let symbol = target(&relocation)?;
                    let base = symbol.section_index().and_then(|index| bases.get(&index));
                    let value = base.unwrap_or(&0) + symbol.address();
                    Some((
                        offset as usize,
                        value.wrapping_add_signed(relocation.addend()),
                    ))
                });
                debug.insert(
                    id.name(),
                    Debug {
                        relocations: Relocations(relocations.collect()),
                        data: section.uncompressed_data()?,
                    },
                );
            }
        }
        Ok(Self {
            blocks: blocks(&file, &bases, &points),
            debug,
        })
    }

    pub(crate) fn debug(&self) -> Result<addr2line::Context<Reader<'_>>> {
        let none: &'static Debug<'static> = Box::leak(Box::default());
        let dwarf = gimli::Dwarf::load(|id| {
            let section = self.debug.get(id.name()).unwrap_or(none);
            let data = EndianSlice::new(&section.data, LittleEndian);
            Ok::<_, gimli::Error>(RelocateReader::new(data, &section.relocations))
        })?;
        addr2line::Context::from_dwarf(dwarf).context("no line table")
    }

    /// A bit that is set where there is no point.
    pub(crate) fn first_stray(&self, bits: &[u8]) -> Option<u64> {
        let points: BTreeSet<u64> = self.blocks.iter().map(|block| block.point).collect();
        (0..2 * TEXT_MAX).find(|address| is_set(bits, *address) && !points.contains(address))
    }
}

const SECTIONS: [gimli::SectionId; 10] = {
    use gimli::SectionId::*;
    [
        DebugAbbrev,
        DebugAddr,
        DebugInfo,
        DebugLine,
        DebugLineStr,
        DebugRanges,
        DebugRngLists,
        DebugStr,
        DebugStrOffsets,
        DebugAranges,
    ]
};

/// Each ends with its function: what comes before a function's first point is its entry.
fn blocks(file: &object::File<'_>, bases: &Bases, points: &BTreeSet<u64>) -> Vec<Block> {
    let functions: BTreeSet<(u64, u64)> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() != 0)
        .filter_map(|symbol| {
            let start = bases.get(&symbol.section_index()?)? + symbol.address();
            Some((start, start + symbol.size()))
        })
        .collect();
    let mut blocks = Vec::new();
    for (mut start, end) in functions {
        let mut points = points.range(start..end).copied().peekable();
        while let Some(point) = points.next() {
            let end = points.peek().map_or(end, |next| next - CALL);
            blocks.push(Block { point, start, end });
            start = end;
        }
    }
    blocks
}

/// Where the kernel puts the sections with code, as layout_sections() of kernel/module/main.c.
fn layout(file: &object::File<'_>) -> Result<Bases> {
    let (mut text, mut init_text) = (0, TEXT_MAX);
    let mut bases = HashMap::new();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
            continue;
        };
        let code = object::elf::SHF_ALLOC | object::elf::SHF_EXECINSTR;
        if sh_flags & code != code {
            continue;
        }
        let next: &mut u64 = match section.name()?.starts_with(".init") {
            true => &mut init_text,
            false => &mut text,
        };
        let base = next.next_multiple_of(section.align().max(1));
        *next = base + section.size();
        bases.insert(section.index(), base);
    }
    Ok(bases)
}
