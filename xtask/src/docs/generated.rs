//! Compares pages that a program makes with what the program prints now.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use xtask::parts;

use crate::process;
use crate::stages::Findings;

/// Set to anything, the pages are written anew instead of compared.
const UPDATE: &str = "UPDATE";

/// Pages, the program that prints each, and the command that a person gives.
const PAGES: [(&str, &str, &str); 1] = [("docs/faults.md", "faults", "cargo xtask faults --page")];

/// Looks at all made pages; the programs must be built.
///
/// # Errors
/// A program does not start, or a page cannot be written.
pub(crate) fn look() -> Result<Findings> {
    let mut findings = Findings::default();
    for (page, program, command) in PAGES {
        let printed = process::output(Command::new(parts::binary(program)).arg("--page"))?;
        let path = parts::workspace_root().join(page);
        if env::var_os(UPDATE).is_some() {
            fs::write(&path, &printed).with_context(|| format!("write {page}"))?;
        }
        findings.add(compare(page, &path, &printed, command));
    }
    Ok(findings)
}

fn compare(page: &str, path: &Path, printed: &str, command: &str) -> Option<String> {
    let there = fs::read_to_string(path).unwrap_or_default();
    let differs = there.lines().zip(printed.lines()).position(|(here, now)| here != now);
    let line = differs.unwrap_or_else(|| there.lines().count().min(printed.lines().count())) + 1;
    (there != printed).then(|| format!("{page}:{line}: not what `{command}` prints: write it anew with that"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_that_differs_is_named_with_its_first_line_that_does() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("page.md");
        let problem = |there: &str, printed: &str| {
            fs::write(&path, there).expect("written");
            compare("page.md", &path, printed, "make")
                .map(|problem| problem.split(": ").next().unwrap_or("").to_owned())
        };

        assert_eq!(problem("a\nb\n", "a\nb\n"), None);
        assert_eq!(problem("a\nb\n", "a\nc\n"), Some("page.md:2".to_owned()));
        assert_eq!(problem("a\n", "a\nc\n"), Some("page.md:2".to_owned()));
        fs::remove_file(&path).expect("removed");
        assert!(compare("page.md", &path, "a\n", "make").is_some());
    }
}
