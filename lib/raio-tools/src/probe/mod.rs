// SPDX-License-Identifier: MIT OR Apache-2.0

//! `raio probe`: whether and how raio works here.

mod facts;
mod files;
mod kernel;
mod line;
mod measure;
mod streams;
mod why;

use crate::{
    cli, device,
    output::{self, printable, Align, Cell, Table, HEADING},
    Outcome,
};
use kernel::{Interface, Module, Node};
use measure::{Prober, Way};
use rustix::process::{getrlimit, Resource};
use serde::Serialize;
use std::{fmt::Write, path::PathBuf, process::ExitCode};

/// All that was found.
#[derive(Serialize)]
struct Report {
    kernel: String,
    device: Option<Node>,
    /// Not there if the device can't be used: `error` says why.
    module: Option<Module>,
    error: Option<String>,
    memlock: Option<u64>,
    native_aio: Interface,
    io_uring: Interface,
    streams: Vec<streams::Found>,
    paths: Vec<files::Found>,
}

fn report(args: &cli::Probe) -> Report {
    let mut errors = Vec::new();
    let module = match device::info() {
        Ok(info) => Some(Module::new(&info)),
        Err(error) => {
            errors.push(error.to_string());
            None
        }
    };
    let mut prober = None;
    if module.is_some() {
        match Prober::new() {
            Ok(ready) => prober = Some(ready),
            Err(error) => errors.push(error.to_string()),
        }
    }
    let paths = match args.paths.as_slice() {
        [] => vec![PathBuf::from("."), PathBuf::from("/tmp")],
        paths => paths.to_vec(),
    };
    let streams = prober.as_mut().map(streams::probe).unwrap_or_default();
    let paths = paths
        .iter()
        .map(|path| files::probe(prober.as_mut(), path))
        .collect();
    let uname = rustix::system::uname();
    Report {
        kernel: uname.release().to_string_lossy().into_owned(),
        device: Node::new(),
        module,
        error: (!errors.is_empty()).then(|| errors.join("\n")),
        memlock: getrlimit(Resource::Memlock).current,
        native_aio: kernel::native_aio(),
        io_uring: kernel::io_uring(),
        streams,
        paths,
    }
}

fn styled(way: Option<Way>) -> Cell {
    match way {
        Some(Way::Thread) => Cell::styled(Way::Thread.text(), output::WARN),
        Some(way) => Cell::styled(way.text(), output::GOOD),
        None => Cell::styled("-", output::DIM),
    }
}

fn note(text: &Option<String>) -> Cell {
    Cell::styled(printable(text.as_deref().unwrap_or_default()), output::DIM)
}

fn interface(found: &Interface) -> Cell {
    let why = found.why.as_deref();
    match found.available {
        true => format!(
            "available{}",
            why.map(|why| format!(", {why}")).unwrap_or_default()
        )
        .into(),
        false => Cell::styled(
            format!("not available: {}", why.unwrap_or("?")),
            output::WARN,
        ),
    }
}

fn about(report: &Report) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    table.indent = 2;
    let mut row = |name: &str, value: Cell| table.row(vec![name.into(), value]);
    row("kernel", printable(&report.kernel).into());
    row(
        "device",
        match &report.device {
            Some(node) => format!(
                "{}, mode {}, owner {}:{}",
                device::PATH,
                node.mode,
                node.uid,
                node.gid
            )
            .into(),
            None => Cell::styled(format!("{} is not there", device::PATH), output::BAD),
        },
    );
    if let Some(module) = &report.module {
        row("API", module.api.as_str().into());
        if let Some(version) = &module.module_version {
            row("module", printable(version).into());
        }
        row("opcodes", module.opcodes.join(" ").into());
        row("features", module.features.join(" ").into());
        row("setup flags", module.setup_flags.join(" ").into());
        row(
            "largest context",
            format!("{} events", module.max_events).into(),
        );
        row("fs.raio-nr", used(module.nr, module.max_nr));
        row("of the user", used(module.user_nr, module.max_user_nr));
    }
    row(
        "RLIMIT_MEMLOCK",
        match report.memlock {
            Some(limit) => indicatif::HumanBytes(limit).to_string().into(),
            None => "unlimited".into(),
        },
    );
    row("native aio", interface(&report.native_aio));
    row("io_uring", interface(&report.io_uring));
    table
}

fn used(nr: u64, max: u64) -> Cell {
    let style = if nr >= max {
        output::BAD
    } else {
        Default::default()
    };
    Cell::styled(format!("{nr} of {max}"), style)
}

fn reasons<'a>(why: impl Iterator<Item = (String, &'a str)>) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    table.indent = 2;
    for (request, why) in why {
        table.row(vec![request.into(), printable(why).into()]);
    }
    table
}

fn render(report: &Report) -> String {
    let mut out = String::new();
    let mut section = |title: &str, table: &str| {
        let blank = if out.is_empty() { "" } else { "\n" };
        let _ = write!(out, "{blank}{HEADING}{title}{HEADING:#}\n{table}");
    };
    section("raio", &about(report).render());
    if !report.streams.is_empty() {
        let mut table = Table::new(&[
            ("FILE", Align::Left),
            ("READ, DATA THERE", Align::Left),
            ("READ, NO DATA YET", Align::Left),
            ("WRITE", Align::Left),
            ("", Align::Left),
        ]);
        table.indent = 2;
        for found in &report.streams {
            let ways = [found.read_ready, found.read, found.write].map(styled);
            let mut cells = vec![found.file.into()];
            cells.extend(ways);
            cells.push(note(&found.note));
            table.row(cells);
        }
        let why = report.streams.iter().flat_map(streams::Found::reasons);
        section("Pipes, sockets and the like", &table.render());
        section("Why", &reasons(why).render());
    }
    for found in &report.paths {
        let mut table = Table::new(&[
            ("REQUEST", Align::Left),
            ("FIRST", Align::Left),
            ("THEN", Align::Left),
            ("", Align::Left),
        ]);
        table.indent = 2;
        for line in &found.requests {
            table.row(vec![
                line.request.into(),
                styled(line.first),
                styled(line.then),
                note(&line.note),
            ]);
        }
        if table.len() > 0 {
            let title = files::title(found);
            let why = found.requests.iter().flat_map(line::Line::reasons);
            section(&title, &table.render());
            section(&format!("{title}: why"), &reasons(why).render());
        }
    }
    out
}

/// Runs the command.
pub fn run(args: &cli::Probe) -> Outcome {
    let report = report(args);
    if args.json {
        output::print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        output::print(&render(&report))?;
    }
    let errors = report.error.iter().cloned();
    let paths = report.paths.iter().filter_map(|found| {
        let error = found.error.as_ref()?;
        Some(format!("{}: {error}", output::Quoted(found.path.as_ref())))
    });
    let errors: Vec<String> = errors.chain(paths).collect();
    for error in &errors {
        let bad = output::BAD;
        output::complain(&format!("raio probe: {bad}error{bad:#}: {error}\n"));
    }
    Ok(match errors.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(cli::EXIT_FAILURE),
    })
}
