//! The account: where every line went, exact at every moment it is looked at.
//!
//! A post is entered once, whole, when its outcome is known, under one lock; so the identities below hold in every
//! snapshot and need no quiet moment.
//!
//! ```text
//! received        = accepted + rejected + repeated + refused{busy, auth, limit}          in lines
//! accepted        = kafka_acked + spooled + file_synced
//! posts.received  = posts.accepted + posts.repeated + posts.refused{busy, auth, limit, bad_request}
//! ```
//! A post that is refused before its body is read (401, 415 …) has no lines yet: it counts among the posts only.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::{Instant, SystemTime},
};

use serde::Serialize;

pub(crate) use source::SourceReport;
pub(crate) use told::{Account, Due};
pub(crate) use totals::Totals;

use crate::{decode::DecodeCounts, error::RefusedAs, post::Sender};
use source::Source;

mod source;
#[cfg(test)]
mod tests;
mod told;
mod totals;

/// One moment on both clocks: the one to show, and the one that never jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// For people.
    pub wall: SystemTime,
    /// For durations.
    pub steady: Instant,
}

impl Now {
    /// This moment.
    pub(crate) fn read() -> Now {
        Now { wall: SystemTime::now(), steady: Instant::now() }
    }
}

/// Where accepted lines lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredIn {
    /// In the topic, `acks=all`.
    Kafka,
    /// In the file, synced.
    File,
}

/// The outcome of a post that was answered with 200.
#[derive(Debug, Default)]
pub(crate) struct Settled<'a> {
    /// Lines that are durable.
    pub accepted: u64,
    /// Those of the accepted that lie in the spool.
    pub spooled: u64,
    /// Lines that never will be.
    pub rejected: u64,
    /// Those of the rejected that lie in the dead-letter topic.
    pub dead_lettered: u64,
    /// Source and number of each accepted line that has them.
    pub seqs: Vec<(&'a str, u64)>,
    /// Source and number of each rejected line that has them.
    pub rejected_seqs: Vec<(&'a str, u64)>,
    /// What became of compressed bodies.
    pub bodies: DecodeCounts,
}

/// What `GET /v1/accounting` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Lines and posts.
    #[serde(flatten)]
    pub totals: Totals,
    /// [`Totals::identity_is_exact`].
    pub identity_exact: bool,
    /// Sources that were forgotten because there were too many; their lines stay in the totals.
    pub sources_evicted: u64,
    /// Sources that are silent though something was pending when they were heard last.
    pub sources_silent: u64,
    /// Reports that were lost because their source was forgotten while no sink took them.
    pub accounts_lost: u64,
    /// By name.
    pub sources: BTreeMap<String, SourceReport>,
}

/// A few numbers about the sources, for metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceTotals {
    /// Sources known.
    pub known: u64,
    /// Sources forgotten.
    pub evicted: u64,
    /// Missing sequence numbers of the known ones.
    pub missing: u64,
    /// Repeated sequence numbers of the known ones.
    pub duplicates: u64,
    /// Known ones that are silent though something was pending when they were heard last.
    pub silent: u64,
    /// Known ones whose last report does not explain all it captured.
    pub inexact: u64,
    /// Exchanges that were pending when the known ones were heard last.
    pub pending: u64,
    /// Reports that were lost, see [`Report::accounts_lost`].
    pub accounts_lost: u64,
    /// What the known ones report as dropped, by reason, and as recorded in part, by step.
    pub reported: Reported,
}

/// What sources say of exchanges that did not come, or not whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Reported {
    /// Lost, by reason: the counters `dropped_*`.
    pub dropped: BTreeMap<String, u64>,
    /// Recorded without bodies or headers for want of memory: the counters `degraded_*`.
    pub degraded: BTreeMap<String, u64>,
}

/// The account of one collector.
#[derive(Debug)]
pub(crate) struct Accounting {
    stored_in: StoredIn,
    max_sources: usize,
    books: Mutex<Books>,
    /// Whether the last try to store accounts failed; then none travels with a post.
    accounts_fail: AtomicBool,
}

#[derive(Debug, Default)]
struct Books {
    totals: Totals,
    sources: HashMap<String, Source>,
    evicted: u64,
    /// Accounts of forgotten sources that no sink has yet.
    orphans: VecDeque<Account>,
    accounts_lost: u64,
}

impl Accounting {
    /// Empty books. `max_sources`: from 1; past it the source that was silent longest is forgotten, visibly.
    pub(crate) fn new(stored_in: StoredIn, max_sources: usize) -> Accounting {
        let max_sources = max_sources.max(1);
        Accounting { stored_in, max_sources, books: Mutex::default(), accounts_fail: AtomicBool::new(false) }
    }

    /// Enters a post that is answered with 200.
    pub(crate) fn settle(&self, sender: Option<&Sender>, settled: &Settled<'_>, now: Now) {
        let mut books = self.lock();
        let totals = &mut books.totals;
        totals.received += settled.accepted + settled.rejected;
        totals.accepted += settled.accepted;
        totals.rejected += settled.rejected;
        totals.dead_lettered += settled.dead_lettered;
        totals.spooled += settled.spooled;
        let stored = settled.accepted.saturating_sub(settled.spooled);
        match self.stored_in {
            StoredIn::Kafka => totals.kafka_acked += stored,
            StoredIn::File => totals.file_synced += stored,
        }
        totals.posts.received += 1;
        totals.posts.accepted += 1;
        totals.bodies.add(settled.bodies);
        if let Some(sender) = sender {
            books.source(&sender.source, self.max_sources, now).hears(sender, now);
        }
        self.enter(&mut books, &settled.seqs, now, Source::acknowledged);
        self.enter(&mut books, &settled.rejected_seqs, now, Source::rejected);
    }

    fn enter(&self, books: &mut Books, seqs: &[(&str, u64)], now: Now, enter: impl Fn(&mut Source, u64)) {
        // Nearly always all lines are of one source.
        let mut rest = seqs;
        while let Some((name, _)) = rest.first() {
            let same = rest.iter().take_while(|(other, _)| other == name).count();
            let (run, others) = rest.split_at(same);
            let source = books.source(name, self.max_sources, now);
            for (_, seq) in run {
                enter(source, *seq);
            }
            rest = others;
        }
    }

    /// Enters a post that was stored before, as a whole, and is answered again.
    pub(crate) fn repeat(&self, sender: Option<&Sender>, lines: u64, now: Now) {
        let mut books = self.lock();
        let totals = &mut books.totals;
        totals.received += lines;
        totals.repeated += lines;
        totals.posts.received += 1;
        totals.posts.repeated += 1;
        if let Some(sender) = sender {
            books.source(&sender.source, self.max_sources, now).hears(sender, now);
        }
    }

    /// Enters a post that is refused, with the lines that were read of it. What its sender reports is worth knowing
    /// all the same.
    pub(crate) fn refuse(&self, refused_as: RefusedAs, lines: u64, sender: Option<&Sender>, now: Now) {
        let mut books = self.lock();
        let totals = &mut books.totals;
        totals.received += lines;
        totals.posts.received += 1;
        let posts = &mut totals.posts.refused;
        let (count, lines_of) = match refused_as {
            RefusedAs::Busy => (&mut posts.busy, &mut totals.refused.busy),
            RefusedAs::Auth => (&mut posts.auth, &mut totals.refused.auth),
            RefusedAs::Limit => (&mut posts.limit, &mut totals.refused.limit),
            // Its lines were never read.
            RefusedAs::BadRequest => (&mut posts.bad_request, &mut totals.refused.limit),
        };
        *count += 1;
        *lines_of += lines;
        if let Some(sender) = sender.filter(|sender| sender.counters.is_some()) {
            books.source(&sender.source, self.max_sources, now).hears(sender, now);
        }
    }

    /// Everything, at one moment.
    pub(crate) fn report(&self, now: Now) -> Report {
        let books = self.lock();
        Report {
            totals: books.totals,
            identity_exact: books.totals.identity_is_exact(),
            sources_evicted: books.evicted,
            sources_silent: books.sources.values().filter(|source| source.is_silent(now)).count() as u64,
            accounts_lost: books.accounts_lost,
            sources: books.sources.iter().map(|(name, source)| (name.clone(), source.report(now))).collect(),
        }
    }

    /// The totals, at one moment.
    pub(crate) fn totals(&self, now: Now) -> (Totals, SourceTotals) {
        let books = self.lock();
        let known = || books.sources.values();
        let mut sources = SourceTotals {
            known: books.sources.len() as u64,
            evicted: books.evicted,
            missing: known().map(Source::missing).sum(),
            duplicates: known().map(Source::duplicates).sum(),
            silent: known().filter(|source| source.is_silent(now)).count() as u64,
            inexact: known().filter(|source| source.is_exact() == Some(false)).count() as u64,
            pending: known().map(Source::pending).sum(),
            accounts_lost: books.accounts_lost,
            reported: Reported::default(),
        };
        for source in known() {
            source.add_reported(&mut sources.reported);
        }
        (books.totals, sources)
    }

    /// Sources that are silent though something was pending when they were heard last: a sentence each, for the `max` that
    /// were heard last, and one more for the rest. What went silent now is news; what is long dead is not.
    pub(crate) fn silent(&self, now: Now, max: usize) -> Vec<String> {
        let books = self.lock();
        let mut silent: Vec<(&String, &Source)> =
            books.sources.iter().filter(|(_, source)| source.is_silent(now)).collect();
        silent.sort_unstable_by_key(|(name, source)| (Reverse(source.last_seen.steady), *name));
        let rest = silent.len().saturating_sub(max);
        let mut told: Vec<String> =
            silent.into_iter().take(max).map(|(name, source)| source.silence(name, now)).collect();
        if rest > 0 {
            told.push(format!("{rest} more sources are silent with exchanges pending"));
        }
        told
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        // Nothing panics under this lock. Not `tokio::sync::Mutex`: it is never held across an await.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn source(&mut self, name: &str, max_sources: usize, now: Now) -> &mut Source {
        if !self.sources.contains_key(name) && self.sources.len() >= max_sources {
            let oldest = self.sources.iter().min_by_key(|(_, source)| source.last_seen.steady);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.forget(&oldest, max_sources);
            }
        }
        let source = self.sources.entry(name.to_owned()).or_insert_with(|| Source::new(now));
        source.last_seen = now;
        source
    }

    /// What no sink has yet of the forgotten source is kept apart, within bounds.
    fn forget(&mut self, name: &str, max_orphans: usize) {
        let Some(source) = self.sources.remove(name) else { return };
        self.evicted += 1;
        self.orphans.extend(source.due().map(|(_, account)| account));
        while self.orphans.len() > max_orphans {
            self.orphans.pop_front();
            self.accounts_lost += 1;
        }
    }
}
