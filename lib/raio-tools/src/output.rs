// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the commands speak: names, numbers, tables, and standard output.

use anstyle::Style;
use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
    path::Path,
};
use unicode_width::UnicodeWidthStr;

/// A heading.
pub const HEADING: Style = Style::new().bold().underline();
/// What is good, doubtful, or bad.
pub const GOOD: Style = anstyle::AnsiColor::Green.on_default();
/// What one may want to look at.
pub const WARN: Style = anstyle::AnsiColor::Yellow.on_default();
/// What failed.
pub const BAD: Style = anstyle::AnsiColor::Red.on_default();
/// What matters less.
pub const DIM: Style = Style::new().dimmed();

/// A file's name in a message: in quotes, and nothing in it reaches the terminal as a command.
pub struct Quoted<'a>(pub &'a Path);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        for chunk in self.0.as_os_str().as_encoded_bytes().utf8_chunks() {
            f.write_str(&printable(chunk.valid()))?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_char('\'')
    }
}

/// The text without control characters: as `\n`, `\u{1b}`.
pub fn printable(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, char| {
        // Bidirectional overrides and the like are no control characters, but as bad.
        let hidden = matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match char {
            '\\' => out.push_str("\\\\"),
            _ if char.is_control() || hidden => out.extend(char.escape_default()),
            _ => out.push(char),
        }
        out
    })
}

/// An error's text without the number that Rust adds to it.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) if error.raw_os_error().is_some() => text[..end].to_string(),
        _ => text,
    }
}

/// A number of things.
pub fn plural(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// How a column's cells stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table with columns as wide as their widest cell.
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
    /// What is before each line.
    pub indent: usize,
}

/// A cell and its colour.
pub struct Cell(String, Style);

impl Cell {
    /// A cell in that colour.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self(text.into(), style)
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(text.into(), Style::new())
    }
}

impl Table {
    /// A table with that heading.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
            indent: 0,
        }
    }

    /// Adds a row, of as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<Cell>) {
        assert_eq!(cells.len(), self.columns.len(), "cells of a row");
        self.rows.push(cells);
    }

    /// How many rows there are, without the heading.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Leaves out all rows but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
    }

    /// The lines, with colours in them, which [`print()`] leaves out where they don't belong.
    pub fn render(&self) -> String {
        let width = |index: usize| {
            let cells = self.rows.iter().map(|row| row[index].0.width());
            let heading = self.columns[index].0.width();
            cells.chain([heading]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut out = String::new();
        let mut line = |cells: &mut dyn Iterator<Item = (&str, Style)>| {
            out.extend(std::iter::repeat_n(' ', self.indent));
            let mut blanks = 0;
            for (index, (text, style)) in cells.enumerate() {
                let fill = widths[index] - text.width();
                let (before, after) = match self.columns[index].1 {
                    Align::Left => (0, fill),
                    Align::Right => (fill, 0),
                };
                // Blanks are written when something follows: no line ends in them.
                if !text.is_empty() {
                    out.extend(std::iter::repeat_n(' ', blanks + before));
                    let _ = write!(out, "{style}{text}{style:#}");
                    blanks = after + 2;
                } else {
                    blanks += fill + 2;
                }
            }
            out.push('\n');
        };
        if self.columns.iter().any(|(heading, _)| !heading.is_empty()) {
            line(&mut self.columns.iter().map(|(heading, _)| (*heading, HEADING)));
        }
        for row in &self.rows {
            line(&mut row.iter().map(|cell| (cell.0.as_str(), cell.1)));
        }
        out
    }
}

/// Writes to standard output; colours only to a terminal that has them.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Clears the terminal that standard output is; whether it has colours doesn't matter.
pub fn clear_screen() -> io::Result<()> {
    io::stdout().write_all(b"\x1b[H\x1b[J")
}

/// Writes to standard error.  There is nobody to tell if that fails.
pub fn complain(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    #[test]
    fn names_are_harmless() {
        let quoted = |bytes| Quoted(Path::new(OsStr::from_bytes(bytes))).to_string();
        assert_eq!(quoted(b"a b"), "'a b'");
        assert_eq!(quoted(b"a\x1b[2Jb\n"), "'a\\u{1b}[2Jb\\n'");
        assert_eq!(quoted(b"\xff\xc3\xa9"), "'\\xff\u{e9}'");
        assert_eq!(quoted("\u{202e}txt".as_bytes()), "'\\u{202e}txt'");
        assert_eq!(quoted(b"a\\n"), "'a\\\\n'");
    }

    #[test]
    fn columns_are_aligned_and_lines_do_not_end_in_blanks() {
        let mut table = Table::new(&[("NAME", Align::Left), ("N", Align::Right)]);
        table.row(vec!["a".into(), "10".into()]);
        table.row(vec!["longer".into(), "".into()]);
        let text = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(text, "NAME     N\na       10\nlonger\n");
    }

    #[test]
    fn reasons_have_no_numbers() {
        assert_eq!(
            reason(&io::Error::from_raw_os_error(13)),
            "Permission denied"
        );
        assert_eq!(reason(&io::Error::other("odd")), "odd");
    }
}
