//! What an audit gathers: the lines, the accounts and the dead letters, by source.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tributary_http_types::{ReadError, Seen, SourceAccount, check_line};

use super::verdict::{Bounds, Evidence, SourceVerdict, is_open, judge};

/// How much later than a record that is gone a smaller number of its source may have been stored: as long as the filter
/// tries by default (`give_up_after_ms`).
const OVERTAKEN_WITHIN_MS: i64 = 120_000;

/// How finely the numbers are kept by time.
const MINUTE_MS: i64 = 60_000;

/// What is gone of the topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Nothing: every partition begins with its first record.
    #[default]
    Whole,
    /// Records up to this time, in milliseconds since 1970: retention, or an operator, deleted them.
    GoneUntil(i64),
    /// All records of some partition, up to nobody knows when.
    GoneUnknown,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sources: HashMap<String, Entry>,
    lines: u64,
    foreign: u64,
    broken: u64,
    broken_accounts: u64,
    /// Whether times have to be kept.
    truncated: bool,
}

#[derive(Debug, Default)]
struct Entry {
    evidence: Evidence,
    /// One more than the largest number when the end was marked.
    end: u64,
    /// The largest number of each minute of Kafka's time.
    by_minute: BTreeMap<i64, u64>,
}

/// The whole verdict.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    /// Whether every absent number is explained.
    pub(crate) explained: bool,
    /// Lines read.
    pub(crate) lines: u64,
    /// Lines of other programs: without source and number.
    pub(crate) foreign: u64,
    /// Records that are no exchanges.
    pub(crate) not_exchanges: u64,
    /// Records beside them that are no accounts.
    pub(crate) not_accounts: u64,
    /// Whether records of the beginning of the topic are gone.
    pub(crate) beginning_gone: bool,
    /// Different exchanges of all sources.
    pub(crate) distinct: u64,
    /// Lines that came again, of all sources.
    pub(crate) repeats: u64,
    /// Absent numbers that something explains, of all sources.
    pub(crate) explained_gaps: u64,
    /// The others: 0, or something is lost.
    pub(crate) unexplained_gaps: u64,
    /// Numbers that may have gone with the beginning of the topic.
    pub(crate) not_judged: u64,
    /// By source, the worst first.
    pub(crate) sources: Vec<SourceVerdict>,
}

impl Ledger {
    /// An empty one. `truncated`: the beginning of the topic is gone.
    pub(crate) fn new(truncated: bool) -> Ledger {
        Ledger { truncated, ..Ledger::default() }
    }

    /// Enters one line of the topic or file, stored at this time.
    pub(crate) fn line(&mut self, line: &[u8], stored_at_ms: Option<i64>) {
        self.lines += 1;
        let Ok(checked) = check_line(line) else {
            self.broken += 1;
            return;
        };
        let (Some(source), Some(seq)) = (checked.source, checked.seq) else {
            self.foreign += 1;
            return;
        };
        let truncated = self.truncated;
        let entry = self.entry(&source);
        if entry.evidence.present.add(seq) == Seen::Again {
            entry.evidence.repeats += 1;
        }
        if truncated && let Some(at) = stored_at_ms {
            let largest = entry.by_minute.entry(at.div_euclid(MINUTE_MS)).or_default();
            *largest = seq.max(*largest);
        }
    }

    /// Enters one record of the accounts. The newest of a source counts, in whatever order they come: the counters only
    /// grow.
    ///
    /// # Errors
    /// It is none; that is counted too.
    pub(crate) fn account(&mut self, line: &[u8]) -> Result<(), ReadError> {
        let account = SourceAccount::from_line(line).inspect_err(|_| self.broken_accounts += 1)?;
        let evidence = &mut self.entry(&account.source).evidence;
        for (first, last) in &account.acknowledged {
            evidence.claims.add(*first, *last);
        }
        if evidence.account.as_ref().is_none_or(|known| known.age() <= account.age()) {
            evidence.account = Some(account);
        }
        Ok(())
    }

    /// Enters a dead letter. One that came from a spool had been acknowledged before.
    pub(crate) fn dead_letter(&mut self, source: &str, seq: u64, replayed: bool) {
        let evidence = &mut self.entry(source).evidence;
        evidence.dead_letters += 1;
        if replayed {
            evidence.buried.add(seq);
        }
    }

    /// Marks the end: gaps up to here are judged, whatever comes behind.
    pub(crate) fn mark_end(&mut self) {
        for entry in self.sources.values_mut() {
            entry.end = entry.evidence.present.max().map_or(0, |max| max.saturating_add(1));
        }
    }

    /// Whether some gap has no account yet.
    pub(crate) fn is_open(&self, beginning: Beginning) -> bool {
        self.sources.values().any(|entry| is_open(&entry.evidence, entry.bounds(beginning)))
    }

    /// The verdict on everything.
    pub(crate) fn judge(&self, beginning: Beginning) -> Verdict {
        let mut sources: Vec<SourceVerdict> = self
            .sources
            .iter()
            .map(|(source, entry)| judge(source, &entry.evidence, entry.bounds(beginning)))
            .collect();
        sources.sort_by(|one, other| {
            let rank = |source: &SourceVerdict| (source.unexplained, source.absent);
            rank(other).cmp(&rank(one)).then_with(|| one.source.cmp(&other.source))
        });
        let sum = |number: fn(&SourceVerdict) -> u64| sources.iter().map(number).sum();
        let unexplained_gaps = sum(|source| source.unexplained);
        Verdict {
            explained: unexplained_gaps == 0,
            lines: self.lines,
            foreign: self.foreign,
            not_exchanges: self.broken,
            not_accounts: self.broken_accounts,
            beginning_gone: beginning != Beginning::Whole,
            distinct: sum(|source| source.distinct),
            repeats: sum(|source| source.repeats),
            explained_gaps: sum(|source| source.explained),
            unexplained_gaps,
            not_judged: sum(|source| source.not_judged),
            sources,
        }
    }

    fn entry(&mut self, source: &str) -> &mut Entry {
        self.sources.entry(source.to_owned()).or_default()
    }
}

impl Entry {
    fn bounds(&self, beginning: Beginning) -> Bounds {
        Bounds { horizon: self.horizon(beginning), end: self.end }
    }

    /// Numbers below this one may have gone with the beginning of the topic.
    ///
    /// A number that is gone was given out before its record was stored, so before the edge. One that was given out later
    /// is larger, and is here with a later time, but for those that were overtaken on their way.
    fn horizon(&self, beginning: Beginning) -> u64 {
        let edge = match beginning {
            Beginning::Whole => return 0,
            Beginning::GoneUnknown => return u64::MAX,
            Beginning::GoneUntil(edge) => edge,
        };
        // A source of which nothing is left: all of it may be gone.
        let Some(smallest) = self.evidence.present.min() else { return u64::MAX };
        let last_minute = edge.saturating_add(OVERTAKEN_WITHIN_MS).div_euclid(MINUTE_MS);
        let largest = self.by_minute.range(..=last_minute).map(|(_, largest)| largest.saturating_add(1)).max();
        smallest.max(largest.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(source: &str, seq: u64) -> Vec<u8> {
        format!(r#"{{"request":{{"method":"get","host":"h"}},"meta":{{"source":"{source}","seq":{seq}}}}}"#)
            .into_bytes()
    }

    fn account(captured: u64, acked: u64, acknowledged: &str) -> Vec<u8> {
        format!(
            r#"{{"source":"a","at":"","batch":0,"counters":{{"seen":{captured},"captured":{captured},"acked":{acked},"dropped_budget":{}}},"acknowledged":{acknowledged}}}"#,
            captured - acked
        )
        .into_bytes()
    }

    #[test]
    fn lines_of_others_and_broken_ones_are_counted_apart() {
        let mut ledger = Ledger::default();

        ledger.line(br#"{"request":{"method":"get","host":"h"}}"#, None);
        ledger.line(b"no exchange", None);
        ledger.line(&line("a", 0), None);
        assert!(ledger.account(b"no account").is_err());
        ledger.mark_end();

        let verdict = ledger.judge(Beginning::Whole);
        assert_eq!((verdict.lines, verdict.foreign, verdict.not_exchanges, verdict.not_accounts), (3, 1, 1, 1));
        assert!(verdict.explained);
    }

    #[test]
    fn the_newest_account_counts_in_whatever_order_they_come() {
        for order in [[0, 1], [1, 0]] {
            let accounts = [account(2, 2, "[]"), account(4, 3, "[]")];
            let mut ledger = Ledger::default();
            for seq in [0, 1, 3] {
                ledger.line(&line("a", seq), None);
            }
            for place in order {
                ledger.account(&accounts[place]).expect("a good account");
            }
            ledger.mark_end();

            assert_eq!(ledger.judge(Beginning::Whole).explained_gaps, 1, "{order:?}");
            assert!(!ledger.is_open(Beginning::Whole));
        }
    }

    #[test]
    fn a_gap_without_account_stays_open_and_counts_as_unexplained() {
        let mut ledger = Ledger::default();
        ledger.line(&line("a", 1), None);
        ledger.mark_end();

        assert!(ledger.is_open(Beginning::Whole));
        assert_eq!(ledger.judge(Beginning::Whole).unexplained_gaps, 1);
    }

    #[test]
    fn what_comes_behind_the_mark_is_not_judged_before_its_account_is_there() {
        let mut ledger = Ledger::default();
        ledger.line(&line("a", 0), None);
        ledger.mark_end();
        ledger.line(&line("a", 7), None);

        assert!(ledger.judge(Beginning::Whole).explained);
    }

    #[test]
    fn a_dead_letter_of_a_spool_is_no_loss_and_a_direct_one_was_rejected() {
        let mut ledger = Ledger::default();
        ledger.line(&line("a", 0), None);
        ledger.account(&account(2, 2, "[[0,1]]")).expect("a good account");
        ledger.mark_end();
        assert_eq!(ledger.judge(Beginning::Whole).unexplained_gaps, 1);

        ledger.dead_letter("a", 1, false);
        assert_eq!(ledger.judge(Beginning::Whole).unexplained_gaps, 1);
        ledger.dead_letter("a", 1, true);

        let verdict = ledger.judge(Beginning::Whole);
        assert_eq!((verdict.unexplained_gaps, verdict.explained_gaps, verdict.sources[0].dead_letters), (0, 0, 2));
    }

    #[test]
    fn what_went_with_the_beginning_of_the_topic_is_not_judged() {
        let hour = 60 * MINUTE_MS;
        let mut ledger = Ledger::new(true);
        // Stored before the edge: 5. Much later: 8 and 9; 7 is lost.
        for (seq, at) in [(5, hour), (8, 2 * hour), (9, 2 * hour)] {
            ledger.line(&line("a", seq), Some(at));
        }
        ledger.account(&account(10, 10, "[[0,9]]")).expect("a good account");
        ledger.mark_end();

        let verdict = ledger.judge(Beginning::GoneUntil(hour));
        assert_eq!((verdict.not_judged, verdict.unexplained_gaps), (5, 2));
        assert_eq!(verdict.sources[0].lost, [(6, 7)]);
        assert_eq!(ledger.judge(Beginning::GoneUnknown).unexplained_gaps, 0);
        assert_eq!(ledger.judge(Beginning::Whole).unexplained_gaps, 7);
    }

    #[test]
    fn of_a_source_that_is_gone_whole_nothing_is_judged() {
        let mut ledger = Ledger::new(true);
        ledger.account(&account(10, 10, "[[0,9]]")).expect("a good account");
        ledger.mark_end();

        assert!(ledger.judge(Beginning::GoneUntil(0)).explained);
        assert_eq!(ledger.judge(Beginning::Whole).unexplained_gaps, 10);
    }
}
