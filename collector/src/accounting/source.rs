//! What is known of one source: what arrived of it, and what it says itself.

use std::{collections::BTreeMap, time::SystemTime};

use serde::Serialize;
use tributary_http_types::Timestamp;

use super::seqs::{Seen, Seqs};
use crate::post::Counters;

/// Gaps that an answer lists at most, for each source.
const MAX_GAPS_LISTED: usize = 100;

/// The account of one source.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) last_seen: SystemTime,
    seqs: Seqs,
    duplicates: u64,
    reported: Option<Counters>,
    /// It had lines acknowledged before this collector first heard of it: by another one, or by this one before it was
    /// started anew. What is below the smallest number seen was theirs to account for.
    began_elsewhere: bool,
}

/// The account of one source as `GET /v1/accounting` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct SourceReport {
    last_seen: String,
    /// The smallest number that this collector accounts for.
    from_seq: u64,
    max_seq: Option<u64>,
    missing: u64,
    gaps: Vec<(u64, u64)>,
    duplicates: u64,
    counters: BTreeMap<String, u64>,
    identity_exact: Option<bool>,
}

impl Source {
    pub(super) fn new(now: SystemTime) -> Source {
        Source { last_seen: now, seqs: Seqs::default(), duplicates: 0, reported: None, began_elsewhere: false }
    }

    /// An exchange of it was accepted or rejected for good.
    pub(super) fn arrived(&mut self, seq: u64) {
        if self.seqs.add(seq) == Seen::Again {
            self.duplicates += 1;
        }
    }

    /// It says how it stands. A report that was overtaken by a newer one is dropped: cumulative counters only grow.
    pub(super) fn reports(&mut self, counters: Counters) {
        let first_contact = self.reported.is_none() && self.seqs.max().is_none();
        self.began_elsewhere |= first_contact && counters.tell_of_acknowledged();
        if self.reported.as_ref().is_none_or(|known| known.age() <= counters.age()) {
            self.reported = Some(counters);
        }
    }

    pub(super) fn report(&self) -> SourceReport {
        let millis = self.last_seen.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
        SourceReport {
            last_seen: Timestamp::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX)).to_string(),
            from_seq: self.first_seq(),
            max_seq: self.seqs.max(),
            missing: self.missing(),
            gaps: self
                .seqs
                .gaps()
                .filter(|gap| *gap.start() >= self.first_seq())
                .take(MAX_GAPS_LISTED)
                .map(|gap| gap.into_inner())
                .collect(),
            duplicates: self.duplicates,
            counters: self.reported.as_ref().map(Counters::to_map).unwrap_or_default(),
            identity_exact: self.reported.as_ref().map(Counters::identity_is_exact),
        }
    }

    /// How many numbers did not come, from the smallest that this collector accounts for to the largest seen.
    pub(super) fn missing(&self) -> u64 {
        self.seqs.missing().saturating_sub(self.first_seq())
    }

    fn first_seq(&self) -> u64 {
        if self.began_elsewhere { self.seqs.min().unwrap_or(0) } else { 0 }
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(report: &str, seqs: &[u64]) -> SourceReport {
        let mut source = Source::new(SystemTime::UNIX_EPOCH);
        source.reports(Counters::parse(report).expect("a good report"));
        for seq in seqs {
            source.arrived(*seq);
        }
        source.report()
    }

    #[test]
    fn what_a_new_source_did_not_send_is_missing_from_its_first_number_on() {
        let report = source("seen=9,captured=9,acked=0,rejected=0,dropped_budget=2", &[2, 3, 5]);

        assert_eq!((report.from_seq, report.missing, report.gaps), (0, 3, vec![(0, 1), (4, 4)]));
    }

    // It was counted as a loss once, after each restart of the collector.
    #[test]
    fn what_others_have_acknowledged_is_not_missing() {
        let report = source("seen=9,captured=9,acked=5,rejected=0", &[7, 9, 6]);

        assert_eq!((report.from_seq, report.missing, report.gaps), (6, 1, vec![(8, 8)]));
    }
}
