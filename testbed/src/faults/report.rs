//! What the suite says: a line for each row as it ends, and a file for programs.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{plan::Finished, trial::Scale};

/// What has run so far.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    scale: Scale,
    passed: usize,
    failed: usize,
    rows: Vec<Value>,
}

impl Report {
    /// Nothing yet.
    pub fn new(seed: u64, scale: Scale) -> Report {
        Report { seed, scale, passed: 0, failed: 0, rows: Vec::new() }
    }

    /// The heading of the table.
    pub fn heading() -> String {
        line(&["row", "injected", "exchanges", "duplicates", "verdict", "seconds"], "fault")
    }

    /// Takes in a row, and gives what is to be printed of it: its line of the table, and what went wrong.
    pub fn add(&mut self, finished: &Finished) -> String {
        let Finished { row, outcome, failure, notes, took, logs } = finished;
        let verdict = if failure.is_none() { "passed" } else { "FAILED" };
        *(if failure.is_none() { &mut self.passed } else { &mut self.failed }) += 1;
        let again = self.again(row.id);
        let (made, duplicates) = (outcome.verdict.exchanges, outcome.verdict.duplicates);
        self.rows.push(json!({
            "row": row.id, "group": row.group.heading(), "fault": row.fault, "proof": row.proof,
            "injected": outcome.injected, "exchanges": made, "lines": outcome.verdict.lines,
            "duplicates": duplicates, "dropped": outcome.verdict.reported_dropped,
            "verdict": verdict.to_lowercase(), "seconds": took.as_secs_f64(), "notes": notes,
            "error": failure, "logs": failure.as_ref().map(|_| logs.display().to_string()),
            "again": failure.as_ref().map(|_| &again),
        }));
        let numbers = [outcome.injected.to_string(), made.to_string(), duplicates.to_string()];
        let [injected, exchanges, duplicates] = &numbers;
        let seconds = format!("{:.1}", took.as_secs_f64());
        let mut text = line(&[row.id, injected, exchanges, duplicates, verdict, &seconds], row.fault);
        for note in notes {
            text.push_str(&format!("\n    {note}"));
        }
        if let Some(failure) = failure {
            let failure = failure.replace('\n', "\n    ");
            text.push_str(&format!("\n    {failure}\n    logs: {}\n    again: {again}", logs.display()));
        }
        text
    }

    /// The command that repeats a row.
    fn again(&self, id: &str) -> String {
        let full = if self.scale == Scale::Full { " --full" } else { "" };
        format!("cargo xtask faults {id} --seed {}{full}", self.seed)
    }

    /// Whether no row has failed, and some has run.
    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// `N passed, N failed`.
    pub fn closing_line(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }

    /// All of it.
    pub fn json(&self) -> Value {
        let full = self.scale == Scale::Full;
        json!({"seed": self.seed, "full": full, "passed": self.passed, "failed": self.failed, "rows": self.rows})
    }

    /// Writes it to a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{:#}\n", self.json());
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }
}

/// A line of the table; the widest thing comes last.
fn line(cells: &[&str; 6], fault: &str) -> String {
    let [row, injected, exchanges, duplicates, verdict, seconds] = cells;
    format!("{row:<28} {injected:>8} {exchanges:>9} {duplicates:>10}  {verdict:<7} {seconds:>7}  {fault}")
}
