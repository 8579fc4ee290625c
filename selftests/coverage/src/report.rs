// SPDX-License-Identifier: GPL-2.0

//! What is printed.

use crate::{source::Source, unreached::Entry, Files};
use anyhow::Result;
use std::{collections::BTreeMap, path::Path};

pub(crate) fn print(files: &Files, top: &Path, reasons: &[Entry]) -> Result<()> {
    println!("{:>6} {:>6} {:>6}", "lines", "ran", "%");
    let (mut all, mut all_ran) = (0, 0);
    for (name, lines) in files {
        let ran = lines.values().filter(|ran| **ran).count();
        row(lines.len(), ran, name);
        all += lines.len();
        all_ran += ran;
    }
    row(all, all_ran, "all");

    let mut with = Vec::new();
    let mut without = Vec::new();
    let mut missing = 0;
    let mut used = vec![false; reasons.len()];
    for (name, lines) in files {
        let source = Source::read(top, name)?;
        let mut functions: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (line, _) in lines.iter().filter(|(_, ran)| !**ran) {
            let function = source.function(*line).unwrap_or_default();
            functions.entry(function).or_default().push(*line);
        }
        for (function, lines) in functions {
            let whole = format!("{name} {function}: {}", ranges(&lines));
            let entry = reasons
                .iter()
                .position(|entry| entry.file == *name && entry.function == function);
            if let Some(index) = entry {
                used[index] = true;
                if lines.len() <= reasons[index].lines {
                    with.push(format!("{whole}\n    {}", reasons[index].reason));
                    continue;
                }
            }
            missing += lines.len();
            let more = entry.map_or(String::new(), |index| {
                format!(" ({}, and not {})", lines.len(), reasons[index].lines)
            });
            let text = lines
                .iter()
                .map(|line| format!("\n    {line:4}  {}", source.text(*line)));
            without.push(format!("{whole}{more}{}", text.collect::<String>()));
        }
    }
    section("Not reached, and why:", &with);
    section("Not reached, without a reason:", &without);
    let reached: Vec<String> = (reasons.iter().zip(used))
        .filter(|(_, used)| !used)
        .map(|(entry, _)| format!("{} {}", entry.file, entry.function))
        .collect();
    section(
        "Reached, or not there, although there is a reason:",
        &reached,
    );
    println!(
        "\n{} lines were not reached, {missing} of them without a reason",
        all - all_ran
    );
    Ok(())
}

fn row(lines: usize, ran: usize, name: &str) {
    let percent = 100.0 * ran as f64 / lines.max(1) as f64;
    println!("{lines:6} {ran:6} {percent:6.1}  {name}");
}

fn section(title: &str, entries: &[String]) {
    if !entries.is_empty() {
        println!("\n{title}\n\n{}", entries.join("\n"));
    }
}

/// `3, 5-7`
fn ranges(lines: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *line => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let texts = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    texts.collect::<Vec<_>>().join(", ")
}
