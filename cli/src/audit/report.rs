//! The verdict on paper: a table for people, or JSON.

use std::fmt::Write as _;

use super::{ledger::Verdict, verdict::SourceVerdict};
use crate::terminal::push_visible;

/// Sources that the table shows at most; the worst come first.
const MAX_SHOWN: usize = 50;

/// Gaps that the table shows for a source at most.
const MAX_GAPS_SHOWN: usize = 5;

/// Characters of a name that the table shows at most.
const MAX_NAME: usize = 64;

/// The verdict as one line of JSON.
pub(super) fn json(verdict: &Verdict) -> String {
    // It has string keys only: it cannot fail.
    serde_json::to_string(verdict).unwrap_or_default() + "\n"
}

/// The verdict for people; the first word of the last line is the answer.
pub(super) fn human(verdict: &Verdict) -> String {
    let mut out = String::new();
    let width = verdict.sources.iter().take(MAX_SHOWN).map(|source| source.source.len()).max().unwrap_or(0);
    let width = width.clamp(6, MAX_NAME);
    // Writing into a String does not fail.
    let _ = writeln!(
        out,
        "{:<width$}  {:>10}  {:>8}  {:>10}  {:>8}  {:>9}  {:>11}",
        "SOURCE", "DISTINCT", "REPEATS", "MAX SEQ", "ABSENT", "EXPLAINED", "UNEXPLAINED"
    );
    for source in verdict.sources.iter().take(MAX_SHOWN) {
        row(&mut out, source, width);
    }
    if verdict.sources.len() > MAX_SHOWN {
        let _ = writeln!(out, "… and {} more sources", verdict.sources.len() - MAX_SHOWN);
    }
    notes(&mut out, verdict);
    let Verdict { distinct, repeats, explained_gaps, unexplained_gaps, .. } = verdict;
    let facts = format!("{distinct} exchanges, {repeats} repeats, {explained_gaps} absent and explained");
    let _ = match unexplained_gaps {
        0 => writeln!(out, "complete: {facts}, 0 unexplained"),
        _ => writeln!(out, "INCOMPLETE: {facts}, {unexplained_gaps} UNEXPLAINED"),
    };
    out
}

fn row(out: &mut String, source: &SourceVerdict, width: usize) {
    let mut name = String::new();
    push_visible(&mut name, &source.source);
    if let Some((end, _)) = name.char_indices().nth(MAX_NAME) {
        name.truncate(end);
    }
    let max_seq = source.max_seq.map_or_else(|| "-".to_owned(), |max| max.to_string());
    let SourceVerdict { distinct, repeats, absent, explained, unexplained, .. } = source;
    let _ = writeln!(
        out,
        "{name:<width$}  {distinct:>10}  {repeats:>8}  {max_seq:>10}  {absent:>8}  {explained:>9}  {unexplained:>11}"
    );
    let mut why: Vec<String> =
        source.dropped.iter().map(|(reason, count)| format!("dropped {} {count}", visible(reason))).collect();
    for (count, word) in [
        (source.rejected, "rejected"),
        (source.pending, "pending when heard last"),
        (source.dead_letters, "dead letters"),
    ] {
        if count > 0 {
            why.push(format!("{word} {count}"));
        }
    }
    match &source.account_at {
        Some(at) if absent + unexplained > 0 => why.push(format!("says its account of {}", visible(at))),
        None if absent + unexplained > 0 => why.push("no account".to_owned()),
        _ => {}
    }
    if source.account_exact == Some(false) {
        why.push("its account does not add up".to_owned());
    }
    if !why.is_empty() {
        let _ = writeln!(out, "  {}", why.join(", "));
    }
    if *unexplained > 0 {
        list(out, "absent", &source.gaps);
        list(out, "acknowledged and not here", &source.lost);
    }
}

fn list(out: &mut String, what: &str, ranges: &[(u64, u64)]) {
    if ranges.is_empty() {
        return;
    }
    let shown: Vec<String> = ranges.iter().take(MAX_GAPS_SHOWN).map(|range| shown(*range)).collect();
    let more = if ranges.len() > MAX_GAPS_SHOWN { " …" } else { "" };
    let _ = writeln!(out, "  {what}: {}{more}", shown.join(", "));
}

fn shown((first, last): (u64, u64)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn visible(text: &str) -> String {
    let mut out = String::new();
    push_visible(&mut out, text);
    out
}

fn notes(out: &mut String, verdict: &Verdict) {
    if verdict.beginning_gone {
        let _ = writeln!(
            out,
            "the beginning of the topic is gone: {} numbers may have gone with it and are not judged",
            verdict.not_judged
        );
    }
    for (count, what) in [
        (verdict.foreign, "lines of other programs, without source and number"),
        (verdict.not_exchanges, "records that are no exchanges"),
        (verdict.not_accounts, "records beside them that are no accounts"),
    ] {
        if count > 0 {
            let _ = writeln!(out, "{count} {what}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::{Beginning, Ledger};
    use super::*;

    fn verdict(seqs: &[u64], counters: &str) -> Verdict {
        let mut ledger = Ledger::default();
        for seq in seqs {
            let line = format!(r#"{{"request":{{"method":"get","host":"h"}},"meta":{{"source":"9f","seq":{seq}}}}}"#);
            ledger.line(line.as_bytes(), None);
        }
        let account = format!(r#"{{"source":"9f","at":"2026-02-28T10:39:28.833Z","batch":0,"counters":{counters}}}"#);
        ledger.account(account.as_bytes()).unwrap();
        ledger.mark_end();
        ledger.judge(Beginning::Whole)
    }

    #[test]
    fn complete_table_says_why_numbers_are_absent() {
        let counters = r#"{"seen":5,"captured":5,"acked":2,"dropped_budget":2,"open":1}"#;

        let expected = "\
SOURCE    DISTINCT   REPEATS     MAX SEQ    ABSENT  EXPLAINED  UNEXPLAINED
9f               2         1           1         3          3            0
  dropped budget 2, pending when heard last 1, says its account of 2026-02-28T10:39:28.833Z
complete: 2 exchanges, 1 repeats, 3 absent and explained, 0 unexplained
";
        assert_eq!(human(&verdict(&[0, 1, 1], counters)), expected);
    }

    #[test]
    fn incomplete_table_names_the_numbers() {
        let told = human(&verdict(&[0, 3], r#"{"seen":4,"captured":4,"acked":4}"#));

        assert!(told.contains("  absent: 1-2\n"), "{told}");
        assert!(
            told.ends_with("INCOMPLETE: 2 exchanges, 0 repeats, 0 absent and explained, 2 UNEXPLAINED\n"),
            "{told}"
        );
    }

    #[test]
    fn json_form_has_all_facts() {
        let told: serde_json::Value =
            serde_json::from_str(&json(&verdict(&[0, 3], r#"{"seen":4,"captured":4,"acked":4}"#))).unwrap();

        assert_eq!((&told["explained"], &told["unexplainedGaps"]), (&false.into(), &2.into()));
        assert_eq!(told["sources"][0]["gaps"], serde_json::json!([[1, 2]]));
    }
}
