// SPDX-License-Identifier: MIT OR Apache-2.0

//! A request to a regular file or block device: its ways, and why.

use super::{
    facts::Facts,
    measure::{Counted, Measured, Way},
    why::{why, Ask},
};
use crate::output::reason;
use serde::Serialize;
use std::io;

/// A request of a kind, the first time and the second.
#[derive(Serialize)]
pub struct Line {
    /// What it is.
    pub request: &'static str,
    /// Its way, the first time.
    pub first: Option<Way>,
    /// And after that.
    pub then: Option<Way>,
    /// Why it was the first way.
    pub first_why: Option<String>,
    /// Why it was that way after that.
    pub then_why: Option<String>,
    /// What the context counted, the first time.
    pub first_counted: Option<Counted>,
    /// And after that.
    pub then_counted: Option<Counted>,
    /// What can't be told, and why.
    pub note: Option<String>,
}

impl Line {
    /// Of both measurements.
    pub fn new(
        request: &'static str,
        ask: Ask,
        facts: &Facts,
        first: io::Result<Measured>,
        then: io::Result<Measured>,
    ) -> Self {
        let mut note = None;
        let mut told = |result: io::Result<Measured>| match result {
            Ok(measured) => Some(measured),
            Err(error) => {
                note.get_or_insert(reason(&error));
                None
            }
        };
        let (first, then) = (told(first), told(then));
        let because = |measured: Measured| why(ask, measured.way, facts);
        Self {
            request,
            first: first.map(|measured| measured.way),
            then: then.map(|measured| measured.way),
            first_why: first.map(because),
            then_why: then.map(because),
            first_counted: first.map(|measured| measured.counted),
            then_counted: then.map(|measured| measured.counted),
            note,
        }
    }

    /// Of what could not be measured.
    pub fn note(request: &'static str, note: &str) -> Self {
        Self {
            request,
            first: None,
            then: None,
            first_why: None,
            then_why: None,
            first_counted: None,
            then_counted: None,
            note: Some(note.to_string()),
        }
    }

    /// Why, in lines: one if the ways are alike.
    pub fn reasons(&self) -> Vec<(String, &str)> {
        let (first, then) = (self.first_why.as_deref(), self.then_why.as_deref());
        let request = self.request;
        match (first, then) {
            (Some(first), Some(then)) if first != then => vec![
                (format!("{request} (first)"), first),
                (format!("{request} (then)"), then),
            ],
            _ => first
                .or(then)
                .map(|why| (request.to_string(), why))
                .into_iter()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(first: io::Result<Way>, then: io::Result<Way>) -> Line {
        let file = tempfile::tempfile().unwrap();
        let measured = |way| Measured {
            way,
            counted: Counted {
                armed: 0,
                kicks: 0,
                retries: 0,
                punts: 0,
            },
        };
        let facts = Facts::new("ext4", &file);
        let (first, then) = (first.map(measured), then.map(measured));
        Line::new("read", Ask::ReadAbsent, &facts, first, then)
    }

    #[test]
    fn a_note_is_of_the_first_error() {
        let error = |text: &str| Err(io::Error::other(text.to_string()));
        let line = line(error("first"), error("second"));
        assert_eq!(line.note.as_deref(), Some("first"));
        assert!(line.reasons().is_empty());
    }

    #[test]
    fn each_way_has_a_reason() {
        assert_eq!(line(Ok(Way::Thread), Ok(Way::Thread)).reasons().len(), 1);
        let both = line(Ok(Way::Thread), Ok(Way::ThreadArmed));
        assert_eq!(both.reasons().len(), 2);
        assert_eq!(both.reasons()[1].0, "read (then)");
        assert!(both.note.is_none());
    }
}
