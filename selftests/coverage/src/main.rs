// SPDX-License-Identifier: GPL-2.0

//! Which lines of the module ran, for `scripts/coverage report`.
//!
//! raio-coverage raio.ko TOP UNREACHED DUMP...
//!
//! A point, which is a call of `__sanitizer_cov_trace_pc()`, is at the start of each basic block:
//! what is between it and the next one ran if it did. A line ran if any of its code did, or of what
//! was inlined there.

mod module;
mod report;
mod source;
mod unreached;

use anyhow::{bail, Context, Result};
use module::Module;
use std::{collections::BTreeMap, fs, path::Path};

/// Of each file below src/ and rust/, its lines that have code, and whether they ran.
type Files = BTreeMap<String, BTreeMap<u32, bool>>;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [module, top, unreached, dumps @ ..] = &args[..] else {
        bail!("usage: raio-coverage raio.ko TOP UNREACHED DUMP...");
    };
    let object = fs::read(module).with_context(|| module.clone())?;
    let module = Module::parse(&object).with_context(|| module.clone())?;
    let ran = union(dumps)?;
    if let Some(stray) = module.first_stray(&ran) {
        bail!("{stray:#x} is not a point of raio.ko: a dump is of another build");
    }
    let top = fs::canonicalize(top).with_context(|| top.clone())?;
    let files = lines(&module, &ran, &top)?;
    let reasons = fs::read_to_string(unreached)
        .with_context(|| unreached.clone())
        .and_then(|text| unreached::parse(&text))?;
    report::print(&files, &top, &reasons)
}

/// The bits of all dumps.
fn union(dumps: &[String]) -> Result<Vec<u8>> {
    let mut all = vec![0; 2 * module::TEXT_MAX as usize / 8];
    for name in dumps {
        let dump = fs::read(name).with_context(|| name.clone())?;
        if dump.len() != all.len() {
            bail!("{name}: {} bytes, not {}", dump.len(), all.len());
        }
        for (one, other) in all.iter_mut().zip(dump) {
            *one |= other;
        }
    }
    Ok(all)
}

fn lines(module: &Module, ran: &[u8], top: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut sources = source::Sources::new(top);
    let debug = module.debug()?;
    for block in &module.blocks {
        let ran = module::is_set(ran, block.point);
        for (address, _, _) in debug.find_location_range(block.start, block.end)? {
            let mut frames = debug
                .find_frames(address.max(block.start))
                .skip_all_loads()?;
            while let Some(frame) = frames.next()? {
                let Some(location) = frame.location else {
                    continue;
                };
                let (Some(file), Some(line)) = (location.file, location.line) else {
                    continue;
                };
                let Some(file) = sources.name(file) else {
                    continue;
                };
                if line != 0 && sources.is_counted(&file, line)? {
                    *files.entry(file).or_default().entry(line).or_default() |= ran;
                }
            }
        }
    }
    Ok(files)
}
