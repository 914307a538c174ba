//! The verdict on one source: pure arithmetic on what arrived and what the source said.
//!
//! The newest account of a source says: I gave out the numbers from 0 to `captured` - 1; `acked` of them are durable, so
//! many were rejected, dropped (by reason), and so many were pending. Every acknowledged one must be here. So, below
//! `captured`, as many numbers as `acked` have to be here, or else the difference is unexplained:
//!
//! ```text
//! lost    = acked - here[0, captured)                     the same as: absent - rejected - dropped - pending
//! claimed = numbers that a collector says it has stored, and that are not here
//! beyond  = absent numbers that are not below `captured`, but below one that is here
//! unexplained = max(lost, claimed) + beyond
//! ```
//! *here* is the topic, and what a collector had acknowledged before Kafka found it too large (dead letters of the spool).
//! `lost` alone would miss a loss when something came that nobody counts as acknowledged (a post whose answer never
//! reached the filter): `claimed` knows the very numbers, so it does not.
//!
//! Where the beginning of the topic is gone, numbers below the *horizon* may have gone with it: they are not judged, and
//! `lost` becomes the absent ones from there on that exceed everything the source ever counted as not delivered.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Range,
};

use serde::Serialize;
use tributary_http_types::SourceAccount;

use crate::numbers::Numbers;

/// Ranges that a verdict lists at most.
const MAX_LISTED: usize = 100;

/// All that is known of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// Numbers in the topic.
    pub(crate) present: Numbers,
    /// Lines whose number was there before.
    pub(crate) repeats: u64,
    /// Numbers in the dead letters that had been acknowledged, because they came from a spool.
    pub(crate) buried: Numbers,
    /// All its dead letters.
    pub(crate) dead_letters: u64,
    /// Its newest account.
    pub(crate) account: Option<SourceAccount>,
    /// What collectors say they have stored.
    pub(crate) claims: Ranges,
}

/// Which numbers are judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    /// Those below may have gone with the beginning of the topic.
    pub(crate) horizon: u64,
    /// One more than the largest that was here when the audit began. Without an account gaps from there on are not judged:
    /// their account may still be on its way.
    pub(crate) end: u64,
}

/// The verdict on one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SourceVerdict {
    /// Its name.
    pub(crate) source: String,
    /// Different numbers in the topic.
    pub(crate) distinct: u64,
    /// Lines that came again.
    pub(crate) repeats: u64,
    /// The largest number in the topic.
    pub(crate) max_seq: Option<u64>,
    /// Numbers that it has given out, by its newest account.
    pub(crate) captured: Option<u64>,
    /// Numbers that it knows to be durable, by its newest account.
    pub(crate) acked: Option<u64>,
    /// When a collector heard that account.
    pub(crate) account_at: Option<String>,
    /// Whether that account explains all it captured.
    pub(crate) account_exact: Option<bool>,
    /// Numbers that may have gone with the beginning of the topic: not judged.
    pub(crate) not_judged: u64,
    /// Judged numbers that are not in the topic.
    pub(crate) absent: u64,
    /// Those of the absent that something explains.
    pub(crate) explained: u64,
    /// The others. Anything but 0 is a loss, or something acknowledged that has not reached the topic yet.
    pub(crate) unexplained: u64,
    /// What the source says it dropped, by reason.
    pub(crate) dropped: BTreeMap<String, u64>,
    /// What collectors rejected for good.
    pub(crate) rejected: u64,
    /// What was pending when it was heard last.
    pub(crate) pending: u64,
    /// Its records in the topic of dead letters.
    pub(crate) dead_letters: u64,
    /// The first gaps, as ranges with both ends.
    pub(crate) gaps: Vec<(u64, u64)>,
    /// The first of the numbers that a collector says it has stored, and that are not there.
    pub(crate) lost: Vec<(u64, u64)>,
}

/// Judges one source.
pub(crate) fn judge(source: &str, evidence: &Evidence, bounds: Bounds) -> SourceVerdict {
    let Evidence { present, repeats, dead_letters, account, claims, .. } = evidence;
    let known = account.as_ref();
    let captured = known.map_or(0, SourceAccount::captured);
    let end = bounds.end.max(captured);
    let horizon = bounds.horizon.min(end);

    let reported = horizon..captured.max(horizon);
    let beyond = reported.end..end;
    let claimed = claims.absent_in(evidence, horizon..end);
    let unexplained =
        lost(evidence, &reported).max(claimed) + absent(evidence, &beyond) + claims.absent_in(evidence, end..u64::MAX);
    let absent = absent(evidence, &(horizon..end));
    let lost = claims.0.iter().flat_map(|(&start, &end)| gaps_of(evidence, start.max(horizon)..end));
    SourceVerdict {
        source: source.to_owned(),
        distinct: present.len(),
        repeats: *repeats,
        max_seq: present.max(),
        captured: known.map(SourceAccount::captured),
        acked: known.map(|account| account.get("acked")),
        account_at: known.map(|account| account.at.clone()),
        account_exact: known.map(SourceAccount::identity_is_exact),
        not_judged: horizon - present.within(0..horizon),
        absent,
        explained: absent.saturating_sub(unexplained),
        unexplained,
        dropped: known.map(dropped_by_reason).unwrap_or_default(),
        rejected: known.map_or(0, |account| account.get("rejected")),
        pending: known.map_or(0, SourceAccount::pending),
        dead_letters: *dead_letters,
        gaps: listed(present.gaps(horizon..end)),
        lost: listed(lost),
    }
}

/// Whether numbers are absent that no account speaks of yet: then a newer one may be on its way.
pub(crate) fn is_open(evidence: &Evidence, bounds: Bounds) -> bool {
    let captured = evidence.account.as_ref().map_or(0, SourceAccount::captured);
    absent(evidence, &(captured.max(bounds.horizon)..bounds.end)) > 0
}

/// How many acknowledged numbers of a range that the account speaks of are not here, at least.
fn lost(evidence: &Evidence, reported: &Range<u64>) -> u64 {
    let Some(account) = &evidence.account else { return 0 };
    let counted = account.get("rejected").saturating_add(account.dropped()).saturating_add(account.pending());
    let too_many_absent = absent(evidence, reported).saturating_sub(counted);
    // The same, if the account is exact; of an inexact one the worse counts.
    let too_few_here = match reported.start {
        0 => account.get("acked").saturating_sub(here(evidence, reported)),
        _ => 0,
    };
    too_many_absent.max(too_few_here)
}

fn absent(evidence: &Evidence, range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start).saturating_sub(here(evidence, range))
}

fn here(evidence: &Evidence, range: &Range<u64>) -> u64 {
    let Evidence { present, buried, .. } = evidence;
    let only_buried = present.gaps(range.clone()).map(|gap| buried.within(gap)).sum::<u64>();
    present.within(range.clone()) + if buried.len() > 0 { only_buried } else { 0 }
}

fn gaps_of(evidence: &Evidence, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let Evidence { present, buried, .. } = evidence;
    present.gaps(range).flat_map(|gap| buried.gaps(gap))
}

fn dropped_by_reason(account: &SourceAccount) -> BTreeMap<String, u64> {
    let counters = account.counters.iter().filter(|(_, count)| **count > 0);
    counters.filter_map(|(name, count)| Some((name.strip_prefix("dropped_")?.to_owned(), *count))).collect()
}

fn listed(ranges: impl Iterator<Item = Range<u64>>) -> Vec<(u64, u64)> {
    ranges.filter(|range| !range.is_empty()).take(MAX_LISTED).map(|range| (range.start, range.end - 1)).collect()
}

/// Ranges of numbers that never touch: start and end (not in it) of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds the numbers from `first` to `last`.
    pub(crate) fn add(&mut self, first: u64, last: u64) {
        let (mut start, mut end) = (first, last.saturating_add(1));
        if start >= end {
            return;
        }
        // Those that overlap or touch begin at or before its end.
        while let Some((&other_start, &other_end)) = self.0.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            self.0.remove(&other_start);
            (start, end) = (start.min(other_start), end.max(other_end));
        }
        match self.0.entry(start) {
            Entry::Vacant(place) => {
                place.insert(end);
            }
            Entry::Occupied(mut place) => {
                let longest = end.max(*place.get());
                place.insert(longest);
            }
        }
    }

    /// How many of these numbers inside `range` are not here.
    fn absent_in(&self, evidence: &Evidence, range: Range<u64>) -> u64 {
        let inside = self.0.iter().map(|(&start, &end)| start.max(range.start)..end.min(range.end));
        inside.map(|range| absent(evidence, &range)).sum()
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
