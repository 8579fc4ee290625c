// SPDX-License-Identifier: MIT OR Apache-2.0

//! `raio stat`: the contexts of processes.

use crate::{
    cli, device,
    fdinfo::{self, Counters, Process},
    output::{self, plural, printable, Align, Cell, Table},
    Outcome,
};
use serde::Serialize;
use std::{
    collections::HashMap,
    io::{self, IsTerminal},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// What a context is known by from one look to the next.
type Key = (u32, u64, u64);

#[derive(Serialize)]
struct Row {
    pid: u32,
    command: String,
    #[serde(skip)]
    started: u64,
    context: String,
    #[serde(skip)]
    id: u64,
    /// Not there where nothing open tells of the context.
    #[serde(flatten)]
    counters: Option<Counters>,
    rates: Option<Rates>,
}

impl Row {
    fn key(&self) -> Key {
        (self.pid, self.started, self.id)
    }
}

/// What was added in each second.
#[derive(Clone, Copy, Serialize)]
struct Rates {
    completed: f64,
    kicks: f64,
    retries: f64,
    punts: f64,
    cancels: f64,
}

impl Rates {
    fn new(added: &Counters, seconds: f64) -> Self {
        let rate = |count: u32| f64::from(count) / seconds;
        Self {
            completed: rate(added.completed),
            kicks: rate(added.kicks),
            retries: rate(added.retries),
            punts: rate(added.punts),
            cancels: rate(added.cancels),
        }
    }
}

/// One look.
#[derive(Serialize)]
struct Snapshot {
    processes: usize,
    /// Processes that we may not look at.
    unreadable: usize,
    contexts: Vec<Row>,
    errors: Vec<String>,
}

fn snapshot(args: &cli::Stat) -> io::Result<Snapshot> {
    let chosen = !args.pids.is_empty();
    let mut found = Snapshot {
        processes: 0,
        unreadable: 0,
        contexts: Vec::new(),
        errors: Vec::new(),
    };
    let mut pids = match chosen {
        true => args.pids.clone(),
        false => fdinfo::pids()?,
    };
    pids.sort_unstable();
    pids.dedup();
    for pid in pids {
        match fdinfo::read_process(pid, chosen) {
            Ok(process) => found.add(process),
            Err(error) if chosen => found.errors.push(match error.kind() {
                io::ErrorKind::NotFound => format!("process {pid}: there is none"),
                _ => format!("process {pid}: {}", output::reason(&error)),
            }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => found.unreadable += 1,
            // It has gone.
            Err(_) => {}
        }
    }
    Ok(found)
}

impl Snapshot {
    fn add(&mut self, process: Process) {
        self.processes += usize::from(process.device_files > 0 || !process.contexts.is_empty());
        self.contexts
            .extend(process.contexts.into_iter().map(|(id, counters)| Row {
                pid: process.pid,
                command: process.command.clone(),
                started: process.started,
                context: format!("{id:#x}"),
                id,
                counters,
                rates: None,
            }));
    }

    /// Notes what was added since the last look.
    fn compare(&mut self, last: &HashMap<Key, Counters>, seconds: f64) {
        for row in &mut self.contexts {
            let before = last.get(&row.key());
            if let (Some(now), Some(before)) = (row.counters, before) {
                row.rates = Some(Rates::new(&now.since(before), seconds));
            }
        }
    }

    fn counters(&self) -> HashMap<Key, Counters> {
        let rows = self.contexts.iter();
        rows.filter_map(|row| Some((row.key(), row.counters?)))
            .collect()
    }
}

/// A rate in a few characters.
fn rate(value: f64) -> String {
    match value {
        0.0 => "0".to_string(),
        _ if value < 9.95 => format!("{value:.1}"),
        _ => count(value.round() as u64),
    }
}

/// A count in up to seven characters.
fn count(value: u64) -> String {
    match value {
        0..=9_999_999 => value.to_string(),
        10_000_000..=9_999_999_999 => format!("{:.1}M", value as f64 / 1e6),
        _ => format!("{:.1}G", value as f64 / 1e9),
    }
}

fn table(snapshot: &Snapshot, rates: bool) -> Table {
    let mut columns = vec![
        ("PID", Align::Right),
        ("COMMAND", Align::Left),
        ("CONTEXT", Align::Right),
    ];
    for name in ["SIZE", "INFLIGHT", "ARMED", "QUEUED", "COMPLETED"] {
        columns.push((name, Align::Right));
    }
    if rates {
        columns.push(("/S", Align::Right));
    }
    for name in ["KICKS", "RETRIES", "PUNTS"] {
        columns.push((name, Align::Right));
        if rates {
            columns.push(("/S", Align::Right));
        }
    }
    columns.push(("CANCELS", Align::Right));
    let mut table = Table::new(&columns);
    for row in &snapshot.contexts {
        let number = |value: fn(&Counters) -> u32| -> String {
            row.counters
                .map_or("-".to_string(), |counters| count(value(&counters).into()))
        };
        let per_second = |value: fn(&Rates) -> f64| -> Cell {
            row.rates
                .map_or("-".to_string(), |rates| rate(value(&rates)))
                .into()
        };
        let busy = |value: fn(&Counters) -> u32, style| {
            let style = match row.counters.is_some_and(|counters| value(&counters) > 0) {
                true => style,
                false => output::DIM,
            };
            Cell::styled(number(value), style)
        };
        let mut cells = vec![
            row.pid.to_string().into(),
            printable(&row.command).into(),
            row.context.as_str().into(),
            number(|counters| counters.size).into(),
            busy(|counters| counters.inflight, output::GOOD),
            busy(|counters| counters.armed, output::GOOD),
            busy(|counters| counters.queued, output::WARN),
        ];
        let mut pair = |value, of_rate| {
            cells.push(number(value).into());
            if rates {
                cells.push(per_second(of_rate));
            }
        };
        pair(|counters| counters.completed, |rates| rates.completed);
        pair(|counters| counters.kicks, |rates| rates.kicks);
        pair(|counters| counters.retries, |rates| rates.retries);
        pair(|counters| counters.punts, |rates| rates.punts);
        cells.push(number(|counters| counters.cancels).into());
        table.row(cells);
    }
    table
}

fn render(snapshot: &Snapshot, rates: bool, max_rows: Option<usize>) -> String {
    let mut table = table(snapshot, rates);
    let rows = table.len();
    let mut foot = format!(
        "{} of {}",
        plural(rows as u64, "context", "contexts"),
        plural(snapshot.processes as u64, "process", "processes")
    );
    if let Some(max) = max_rows.filter(|&max| rows > max) {
        table.truncate(max);
        foot += &format!(", {} not shown", rows - max);
    }
    if snapshot.unreadable > 0 {
        let of_others = plural(snapshot.unreadable as u64, "process", "processes");
        foot += &format!("; {of_others} can't be read: root can");
    }
    let (dim, table) = (
        output::DIM,
        if rows > 0 {
            table.render()
        } else {
            String::new()
        },
    );
    format!("{table}{dim}{foot}{dim:#}\n")
}

/// Runs the command.
pub fn run(args: &cli::Stat) -> Outcome {
    // Without the module there is nothing to see, and to say "none" would mislead.
    if device::rdev().is_err() {
        device::info()?;
    }
    let watching = args.watch.is_some() || args.count.is_some_and(|count| count > 1);
    let interval = Duration::from_secs_f64(args.watch.unwrap_or(1.0));
    let times = args.count.unwrap_or(if watching { u64::MAX } else { 1 });
    // Escape sequences go to a terminal only.
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let live = watching && !args.json && io::stdout().is_terminal() && !dumb;
    let mut last: Option<(Instant, HashMap<Key, Counters>)> = None;
    let mut failed = false;
    for time in 0..times {
        if time > 0 {
            thread::sleep(interval);
        }
        let now = Instant::now();
        let mut snapshot = snapshot(args)?;
        if let Some((then, counters)) = &last {
            snapshot.compare(counters, (now - *then).as_secs_f64());
        }
        last = Some((now, snapshot.counters()));
        if args.json {
            output::print(&format!("{}\n", serde_json::to_string(&snapshot)?))?;
        } else {
            let mut text = String::new();
            if live {
                output::clear_screen()?;
            } else if time > 0 {
                text.push('\n');
            }
            let height = live.then(terminal_rows).flatten();
            text += &render(
                &snapshot,
                watching,
                height.map(|rows| rows.saturating_sub(3)),
            );
            output::print(&text)?;
        }
        failed = !snapshot.errors.is_empty();
        for error in &snapshot.errors {
            output::complain(&format!("raio stat: {error}\n"));
        }
        // All that were to be watched have gone.
        if failed && snapshot.errors.len() == args.pids.len() {
            break;
        }
    }
    Ok(match failed {
        true => ExitCode::from(cli::EXIT_FAILURE),
        false => ExitCode::SUCCESS,
    })
}

fn terminal_rows() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_row > 0).then_some(size.ws_row.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot_of(completed: u32) -> Snapshot {
        let counters = Counters {
            size: 127,
            armed: 1,
            inflight: 1,
            completed,
            ..Counters::default()
        };
        let mut snapshot = Snapshot {
            processes: 0,
            unreadable: 0,
            contexts: vec![],
            errors: vec![],
        };
        snapshot.add(Process {
            pid: 7,
            command: "evil\x1b[2J".to_string(),
            started: 1,
            device_files: 1,
            contexts: vec![(0x1000, Some(counters)), (0x2000, None)],
        });
        snapshot
    }

    #[test]
    fn shows_contexts() {
        let text = anstream::adapter::strip_str(&render(&snapshot_of(5), false, None)).to_string();
        assert!(text.contains("evil\\u{1b}[2J"), "{text}");
        assert!(
            text.contains("0x1000   127         1      1       0          5"),
            "{text}"
        );
        assert!(text.ends_with("2 contexts of 1 process\n"), "{text}");
    }

    #[test]
    fn says_what_is_not_shown() {
        let text = render(&snapshot_of(5), false, Some(1));
        assert!(text.contains("1 not shown"), "{text}");
    }

    #[test]
    fn rates_are_of_the_same_context() {
        let last = snapshot_of(10).counters();
        let mut now = snapshot_of(40);
        now.compare(&last, 2.0);
        assert_eq!(now.contexts[0].rates.unwrap().completed, 15.0);
        assert!(now.contexts[1].rates.is_none());
        // Another process with the same pid.
        let mut other = snapshot_of(40);
        other.contexts[0].started = 2;
        other.compare(&last, 2.0);
        assert!(other.contexts[0].rates.is_none());
    }

    #[test]
    fn json_has_the_counters() {
        let json = serde_json::to_value(snapshot_of(5)).unwrap();
        assert_eq!(json["contexts"][0]["completed"], 5);
        assert_eq!(json["contexts"][0]["context"], "0x1000");
        assert!(json["contexts"][1].get("completed").is_none());
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(count(9_999_999), "9999999");
        assert_eq!(count(12_345_678), "12.3M");
        assert_eq!(rate(0.25), "0.2");
        assert_eq!(rate(1234.4), "1234");
    }
}
