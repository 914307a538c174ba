//! The account: where every line went, exact at every moment it is looked at.
//!
//! A post is entered once, whole, when its outcome is known, under one lock; so the identities below hold in every
//! snapshot and need no quiet moment.
//!
//! ```text
//! received        = accepted + rejected + refused{busy, auth, limit}          in lines
//! accepted        = kafka_acked + spooled + file_synced
//! posts.received  = posts.accepted + posts.refused{busy, auth, limit, bad_request}
//! ```
//! A post that is refused before its body is read (401, 415 …) has no lines yet: it counts among the posts only.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde::Serialize;

pub(crate) use source::SourceReport;

use crate::{decode::DecodeCounts, error::RefusedAs, post::Sender};
use source::Source;

mod source;
#[cfg(test)]
mod tests;

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
    /// Lines that never will be.
    pub rejected: u64,
    /// Those of the rejected that lie in the dead-letter topic.
    pub dead_lettered: u64,
    /// Source and number of each accepted or rejected line that has them.
    pub seqs: Vec<(&'a str, u64)>,
    /// What became of compressed bodies.
    pub bodies: DecodeCounts,
}

/// Lines and posts, cumulative since the start.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Totals {
    /// Lines of all posts whose lines were read.
    pub received: u64,
    /// Lines answered as durable.
    pub accepted: u64,
    /// Lines answered as never to be durable.
    pub rejected: u64,
    /// Rejected lines whose head lies in the dead-letter topic.
    pub dead_lettered: u64,
    /// Lines of refused posts.
    pub refused: Refused,
    /// Accepted lines that Kafka acknowledged.
    pub kafka_acked: u64,
    /// Accepted lines in the spool.
    pub spooled: u64,
    /// Accepted lines in the synced file.
    pub file_synced: u64,
    /// The posts.
    pub posts: Posts,
    /// Compressed bodies inside exchanges.
    pub bodies: DecodeCounts,
}

/// Refused lines, by reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Refused {
    /// Nothing promised, try again (503).
    pub busy: u64,
    /// No or a wrong token: never read, so always 0 (see `posts`).
    pub auth: u64,
    /// Over a limit.
    pub limit: u64,
}

/// Posts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Posts {
    /// All that came to an outcome.
    pub received: u64,
    /// Answered with 200.
    pub accepted: u64,
    /// Answered with something else.
    pub refused: RefusedPosts,
}

/// Refused posts, by reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct RefusedPosts {
    /// 503.
    pub busy: u64,
    /// 401.
    pub auth: u64,
    /// 408, 413.
    pub limit: u64,
    /// 400, 415.
    pub bad_request: u64,
}

impl Totals {
    /// Whether every line and every post is explained.
    pub(crate) fn identity_is_exact(&self) -> bool {
        let Refused { busy, auth, limit } = self.refused;
        let posts = self.posts.refused;
        self.received == self.accepted + self.rejected + busy + auth + limit
            && self.accepted == self.kafka_acked + self.spooled + self.file_synced
            && self.posts.received == self.posts.accepted + posts.busy + posts.auth + posts.limit + posts.bad_request
    }
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
    /// By name.
    pub sources: BTreeMap<String, SourceReport>,
}

/// A few numbers about the sources, for metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SourceTotals {
    /// Sources known.
    pub known: u64,
    /// Sources forgotten.
    pub evicted: u64,
    /// Missing sequence numbers of the known ones.
    pub missing: u64,
    /// Repeated sequence numbers of the known ones.
    pub duplicates: u64,
}

/// The account of one collector.
#[derive(Debug)]
pub(crate) struct Accounting {
    stored_in: StoredIn,
    max_sources: usize,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    totals: Totals,
    sources: HashMap<String, Source>,
    evicted: u64,
}

impl Accounting {
    /// Empty books. `max_sources`: from 1; past it the source that was silent longest is forgotten, visibly.
    pub(crate) fn new(stored_in: StoredIn, max_sources: usize) -> Accounting {
        Accounting { stored_in, max_sources: max_sources.max(1), books: Mutex::default() }
    }

    /// Enters a post that is answered with 200.
    pub(crate) fn settle(&self, sender: Option<&Sender>, settled: &Settled<'_>) {
        let now = SystemTime::now();
        let mut books = self.lock();
        let totals = &mut books.totals;
        totals.received += settled.accepted + settled.rejected;
        totals.accepted += settled.accepted;
        totals.rejected += settled.rejected;
        totals.dead_lettered += settled.dead_lettered;
        match self.stored_in {
            StoredIn::Kafka => totals.kafka_acked += settled.accepted,
            StoredIn::File => totals.file_synced += settled.accepted,
        }
        totals.posts.received += 1;
        totals.posts.accepted += 1;
        totals.bodies.add(settled.bodies);
        self.enter_sources(&mut books, sender, settled, now);
    }

    fn enter_sources(&self, books: &mut Books, sender: Option<&Sender>, settled: &Settled<'_>, now: SystemTime) {
        if let Some(sender) = sender {
            let source = books.source(&sender.source, self.max_sources, now);
            if let Some(counters) = &sender.counters {
                source.reports(counters.clone());
            }
        }
        // Nearly always all lines are of one source.
        let mut rest = settled.seqs.as_slice();
        while let Some((name, _)) = rest.first() {
            let same = rest.iter().take_while(|(other, _)| other == name).count();
            let (run, others) = rest.split_at(same);
            let source = books.source(name, self.max_sources, now);
            for (_, seq) in run {
                source.arrived(*seq);
            }
            rest = others;
        }
    }

    /// Enters a post that is refused, with the lines that were read of it. What its sender reports is worth knowing
    /// all the same.
    pub(crate) fn refuse(&self, refused_as: RefusedAs, lines: u64, sender: Option<&Sender>) {
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
        let counters = sender.and_then(|sender| Some((&sender.source, sender.counters.clone()?)));
        if let Some((name, counters)) = counters {
            books.source(name, self.max_sources, SystemTime::now()).reports(counters);
        }
    }

    /// Everything, at one moment.
    pub(crate) fn report(&self) -> Report {
        let books = self.lock();
        Report {
            totals: books.totals,
            identity_exact: books.totals.identity_is_exact(),
            sources_evicted: books.evicted,
            sources: books.sources.iter().map(|(name, source)| (name.clone(), source.report())).collect(),
        }
    }

    /// The totals, at one moment.
    pub(crate) fn totals(&self) -> (Totals, SourceTotals) {
        let books = self.lock();
        let sources = SourceTotals {
            known: books.sources.len() as u64,
            evicted: books.evicted,
            missing: books.sources.values().map(Source::missing).sum(),
            duplicates: books.sources.values().map(Source::duplicates).sum(),
        };
        (books.totals, sources)
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        // Nothing panics under this lock. Not `tokio::sync::Mutex`: it is never held across an await.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn source(&mut self, name: &str, max_sources: usize, now: SystemTime) -> &mut Source {
        if !self.sources.contains_key(name) && self.sources.len() >= max_sources {
            let oldest = self.sources.iter().min_by_key(|(_, source)| source.last_seen);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.sources.remove(&oldest);
                self.evicted += 1;
            }
        }
        let source = self.sources.entry(name.to_owned()).or_insert_with(|| Source::new(now));
        source.last_seen = now;
        source
    }
}
