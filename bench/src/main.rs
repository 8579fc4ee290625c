// SPDX-License-Identifier: GPL-2.0

//! Measures what an I/O costs: sync, native aio, io_uring and raio, the same operations.

mod engine;
mod marks;
mod run;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one engine on one file, and prints a line of JSON
    Run(run::Args),
    /// Fills a file with blocks that begin with their offset
    Fill {
        file: std::path::PathBuf,
        /// Bytes
        size: u64,
    },
}

fn main() {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(&args)
            .map_err(|error| format!("{} {}: {error}", args.engine.text(), args.workload)),
        Command::Fill { file, size } => {
            run::fill(&file, size).map_err(|error| format!("{}: {error}", file.display()))
        }
    };
    if let Err(error) = result {
        eprintln!("raio-bench: {error}");
        std::process::exit(1);
    }
}
