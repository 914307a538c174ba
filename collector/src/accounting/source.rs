//! What is known of one source: what arrived of it, and what it says itself.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use serde::Serialize;
use tributary_http_types::{Seen, SeqSet, SourceAccount};

use super::{Account, Now, Reported};
use crate::{post::Sender, sink::rfc3339};

/// Gaps that an answer lists at most, for each source.
const MAX_GAPS_LISTED: usize = 100;

/// Ranges of acknowledged numbers that an account lists at most.
const MAX_RANGES_TOLD: usize = 32;

/// A source is silent when it has missed more heartbeats than this.
const HEARTBEATS_MISSED: u32 = 3;

/// The account of one source.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) last_seen: Now,
    /// Accepted or rejected for good.
    arrived: SeqSet,
    acknowledged: SeqSet,
    duplicates: u64,
    /// Its newest report; what it lists as acknowledged is filled in when it is written.
    reported: Option<SourceAccount>,
    /// Lines of it that were acknowledged before this collector first heard of it: by another one, or by this one before
    /// it was started anew. So many of the numbers that did not come here are not missing.
    acked_elsewhere: u64,
    /// Grows with whatever an account of it would say differently.
    changes: u64,
    /// `changes` of the account that was stored last, when it was due.
    changes_told: u64,
    /// Numbers below this one are explained by an account that is stored.
    captured_told: u64,
}

/// The account of one source as `GET /v1/accounting` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct SourceReport {
    last_seen: String,
    heartbeat_ms: Option<u64>,
    silent: bool,
    acked_elsewhere: u64,
    max_seq: Option<u64>,
    missing: u64,
    /// Empty when nothing is missing. Else some of these may be elsewhere; what lies below the smallest number seen is
    /// left out if anything is.
    gaps: Vec<(u64, u64)>,
    duplicates: u64,
    pending: u64,
    #[serde(flatten)]
    reported: Reported,
    counters: BTreeMap<String, u64>,
    identity_exact: Option<bool>,
}

impl Source {
    pub(super) fn new(now: Now) -> Source {
        Source {
            last_seen: now,
            arrived: SeqSet::default(),
            acknowledged: SeqSet::default(),
            duplicates: 0,
            reported: None,
            acked_elsewhere: 0,
            changes: 0,
            changes_told: 0,
            captured_told: 0,
        }
    }

    /// An exchange of it is durable.
    pub(super) fn acknowledged(&mut self, seq: u64) {
        self.acknowledged.add(seq);
        self.arrived(seq);
    }

    /// An exchange of it never will be.
    pub(super) fn rejected(&mut self, seq: u64) {
        self.arrived(seq);
    }

    fn arrived(&mut self, seq: u64) {
        self.changes += 1;
        if self.arrived.add(seq) == Seen::Again {
            self.duplicates += 1;
        }
    }

    /// It says how it stands. A report that was overtaken by a newer one is dropped: cumulative counters only grow.
    pub(super) fn hears(&mut self, sender: &Sender, now: Now) {
        let Some(counters) = &sender.counters else { return };
        let report = SourceAccount {
            source: sender.source.clone(),
            at: rfc3339(now.wall),
            batch: sender.batch,
            heartbeat_ms: sender.heartbeat_ms,
            counters: counters.clone(),
            acknowledged: Vec::new(),
        };
        if self.reported.is_none() && self.arrived.is_empty() {
            self.acked_elsewhere = report.get("acked").saturating_add(report.get("rejected"));
        }
        if self.reported.as_ref().is_none_or(|known| known.age() <= report.age()) {
            self.changes += 1;
            self.reported = Some(report);
        }
    }

    /// Whether a post of these numbers leaves one missing below its largest that no stored account explains.
    pub(super) fn needs_account(&self, seqs: impl Iterator<Item = u64>) -> bool {
        let mut arrived = self.arrived.clone();
        for seq in seqs {
            arrived.add(seq);
        }
        arrived.highest_missing().is_some_and(|missing| missing >= self.captured_told)
    }

    /// What it says, and what was acknowledged to it; `None` if it never said anything.
    pub(super) fn account(&self) -> Option<SourceAccount> {
        let mut acknowledged: Vec<(u64, u64)> = self.acknowledged.ranges().take(MAX_RANGES_TOLD).collect();
        acknowledged.reverse();
        Some(SourceAccount { acknowledged, ..self.reported.clone()? })
    }

    /// The account to be stored, and the state that it tells; `None` if that was told before.
    pub(super) fn due(&self) -> Option<(u64, Account)> {
        let account = (self.changes != self.changes_told).then(|| self.account()).flatten()?;
        Some((self.changes, Account::of(&account)))
    }

    /// An account is stored that explains numbers below `captured`.
    pub(super) fn told(&mut self, captured: u64, changes: Option<u64>) {
        self.captured_told = self.captured_told.max(captured);
        self.changes_told = self.changes_told.max(changes.unwrap_or(0));
    }

    /// Whether it should have been heard by now: something was pending, and it has missed its heartbeats.
    pub(super) fn is_silent(&self, now: Now) -> bool {
        let heartbeat = self.reported.as_ref().and_then(|report| report.heartbeat_ms).map(Duration::from_millis);
        heartbeat.is_some_and(|heartbeat| {
            self.pending() > 0 && self.silent_for(now) > heartbeat.saturating_mul(HEARTBEATS_MISSED)
        })
    }

    /// The warning about a silent source.
    pub(super) fn silence(&self, name: &str, now: Now) -> String {
        let (seconds, pending) = (self.silent_for(now).as_secs(), self.pending());
        format!("source {name} is silent for {seconds} s with {pending} exchanges pending")
    }

    fn silent_for(&self, now: Now) -> Duration {
        now.steady.saturating_duration_since(self.last_seen.steady)
    }

    pub(super) fn report(&self, now: Now) -> SourceReport {
        let mut reported = Reported::default();
        self.add_reported(&mut reported);
        SourceReport {
            last_seen: rfc3339(self.last_seen.wall),
            heartbeat_ms: self.reported.as_ref().and_then(|report| report.heartbeat_ms),
            silent: self.is_silent(now),
            acked_elsewhere: self.acked_elsewhere,
            max_seq: self.arrived.max(),
            missing: self.missing(),
            gaps: self.gaps(),
            duplicates: self.duplicates,
            pending: self.pending(),
            reported,
            counters: self.reported.as_ref().map(|report| report.counters.clone()).unwrap_or_default(),
            identity_exact: self.is_exact(),
        }
    }

    /// Adds what it reports as dropped or degraded.
    pub(super) fn add_reported(&self, reported: &mut Reported) {
        let counters = self.reported.iter().flat_map(|report| &report.counters);
        for (name, value) in counters {
            let kind = match (name.strip_prefix("dropped_"), name.strip_prefix("degraded_")) {
                (Some(reason), _) => Some((&mut reported.dropped, reason)),
                (_, Some(step)) => Some((&mut reported.degraded, step)),
                (None, None) => None,
            };
            if let Some((counts, word)) = kind {
                *counts.entry(word.to_owned()).or_default() += value;
            }
        }
    }

    /// How many numbers up to the largest seen came neither here nor, as far as is known, anywhere else.
    pub(super) fn missing(&self) -> u64 {
        self.arrived.missing().saturating_sub(self.acked_elsewhere)
    }

    fn gaps(&self) -> Vec<(u64, u64)> {
        if self.missing() == 0 {
            return Vec::new();
        }
        let is_ours = |gap: &RangeInclusive<u64>| self.acked_elsewhere == 0 || *gap.start() > 0;
        self.arrived.gaps().filter(is_ours).take(MAX_GAPS_LISTED).map(RangeInclusive::into_inner).collect()
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Whether its last report explains all it captured; `None`: it never reported.
    pub(super) fn is_exact(&self) -> Option<bool> {
        self.reported.as_ref().map(SourceAccount::identity_is_exact)
    }

    /// What was pending when it was heard last.
    pub(super) fn pending(&self) -> u64 {
        self.reported.as_ref().map_or(0, SourceAccount::pending)
    }
}

#[cfg(test)]
mod tests;
