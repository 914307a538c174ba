//! The writer of the topic: many records in, one verdict each, when Kafka has answered for all of them.
//!
//! An acknowledgement means: in Kafka, with `acks=all`. Everything else is told apart by what the caller has to do:
//! try again, or never. The writer outlives fatal producer errors, brokers that go and topics that vanish.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::ClientConfig;
use tokio::sync::OnceCell;

use crate::{
    Setting, TopicError, Unverified, WriterConfig,
    admin::{Limits, NewTopicShape, Shape, TopicAdmin, TopicFacts},
    health::{Cause, Health, Problem, Witness},
    log::LogGate,
};

use circuit::Circuit;
use lane::{Lane, LaneParts};
use pending::Budget;
use verdict::{fails_in_company, verdict_of};

pub use record::{AsRecord, Record};
pub use verdict::RecordError;

mod circuit;
mod lane;
mod pending;
mod record;
#[cfg(test)]
mod tests;
mod verdict;

/// Writes records into one topic. Cheap to share by reference; see the [crate docs](crate) for an example.
pub struct Writer {
    topic: String,
    brokers: String,
    config: Mutex<WriterConfig>,
    main: Lane,
    /// For records whose batch was refused: sends each record alone, so that it answers for itself.
    alone: OnceCell<Lane>,
    admin: TopicAdmin,
    budget: Arc<Budget>,
    health: Arc<Health>,
    circuit: Circuit,
    log: Arc<LogGate>,
}

impl Writer {
    /// Makes a writer. It does not wait for a broker, and needs none to exist yet.
    ///
    /// # Errors
    /// - [`TopicError::Setting`], [`TopicError::Client`]: a setting is wrong; repair it.
    pub fn new(config: WriterConfig) -> Result<Writer, TopicError> {
        let budget = Budget::new(config.max_queue_bytes);
        let health = Arc::new(Health::default());
        let log = Arc::new(LogGate::default());
        let parts = lane_parts("main", &config, &budget, &health, &log);
        let main = Lane::new(config.producer()?, parts)?;
        let admin = TopicAdmin::new(&config)?;
        let circuit = Circuit::default();
        let (topic, brokers) = (config.topic.clone(), config.brokers.clone());
        let config = Mutex::new(config);
        Ok(Writer { topic, brokers, config, main, alone: OnceCell::new(), admin, budget, health, circuit, log })
    }

    /// Writes `records` into the topic and waits until Kafka has answered for each; one verdict a record, in order.
    ///
    /// It takes about the delivery timeout at most, twice that if a batch has to be taken apart. When the last writes
    /// all failed it answers at once and sends nothing, but for one a second that tries ([`is_blocked`](Self::is_blocked)).
    /// Dropping the future does not call the records back.
    pub async fn write<R: AsRecord + Sync>(&self, records: impl AsRef<[R]>) -> Vec<Result<(), RecordError>> {
        let records = records.as_ref();
        if records.is_empty() {
            return Vec::new();
        }
        if !self.circuit.enter(Instant::now()) {
            let cause = self.health.problems().first().map_or(Cause::NotDelivered, |problem| problem.cause);
            let reason = "kafka did not take the records before it".to_owned();
            return vec![Err(RecordError::Retriable { cause, reason }); records.len()];
        }
        let verdicts = self.write_to(&self.topic, records).await;
        // One partition that takes nothing is trouble, though its neighbours take records.
        if verdicts.iter().any(|verdict| matches!(verdict, Err(RecordError::Retriable { .. }))) {
            self.circuit.failed(Instant::now());
        } else if verdicts.iter().any(Result::is_ok) {
            self.circuit.succeeded();
            self.health.acknowledged();
        }
        verdicts
    }

    /// As [`write`](Self::write), into another topic (of dead letters …). It does not touch [`health`](Self::health).
    pub async fn write_to<R: AsRecord + Sync>(
        &self,
        topic: &str,
        records: impl AsRef<[R]>,
    ) -> Vec<Result<(), RecordError>> {
        let records = records.as_ref();
        let mut verdicts = self.write_on(&self.main, topic, records).await;

        // A batch that is too large, or holds one record that Kafka refuses, fails as a whole.
        let apart: Vec<usize> =
            (0..).zip(&verdicts).filter(|(_, verdict)| fails_in_company(verdict)).map(|(i, _)| i).collect();
        if apart.is_empty() {
            return verdicts;
        }
        let Some(alone) = self.alone().await else { return verdicts };
        let suspects: Vec<&R> = apart.iter().filter_map(|place| records.get(*place)).collect();
        let second = self.write_on(alone, topic, &suspects).await;
        if second.iter().any(Result::is_ok) {
            // Batches were larger than the topic allows: look again how large they may be.
            self.admin.forget_limits();
        }
        for (place, verdict) in apart.into_iter().zip(second) {
            if let Some(old) = verdicts.get_mut(place) {
                *old = verdict;
            }
        }
        verdicts
    }

    /// Looks at the topic, creates it if it is missing, and learns how large its batches may be. Call it at the start
    /// and then every few seconds while there is trouble: it is also how [`health`](Self::health) learns that Kafka
    /// is back, or that the topic is gone.
    ///
    /// `partitions`: from 1. `replication`: from 1, or -1 for the broker's default. Both count only when created.
    ///
    /// # Errors
    /// All of [`TopicError`] but `Setting`. Trying again later is right for each of them.
    pub async fn ensure_topic(&self, partitions: i32, replication: i32) -> Result<TopicFacts, TopicError> {
        let shape = NewTopicShape { partitions, replication, compacted: false };
        let outcome = self.ensure(&self.topic, &shape).await;
        self.circuit.looked(outcome.is_ok());
        self.health.looked(outcome.as_ref().map(drop));
        let facts = outcome?;
        if let Some(limit) = facts.max_message_bytes {
            self.fit_batches(limit);
        }
        // A topic that was created a moment ago has no leaders yet.
        if !facts.created
            && let Some(lacking) = facts.lacking_replicas()
        {
            self.health.note(Cause::TooFewReplicas, lacking, Witness::Look);
        }
        Ok(facts)
    }

    /// As [`ensure_topic`](Self::ensure_topic) for another topic; it does not touch [`health`](Self::health).
    ///
    /// # Errors
    /// As there.
    pub async fn ensure_other_topic(
        &self,
        topic: &str,
        partitions: i32,
        replication: i32,
    ) -> Result<TopicFacts, TopicError> {
        self.ensure(topic, &NewTopicShape { partitions, replication, compacted: false }).await
    }

    /// As [`ensure_other_topic`](Self::ensure_other_topic); when it is created, Kafka keeps the last record of each key.
    ///
    /// # Errors
    /// As there.
    pub async fn ensure_compacted_topic(
        &self,
        topic: &str,
        partitions: i32,
        replication: i32,
    ) -> Result<TopicFacts, TopicError> {
        self.ensure(topic, &NewTopicShape { partitions, replication, compacted: true }).await
    }

    /// Goes on with other librdkafka settings, in place of [`WriterConfig::settings`]: a renewed password, or the same
    /// settings when a certificate that they name was renewed. What is on its way is finished with the old ones.
    ///
    /// # Errors
    /// - [`TopicError::Setting`], [`TopicError::Client`]: a setting is wrong; the old ones stay.
    pub fn reconfigure(&self, settings: Vec<Setting>) -> Result<(), TopicError> {
        let mut config = self.config().clone();
        config.settings = settings;
        let mut producer = config.producer()?;
        if let (None, Some(fitting)) = (producer.get("batch.size"), self.main.setting("batch.size")) {
            producer.set("batch.size", fitting.to_string());
        }
        let admin = config.admin()?;
        self.main.rebuild(producer)?;
        if let Some(alone) = self.alone.get() {
            alone.rebuild(alone_settings(&config)?)?;
        }
        self.admin.reconfigure(admin);
        *self.config() = config;
        Ok(())
    }

    /// What is not checked of the brokers' certificates, because the settings say so; `None`: all is.
    pub fn unverified(&self) -> Option<Unverified> {
        Unverified::of(&self.config().settings)
    }

    /// What keeps records from being acknowledged at present; empty if nothing does.
    pub fn health(&self) -> Vec<Problem> {
        // A dead producer is replaced here too, for a writer without traffic.
        self.main.revive();
        self.health.problems()
    }

    /// Whether a write would be refused at once now, because the last writes or looks at the topic all failed. A caller
    /// that has another way for its records can take it without waiting for a time-out. One write a second is let
    /// through to try while looks succeed.
    pub fn is_blocked(&self) -> bool {
        !self.circuit.admits(Instant::now())
    }

    /// Whether most writes are refused, as [`is_blocked`](Self::is_blocked), but without the moments in which one may
    /// try: for whoever asks whether to send records here at all.
    pub fn is_refusing(&self) -> bool {
        self.circuit.is_open(Instant::now())
    }

    /// How many records ever failed by this cause; those that were refused without a try are not among them.
    pub fn failed_records(&self, cause: Cause) -> u64 {
        self.health.failed(cause)
    }

    /// How many producers had to be replaced because they had died.
    pub fn replaced_producers(&self) -> u64 {
        self.main.revived() + self.alone.get().map_or(0, Lane::revived)
    }

    /// Bytes of records that wait for their acknowledgement.
    pub fn queued_bytes(&self) -> u64 {
        self.budget.used()
    }

    /// Records that wait for their acknowledgement.
    pub fn queued_records(&self) -> u64 {
        self.main.in_flight() + self.alone.get().map_or(0, Lane::in_flight)
    }

    /// Waits until all records are answered for, at most `within`. `false`: some are not.
    pub async fn close(self, within: Duration) -> bool {
        let flush = move || {
            let flushed = self.main.flush(within);
            let flushed_alone = self.alone.get().is_none_or(|lane| lane.flush(within));
            flushed && flushed_alone
        };
        tokio::task::spawn_blocking(flush).await.unwrap_or(false)
    }

    async fn ensure(&self, topic: &str, new: &NewTopicShape) -> Result<TopicFacts, TopicError> {
        let NewTopicShape { partitions, replication, .. } = *new;
        let seen = self.main.look(topic).await;
        let (created, shape) = match seen.map_err(|error| TopicError::of("describe", topic, &self.brokers, error)) {
            Ok(seen) => (false, seen),
            Err(TopicError::TopicMissing { .. }) => {
                let created = self.admin.create(topic, new).await?;
                // Its metadata may take a moment to spread; what we asked for is what it is.
                let replicas = usize::try_from(replication).unwrap_or(0);
                let partitions = usize::try_from(partitions).unwrap_or(1);
                let asked_for = Shape { partitions, replicas, in_sync: replicas.max(1) };
                (created, self.main.look(topic).await.unwrap_or(asked_for))
            }
            Err(other) => return Err(other),
        };
        let Limits { max_message_bytes, min_in_sync_replicas } = self.admin.limits(topic).await;
        let Shape { partitions, replicas, in_sync } = shape;
        Ok(TopicFacts {
            created,
            partitions,
            replicas,
            in_sync_replicas: in_sync,
            max_message_bytes,
            min_in_sync_replicas,
        })
    }

    async fn write_on<R: AsRecord>(&self, lane: &Lane, topic: &str, records: &[R]) -> Vec<Result<(), RecordError>> {
        let bytes = records.iter().map(record::bytes).sum();
        if !self.budget.take(bytes) {
            return vec![Err(RecordError::Busy); records.len()];
        }
        let Some(failures) = lane.write(topic, records, bytes).await else {
            let reason = "the producer was given up".to_owned();
            return vec![Err(RecordError::Retriable { cause: Cause::NotDelivered, reason }); records.len()];
        };
        let mut verdicts = vec![Ok(()); records.len()];
        for (place, code) in failures {
            let bytes = records.get(place as usize).map_or(0, record::bytes);
            let outcome = verdict_of(code, bytes);
            if topic == self.topic
                && let RecordError::Retriable { cause, reason } = &outcome
            {
                self.health.count(*cause, 1);
                self.health.note(*cause, reason.clone(), Witness::Report);
            }
            if let Some(verdict) = verdicts.get_mut(place as usize) {
                *verdict = Err(outcome);
            }
        }
        verdicts
    }

    async fn alone(&self) -> Option<&Lane> {
        let build = async || {
            let config = self.config().clone();
            let parts = lane_parts("alone", &config, &self.budget, &self.health, &self.log);
            Lane::new(alone_settings(&config)?, parts)
        };
        let lane = self.alone.get_or_try_init(build).await;
        if let Err(error) = &lane {
            tracing::error!(%error, "No producer for single records.");
        }
        lane.ok()
    }

    fn config(&self) -> MutexGuard<'_, WriterConfig> {
        // Nothing panics under this lock.
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes batches no larger than the topic takes: else each of them fails and goes record by record. When the topic
    /// takes more again, so do they.
    fn fit_batches(&self, max_message_bytes: u64) {
        let chosen = self.config().settings.iter().any(|setting| setting.name() == "batch.size");
        let fitting = max_message_bytes.clamp(1, DEFAULT_BATCH_BYTES);
        if chosen || self.main.setting("batch.size").unwrap_or(DEFAULT_BATCH_BYTES) == fitting {
            return;
        }
        match self.main.change("batch.size", &fitting.to_string()) {
            Ok(()) => tracing::info!(max_message_bytes, "Batches made to fit the topic."),
            Err(error) => tracing::warn!(%error, "Batches could not be made to fit the topic."),
        }
    }
}

/// librdkafka's default for `batch.size`; below Kafka's default `max.message.bytes` (1 048 588).
const DEFAULT_BATCH_BYTES: u64 = 1_000_000;

fn alone_settings(config: &WriterConfig) -> Result<ClientConfig, TopicError> {
    let mut settings = config.producer()?;
    settings.set("batch.num.messages", "1").set("linger.ms", "0");
    Ok(settings)
}

fn lane_parts(
    name: &'static str,
    config: &WriterConfig,
    budget: &Arc<Budget>,
    health: &Arc<Health>,
    log: &Arc<LogGate>,
) -> LaneParts {
    LaneParts {
        name,
        budget: Arc::clone(budget),
        health: Arc::clone(health),
        log: Arc::clone(log),
        brokers: config.brokers.clone(),
        farewell: config.delivery_timeout + Duration::from_secs(1),
    }
}
