// SPDX-License-Identifier: MIT OR Apache-2.0

//! The manual pages: what `--help` says.

use crate::{cli::Cli, output::Quoted, Outcome};
use clap::CommandFactory;
use std::{fs, path::Path, process::ExitCode};

/// Writes `raio.1` and a page for each command to the directory.
pub fn write(dir: &Path) -> Outcome {
    // `raio help` has no page of its own.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let at_dir = |error| format!("{}: {}", Quoted(dir), crate::output::reason(&error));
    fs::create_dir_all(dir).map_err(at_dir)?;
    page(&command, "raio", dir).map_err(at_dir)?;
    for sub in command.get_subcommands() {
        if !sub.is_hide_set() {
            page(sub, &format!("raio-{}", sub.get_name()), dir).map_err(at_dir)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn page(command: &clap::Command, name: &str, dir: &Path) -> std::io::Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(name)
        .source(concat!("raio ", env!("CARGO_PKG_VERSION")))
        .manual("raio")
        .render(&mut text)?;
    fs::write(dir.join(format!("{name}.1")), text)
}
