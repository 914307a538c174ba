//! What is known of one source: what arrived of it, and what it says itself.

use std::{collections::BTreeMap, ops::RangeInclusive, time::SystemTime};

use serde::Serialize;
use tributary_http_types::{Seen, SeqSet};

use crate::{post::Counters, sink::rfc3339};

/// Gaps that an answer lists at most, for each source.
const MAX_GAPS_LISTED: usize = 100;

/// The account of one source.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) last_seen: SystemTime,
    seqs: SeqSet,
    duplicates: u64,
    reported: Option<Counters>,
    /// Lines of it that were acknowledged before this collector first heard of it: by another one, or by this one before
    /// it was started anew. So many of the numbers that did not come here are not missing.
    acked_elsewhere: u64,
}

/// The account of one source as `GET /v1/accounting` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct SourceReport {
    last_seen: String,
    acked_elsewhere: u64,
    max_seq: Option<u64>,
    missing: u64,
    /// Empty when nothing is missing. Else some of these may be elsewhere; what lies below the smallest number seen is
    /// left out if anything is.
    gaps: Vec<(u64, u64)>,
    duplicates: u64,
    counters: BTreeMap<String, u64>,
    identity_exact: Option<bool>,
}

impl Source {
    pub(super) fn new(now: SystemTime) -> Source {
        Source { last_seen: now, seqs: SeqSet::default(), duplicates: 0, reported: None, acked_elsewhere: 0 }
    }

    /// An exchange of it was accepted or rejected for good.
    pub(super) fn arrived(&mut self, seq: u64) {
        if self.seqs.add(seq) == Seen::Again {
            self.duplicates += 1;
        }
    }

    /// It says how it stands. A report that was overtaken by a newer one is dropped: cumulative counters only grow.
    pub(super) fn reports(&mut self, counters: Counters) {
        if self.reported.is_none() && self.seqs.max().is_none() {
            self.acked_elsewhere = counters.acknowledged();
        }
        if self.reported.as_ref().is_none_or(|known| known.age() <= counters.age()) {
            self.reported = Some(counters);
        }
    }

    pub(super) fn report(&self) -> SourceReport {
        SourceReport {
            last_seen: rfc3339(self.last_seen),
            acked_elsewhere: self.acked_elsewhere,
            max_seq: self.seqs.max(),
            missing: self.missing(),
            gaps: self.gaps(),
            duplicates: self.duplicates,
            counters: self.reported.as_ref().map(Counters::to_map).unwrap_or_default(),
            identity_exact: self.reported.as_ref().map(Counters::identity_is_exact),
        }
    }

    /// How many numbers up to the largest seen came neither here nor, as far as is known, anywhere else.
    pub(super) fn missing(&self) -> u64 {
        self.seqs.missing().saturating_sub(self.acked_elsewhere)
    }

    fn gaps(&self) -> Vec<(u64, u64)> {
        if self.missing() == 0 {
            return Vec::new();
        }
        let is_ours = |gap: &RangeInclusive<u64>| self.acked_elsewhere == 0 || *gap.start() > 0;
        self.seqs.gaps().filter(is_ours).take(MAX_GAPS_LISTED).map(RangeInclusive::into_inner).collect()
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

        assert_eq!((report.acked_elsewhere, report.missing, report.gaps), (0, 3, vec![(0, 1), (4, 4)]));
    }

    // It was counted as a loss once, after each restart of the collector.
    #[test]
    fn what_others_have_acknowledged_is_not_missing() {
        // Two posts were on their way, and the other collector answered the later one: 0 to 5, and 8.
        let report = source("seen=10,captured=10,acked=6,rejected=1", &[9, 6, 7]);

        assert_eq!((report.acked_elsewhere, report.missing, report.gaps), (7, 0, vec![]));
    }

    #[test]
    fn what_did_not_come_beyond_that_is_missing() {
        let report = source("seen=12,captured=12,acked=6,rejected=0", &[6, 8, 11]);

        assert_eq!((report.acked_elsewhere, report.missing, report.gaps), (6, 3, vec![(7, 7), (9, 10)]));
    }
}
