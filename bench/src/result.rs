// SPDX-License-Identifier: GPL-2.0

//! The results of a benchmark: what was measured, and on what.

use crate::args::Args;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, io, path::Path};

/// One run; counts are for one operation.
#[derive(Serialize, Deserialize, Clone, Default, Debug)]
pub struct Run {
    pub engine: String,
    pub workload: String,
    pub op: String,
    pub depth: usize,
    pub parked: usize,
    pub contexts: usize,
    #[serde(default)]
    pub threads: usize,
    #[serde(default)]
    pub shared: bool,
    /// Of the guest
    #[serde(default)]
    pub cpus: usize,
    pub ops: usize,
    /// As often all was done, and counted
    #[serde(default)]
    pub repetitions: usize,
    pub total: f64,
    pub submit: f64,
    pub reap: f64,
    /// In interrupts, which are then not in submit and reap
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupts: Option<f64>,
    /// Instructions that lock the bus
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// Accesses to a line that another CPU has, and one of both writes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<f64>,
    pub voluntary_switches: i64,
    #[serde(default)]
    pub involuntary_switches: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Calls>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold: Option<Cold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

/// What the model of caches and branches says, see bench/plugin/model.c.
#[derive(Serialize, Deserialize, Clone, Default, Debug)]
pub struct Model {
    /// Lines that L1i, and L1d, did not have
    pub code: f64,
    pub data: f64,
    /// Those of both that L2 did not have either
    pub l2: f64,
    /// Branches that were predicted wrong
    pub wrong: f64,
    /// An estimate, by [`CYCLES`]
    pub cycles: f64,
}

/// The weights of the estimate, in the middle of what is said of the processors of today: a core
/// that does 4 instructions in a cycle while it does not wait.
pub const CYCLES: Cycles = Cycles {
    instruction: 0.25,
    locked: 17.0,
    l1: 10.0,
    l2: 30.0,
    wrong: 15.0,
};

/// Cycles that each of these takes.
pub struct Cycles {
    pub instruction: f64,
    pub locked: f64,
    pub l1: f64,
    pub l2: f64,
    pub wrong: f64,
}

/// The parts of all calls that [`Calls`] has.
pub const QUANTILES: [f64; 13] = [
    0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0,
];

/// Nanoseconds of the guest's clock that calls of submit took.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Calls {
    pub count: usize,
    /// As [`QUANTILES`]
    pub ns: Vec<f64>,
}

/// Of reads that are not in the page cache.
#[derive(Serialize, Deserialize, Clone, Default, Debug)]
pub struct Cold {
    pub per_second: f64,
    /// Of what the device can do, if that was said
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_device: Option<f64>,
    /// Switches in submit
    pub voluntary: i64,
    pub involuntary: i64,
    /// The most threads that were seen to work for the program, and those that were busy
    pub threads: usize,
    pub busy: usize,
}

/// Bytes.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Memory {
    /// What is mapped of a context
    pub ring: f64,
    /// And what it takes beside that
    pub context: f64,
    /// And what each request in flight does
    pub request: f64,
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
pub const ENGINES: [&str; 8] = [
    "sync",
    "native",
    "uring",
    "uring-fixed",
    "raio",
    "raio-enter",
    "raio-fixed",
    "libraio",
];

/// To one decimal.
pub fn round(count: f64) -> f64 {
    (count * 10.0).round() / 10.0
}

impl Run {
    /// Nothing was measured yet.
    pub fn of(args: &Args, ops: usize, repetitions: usize) -> Self {
        Self {
            engine: args.engine.text(),
            workload: args.workload.clone(),
            op: args.op.clone(),
            depth: args.depth,
            parked: args.parked,
            contexts: args.contexts,
            threads: args.threads,
            shared: args.shared,
            // SAFETY: It has no addresses.
            cpus: unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) } as usize,
            ops,
            repetitions,
            ..Self::default()
        }
    }

    /// The name of what was done, whatever the number of it at once.
    pub fn group(&self) -> String {
        format!("{} {}", self.workload, self.op)
    }

    /// Whether there was more at once than one context with what it works on.
    pub fn is_crowded(&self) -> bool {
        self.parked > 0 || self.contexts > 1 || self.threads > 1
    }

    /// What all engines did alike.
    pub fn row(&self) -> String {
        let what = match &*self.workload {
            "context" => "events",
            _ => "in flight",
        };
        let mut row = format!("{}, {} {what}", self.group(), self.depth);
        if self.parked > 0 {
            row += &format!(" and {} more", self.parked);
        }
        if self.contexts > 1 {
            row += &format!(", {} contexts", self.contexts);
        }
        if self.threads > 0 {
            row += match (self.threads, self.shared) {
                (1, _) => ", 1 thread of 2",
                (_, true) => ", 2 threads, one context",
                (_, false) => ", 2 threads, a context each",
            };
        }
        row
    }
}

/// The lines that runs have printed.
fn runs_of(path: &Path) -> io::Result<Vec<Run>> {
    fs::read_to_string(path)?
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

impl Results {
    /// Of the lines that runs have printed, and those of the plugin if it was loaded.
    pub fn of_lines(
        path: &Path,
        counts: Option<&Path>,
        kernel: String,
        commit: String,
    ) -> io::Result<Self> {
        let mut runs = runs_of(path)?;
        if runs.is_empty() {
            return Err(io::Error::other("no results"));
        }
        if let Some(counts) = counts {
            take_counts(&mut runs, &fs::read_to_string(counts)?)?;
        }
        Ok(Self {
            kernel,
            commit,
            command: "make bench".to_owned(),
            runs,
        })
    }

    /// Adds what the plugin has counted of lines that go from CPU to CPU, while runs of the same
    /// printed the lines of `path`.
    pub fn add_moved(&mut self, path: &Path, counts: &Path) -> io::Result<()> {
        let counts = fs::read_to_string(counts)?;
        let mut counts = counts.lines().map(|count| count.parse::<u64>());
        for run in runs_of(path)? {
            let mut least = u64::MAX;
            for _ in 0..run.repetitions {
                match counts.next() {
                    Some(Ok(count)) => least = least.min(count),
                    _ => return Err(io::Error::other("too few counts of lines")),
                }
            }
            let same = |other: &&mut Run| other.row() == run.row() && other.engine == run.engine;
            if let Some(same) = self.runs.iter_mut().find(same) {
                let each = least as f64 / run.ops as f64;
                same.moved = Some((each * 100.0).round() / 100.0);
            }
        }
        Ok(())
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

    pub fn run(&self, row: &str, engine: &str) -> Option<&Run> {
        let run = |run: &&Run| run.row() == row && run.engine == engine;
        self.runs.iter().find(run)
    }

    /// The same with no more at once than it works on.
    pub fn alone(&self, run: &Run) -> Option<&Run> {
        let same = |other: &&Run| {
            (&other.engine, &other.workload, &other.op, other.depth)
                == (&run.engine, &run.workload, &run.op, run.depth)
                && other.cpus == run.cpus
                && !other.is_crowded()
        };
        self.runs.iter().find(same)
    }

    /// The instructions of an engine in a row.
    pub fn total(&self, row: &str, engine: &str) -> Option<f64> {
        let costs = |run: &&Run| run.memory.is_none();
        self.run(row, engine).filter(costs).map(|run| run.total)
    }

    /// What is compared with in a row: native aio, or io_uring where that can't do the same.
    fn base(&self, row: &str) -> Option<(&'static str, f64)> {
        let of = |engine| Some((engine, self.total(row, engine)?));
        of("native").or_else(|| of("uring"))
    }

    /// What raio costs of what is compared with: by row and engine.
    pub fn ratios(&self) -> Ratios {
        let mut ratios = Ratios::new();
        for row in self.rows() {
            let Some((_, base)) = self.base(&row) else {
                continue;
            };
            for engine in ["raio", "raio-enter", "libraio"] {
                if let Some(total) = self.total(&row, engine) {
                    let ratio = (total / base * 1000.0).round() / 1000.0;
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

/// Puts in what the plugin has counted: a line for each repetition, in the order of the runs.
fn take_counts(runs: &mut [Run], counts: &str) -> io::Result<()> {
    let mut lines = counts.lines();
    for run in runs {
        let mut least: Option<Vec<u64>> = None;
        for _ in 0..run.repetitions {
            let words = lines.next().unwrap_or_default().split(' ');
            let count: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
            if count.len() < COUNTS {
                return Err(io::Error::other("too few counts"));
            }
            if least.as_ref().is_none_or(|least| count[0] < least[0]) {
                least = Some(count);
            }
        }
        if let Some(count) = least {
            run.take(
                count
                    .iter()
                    .map(|&count| count as f64 / run.ops as f64)
                    .collect(),
            );
        }
    }
    match lines.next() {
        Some(_) => Err(io::Error::other("more counts than runs")),
        None => Ok(()),
    }
}

/// What the plugin counts without its model.
const COUNTS: usize = 5;

impl Run {
    /// Takes what the plugin has counted for an operation.
    fn take(&mut self, counts: Vec<f64>) {
        self.total = round(counts[0]);
        // Of several CPUs each may be in another part.
        if self.cpus == 1 {
            (self.submit, self.reap) = (round(counts[1]), round(counts[2]));
            self.interrupts = Some(round(counts[3]));
        }
        let locked = counts[4];
        self.locked = Some((locked * 100.0).round() / 100.0);
        if let [code, data, l2, wrong] = counts[COUNTS..] {
            let cycles = counts[0] * CYCLES.instruction
                + locked * CYCLES.locked
                + (code + data) * CYCLES.l1
                + l2 * CYCLES.l2
                + wrong * CYCLES.wrong;
            let [code, data, l2, wrong, cycles] = [code, data, l2, wrong, cycles].map(round);
            self.model = Some(Model {
                code,
                data,
                l2,
                wrong,
                cycles,
            });
        }
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
        let base = results.base(row).map_or("nothing", |(engine, _)| engine);
        for (engine, &then) in engines {
            number += 1;
            let now = now.get(row).and_then(|engines| engines.get(engine));
            let ok = now.is_some_and(|&now| now <= then * TOLERANCE);
            good &= ok;
            let now = now.map_or("nothing".to_owned(), |now| format!("{now:.3}"));
            println!("# {now} of {base}, recorded: {then:.3}");
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
