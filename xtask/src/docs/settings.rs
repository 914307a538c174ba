//! Compares the tables of settings in the docs with the programs themselves.
//!
//! A comment before a table says whose settings it has:
//!
//! ```markdown
//! <!-- settings: tributary-collector -->
//!
//! | Flag | Environment | Default | Meaning |
//! |---|---|---|---|
//! | `--listen ADDRESS:PORT` | `TRIBUTARY_LISTEN` | `127.0.0.1:8088` | … |
//! ```
//! The name is a program of ours, with a subcommand if it has some (`settings: tributary tail`): the table must have
//! one row for each flag of its `--help`, with the same variable and default where the table has these columns.
//! `settings: filter` means the plugin configuration: the table must be what
//! `cargo run --package tributary-filter --example settings` prints.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result};
use xtask::parts;

use super::documents;
use super::markdown::{Document, Table};
use crate::build::{self, cargo};
use crate::process;
use crate::repository;
use crate::stages::Findings;

/// Without these the README does not say how to configure the two stages.
const NEEDED: [&str; 2] = ["settings: filter", "settings: tributary-collector"];

/// One flag, as `--help` or a row of a table has it. Empty: there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Flag {
    variable: String,
    default: String,
}

/// Builds the programs, asks them for their settings, and looks at all marked tables and all pages that they make.
///
/// # Errors
/// The programs cannot be built or asked, or the files cannot be read.
pub(crate) fn look() -> Result<Findings> {
    build::run(vec![build::programs()])?;
    let mut findings = Findings::default();
    let mut seen = Vec::new();
    for (path, document) in documents(&repository::texts()?) {
        for table in &document.tables {
            let Some(owner) = table.mark.as_deref().and_then(|mark| mark.strip_prefix("settings: ")) else { continue };
            let line = table.lines.first().map_or(0, |(line, _)| *line);
            let place = format!("{}:{line}", path.display());
            match owner {
                "filter" => findings.extend(compare_filter(&place, table, &filter_table()?)),
                program => findings.extend(compare_flags(&place, table, &flags(&help(program)?))),
            }
            seen.push(format!("settings: {owner}"));
        }
    }
    for needed in NEEDED {
        let there = seen.iter().any(|mark| mark == needed);
        findings.add((!there).then(|| format!("no table is marked with <!-- {needed} -->")));
    }
    findings.extend(super::generated::look()?);
    Ok(findings)
}

/// What the program says about itself; without our environment, because help shows the values of variables.
fn help(program: &str) -> Result<String> {
    let mut words = program.split(' ');
    let mut command = Command::new(parts::binary(words.next().unwrap_or_default()));
    command.args(words).arg("--help").env_clear().env("COLUMNS", "1000");
    process::output(&mut command).with_context(|| format!("ask {program} for its settings"))
}

fn filter_table() -> Result<String> {
    process::output(&mut cargo(&["run", "--quiet", "--package", "tributary-filter", "--example", "settings"]))
}

fn compare_filter(place: &str, table: &Table, printed: &str) -> Findings {
    let mut findings = Findings::default();
    let printed = Document::parse(printed).tables.into_iter().next();
    let wanted = printed.map(|table| (table.heading(), table.rows())).unwrap_or_default();
    findings
        .add((table.heading() != wanted.0).then(|| format!("{place}: the heading should be {}", wanted.0.join(" | "))));
    let own = table.rows().into_iter().map(|(_, cells)| cells).collect::<Vec<_>>();
    for (_, row) in &wanted.1 {
        findings.add((!own.contains(row)).then(|| format!("{place}: there should be a row | {} |", row.join(" | "))));
    }
    for row in &own {
        let known = wanted.1.iter().any(|(_, other)| other == row);
        findings.add((!known).then(|| format!("{place}: the filter says nothing like | {} |", row.join(" | "))));
    }
    findings
}

fn compare_flags(place: &str, table: &Table, wanted: &BTreeMap<String, Flag>) -> Findings {
    let mut findings = Findings::default();
    let heading = table.heading();
    let column = |name: &str| heading.iter().position(|cell| cell.eq_ignore_ascii_case(name));
    let (variable, default) = (column("environment"), column("default"));
    let cell = |cells: &[String], column: Option<usize>| code(column.and_then(|column| cells.get(column)));
    let mut own = BTreeMap::new();
    for (_, cells) in table.rows() {
        let name = cell(&cells, Some(0)).split(' ').next().unwrap_or_default().to_owned();
        own.insert(name, Flag { variable: cell(&cells, variable), default: cell(&cells, default) });
    }
    for (name, flag) in wanted {
        let Some(row) = own.get(name) else {
            findings.add(Some(format!("{place}: {name} is missing")));
            continue;
        };
        let differs = |column: Option<usize>, here: &str, there: &str, what: &str| {
            let differs = column.is_some() && here != there;
            differs.then(|| format!("{place}: {what} of {name} is {here:?} here and {there:?} in --help"))
        };
        findings.add(differs(variable, &row.variable, &flag.variable, "the variable"));
        findings.add(differs(default, &row.default, &flag.default, "the default"));
    }
    for name in own.keys() {
        findings.add((!wanted.contains_key(name)).then(|| format!("{place}: --help does not have {name}")));
    }
    findings
}

/// The first code span of a cell; a cell without one (`–`, `required`) has no value.
fn code(cell: Option<&String>) -> String {
    cell.and_then(|cell| cell.split('`').nth(1)).unwrap_or_default().to_owned()
}

/// The flags in what clap prints for `--help`, without `--help` and `--version`.
fn flags(help: &str) -> BTreeMap<String, Flag> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut current = None;
    for line in help.lines() {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        if (1..=6).contains(&indent) && text.starts_with('-') {
            let long = text.split([' ', ',', '=', '[', '.']).find(|word| word.starts_with("--"));
            current = long.filter(|name| !matches!(*name, "--help" | "--version")).map(str::to_owned);
        } else if indent < 6 && !text.is_empty() {
            current = None;
        }
        if let Some(name) = &current {
            // Joined to one line: a long note may be wrapped anywhere.
            texts.entry(name.clone()).or_default().extend([" ", text]);
        }
    }
    let note = |text: &str, name: &str| {
        let (_, rest) = text.split_once(name)?;
        rest.split(']').next().map(|value| value.trim().to_owned())
    };
    let flag = |text: &str| Flag {
        variable: note(text, "[env:").and_then(|value| value.split('=').next().map(str::to_owned)).unwrap_or_default(),
        default: note(text, "[default:").unwrap_or_default(),
    };
    texts.iter().map(|(name, text)| (name.clone(), flag(text))).collect()
}

#[cfg(test)]
mod tests;
