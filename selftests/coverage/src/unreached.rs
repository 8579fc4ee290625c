// SPDX-License-Identifier: GPL-2.0

//! selftests/coverage/unreached: why lines are not reached.

use anyhow::{bail, Context, Result};

pub(crate) struct Entry {
    pub(crate) file: String,
    pub(crate) function: String,
    /// How many of the function's lines, at most.
    pub(crate) lines: usize,
    pub(crate) reason: String,
}

/// A reason begins its line; what is indented below it is FILE FUNCTION LINES.
pub(crate) fn parse(text: &str) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut reason = None;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            reason = Some(line);
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(reason), [file, function, lines]) = (reason, &words[..]) else {
            bail!(
                "unreached, line {}: FILE FUNCTION LINES, below a reason",
                number + 1
            );
        };
        entries.push(Entry {
            file: (*file).to_owned(),
            function: (*function).to_owned(),
            lines: lines
                .parse()
                .with_context(|| format!("unreached, line {}", number + 1))?,
            reason: reason.to_owned(),
        });
    }
    Ok(entries)
}
