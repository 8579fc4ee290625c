// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command `raio`: copies files through `/dev/raio`, runs programs with libraio, shows what goes
//! on in the device, and how it works where one is.

mod cli;
mod cp;
mod device;
mod fdinfo;
mod man;
mod output;
mod probe;
mod run;
mod stat;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};
use std::{error::Error, io, process::ExitCode};

/// What a command ends with, unless it ends well.
type Outcome = Result<ExitCode, Box<dyn Error>>;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| wrong(&error));
    let failure = match cli.command {
        Command::Run(_) => cli::EXIT_NOT_RUN,
        _ => cli::EXIT_FAILURE,
    };
    let (name, outcome) = match cli.command {
        Command::Cp(args) => ("cp", cp::run(args)),
        Command::Run(args) => ("run", run::run(&args)),
        Command::Stat(args) => ("stat", stat::run(&args)),
        Command::Probe(args) => ("probe", probe::run(&args)),
        Command::Completion { shell } => ("completion", completion(shell)),
        Command::Man { dir } => ("man", man::write(&dir)),
    };
    outcome.unwrap_or_else(|error| {
        // Whoever reads our output has enough of it.
        if let Some(io::ErrorKind::BrokenPipe) = error.downcast_ref().map(io::Error::kind) {
            let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
        }
        let bad = output::BAD;
        output::complain(&format!(
            "raio {name}: {bad}error{bad:#}: {}\n",
            text_of(&*error)
        ));
        ExitCode::from(failure)
    })
}

/// The command line is wrong, or asks for help.
fn wrong(error: &clap::Error) -> ! {
    let _ = error.print();
    // As env(1): 1 and 2 are the program's.
    let of_run = std::env::args_os().nth(1).is_some_and(|name| name == "run");
    std::process::exit(match error.exit_code() {
        0 => 0,
        _ if of_run => cli::EXIT_NOT_RUN.into(),
        code => code,
    })
}

fn text_of(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<io::Error>() {
        Some(error) => output::reason(error),
        None => error.to_string(),
    }
}

fn completion(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "raio", &mut script);
    output::print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
