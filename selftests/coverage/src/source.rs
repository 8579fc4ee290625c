// SPDX-License-Identifier: GPL-2.0

//! The module's sources: which function a line is in, and which are tests.

use anyhow::{Context, Result};
use std::{
    collections::HashMap,
    fs,
    path::{Component, Path, PathBuf},
};

/// What is read of them, once.
pub(crate) struct Sources {
    top: PathBuf,
    names: HashMap<String, Option<String>>,
    files: HashMap<String, Source>,
}

impl Sources {
    pub(crate) fn new(top: &Path) -> Self {
        Self {
            top: top.to_owned(),
            names: HashMap::new(),
            files: HashMap::new(),
        }
    }

    /// From what the line table has: below src/ or rust/, or nothing.
    pub(crate) fn name(&mut self, path: &str) -> Option<String> {
        if let Some(name) = self.names.get(path) {
            return name.clone();
        }
        let mut plain = PathBuf::new();
        for component in Path::new(path).components() {
            match component {
                Component::ParentDir => drop(plain.pop()),
                other => plain.push(other),
            }
        }
        let name = plain.strip_prefix(&self.top).ok().and_then(Path::to_str);
        let name = name
            .filter(|name| name.starts_with("src/") || name.starts_with("rust/"))
            .map(str::to_owned);
        self.names.insert(path.to_owned(), name.clone());
        name
    }

    /// Neither of a test, nor what a function that is inlined does not have: its head and brackets.
    pub(crate) fn is_counted(&mut self, name: &str, line: u32) -> Result<bool> {
        if !self.files.contains_key(name) {
            let source = Source::read(&self.top, name)?;
            self.files.insert(name.to_owned(), source);
        }
        let source = &self.files[name];
        let text = source.text(line);
        let is_frame = function(text).is_some() || text.chars().all(|c| "{}()[];,".contains(c));
        Ok(source.function(line).is_some() && !is_frame)
    }
}

/// One file.
pub(crate) struct Source {
    /// Its text, and the function it is in, unless it is a test.
    lines: Vec<(String, Option<String>)>,
}

impl Source {
    pub(crate) fn read(top: &Path, name: &str) -> Result<Self> {
        let path = top.join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let functions = match Path::new(name).extension() {
            Some(extension) if extension == "rs" => rust(&text),
            _ => c(&text),
        };
        let tests = name.ends_with("/tests.rs");
        let lines = text.lines().zip(functions);
        Ok(Self {
            lines: lines
                .map(|(text, function)| (text.to_owned(), function.filter(|_| !tests)))
                .collect(),
        })
    }

    fn line(&self, line: u32) -> Option<&(String, Option<String>)> {
        self.lines.get((line as usize).checked_sub(1)?)
    }

    pub(crate) fn text(&self, line: u32) -> &str {
        self.line(line).map_or("", |(text, _)| text.trim())
    }

    pub(crate) fn function(&self, line: u32) -> Option<&str> {
        self.line(line)?.1.as_deref()
    }
}

const OUTSIDE: &str = "-";

enum Item {
    Tests,
    Owner(String),
    Function(String),
}

/// By rustfmt's indentation; of what is for KUnit alone, nothing.
fn rust(text: &str) -> Vec<Option<String>> {
    let mut within: Vec<(usize, Item)> = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let owner = within.iter().rev().find_map(|(_, item)| match item {
            Item::Owner(name) => Some(name),
            _ => None,
        });
        if code.starts_with("#[cfg(CONFIG_KUNIT") {
            within.push((indent, Item::Tests));
        } else if let Some(name) = implementation(code) {
            within.push((indent, Item::Owner(name.to_owned())));
        } else if let Some(name) = function(code) {
            let name = owner.map_or(name.to_owned(), |owner| format!("{owner}::{name}"));
            within.push((indent, Item::Function(name)));
        }
        let tests = within.iter().any(|(_, item)| matches!(item, Item::Tests));
        lines.push(match within.last() {
            _ if tests => None,
            Some((_, Item::Function(name))) => Some(name.clone()),
            _ => Some(OUTSIDE.to_owned()),
        });
        if code.starts_with('}') || (code.ends_with(';') && !code.starts_with("#[")) {
            while within.last().is_some_and(|(depth, _)| *depth == indent) {
                within.pop();
            }
        }
    }
    lines
}

/// `impl<T> Trait for Type<T> {`: Type
fn implementation(code: &str) -> Option<&str> {
    let code = visibility(code);
    let code = code.strip_prefix("unsafe ").unwrap_or(code);
    if let Some(name) = code.strip_prefix("trait ") {
        return Some(first_word(name));
    }
    let code = code.strip_prefix("impl")?;
    let code = match code.strip_prefix('<') {
        Some(rest) => {
            let mut depth = 1;
            let end = rest.find(|c| {
                depth += i32::from(c == '<') - i32::from(c == '>');
                depth == 0
            })?;
            &rest[end + 1..]
        }
        None => code.strip_prefix(' ')?,
    };
    let code = code.rsplit_once(" for ").map_or(code, |(_, of)| of);
    Some(first_word(code.trim_start().trim_start_matches('&')))
}

fn visibility(code: &str) -> &str {
    let rest = code.strip_prefix("pub").unwrap_or(code);
    match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, rest)) => rest.trim_start(),
        None => rest.trim_start(),
    }
}

fn function(code: &str) -> Option<&str> {
    if let Some(name) = code.strip_prefix("macro_rules! ") {
        return Some(first_word(name));
    }
    let (before, name) = match visibility(code) {
        code if code.starts_with("fn ") => code.split_at(2),
        code => code.split_once(" fn ")?,
    };
    let known = ["fn", "const", "unsafe", "extern", "\"C\""];
    let is_known = |word| known.contains(&word);
    before
        .split(' ')
        .all(is_known)
        .then(|| first_word(name.trim_start()))
}

/// By the kernel's style: what is defined begins its line, and ends with a brace that does.
fn c(text: &str) -> Vec<Option<String>> {
    let mut within = OUTSIDE;
    let mut lines = Vec::new();
    for line in text.lines() {
        let begins = line.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if let (true, Some((before, _))) = (begins && !line.ends_with(';'), line.split_once('(')) {
            within = before.rsplit([' ', '*']).next().unwrap_or(OUTSIDE);
        }
        lines.push(Some(within.to_owned()));
        if line.starts_with('}') {
            within = OUTSIDE;
        }
    }
    lines
}

fn first_word(code: &str) -> &str {
    let end = code.find(|c: char| !c.is_alphanumeric() && !"_:$".contains(c));
    &code[..end.unwrap_or(code.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_functions(lines: Vec<Option<String>>, text: &str) {
        for (line, name) in text.lines().zip(lines) {
            let name = name.as_deref().unwrap_or("test");
            let expected = line.rsplit_once("// ").map_or(OUTSIDE, |(_, name)| name);
            assert_eq!(name, expected, "{line}");
        }
    }

    #[test]
    fn functions_of_rust() {
        let text = "\
const A: u32 = 1;
pub(in crate::sys) unsafe fn free(a: u32) { // free
    let a = a; // free
    struct Inner; // free
    impl Drop for Inner { // -
        fn drop(&mut self) { // Inner::drop
            a(); // Inner::drop
        } // Inner::drop
    }
    b(); // free
} // free
impl<T: Of<u8>> Trait for Type<T> {
    type Item = u8;
    fn long( // Type::long
        a: u32, // Type::long
    ) { // Type::long
        if a { // Type::long
            b(); // Type::long
        } // Type::long
    } // Type::long
}
#[cfg(CONFIG_KUNIT = \"y\")] // test
#[kunit_tests(raio)] // test
mod tests { // test
    fn one() { // test
    } // test
} // test
const B: u32 = 1;";
        assert_functions(rust(text), text);
    }

    #[test]
    fn functions_of_c() {
        let text = "\
static int prototype(int a);
static int *one(int a, // one
	int b) // one
{ // one
	two(); // one
} // one
static int a;";
        assert_functions(c(text), text);
    }
}
