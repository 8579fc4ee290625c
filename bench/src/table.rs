// SPDX-License-Identifier: GPL-2.0

//! The results as tables in Markdown.

use crate::result::{Results, Run, CYCLES, ENGINES, QUANTILES};

/// Of which engine to which the instructions are set in proportion.
const RATIOS: [(&str, &str); 5] = [
    ("raio", "native"),
    ("libraio", "native"),
    ("raio-enter", "uring"),
    ("libraio", "uring"),
    ("raio-fixed", "uring-fixed"),
];

/// A heading, a line that says what the figures are, and a table.
pub struct Table {
    pub text: String,
    columns: usize,
    rows: usize,
}

impl Table {
    pub fn new(title: &str, what: &str, columns: &[&str]) -> Self {
        let rule = "---|".repeat(columns.len());
        Self {
            text: format!(
                "### {title}\n\n{what}\n\n| {} |\n|{rule}\n",
                columns.join(" | ")
            ),
            columns: columns.len(),
            rows: 0,
        }
    }

    pub fn row(&mut self, cells: &[String]) {
        assert_eq!(cells.len(), self.columns);
        self.rows += 1;
        self.text += &format!("| {} |\n", cells.join(" | "));
    }
}

fn number(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn cell<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or(String::new(), text)
}

/// What was at once, without the name of the workload.
fn how_many(row: &str, group: &str) -> String {
    row[group.len()..].trim_start_matches(", ").to_owned()
}

impl Results {
    pub fn tables(&self) -> String {
        [
            self.totals(),
            self.growth(),
            self.parts(),
            self.model(),
            self.moved(),
            self.latencies(),
            self.cold(),
            self.memory(),
        ]
        .into_iter()
        .filter(|table| table.rows > 0)
        .map(|table| table.text)
        .collect::<Vec<_>>()
        .join("\n")
    }

    fn totals(&self) -> Table {
        let ratios = RATIOS.map(|(one, other)| format!("{one} / {other}"));
        let columns = ["", ""].into_iter().chain(ENGINES);
        let columns: Vec<_> = columns.chain(ratios.iter().map(String::as_str)).collect();
        let mut table = Table::new(
            "Instructions for an operation",
            "User and kernel.",
            &columns,
        );
        let mut last = String::new();
        for row in self.rows() {
            let Some(run) = self.runs.iter().find(|run| run.row() == row) else {
                continue;
            };
            if run.memory.is_some() || run.is_crowded() || run.threads > 0 {
                continue;
            }
            let group = run.group();
            let name = if group == last {
                String::new()
            } else {
                group.clone()
            };
            let mut cells = vec![name, how_many(&row, &group)];
            cells.extend(ENGINES.map(|engine| cell(self.total(&row, engine), number)));
            cells.extend(RATIOS.map(|(one, other)| {
                let ratio = self.total(&row, one).zip(self.total(&row, other));
                cell(ratio, |(one, other)| format!("{:.2}", one / other))
            }));
            table.row(&cells);
            last = group;
        }
        table
    }

    fn growth(&self) -> Table {
        let mut table = Table::new(
            "What more at once changes",
            "Instructions for an operation, and their proportion to those with nothing else in \
             flight, one context and one thread.",
            &["", "engine", "instructions", "proportion"],
        );
        for run in self
            .runs
            .iter()
            .filter(|run| run.memory.is_none() && run.is_crowded())
        {
            let proportion = self.alone(run).map(|alone| run.total / alone.total);
            table.row(&[
                run.row(),
                run.engine.clone(),
                number(run.total.round()),
                cell(proportion, |proportion| format!("{proportion:.3}")),
            ]);
        }
        table
    }

    fn parts(&self) -> Table {
        let mut table = Table::new(
            "Where they are spent",
            "For an operation: in the call that submits, from there until all results are there, \
             in interrupts during both; and instructions that lock the bus. What submits and waits \
             in one call is all in the first.",
            &[
                "",
                "",
                "engine",
                "submit",
                "reap",
                "interrupts",
                "locked",
                "switches",
            ],
        );
        let mut last = (String::new(), String::new());
        for run in self
            .runs
            .iter()
            .filter(|run| run.interrupts.is_some() && !run.is_crowded())
        {
            let group = run.group();
            let now = (group.clone(), how_many(&run.row(), &group));
            let name = |now: &String, last: &String, new| match new || now != last {
                true => now.clone(),
                false => String::new(),
            };
            let new = now.0 != last.0;
            table.row(&[
                name(&now.0, &last.0, false),
                name(&now.1, &last.1, new),
                run.engine.clone(),
                number(run.submit.round()),
                number(run.reap.round()),
                cell(run.interrupts, |count| number(count.round())),
                cell(run.locked, |count| format!("{count:.1}")),
                format!("{:.2}", run.voluntary_switches as f64 / run.ops as f64),
            ]);
            last = now;
        }
        table
    }

    fn model(&self) -> Table {
        let mut table = Table::new(
            "What instructions do not say",
            &format!(
                "For an operation, by a model of caches (L1 32 KiB, 8 ways, each for code and \
                 data; L2 1 MiB, 16 ways; lines of 64 bytes) and of branch prediction (gshare): \
                 lines that an L1 and L2 did not have, and branches that were predicted wrong. The \
                 cycles are an estimate: {} for an instruction and {} more for one that locks the \
                 bus, {} for a line from L2, {} more from beyond, {} for a wrong branch.",
                CYCLES.instruction, CYCLES.locked, CYCLES.l1, CYCLES.l2, CYCLES.wrong
            ),
            &[
                "", "engine", "L1i", "L1d", "L2", "branches", "locked", "cycles", "/ native",
                "/ uring",
            ],
        );
        for run in self.runs.iter().filter(|run| run.cpus == 1) {
            let Some(model) = &run.model else {
                continue;
            };
            let to = |engine| {
                let other = self.run(&run.row(), engine)?.model.as_ref()?;
                (run.engine != engine).then(|| model.cycles / other.cycles)
            };
            let uring = match run.engine.ends_with("-fixed") {
                true => "uring-fixed",
                false => "uring",
            };
            table.row(&[
                run.row(),
                run.engine.clone(),
                number(model.code),
                number(model.data),
                number(model.l2),
                number(model.wrong),
                cell(run.locked, |count| format!("{count:.1}")),
                number(model.cycles.round()),
                cell(to("native"), |ratio| format!("{ratio:.2}")),
                cell(to(uring), |ratio| format!("{ratio:.2}")),
            ]);
        }
        table
    }

    fn moved(&self) -> Table {
        let mut table = Table::new(
            "Lines that go from CPU to CPU",
            "For an operation, while both CPUs run at the same time: accesses to a line that the \
             other CPU has, and one of both writes. Beside those of the threads there are those of \
             the kernel's timers and its scheduler; with one thread of two there are no others.",
            &["", "engine", "lines"],
        );
        for run in &self.runs {
            if let Some(moved) = run.moved {
                table.row(&[run.row(), run.engine.clone(), format!("{moved:.2}")]);
            }
        }
        table
    }

    fn latencies(&self) -> Table {
        let at = |part: f64| QUANTILES.iter().position(|&quantile| quantile == part);
        let mut table = Table::new(
            "The call that submits",
            "Nanoseconds of the guest's clock, which are instructions while it does not wait; \
             for one request, and for cold reads as many as were over.",
            &["", "engine", "calls", "p50", "p99", "p99.9", "most"],
        );
        for run in self.submitters() {
            let Some(calls) = &run.calls else {
                continue;
            };
            let ns = |part| cell(at(part).and_then(|i| calls.ns.get(i)), |ns| number(*ns));
            table.row(&[
                run.row(),
                run.engine.clone(),
                calls.count.to_string(),
                ns(0.5),
                ns(0.99),
                ns(0.999),
                ns(1.0),
            ]);
        }
        table
    }

    /// Runs whose calls of submit can be set side by side.
    pub fn submitters(&self) -> impl Iterator<Item = &Run> {
        let alone = |run: &&Run| run.depth == 1 && !["sync", "raio-enter"].contains(&&*run.engine);
        self.runs
            .iter()
            .filter(move |run| run.calls.is_some() && (alone(run) || run.cold.is_some()))
    }

    fn cold(&self) -> Table {
        let mut table = Table::new(
            "Reads that are not in the page cache",
            "4 KiB each, at random. Reads in a second of the guest's clock, by which an \
             instruction takes a nanosecond, and their part of what the device can do; switches \
             of the submitter in all calls of submit; the most threads that were seen to work for \
             it, and to be busy.",
            &[
                "",
                "engine",
                "instructions",
                "reads in a second",
                "of the device",
                "voluntary",
                "involuntary",
                "threads",
                "busy",
            ],
        );
        for run in &self.runs {
            let Some(cold) = &run.cold else {
                continue;
            };
            table.row(&[
                run.row(),
                run.engine.clone(),
                number(run.total.round()),
                number(cold.per_second),
                cell(cold.of_device, |part| format!("{part:.3}")),
                cold.voluntary.to_string(),
                cold.involuntary.to_string(),
                cold.threads.to_string(),
                cold.busy.to_string(),
            ]);
        }
        table
    }

    fn memory(&self) -> Table {
        let mut table = Table::new(
            "Memory",
            "Bytes of a context of 128 events: its ring, what it takes beside that, and each \
             request in flight.",
            &["engine", "ring", "context", "request"],
        );
        for run in &self.runs {
            if let Some(memory) = &run.memory {
                table.row(&[
                    run.engine.clone(),
                    number(memory.ring),
                    number(memory.context),
                    number(memory.request),
                ]);
            }
        }
        table
    }
}
