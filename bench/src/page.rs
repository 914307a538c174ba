//! What a reader gets to see of a run: its tables, on the terminal and in `docs/performance.md`.
//!
//! On the page the tables of each area stand between two markers of its own, so that one area can be measured anew alone;
//! all that stands outside the markers is written by hand and stays as it is.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result, ensure};

use crate::{
    budget,
    markdown::Table,
    report::{AreaReport, Better, Case},
    statistics::{Summary, figure},
};

/// Writes the tables of an area into a page, between its markers.
///
/// # Errors
/// The page cannot be read or written, or has not both markers of the area, each once and in order.
pub fn write_into(page: &Path, area: &AreaReport) -> Result<()> {
    let text = fs::read_to_string(page).with_context(|| format!("read {}", page.display()))?;
    let text = replaced(&text, &area.area, &tables(area)).with_context(|| page.display().to_string())?;
    fs::write(page, text).with_context(|| format!("write {}", page.display()))
}

/// The page with other tables between the markers of this area.
fn replaced(page: &str, area: &str, tables: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- bench {area}: begin -->\n"), format!("<!-- bench {area}: end -->\n"));
    for marker in [&begin, &end] {
        ensure!(page.matches(marker.as_str()).count() == 1, "it needs one line {}", marker.trim_end());
    }
    let (before, rest) = page.split_once(&begin).context("the first marker")?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("{} comes first", end.trim_end()))?;
    Ok(format!("{before}{begin}\n{tables}\n{end}{after}"))
}

/// All tables of an area, as Markdown, without a heading.
pub fn tables(area: &AreaReport) -> String {
    let mut text = format!("Measured {} (`{}`, {} s).\n", area.machine, command(area), figure(area.took_s));
    let verdicts = budget::judge(area);
    if !verdicts.is_empty() {
        let mut table = Table::new(["budget", "must", "aim", "measured", "verdict"]);
        for verdict in &verdicts {
            let budget = verdict.budget;
            let bound = |bound: f64| format!("≤ {} {}", figure(bound), budget.unit);
            let aim = budget.aim.map_or_else(|| "–".to_owned(), bound);
            let measured = verdict.measured.map_or_else(|| "–".to_owned(), |it| format!("{it} {}", budget.unit));
            table.row([budget.what.to_owned(), bound(budget.must), aim, measured, verdict.word().to_owned()]);
        }
        // Writing to a text does not fail.
        let _ = write!(text, "\n{table}");
    }
    for table in measures(area) {
        let _ = write!(text, "\n{table}");
    }
    if !area.absent.is_empty() {
        text.push_str("\nNot measured:\n\n");
        area.absent.iter().for_each(|absent| text.push_str(&format!("- {}: {}\n", absent.what, absent.why)));
    }
    if !area.notes.is_empty() {
        text.push('\n');
        area.notes.iter().for_each(|note| text.push_str(&format!("- {note}\n")));
    }
    text
}

/// The command that makes such a run again.
fn command(area: &AreaReport) -> String {
    format!("cargo xtask bench {}{}", area.area, if area.quick { " --quick" } else { "" })
}

/// For each measure, in the order in which they come, a table of the cases that have it, with a column for each variant.
/// Cases with other variants than the one before begin a new table.
fn measures(area: &AreaReport) -> Vec<String> {
    let mut named: Vec<(&str, &str, Better)> = Vec::new();
    for measure in area.cases.iter().flat_map(Case::measures) {
        if named.iter().all(|(name, ..)| *name != measure.name) {
            named.push((&measure.name, &measure.unit, measure.better));
        }
    }
    let of_measure = |(name, unit, better): &(&str, &str, Better)| {
        let with_unit = if unit.is_empty() { (*name).to_owned() } else { format!("{name}, {unit}") };
        let cases: Vec<&Case> = area.cases.iter().filter(|case| !columns(case, name).is_empty()).collect();
        let groups = cases.chunk_by(|one, other| columns(one, name) == columns(other, name));
        groups.map(|group| matrix(&with_unit, name, *better, group).to_string()).collect::<Vec<_>>()
    };
    named.iter().flat_map(of_measure).collect()
}

/// The variants of a case that have this measure, the baseline first.
fn columns<'a>(case: &'a Case, measure: &str) -> Vec<&'a str> {
    let variants = case.variants.iter().map(|variant| variant.name.as_str());
    let mut columns: Vec<&str> = variants.filter(|variant| case.samples(variant, measure).is_some()).collect();
    columns.sort_by_key(|variant| case.baseline.as_deref() != Some(variant));
    columns
}

fn matrix(heading: &str, measure: &str, better: Better, cases: &[&Case]) -> Table {
    let variants = cases.first().map(|case| columns(case, measure)).unwrap_or_default();
    let mut table = Table::new(std::iter::once(heading).chain(variants.iter().copied()));
    for case in cases {
        let cells = variants.iter().map(|variant| cell(case, variant, measure, better));
        table.row(std::iter::once(case.name.clone()).chain(cells));
    }
    table
}

/// `18.2 (17.9–18.8)` for what stands alone; `1.21x (1.19–1.24)` for what has a baseline.
fn cell(case: &Case, variant: &str, measure: &str, better: Better) -> String {
    let ratios = (better != Better::Neither).then(|| case.ratios(variant, measure)).flatten();
    if let Some(Summary { median, min, max, .. }) = ratios.as_deref().and_then(Summary::of) {
        return format!("{}x ({}–{})", figure(median), figure(min), figure(max));
    }
    let summary = case.samples(variant, measure).and_then(Summary::of);
    summary.map_or_else(|| "–".to_owned(), |summary| summary.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        machine::Machine,
        report::{Absent, Measure},
    };

    const CPU: Measure = Measure::cost("CPU", "µs");
    const DROPPED: Measure = Measure::fact("dropped", "");

    fn area() -> AreaReport {
        let mut area = AreaReport::new("encode", true, Machine::default());
        area.compare_with("small", "off");
        for round in [0.0, 1.0] {
            // In this order of turns: the baseline has the first column all the same.
            area.add("small", "on", &CPU, 12.0 + round);
            area.add("small", "off", &CPU, 10.0 + round);
            area.add("small", "on", &DROPPED, 0.0);
            area.add("other", "alone", &CPU, 5.0);
        }
        area.absent.push(Absent { what: "instructions".to_owned(), why: "no counter".to_owned() });
        area.notes.push("A note.".to_owned());
        area
    }

    #[test]
    fn each_measure_has_its_table_and_ratios_stand_beside_their_baseline() {
        let text = tables(&area());

        assert!(text.contains("| CPU, µs | off"), "{text}");
        assert!(text.contains("10.5 (10.0–11.0) | 1.19x (1.18–1.20)"), "{text}");
        assert!(text.contains("| CPU, µs | alone"), "{text}");
        assert!(text.contains("| dropped | on"), "{text}");
        assert!(text.contains("\n- instructions: no counter\n"), "{text}");
        assert!(text.ends_with("\n- A note.\n"), "{text}");
        assert!(text.contains("`cargo xtask bench encode --quick`"), "{text}");
    }

    #[test]
    fn only_what_stands_between_the_markers_of_the_area_changes() {
        let page = "by hand\n<!-- bench encode: begin -->\nold\n<!-- bench encode: end -->\nby hand too\n";

        let written = replaced(page, "encode", "new\n").unwrap();

        let expected =
            "by hand\n<!-- bench encode: begin -->\n\nnew\n\n<!-- bench encode: end -->\nby hand too\n".to_owned();
        assert_eq!(written, expected);
        assert_eq!(replaced(&written, "encode", "new\n").unwrap(), expected);
    }

    #[test]
    fn a_page_without_its_markers_is_refused() {
        let end_first = "<!-- bench a: end -->\n<!-- bench a: begin -->\n";

        assert!(replaced("nothing\n", "a", "new\n").is_err());
        assert!(replaced(end_first, "a", "new\n").is_err());
    }
}
