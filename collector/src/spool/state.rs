//! The books of a spool: its segments, how far it is filled and replayed, and where every item went.
//!
//! ```text
//! appended + recovered = replayed + dead_lettered + set_aside + lost + waiting          in items
//! ```
//! Exact whenever it is looked at: every change is made under one lock, as a whole.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::{SpoolTrouble, directory::Aside, frame::count, mark::Mark, replay::Fates};

/// The bytes beyond which a refused post no longer makes the whole spool a full one.
const FULL_FOR_BYTES: u64 = 1024 * 1024;

/// Names of damaged segments that are remembered.
const MAX_NAMES: usize = 16;

/// A segment that nobody writes any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    /// The numbers of its items.
    pub(super) range: Range<u64>,
    pub(super) bytes: u64,
    pub(super) trust: Trust,
}

/// What is believed of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It was written without an error.
    Good,
    /// A write or sync failed: the system may show what is not on the disk.
    None,
}

/// The segment that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Active {
    pub(super) first: u64,
    pub(super) bytes: u64,
}

/// Where items went, since the start of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) appended: u64,
    pub(super) recovered: u64,
    pub(super) replayed: u64,
    pub(super) dead_lettered: u64,
    pub(super) set_aside: u64,
    pub(super) lost: u64,
    pub(super) damaged_segments: u64,
    pub(super) foreign_files: u64,
    pub(super) failed_commits: u64,
}

/// Everything that is known of a spool.
#[derive(Debug)]
pub(super) struct State {
    /// Oldest first.
    pub(super) sealed: VecDeque<Sealed>,
    pub(super) active: Option<Active>,
    /// All below is acknowledged.
    pub(super) filled_below: u64,
    /// All below is settled.
    pub(super) settled_below: u64,
    pub(super) counts: Counts,
    pub(super) aside: Aside,
    pub(super) trouble: Option<SpoolTrouble>,
    /// Bytes that did not fit when they were last refused.
    pub(super) refused_bytes: Option<u64>,
    /// About when the oldest waiting item came.
    pub(super) oldest: Option<SystemTime>,
    /// What went wrong with which segment, for people.
    pub(super) damage: Vec<String>,
}

/// What a spool says of itself, for `GET /v1/accounting`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SpoolReport {
    /// Items (exchanges and accounts) taken since the start.
    pub appended: u64,
    /// Items that waited at the start.
    pub recovered: u64,
    /// Items that Kafka has acknowledged.
    pub replayed: u64,
    /// Items that Kafka refused, and that lie in the dead-letter topic.
    pub dead_lettered: u64,
    /// Items that Kafka refused, and that lie in the file `aside/refused.jsonl`.
    pub set_aside: u64,
    /// Items that the disk has lost or changed. What is left of them lies in `aside/`.
    pub lost: u64,
    /// Items that wait to be replayed.
    pub waiting: u64,
    /// Whether the first two are the sum of all others.
    pub identity_exact: bool,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes that they may have.
    pub max_bytes: u64,
    /// Seconds since about the oldest waiting item came; 0 if none waits.
    pub oldest_seconds: u64,
    /// Segments in which something was damaged.
    pub damaged_segments: u64,
    /// Commits that failed.
    pub failed_commits: u64,
    /// Files in the folder that are not the spool's.
    pub foreign_files: u64,
    /// Files in `aside/`.
    pub aside_files: u64,
    /// Their bytes.
    pub aside_bytes: u64,
    /// What was damaged, in words.
    #[serde(skip)]
    pub damage: Vec<String>,
}

impl State {
    /// Books in which nothing is entered.
    pub(super) fn new(mark: Mark) -> State {
        State {
            sealed: VecDeque::new(),
            active: None,
            filled_below: mark.filled_below,
            settled_below: mark.settled_below,
            counts: Counts::default(),
            aside: Aside::default(),
            trouble: None,
            refused_bytes: None,
            oldest: None,
            damage: Vec::new(),
        }
    }

    pub(super) fn waiting(&self) -> u64 {
        self.filled_below - self.settled_below
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { settled_below: self.settled_below, filled_below: self.filled_below }
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        let active = self.active.as_ref().map_or(0, |active| active.bytes);
        self.sealed.iter().map(|segment| segment.bytes).sum::<u64>() + active + self.aside.bytes
    }

    pub(super) fn is_full(&self, max_bytes: u64) -> bool {
        // A post that is larger than others says nothing about those.
        self.refused_bytes.is_some_and(|bytes| self.bytes() + bytes.min(FULL_FOR_BYTES) > max_bytes)
    }

    /// Items were committed to the active segment, which has so many bytes now.
    pub(super) fn appended(&mut self, items: u64, bytes: u64, now: SystemTime) {
        if self.waiting() == 0 {
            self.oldest = Some(now);
        }
        self.counts.appended += items;
        self.filled_below += items;
        if let Some(active) = &mut self.active {
            active.bytes = bytes;
        }
    }

    /// The active segment is written no more; its numbers. `None`: nothing was acknowledged in it, or there is none.
    pub(super) fn seal(&mut self, trust: Trust) -> Option<Range<u64>> {
        let Active { first, bytes } = self.active.take()?;
        let range = first..self.filled_below;
        if range.is_empty() {
            return None;
        }
        self.sealed.push_back(Sealed { range: range.clone(), bytes, trust });
        Some(range)
    }

    /// All items of a batch are settled; `fates` say where those went that were there, all others are lost.
    pub(super) fn settle(&mut self, range: &Range<u64>, fates: Fates, at: Option<SystemTime>) {
        let Fates { replayed, dead_lettered, set_aside } = fates;
        let lost = count(range).saturating_sub(replayed + dead_lettered + set_aside);
        self.counts.replayed += replayed;
        self.counts.dead_lettered += dead_lettered;
        self.counts.set_aside += set_aside;
        self.counts.lost += lost;
        self.settled_below = range.end;
        if let Some(at) = at {
            self.oldest = Some(at);
        }
        if self.waiting() == 0 {
            self.oldest = None;
        }
    }

    /// Remembers damage in words.
    pub(super) fn damaged(&mut self, words: String) {
        if self.damage.len() < MAX_NAMES {
            self.damage.push(words);
        }
    }

    pub(super) fn report(&self, max_bytes: u64) -> SpoolReport {
        let Counts { appended, recovered, replayed, dead_lettered, set_aside, lost, .. } = self.counts;
        let waiting = self.waiting();
        let age = self.oldest.and_then(|oldest| SystemTime::now().duration_since(oldest).ok());
        SpoolReport {
            appended,
            recovered,
            replayed,
            dead_lettered,
            set_aside,
            lost,
            waiting,
            identity_exact: appended + recovered == replayed + dead_lettered + set_aside + lost + waiting,
            bytes: self.bytes(),
            max_bytes,
            oldest_seconds: age.map_or(0, |age: Duration| age.as_secs()),
            damaged_segments: self.counts.damaged_segments,
            failed_commits: self.counts.failed_commits,
            foreign_files: self.counts.foreign_files,
            aside_files: self.aside.files,
            aside_bytes: self.aside.bytes,
            damage: self.damage.clone(),
        }
    }
}
