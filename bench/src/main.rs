// SPDX-License-Identifier: GPL-2.0

//! Measures what an I/O costs: sync, native aio, io_uring and raio, the same operations.

mod args;
mod blocks;
mod cold;
mod contexts;
mod engine;
mod files;
mod fio;
mod marks;
mod measure;
mod plot;
mod result;
mod run;
mod streams;
mod table;
mod threads;

use clap::{Parser, Subcommand};
use result::Results;
use std::{error::Error, fs, path::PathBuf};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one engine on one file, and prints a line of JSON
    Run(args::Args),
    /// Fills a file with blocks that begin with their offset
    Fill {
        file: PathBuf,
        /// Bytes
        size: u64,
    },
    /// Makes JSON, tables and plots of the lines of many runs
    Report {
        lines: PathBuf,
        /// What bench/plugin/count.c has counted meanwhile
        #[arg(long)]
        counts: Option<PathBuf>,
        /// Lines of runs while it has counted which lines of memory go from CPU to CPU, and these
        #[arg(long, num_args = 2, value_names = ["LINES", "COUNTS"])]
        moved: Option<Vec<PathBuf>>,
        /// The directory for the files
        #[arg(long)]
        out: PathBuf,
        #[arg(long, default_value = "")]
        kernel: String,
        #[arg(long, default_value = "")]
        commit: String,
    },
    /// Makes a table and plots of what bench/guest-fio has left in a directory
    Fio {
        dir: PathBuf,
        /// The directory for the files
        #[arg(long)]
        out: PathBuf,
    },
    /// Sets two results side by side
    Compare { one: PathBuf, other: PathBuf },
    /// Fails if raio costs more of what native aio does than is recorded
    Check { results: PathBuf, recorded: PathBuf },
    /// Prints what `check` is to compare with
    Ratios { results: PathBuf },
}

fn report(
    lines: PathBuf,
    counts: Option<PathBuf>,
    moved: Option<Vec<PathBuf>>,
    out: PathBuf,
    kernel: String,
    commit: String,
) -> Result<(), Box<dyn Error>> {
    let mut results = Results::of_lines(&lines, counts.as_deref(), kernel, commit)?;
    if let Some([lines, counts]) = moved.as_deref() {
        results.add_moved(lines, counts)?;
    }
    fs::create_dir_all(&out)?;
    results.write(&out.join("result.json"))?;
    let table = results.tables();
    fs::write(out.join("table.md"), &table)?;
    plot::all(&results, &out)?;
    print!("{table}");
    Ok(())
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Run(args) => run::run(&args)
            .map_err(|error| format!("{} {}: {error}", args.engine.text(), args.workload))?,
        Command::Fill { file, size } => {
            blocks::fill(&file, size).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Command::Report {
            lines,
            counts,
            moved,
            out,
            kernel,
            commit,
        } => report(lines, counts, moved, out, kernel, commit)?,
        Command::Fio { dir, out } => fio::report(&dir, &out)?,
        Command::Compare { one, other } => {
            result::compare(&Results::read(&one)?, &Results::read(&other)?);
        }
        Command::Check { results, recorded } => {
            let recorded = serde_json::from_str(&fs::read_to_string(recorded)?)?;
            if !result::check(&Results::read(&results)?, &recorded) {
                return Err("raio costs more than is recorded".into());
            }
        }
        Command::Ratios { results } => {
            let ratios = Results::read(&results)?.ratios();
            println!("{}", serde_json::to_string_pretty(&ratios)?);
        }
    }
    Ok(())
}

fn main() {
    if let Err(error) = run(Cli::parse().command) {
        eprintln!("raio-bench: {error}");
        std::process::exit(1);
    }
}
