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
}

/// The account of one source as `GET /v1/accounting` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct SourceReport {
    last_seen: String,
    max_seq: Option<u64>,
    missing: u64,
    gaps: Vec<(u64, u64)>,
    duplicates: u64,
    counters: BTreeMap<String, u64>,
    identity_exact: Option<bool>,
}

impl Source {
    pub(super) fn new(now: SystemTime) -> Source {
        Source { last_seen: now, seqs: Seqs::default(), duplicates: 0, reported: None }
    }

    /// An exchange of it was accepted or rejected for good.
    pub(super) fn arrived(&mut self, seq: u64) {
        if self.seqs.add(seq) == Seen::Again {
            self.duplicates += 1;
        }
    }

    /// It says how it stands. A report that was overtaken by a newer one is dropped: cumulative counters only grow.
    pub(super) fn reports(&mut self, counters: Counters) {
        if self.reported.as_ref().is_none_or(|known| known.age() <= counters.age()) {
            self.reported = Some(counters);
        }
    }

    pub(super) fn report(&self) -> SourceReport {
        let millis = self.last_seen.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
        SourceReport {
            last_seen: Timestamp::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX)).to_string(),
            max_seq: self.seqs.max(),
            missing: self.seqs.missing(),
            gaps: self.seqs.gaps().take(MAX_GAPS_LISTED).map(|gap| gap.into_inner()).collect(),
            duplicates: self.duplicates,
            counters: self.reported.as_ref().map(Counters::to_map).unwrap_or_default(),
            identity_exact: self.reported.as_ref().map(Counters::identity_is_exact),
        }
    }

    pub(super) fn missing(&self) -> u64 {
        self.seqs.missing()
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }
}
