//! The sink that puts exchanges into the topic, and what is too large for it into the topic of dead letters.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tributary_topic::{
    AsRecord, Cause, Problem, Record, RecordError, TopicError, TopicFacts, Unverified, Writer, WriterConfig,
};

use renewal::Renewal;

use super::{BoxFuture, Condition, KafkaCounts, Sink, Stored, Trouble, Verdict, rfc3339};
use crate::{
    accounting::{Account, StoredIn},
    fail_point::fail_point,
    lines::Exchange,
    log::Gate,
};

mod dead_letter;
mod renewal;

pub(crate) use renewal::SettingSources;

/// How often the topic is looked at while all is well, and while it is not.
const LOOK_EVERY: Duration = Duration::from_secs(3);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What decides on the partition of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `meta.id`: spreads evenly, and lets consumers (and compaction) drop duplicates.
    Id,
    /// `request.host`, as http-types-kafka does it: keeps the order of a host, but one host is one partition.
    Host,
}

/// What the sink is made with.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// Brokers, topic and producer.
    pub writer: WriterConfig,
    /// Where the producer's settings came from; looked at again while we run.
    pub sources: SettingSources,
    /// Partitions of a topic that is created here, from 1.
    pub partitions: i32,
    /// Replicas of a topic that is created here; -1: the broker's default.
    pub replication: i32,
    /// The key of a record.
    pub key: Key,
    /// Where records go that are too large; `None`: nowhere, they are only rejected.
    pub dead_letter_topic: Option<String>,
    /// Where the accounts of the sources go; `None`: nowhere.
    pub accounts_topic: Option<String>,
}

/// Stores exchanges in a Kafka topic.
pub(crate) struct KafkaSink {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
}

struct Shared {
    /// Taken out when the sink is closed.
    writer: RwLock<Option<Arc<Writer>>>,
    settings: KafkaSettings,
    /// Whether the topic was ever seen; before that the sink has no right to call itself ready.
    seen: AtomicBool,
    since: SystemTime,
    warnings: Mutex<Vec<String>>,
    /// Whether nobody can make the topic of dead letters, though it is missing.
    no_dead_letters: AtomicBool,
    /// Why the last accounts could not be written.
    accounts_failure: Mutex<Option<String>>,
}

impl KafkaSink {
    /// Opens the sink and starts to look after the topic. It does not wait for Kafka: without one it is degraded, and
    /// recovers by itself. Needs a runtime.
    ///
    /// # Errors
    /// - [`TopicError::Setting`], [`TopicError::Client`]: a setting is wrong.
    pub(crate) fn open(settings: KafkaSettings) -> Result<KafkaSink, TopicError> {
        let writer = Arc::new(Writer::new(settings.writer.clone())?);
        let shared = Arc::new(Shared {
            writer: RwLock::new(Some(writer)),
            settings,
            seen: AtomicBool::new(false),
            since: SystemTime::now(),
            warnings: Mutex::default(),
            no_dead_letters: AtomicBool::new(false),
            accounts_failure: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let keeper = tokio::spawn(keep(Arc::clone(&shared), stopped));
        Ok(KafkaSink { shared, keeper: Mutex::new(Some(keeper)), stop })
    }

    async fn store_all(&self, exchanges: &[Exchange], accounts: &[Account]) -> Stored {
        let Some(writer) = self.shared.writer() else { return Stored::unknown(exchanges.len()) };
        // Side by side: an account costs a post no time.
        let (verdicts, accounts) =
            tokio::join!(self.store_exchanges(&writer, exchanges), self.store_accounts(&writer, accounts));
        Stored { verdicts, accounts }
    }

    async fn store_accounts(&self, writer: &Writer, accounts: &[Account]) -> bool {
        let Some(topic) = self.shared.settings.accounts_topic.as_ref().filter(|_| !accounts.is_empty()) else {
            return true;
        };
        let records: Vec<Record> = accounts.iter().map(account_record).collect();
        let error = writer.write_to(topic, records).await.into_iter().find_map(Result::err);
        self.shared.tell_accounts(error.as_ref());
        error.is_none()
    }

    async fn store_exchanges(&self, writer: &Writer, exchanges: &[Exchange]) -> Vec<Verdict> {
        if exchanges.is_empty() {
            return Vec::new();
        }
        let by = self.shared.settings.key;
        let records: Vec<Keyed<'_>> = exchanges.iter().map(|exchange| Keyed { exchange, by }).collect();
        let outcomes = writer.write(&records).await;
        fail_point("kafka-after-ack");
        // The post will come again, or go into the spool: its dead letters can wait until then.
        let is_open = |error| matches!(error, &Err(RecordError::Retriable { .. } | RecordError::Busy));
        let some_are_open = outcomes.iter().any(is_open);
        let mut verdicts = Vec::with_capacity(exchanges.len());
        for (outcome, record) in outcomes.into_iter().zip(&records) {
            verdicts.push(match outcome {
                Ok(()) => Verdict::Stored,
                Err(_) if some_are_open => Verdict::Unknown,
                Err(error) => self.bury(writer, record, &error).await,
            });
        }
        verdicts
    }

    /// Puts what can be kept of a record into the topic of dead letters.
    async fn bury(&self, writer: &Writer, record: &Keyed<'_>, error: &RecordError) -> Verdict {
        let Some(topic) = &self.shared.settings.dead_letter_topic else {
            return Verdict::Rejected { error: error.to_string(), dead_lettered: false };
        };
        for letter in dead_letter::letters(&Record::of(record), error) {
            match writer.write_to(topic, [letter]).await.first() {
                Some(Ok(())) => return Verdict::Rejected { error: error.to_string(), dead_lettered: true },
                Some(Err(RecordError::TooLarge { .. } | RecordError::Rejected { .. })) => {}
                Some(Err(RecordError::Retriable { cause, .. })) if self.shared.buries_nothing(*cause) => {
                    static LOST: Gate = Gate::new();
                    if let Some(held_back) = LOST.pass() {
                        tracing::error!(topic, cause = cause.as_str(), held_back, "No dead letter could be written.");
                    }
                    break;
                }
                Some(Err(RecordError::Retriable { .. } | RecordError::Busy)) | None => return Verdict::Unknown,
            }
        }
        // Even without its line the record is refused: nothing of it can be kept in Kafka.
        Verdict::Rejected { error: error.to_string(), dead_lettered: false }
    }
}

impl Sink for KafkaSink {
    fn stored_in(&self) -> StoredIn {
        StoredIn::Kafka
    }

    fn store<'a>(&'a self, exchanges: &'a [Exchange], accounts: &'a [Account]) -> BoxFuture<'a, Stored> {
        Box::pin(self.store_all(exchanges, accounts))
    }

    fn is_blocked(&self) -> bool {
        self.shared.writer().is_none_or(|writer| writer.is_blocked())
    }

    fn condition(&self) -> Condition {
        self.shared.condition()
    }

    fn kafka_counts(&self) -> Option<KafkaCounts> {
        let writer = self.shared.writer()?;
        let failed_records = Cause::ALL.map(|cause| (cause.as_str(), writer.failed_records(cause))).to_vec();
        let is_unverified = writer.unverified().is_some();
        Some(KafkaCounts { failed_records, replaced_producers: writer.replaced_producers(), is_unverified })
    }

    fn queued_bytes(&self) -> u64 {
        self.shared.writer().map_or(0, |writer| writer.queued_bytes())
    }

    fn close(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.stop.send_replace(true);
            let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
            let started = tokio::time::Instant::now();
            if let Some(keeper) = keeper {
                // A look at a silent Kafka takes its time; its outcome matters no more.
                keeper.abort();
                let _ = keeper.await;
            }
            let writer = self.shared.writer.write().unwrap_or_else(PoisonError::into_inner).take();
            let Some(writer) = writer.and_then(Arc::into_inner) else { return };
            if !writer.close(within.saturating_sub(started.elapsed())).await {
                tracing::warn!("Records were left unacknowledged at the end; their senders were told so.");
            }
        })
    }
}

impl Shared {
    fn writer(&self) -> Option<Arc<Writer>> {
        self.writer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn problems(&self) -> Vec<Problem> {
        self.writer().map(|writer| writer.health()).unwrap_or_default()
    }

    fn condition(&self) -> Condition {
        let seen = self.seen.load(Ordering::Relaxed);
        let told = |problem: Problem| Trouble {
            cause: problem.cause.as_str(),
            why: problem.why,
            since: rfc3339(problem.since),
        };
        let mut degraded: Vec<Trouble> = self.problems().into_iter().map(told).collect();
        if degraded.is_empty() && !seen {
            let why = "the topic has not been seen yet".to_owned();
            degraded.push(Trouble { cause: "starting", why, since: rfc3339(self.since) });
        }
        let refuses = !seen || self.writer().is_none_or(|writer| writer.is_refusing());
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let unverified = self.writer().and_then(|writer| writer.unverified());
        warnings.extend(unverified.map(|what| what.warning().to_owned()));
        let accounts = self.accounts_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        warnings.extend(accounts.map(|why| format!("accounts are not written: {why}")));
        Condition { refuses, degraded, warnings }
    }

    /// Whether a letter that failed by this cause will fail again. Its neighbours lie in the topic already, and would
    /// come again with every try: the record is rejected then, which its sender counts.
    fn buries_nothing(&self, cause: Cause) -> bool {
        cause == Cause::NotAllowed || (cause == Cause::TopicMissing && self.no_dead_letters.load(Ordering::Relaxed))
    }

    /// Remembers how the last accounts went, and logs when that changes.
    fn tell_accounts(&self, error: Option<&RecordError>) {
        let mut failure = self.accounts_failure.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Some(error)) = (&*failure, error) {
            tracing::warn!(%error, "The accounts of the sources cannot be written.");
        }
        *failure = error.map(ToString::to_string);
    }

    /// Looks at both topics.
    async fn look(&self) -> Result<(), TopicError> {
        let Some(writer) = self.writer() else { return Ok(()) };
        let KafkaSettings { partitions, replication, dead_letter_topic, accounts_topic, writer: config, .. } =
            &self.settings;
        let facts = writer.ensure_topic(*partitions, *replication).await?;
        let mut warnings = warnings_of(&config.topic, &facts);
        let seen_before = self.seen.swap(true, Ordering::Relaxed);
        if facts.created || !seen_before {
            let TopicFacts { created, partitions, replicas, .. } = facts;
            tracing::info!(topic = config.topic, created, partitions, replicas, "Topic is there.");
        }
        if let Some(topic) = dead_letter_topic {
            let outcome = writer.ensure_other_topic(topic, 1, *replication).await;
            self.no_dead_letters.store(matches!(outcome, Err(TopicError::NotAllowed { .. })), Ordering::Relaxed);
            if let Err(error) = outcome {
                warnings.push(format!("no dead letters: {error}"));
            }
        }
        if let Some(topic) = accounts_topic
            && let Err(error) = writer.ensure_compacted_topic(topic, 1, *replication).await
        {
            warnings.push(format!("no accounts: {error}"));
        }
        *self.warnings.lock().unwrap_or_else(PoisonError::into_inner) = warnings;
        Ok(())
    }
}

/// Looks after the topic until the sink is closed, and tells the log when something changes.
async fn keep(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut known: Vec<Cause> = Vec::new();
    let mut unverified = None;
    let mut renewal = Renewal::new(shared.settings.sources.clone());
    while !*stopped.borrow() {
        if let Some(writer) = shared.writer() {
            renewal.look(&writer);
            tell_unverified(&mut unverified, writer.unverified());
        }
        // The error is in the writer's health too, which holds what deliveries saw besides.
        let _ = shared.look().await;
        let problems = shared.problems();
        for Problem { cause, why, .. } in problems.iter().filter(|problem| !known.contains(&problem.cause)) {
            match cause.needs_a_hand() {
                true => tracing::error!(cause = cause.as_str(), why, "Kafka takes no exchanges until somebody acts."),
                false => tracing::warn!(cause = cause.as_str(), why, "Kafka cannot take exchanges."),
            }
        }
        if problems.is_empty() && !known.is_empty() {
            tracing::info!("Kafka takes exchanges again.");
        }
        let pause = if problems.is_empty() { LOOK_EVERY } else { LOOK_AGAIN_AFTER };
        known = problems.into_iter().map(|problem| problem.cause).collect();
        tokio::select! {
            () = sleep(pause) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// Logs what of the brokers' certificates is not checked, at the start and when renewed settings change that.
fn tell_unverified(known: &mut Option<Unverified>, now: Option<Unverified>) {
    if let Some(what) = now.filter(|_| *known != now) {
        tracing::warn!(why = what.warning(), "Not as safe as it should be.");
    }
    *known = now;
}

fn warnings_of(topic: &str, facts: &TopicFacts) -> Vec<String> {
    let mut warnings = Vec::new();
    if facts.replicas == 1 {
        warnings.push(format!("topic {topic} has 1 replica: what kafka acknowledges dies with that broker's disk"));
    } else if facts.min_in_sync_replicas == Some(1) {
        warnings.push(format!("topic {topic} has min.insync.replicas 1: kafka may acknowledge what one broker has"));
    }
    warnings
}

/// An exchange as a record, read while it is handed over.
#[derive(Clone, Copy, Debug)]
struct Keyed<'e> {
    exchange: &'e Exchange,
    by: Key,
}

impl AsRecord for Keyed<'_> {
    fn key(&self) -> Option<&[u8]> {
        match self.by {
            Key::Id => self.exchange.id(),
            Key::Host => self.exchange.host(),
        }
    }

    fn value(&self) -> &[u8] {
        &self.exchange.line
    }

    fn headers(&self, mut take: impl FnMut(&'static str, &[u8])) {
        if let Some(source) = &self.exchange.source {
            take("source", source.as_bytes());
        }
        if let Some(seq) = self.exchange.seq {
            match digits_in_id(self.exchange, seq) {
                Some(digits) => take("seq", digits),
                None => take("seq", seq.to_string().as_bytes()),
            }
        }
        take("content-type", b"application/json");
        if self.exchange.replayed {
            take("replayed", b"1");
        }
    }
}

/// The number of an exchange as a text: nearly always it stands in the id, behind the source.
fn digits_in_id(exchange: &Exchange, seq: u64) -> Option<&[u8]> {
    let digits = exchange.id()?.strip_prefix(exchange.source.as_ref()?.as_bytes())?.strip_prefix(b"-")?;
    let is_it = std::str::from_utf8(digits).is_ok_and(|digits| digits.parse() == Ok(seq));
    (is_it && !matches!(digits, [b'+', ..] | [b'0', _, ..])).then_some(digits)
}

/// The key is the source, so that compaction keeps the last one of each.
fn account_record(account: &Account) -> Record {
    let headers = vec![("content-type", Bytes::from_static(b"application/json"))];
    Record { key: Some(account.source.clone()), value: account.line.clone(), headers }
}

#[cfg(test)]
mod tests;
