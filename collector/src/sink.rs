//! Where exchanges go, and what a sink has to promise.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tributary_http_types::Timestamp;

use crate::{
    accounting::{Account, StoredIn},
    lines::Exchange,
    spool::SpoolReport,
};

pub(crate) mod file;
pub(crate) mod kafka;
#[cfg(test)]
pub(crate) mod memory;
pub(crate) mod spooling;

/// A future of a sink, in a box: a sink is chosen at the start, not at compile time.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What became of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Durable, in the sink's own place.
    Stored,
    /// Durable, in the spool beside it.
    Spooled,
    /// Never will be durable as it is.
    Rejected {
        /// Why, for the sender.
        error: String,
        /// Its head lies in the dead-letter topic.
        dead_lettered: bool,
    },
    /// Not durable as far as is known; may be later.
    Unknown,
}

/// What keeps a sink from storing, as `GET /ready` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Trouble {
    /// A stable word: `unreachable`, `topic_missing`, `disk` …
    pub cause: &'static str,
    /// What was seen.
    pub why: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// What a sink says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Condition {
    /// Whether a post would most likely be refused now.
    pub refuses: bool,
    /// What is wrong; empty when all is well.
    pub degraded: Vec<Trouble>,
    /// What an operator should know, though it stores.
    pub warnings: Vec<String>,
}

/// What a sink that writes to Kafka counts beside the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KafkaCounts {
    /// Tries to write a record that failed, by what kept it.
    pub failed_records: Vec<(&'static str, u64)>,
    /// Producers that died and were replaced.
    pub replaced_producers: u64,
    /// Whether something of the brokers' certificates is not checked, because the settings say so.
    pub is_unverified: bool,
}

/// What became of one call of [`Sink::store`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// One for each exchange, in order.
    pub verdicts: Vec<Verdict>,
    /// Whether all accounts are durable too (or the sink keeps none). They never decide on the exchanges: an account that
    /// is late is no loss, it comes again.
    pub accounts: bool,
}

impl Stored {
    /// Nothing is durable as far as is known.
    pub(crate) fn unknown(exchanges: usize) -> Stored {
        Stored { verdicts: vec![Verdict::Unknown; exchanges], accounts: false }
    }
}

/// A place that keeps exchanges, and the accounts of their sources beside them.
pub(crate) trait Sink: Send + Sync {
    /// Under which head stored exchanges are counted.
    fn stored_in(&self) -> StoredIn;

    /// Stores the exchanges of a post, and with them the accounts that explain their gaps. Either may be empty.
    /// [`Verdict::Stored`] and [`Verdict::Spooled`] are promises: durable, whatever dies now; and so are `accounts` where
    /// the outcome says so.
    fn store<'a>(&'a self, exchanges: &'a [Exchange], accounts: &'a [Account]) -> BoxFuture<'a, Stored>;

    /// Whether a store would only wait in vain; then a post is refused at once.
    fn is_blocked(&self) -> bool;

    /// How it is.
    fn condition(&self) -> Condition;

    /// What it counts of Kafka; `None` if it does not write there.
    fn kafka_counts(&self) -> Option<KafkaCounts> {
        None
    }

    /// What its spool says; `None` if it has none.
    fn spool(&self) -> Option<SpoolReport> {
        None
    }

    /// Bytes that wait inside to become durable.
    fn queued_bytes(&self) -> u64;

    /// The collector ends, and has so much time for all of it: what is under way should not take its full time.
    fn prepare_to_end(&self, _within: Duration) {}

    /// Ends it, at most `within`. Nothing is stored after that.
    fn close(&self, within: Duration) -> BoxFuture<'_, ()>;
}

/// A moment as the format writes it: `2020-02-28T10:39:28.833Z`.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let millis = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Timestamp::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX)).to_string()
}
