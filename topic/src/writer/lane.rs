//! One producer, and the next one when it dies: what librdkafka calls back, and when it is built anew.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{DeliveryResult, Header, Message as _, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::sync::oneshot;

use super::{
    pending::{Budget, Failures, Pending, ticket},
    record::AsRecord,
    verdict::INFERRED,
};
use crate::{
    TopicError,
    admin::{ANSWER_WITHIN, Shape, shape},
    error::code_of,
    health::{Cause, Health, Witness},
    log::LogGate,
};

type Producer = ThreadedProducer<Callbacks>;

/// A producer that dies at once (a right is missing) is not replaced in a frenzy, but within 5 s all the same.
const LIVES_AT_LEAST: Duration = Duration::from_secs(4);

/// What librdkafka calls, on its own thread.
struct Callbacks {
    pending: Pending,
    health: Arc<Health>,
    log: Arc<LogGate>,
    dead: AtomicBool,
}

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log.forward(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match code_of(&error) {
            // The instance will never deliver again (librdkafka, INTRODUCTION.md, "Fatal errors").
            Some(Code::Fatal) => self.dead.store(true, Ordering::Release),
            Some(Code::AllBrokersDown) if !self.health.knows_a_refusal() => {
                self.health.note(Cause::Unreachable, reason.to_owned(), Witness::Look);
            }
            Some(code @ (Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL)) => {
                self.health.note(Cause::of(code), reason.to_owned(), Witness::Look);
            }
            // One broker of several that is away is librdkafka's business; it logs it.
            _ => {}
        }
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl ProducerContext for Callbacks {
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, ticket: usize) {
        let outcome = match report {
            // The broker says with each acknowledgement where the record lies. Without that it was not the broker who
            // acknowledged: librdkafka takes a record for written when a later one of its partition is, and a broker
            // that does not know the producer yet (a new topic) takes the later one though it refused the first.
            Ok(message) if message.offset() < 0 => Err(INFERRED),
            Ok(_) => Ok(()),
            Err((error, _)) => Err(code_of(error).unwrap_or(Code::Unknown)),
        };
        if outcome == Err(Code::Fatal) {
            self.dead.store(true, Ordering::Release);
        }
        self.pending.settle(ticket, outcome);
    }
}

/// A producer that is replaced when it has died or is to have other settings.
pub(super) struct Lane {
    name: &'static str,
    producer: RwLock<Arc<Producer>>,
    /// Also the lock under which a producer is replaced, so that only one hand does it.
    plan: Mutex<Plan>,
    budget: Arc<Budget>,
    health: Arc<Health>,
    log: Arc<LogGate>,
    brokers: String,
    /// How long a producer that is replaced may still work on what it has.
    farewell: Duration,
    /// Producers that died and were replaced.
    revived: AtomicU64,
}

/// What the next producer is built from.
struct Plan {
    settings: ClientConfig,
    /// When one was last built because its forerunner had died.
    revived: Option<Instant>,
}

/// What a [`Lane`] shares with its writer.
pub(super) struct LaneParts {
    pub(super) name: &'static str,
    pub(super) budget: Arc<Budget>,
    pub(super) health: Arc<Health>,
    pub(super) log: Arc<LogGate>,
    pub(super) brokers: String,
    pub(super) farewell: Duration,
}

impl Lane {
    pub(super) fn new(settings: ClientConfig, parts: LaneParts) -> Result<Lane, TopicError> {
        let LaneParts { name, budget, health, log, brokers, farewell } = parts;
        let producer = RwLock::new(Arc::new(build(&settings, &budget, &health, &log, &brokers)?));
        Ok(Lane {
            name,
            producer,
            plan: Mutex::new(Plan { settings, revived: None }),
            budget,
            health,
            log,
            brokers,
            farewell,
            revived: AtomicU64::new(0),
        })
    }

    /// Gives all records to librdkafka; resolves with the failures when the last report is in. The budget has been
    /// taken for them. `None`: the producer died before it could tell.
    pub(super) async fn write(&self, topic: &str, records: &[impl AsRecord], bytes: u64) -> Option<Failures> {
        self.hand_over(topic, records, bytes).await.ok()
    }

    fn hand_over(&self, topic: &str, records: &[impl AsRecord], bytes: u64) -> oneshot::Receiver<Failures> {
        let producer = self.living();
        let pending = &producer.context().pending;
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let (slot, verdict) = pending.open(count, bytes);
        let timestamp = unix_millis(SystemTime::now());
        for (place, record) in (0..count).zip(records) {
            let mut sent = BaseRecord::with_opaque_to(topic, ticket(slot, place)).payload(record.value());
            sent.key = record.key();
            sent.headers = headers_of(record);
            sent.timestamp = timestamp;
            if let Err((error, refused)) = producer.send(sent) {
                let code = code_of(&error).unwrap_or(Code::Unknown);
                if code == Code::Fatal {
                    producer.context().dead.store(true, Ordering::Release);
                }
                pending.settle(refused.delivery_opaque, Err(code));
            }
        }
        pending.handed_over(slot);
        verdict
    }

    /// The producer, a new one if the old one is dead.
    fn living(&self) -> Arc<Producer> {
        let producer = self.present();
        if !is_dead(&producer) {
            return producer;
        }
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have been faster.
        let producer = self.present();
        if !is_dead(&producer) || plan.revived.is_some_and(|when| when.elapsed() < LIVES_AT_LEAST) {
            return producer;
        }
        let (code, text) = producer.client().fatal_error().unwrap_or((Code::Fatal, String::new()));
        tracing::error!(lane = self.name, %code, text, "Producer is dead, building a new one.");
        let why = format!("the producer died and was built anew: {code}: {text}");
        self.health.note(Cause::of(code), why, Witness::Report);
        plan.revived = Some(Instant::now());
        match self.renew(&plan.settings) {
            Ok(new) => {
                self.revived.fetch_add(1, Ordering::Relaxed);
                new
            }
            Err(error) => {
                tracing::error!(lane = self.name, %error, "No new producer; tried again in some seconds.");
                producer
            }
        }
    }

    /// Builds the producer anew with one setting changed; the old one finishes what it has.
    pub(super) fn change(&self, name: &str, value: &str) -> Result<(), TopicError> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = plan.settings.clone();
        changed.set(name, value);
        self.rebuild_to(&mut plan, changed)
    }

    /// Builds the producer anew with these settings; the old one finishes what it has.
    pub(super) fn rebuild(&self, settings: ClientConfig) -> Result<(), TopicError> {
        self.rebuild_to(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner), settings)
    }

    fn rebuild_to(&self, plan: &mut Plan, changed: ClientConfig) -> Result<(), TopicError> {
        let outcome = self.renew(&changed).map(drop);
        if outcome.is_ok() {
            plan.settings = changed;
        }
        outcome
    }

    /// How many producers died and were replaced.
    pub(super) fn revived(&self) -> u64 {
        self.revived.load(Ordering::Relaxed)
    }

    /// Asks Kafka for the topic's partitions and replicas.
    pub(super) async fn look(&self, topic: &str) -> Result<Shape, KafkaError> {
        let (producer, topic) = (self.living(), topic.to_owned());
        let ask = move || {
            let metadata = producer.client().fetch_metadata(Some(&topic), ANSWER_WITHIN)?;
            shape(&metadata, &topic)
        };
        tokio::task::spawn_blocking(ask).await.unwrap_or(Err(KafkaError::Canceled))
    }

    /// Builds the producer anew if it is dead.
    pub(super) fn revive(&self) {
        self.living();
    }

    /// The number that a setting has, if it was set.
    pub(super) fn setting(&self, name: &str) -> Option<u64> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).settings.get(name)?.parse().ok()
    }

    /// Lets the producer finish. `false`: time is up and records are still unacknowledged.
    pub(super) fn flush(&self, within: Duration) -> bool {
        self.present().flush(within).is_ok()
    }

    /// Records that wait for their report.
    pub(super) fn in_flight(&self) -> u64 {
        u64::try_from(self.present().in_flight_count()).unwrap_or(0)
    }

    fn present(&self) -> Arc<Producer> {
        Arc::clone(&self.producer.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn renew(&self, settings: &ClientConfig) -> Result<Arc<Producer>, TopicError> {
        let new = Arc::new(build(settings, &self.budget, &self.health, &self.log, &self.brokers)?);
        let old = {
            let mut place = self.producer.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, Arc::clone(&new))
        };
        let farewell = self.farewell;
        // On a thread of its own: flushing and dropping wait, and a runtime thread must not.
        let retire = move || {
            if old.flush(farewell).is_err() {
                tracing::warn!(left = old.in_flight_count(), "Replaced producer could not finish its records.");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("producer-farewell".to_owned()).spawn(retire) {
            tracing::error!(%error, "No thread for the farewell of a producer.");
        }
        Ok(new)
    }
}

/// The report on a record may overtake the word that the producer is dead, so librdkafka is asked too.
fn is_dead(producer: &Producer) -> bool {
    producer.context().dead.load(Ordering::Acquire) || producer.client().fatal_error().is_some()
}

fn build(
    settings: &ClientConfig,
    budget: &Arc<Budget>,
    health: &Arc<Health>,
    log: &Arc<LogGate>,
    brokers: &str,
) -> Result<Producer, TopicError> {
    let callbacks = Callbacks {
        pending: Pending::new(Arc::clone(budget)),
        health: Arc::clone(health),
        log: Arc::clone(log),
        dead: AtomicBool::new(false),
    };
    settings.create_with_context(callbacks).map_err(|error| TopicError::of_settings(brokers, error))
}

/// The moment as records have it. One look at the clock a write: without it librdkafka takes one a record.
fn unix_millis(moment: SystemTime) -> Option<i64> {
    i64::try_from(moment.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// Headers for which there is room at first.
const USUAL_HEADERS: usize = 4;

fn headers_of(record: &impl AsRecord) -> Option<OwnedHeaders> {
    let mut headers = None;
    record.headers(|key, value| {
        let before = headers.take().unwrap_or_else(|| OwnedHeaders::new_with_capacity(USUAL_HEADERS));
        headers = Some(before.insert(Header { key, value: Some(value) }));
    });
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_whole_milliseconds_since_1970_and_one_before_that_not_at_all() {
        let (begin, later) = (SystemTime::UNIX_EPOCH, Duration::from_micros(1_700_000_000_123_999));

        assert_eq!(unix_millis(begin + later), Some(1_700_000_000_123));
        assert_eq!(unix_millis(begin), Some(0));
        assert_eq!(unix_millis(begin - Duration::from_millis(1)), None);
    }
}
