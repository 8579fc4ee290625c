// SPDX-License-Identifier: GPL-2.0

//! What a program sees: fio's own figures, of its runs on native aio, raio and io_uring.

use crate::{plot, table::Table};
use serde_json::Value;
use std::{collections::BTreeMap, error::Error, fs, path::Path};

/// As bench/guest-fio names them.
const ENGINES: [&str; 4] = ["native", "uring", "uring-fixed", "libraio"];
const OPS: [&str; 3] = ["randread", "randwrite", "randrw"];

/// Of one depth: requests in a second of the guest's clock, and nanoseconds until the last of the
/// median, 99 % and 99.9 % of them is over.
#[derive(Clone, Copy)]
struct Job {
    rate: f64,
    latencies: [f64; 3],
}

/// By depth.
type Jobs = BTreeMap<u32, Job>;
/// By place and operation, and engine.
type Runs = BTreeMap<(String, usize), BTreeMap<&'static str, Jobs>>;

/// Makes a table and plots of the files in `dir`, in `out`.
pub fn report(dir: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut runs = Runs::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let Some((place, op, engine)) = parts(&name) else {
            continue;
        };
        let jobs = read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        runs.entry((place, op)).or_default().insert(engine, jobs);
    }
    if runs.is_empty() {
        return Err(format!("{}: no results of fio", dir.display()).into());
    }
    fs::create_dir_all(out)?;
    let text = format!("{}\n{}", rates(&runs).text, latencies(&runs).text);
    fs::write(out.join("fio.md"), &text)?;
    print!("{text}");
    for ((place, op), engines) in &runs {
        let lines = ENGINES.map(|engine| {
            let jobs = engines.get(engine).into_iter().flatten();
            let points = jobs.map(|(&depth, job)| (f64::from(depth), job.rate));
            (engine, points.collect())
        });
        let title = format!("fio, {} of 4 KiB, {place}", OPS[*op]);
        let path = out.join(format!("fio-{place}-{}.svg", OPS[*op]));
        plot::rates(&title, &lines, &path)?;
    }
    Ok(())
}

/// PLACE-OP-ENGINE, where PLACE and ENGINE may have a hyphen.
fn parts(name: &str) -> Option<(String, usize, &'static str)> {
    // The longest first.
    let engine = ENGINES
        .into_iter()
        .rev()
        .find(|engine| name.ends_with(&format!("-{engine}")))?;
    let rest = name.strip_suffix(engine)?.strip_suffix('-')?;
    let op = OPS
        .iter()
        .position(|op| rest.ends_with(&format!("-{op}")))?;
    let place = rest.strip_suffix(OPS[op])?.strip_suffix('-')?;
    Some((place.to_owned(), op, engine))
}

/// The jobs whose names are their depths.
fn read(path: &Path) -> Result<Jobs, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    // Notes of fio's come before it.
    let json: Value = serde_json::from_str(&text[text.find('{').ok_or("no JSON")?..])?;
    let mut jobs = Jobs::new();
    for job in json["jobs"].as_array().ok_or("no jobs")? {
        let Some(depth) = job["jobname"].as_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if job["error"].as_i64() != Some(0) {
            return Err(format!("depth {depth}: error {}", job["error"]).into());
        }
        let number = |value: &Value| value.as_f64().unwrap_or(0.0);
        let (reads, writes) = (&job["read"], &job["write"]);
        let total = |of: &Value| number(&of["total_ios"]);
        // Of both, that of which there is more: fio has no sum.
        let most = if total(reads) >= total(writes) {
            reads
        } else {
            writes
        };
        let percentile = &most["clat_ns"]["percentile"];
        jobs.insert(
            depth,
            Job {
                rate: number(&reads["iops"]) + number(&writes["iops"]),
                latencies: ["50.000000", "99.000000", "99.900000"]
                    .map(|part| number(&percentile[part])),
            },
        );
    }
    Ok(jobs)
}

/// Each place, operation and depth, with what `cells` makes of its jobs.
fn rows(runs: &Runs, table: &mut Table, cells: impl Fn([Option<Job>; 4]) -> Vec<String>) {
    for ((place, op), engines) in runs {
        let mut depths: Vec<u32> = engines
            .values()
            .flat_map(|jobs| jobs.keys().copied())
            .collect();
        depths.sort_unstable();
        depths.dedup();
        for depth in depths {
            let jobs = ENGINES.map(|engine| engines.get(engine)?.get(&depth).copied());
            let mut row = vec![format!("{place} {}", OPS[*op]), depth.to_string()];
            row.extend(cells(jobs));
            table.row(&row);
        }
    }
}

fn rates(runs: &Runs) -> Table {
    let columns = ["", "depth"].into_iter().chain(ENGINES);
    let columns: Vec<_> = columns
        .chain([
            "libraio / native",
            "libraio / uring",
            "libraio / uring-fixed",
        ])
        .collect();
    let mut table = Table::new(
        "Requests of fio in a second",
        "Of the guest's clock, by which an instruction takes a nanosecond.",
        &columns,
    );
    rows(runs, &mut table, |jobs| {
        let rates = jobs.map(|job| job.map(|job| job.rate));
        let number = |rate: Option<f64>| rate.map_or(String::new(), |rate| format!("{rate:.0}"));
        let mut cells: Vec<_> = rates.iter().copied().map(number).collect();
        for other in 0..3 {
            let ratio = rates[3].zip(rates[other]).map(|(one, other)| one / other);
            cells.push(ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
        }
        cells
    });
    table
}

fn latencies(runs: &Runs) -> Table {
    let columns = ["", "depth"].into_iter().chain(ENGINES);
    let mut table = Table::new(
        "How long they take",
        "Microseconds of the guest's clock from submission to completion, as fio sees it: of the \
         median, 99 % and 99.9 %.",
        &columns.collect::<Vec<_>>(),
    );
    rows(runs, &mut table, |jobs| {
        let text = |job: Job| {
            let us = job.latencies.map(|ns| format!("{:.1}", ns / 1000.0));
            us.join(" / ")
        };
        jobs.map(|job| job.map_or(String::new(), text)).to_vec()
    });
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_three_parts() {
        assert_eq!(
            parts("null_blk-timer-randread-uring-fixed"),
            Some(("null_blk-timer".to_owned(), 0, "uring-fixed"))
        );
        assert_eq!(parts("a-randrw-uring"), Some(("a".to_owned(), 2, "uring")));
        assert_eq!(parts("a-randrw-other"), None);
    }
}
