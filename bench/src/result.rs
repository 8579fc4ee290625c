// SPDX-License-Identifier: GPL-2.0

//! The results of a benchmark: what was measured, and on what.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, io, path::Path};

/// One run; counts are for one operation.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Run {
    pub engine: String,
    pub workload: String,
    pub op: String,
    pub depth: usize,
    pub parked: usize,
    pub contexts: usize,
    pub ops: usize,
    pub total: f64,
    pub submit: f64,
    pub reap: f64,
    pub voluntary_switches: i64,
}

/// A whole benchmark.
#[derive(Serialize, Deserialize, Debug)]
pub struct Results {
    /// The guest's kernel.
    pub kernel: String,
    /// What was measured, as git describes it.
    pub commit: String,
    pub command: String,
    pub runs: Vec<Run>,
}

/// The order of columns and bars.
pub const ENGINES: [&str; 7] = [
    "sync",
    "native",
    "uring",
    "uring-fixed",
    "raio",
    "raio-enter",
    "libraio",
];

impl Run {
    /// What all engines did alike.
    pub fn row(&self) -> String {
        let mut row = format!("{} {}, {} in flight", self.workload, self.op, self.depth);
        if self.parked > 0 {
            row += &format!(" and {} more", self.parked);
        }
        if self.contexts > 1 {
            row += &format!(", {} contexts", self.contexts);
        }
        row
    }
}

impl Results {
    /// Of the lines that runs have printed.
    pub fn of_lines(path: &Path, kernel: String, commit: String) -> io::Result<Self> {
        let runs = fs::read_to_string(path)?
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect::<io::Result<Vec<Run>>>()?;
        if runs.is_empty() {
            return Err(io::Error::other("no results"));
        }
        Ok(Self {
            kernel,
            commit,
            command: "make bench".to_owned(),
            runs,
        })
    }

    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
    }

    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
    }

    /// The rows, in the order of the runs.
    pub fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for run in &self.runs {
            if !rows.contains(&run.row()) {
                rows.push(run.row());
            }
        }
        rows
    }

    /// The figure of an engine in a row.
    pub fn total(&self, row: &str, engine: &str) -> Option<f64> {
        let run = |run: &&Run| run.row() == row && run.engine == engine;
        self.runs.iter().find(run).map(|run| run.total)
    }

    /// A table in Markdown.
    pub fn table(&self) -> String {
        let mut table = format!("| | {} |\n|---|", ENGINES.join(" | "));
        table += &"---|".repeat(ENGINES.len());
        table += "\n";
        for row in self.rows() {
            let cells = ENGINES.map(|engine| {
                self.total(&row, engine)
                    .map_or(String::new(), |total| format!("{total:.0}"))
            });
            table += &format!("| {row} | {} |\n", cells.join(" | "));
        }
        table
    }

    /// What raio costs of what native aio does: by row and engine.
    pub fn ratios(&self) -> Ratios {
        let mut ratios = Ratios::new();
        for row in self.rows() {
            let Some(native) = self.total(&row, "native") else {
                continue;
            };
            for engine in ["raio", "raio-enter", "libraio"] {
                if let Some(total) = self.total(&row, engine) {
                    let ratio = (total / native * 1000.0).round() / 1000.0;
                    ratios
                        .entry(row.clone())
                        .or_default()
                        .insert(engine.to_owned(), ratio);
                }
            }
        }
        ratios
    }
}

/// By row and engine.
pub type Ratios = BTreeMap<String, BTreeMap<String, f64>>;

/// More than that over what is recorded is a failure.
const TOLERANCE: f64 = 1.03;

/// Compares with what is recorded, as KTAP; false if anything has grown too much, or is missing.
pub fn check(results: &Results, recorded: &Ratios) -> bool {
    let now = results.ratios();
    let mut good = true;
    println!(
        "KTAP version 1\n1..{}",
        recorded.values().map(BTreeMap::len).sum::<usize>()
    );
    let mut number = 0;
    for (row, engines) in recorded {
        for (engine, &then) in engines {
            number += 1;
            let now = now.get(row).and_then(|engines| engines.get(engine));
            let ok = now.is_some_and(|&now| now <= then * TOLERANCE);
            good &= ok;
            let now = now.map_or("nothing".to_owned(), |now| format!("{now:.3}"));
            println!("# {now} of native aio, recorded: {then:.3}");
            println!(
                "{}ok {number} {row}: {engine}",
                if ok { "" } else { "not " }
            );
        }
    }
    good
}

/// Sets two results side by side.
pub fn compare(one: &Results, other: &Results) {
    println!(
        "{} ({})\n{} ({})",
        one.commit, one.kernel, other.commit, other.kernel
    );
    for row in one.rows() {
        for engine in ENGINES {
            if let (Some(then), Some(now)) = (one.total(&row, engine), other.total(&row, engine)) {
                let change = (now / then - 1.0) * 100.0;
                println!("{row:45} {engine:12} {then:9.0} {now:9.0} {change:+7.1} %");
            }
        }
    }
}
