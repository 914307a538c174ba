//! The rules of CONTRIBUTING.md that a program can see: in all text files, and in the Rust files.

use std::env;
use std::path::Path;

use anyhow::Result;
use xtask::parts;

use crate::repository::{self, Text};
use crate::stages::Findings;

/// Production lines of one Rust file; tests do not count.
const MOST_LINES: usize = 400;

/// Names that say nothing about what is in a module.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "misc", "manager"];

/// Words for work left undone. Cut in two, or this file would have them.
const UNDONE: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Looks at all text files of the repository.
///
/// # Errors
/// The files cannot be listed or read.
pub(crate) fn look() -> Result<Findings> {
    let here = machine_paths(&parts::workspace_root(), env::var("HOME").ok().as_deref());
    let mut findings = Findings::default();
    for text in repository::texts()? {
        let problems = problems(&text, &here);
        findings.looked_at += 1;
        findings.problems.extend(problems);
    }
    let read = |path: &str| std::fs::read_to_string(parts::workspace_root().join(path));
    findings.add(lint_problem(&read("Cargo.toml")?, &read("filter/Cargo.toml")?));
    Ok(findings)
}

/// The filter cannot inherit the lints of the workspace, for `forbid` cannot be weakened; it has to repeat them.
fn lint_problem(workspace: &str, filter: &str) -> Option<String> {
    let lints = |manifest: &str, table: &str| {
        let header = format!("[{table}");
        let mut within = false;
        let line = |line: &str| {
            if line.starts_with('[') {
                within = line.starts_with(&header);
            }
            (within && !line.is_empty() && !line.starts_with(['[', '#'])).then(|| line.to_owned())
        };
        manifest.lines().filter_map(line).collect::<Vec<_>>()
    };
    let mut wanted = lints(workspace, "workspace.lints.");
    for lint in &mut wanted {
        *lint = lint.replace("unsafe_code = \"forbid\"", "unsafe_code = \"deny\"");
    }
    let differ = wanted.is_empty() || wanted != lints(filter, "lints.");
    differ.then(|| "filter/Cargo.toml: its lints are not those of Cargo.toml".to_owned())
}

/// What names a place on this machine: the clone, the home folder. Not `/`, which a container may have as home.
fn machine_paths(root: &Path, home: Option<&str>) -> Vec<String> {
    let home = home.map(Path::new).filter(|home| home.components().count() > 1);
    [Some(root), home].into_iter().flatten().map(|path| path.to_string_lossy().into_owned()).collect()
}

fn problems(text: &Text, here: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut add = |line: usize, problem: &str| problems.push(format!("{}:{line}: {problem}", text.path));
    // Not `lines`: it would hide a carriage return.
    for (line, number) in text.text.split('\n').zip(1..) {
        // Markdown ends a line with two spaces to break it, which nobody can see: not here either.
        if line.ends_with([' ', '\t', '\r']) {
            add(number, "white space at the end of the line");
        }
        if ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark)) {
            add(number, "mark of a merge conflict");
        }
        if here.iter().any(|path| names(line, path)) || has_home_folder(line) {
            add(number, "path of somebody's machine");
        }
        if UNDONE.iter().any(|word| has_word(line, word)) {
            add(number, "work left undone: make it an issue or do it now");
        }
    }
    if !text.text.is_empty() && !text.text.ends_with('\n') {
        add(text.text.lines().count(), "no line end at the end of the file");
    }
    if text.is("rs") {
        rust_problems(text, &mut add);
    }
    problems
}

fn rust_problems(text: &Text, add: &mut impl FnMut(usize, &str)) {
    let path = Path::new(&text.path);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if EMPTY_NAMES.contains(&stem.as_str()) {
        add(1, "a module is named for the thing in it");
    }
    let is_test = stem == "tests" || path.components().any(|part| part.as_os_str() == "tests");
    if !is_test && !text.text.starts_with("//!") {
        add(1, "a file starts with //!: what it is, where it stands, what it promises");
    }
    let production = text.text.lines().position(|line| line == "#[cfg(test)]");
    let production = production.unwrap_or_else(|| text.text.lines().count());
    if !is_test && production > MOST_LINES {
        add(production, &format!("{production} lines, {MOST_LINES} are allowed: find the second idea and name it"));
    }
    for (line, number) in text.text.lines().zip(1..) {
        if line.trim_start().starts_with(concat!("fn test", "_")) {
            add(number, "a test is named as a sentence, without test in front");
        }
        if line.trim_start().starts_with("#[ignore") {
            add(number, "a test that never runs: repair it or delete it");
        }
    }
}

/// Whether the line names this path or something in it, not only a longer name that starts or ends like it.
fn names(line: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    line.match_indices(path).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + path.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(|c| is_part(c) || c == '/') && !after.is_some_and(is_part)
    })
}

/// Whether the line has a home folder of a person, on Linux or macOS.
fn has_home_folder(line: &str) -> bool {
    let followed_by_name = |prefix: &str| {
        line.match_indices(prefix).any(|(start, _)| {
            let before = line.get(..start).and_then(|text| text.chars().next_back());
            let after = line.get(start + prefix.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(char::is_alphanumeric) && after.is_some_and(|c| c.is_ascii_lowercase())
        })
    };
    [concat!("/ho", "me/"), concat!("/Us", "ers/")].into_iter().any(followed_by_name)
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric()).any(|other| other == word)
}

#[cfg(test)]
mod tests;
