//! Looking after topics: whether one exists, what it takes, and creating it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    metadata::Metadata,
};

use crate::{TopicError, WriterConfig};

/// How long Kafka may take for an answer.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// How long the limits of a topic are taken for known: an operator may change them at any time.
const LIMITS_LAST: Duration = Duration::from_secs(60);

/// What is known of a topic that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// Whether this very call created it.
    pub created: bool,
    /// How many partitions it has.
    pub partitions: usize,
    /// The smallest number of replicas that a partition has.
    pub replicas: usize,
    /// The smallest number of replicas that are in sync; 0 for a partition without a leader.
    pub in_sync_replicas: usize,
    /// Bytes of the largest batch it takes (`max.message.bytes`); `None` if we may not know.
    pub max_message_bytes: Option<u64>,
    /// How many replicas must have a record before it is acknowledged (`min.insync.replicas`); `None` if we may not
    /// know.
    pub min_in_sync_replicas: Option<u64>,
}

impl TopicFacts {
    /// Why a write that waits for all in-sync replicas is refused, if it is: too few of them, or no leader. Brokers
    /// since Kafka 4.0 ask for no more replicas than there are (KIP-966), and older ones refuse then too, which the
    /// reports on records tell.
    pub(crate) fn lacking_replicas(&self) -> Option<String> {
        let asked_for = self.min_in_sync_replicas.map_or(1, |min| usize::try_from(min).unwrap_or(usize::MAX));
        let needed = asked_for.min(self.replicas).max(1);
        let in_sync = self.in_sync_replicas;
        match in_sync {
            0 => Some("a partition has no leader".to_owned()),
            _ if in_sync < needed => Some(format!("a partition has {in_sync} of {needed} needed replicas in sync")),
            _ => None,
        }
    }
}

/// What a topic is like that has to be created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewTopicShape {
    /// From 1.
    pub(crate) partitions: i32,
    /// From 1, or -1 for the broker's default.
    pub(crate) replication: i32,
    /// Whether Kafka keeps the last record of each key instead of deleting by age.
    pub(crate) compacted: bool,
}

/// The part of [`TopicFacts`] that needs a right of its own to ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) max_message_bytes: Option<u64>,
    pub(crate) min_in_sync_replicas: Option<u64>,
}

/// Creates topics and asks for their limits.
///
/// Its client lives for one call only: rdkafka does not serve what an admin client says beside its answers, so in a
/// long outage a client that stays would gather log lines without end.
pub(crate) struct TopicAdmin {
    settings: Mutex<ClientConfig>,
    brokers: String,
    /// With the time of the answer; asked for again after [`LIMITS_LAST`] and [`forget_limits`](Self::forget_limits).
    limits: Mutex<HashMap<String, (Limits, Instant)>>,
}

impl TopicAdmin {
    pub(crate) fn new(config: &WriterConfig) -> Result<TopicAdmin, TopicError> {
        Ok(TopicAdmin {
            settings: Mutex::new(config.admin()?),
            brokers: config.brokers.clone(),
            limits: Mutex::default(),
        })
    }

    /// The next call is made with these.
    pub(crate) fn reconfigure(&self, settings: ClientConfig) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// The limits of topics have changed, it seems: ask again at the next occasion.
    pub(crate) fn forget_limits(&self) {
        self.lock().clear();
    }

    /// Creates the topic. `false`: somebody else was faster.
    pub(crate) async fn create(&self, topic: &str, shape: &NewTopicShape) -> Result<bool, TopicError> {
        let client = self.client()?;
        // The broker's clock dates the records: it refuses those that come from more than an hour ahead of it, which
        // would be all of a collector whose clock is wrong (`message.timestamp.after.max.ms`, an hour since Kafka 3.6).
        // When an exchange happened stands in the exchange.
        let mut new = NewTopic::new(topic, shape.partitions, TopicReplication::Fixed(shape.replication))
            .set("message.timestamp.type", "LogAppendTime");
        if shape.compacted {
            new = new.set("cleanup.policy", "compact");
        }
        let options = AdminOptions::new().request_timeout(Some(ANSWER_WITHIN)).operation_timeout(Some(ANSWER_WITHIN));
        let answer = client.create_topics([&new], &options).await;
        drop_elsewhere(client);
        match answer.map(|topics| topics.into_iter().next()) {
            Ok(Some(Err((_, Code::TopicAlreadyExists)))) => Ok(false),
            Ok(Some(Err((_, code)))) => Err(TopicError::of("create", topic, &self.brokers, KafkaError::AdminOp(code))),
            Ok(_) => {
                self.lock().remove(topic);
                Ok(true)
            }
            Err(error) => Err(TopicError::of("create", topic, &self.brokers, error)),
        }
    }

    /// What the topic takes, as far as we may know.
    pub(crate) async fn limits(&self, topic: &str) -> Limits {
        let known = self.lock().get(topic).copied();
        if let Some((limits, at)) = known
            && at.elapsed() < LIMITS_LAST
        {
            return limits;
        }
        let known = known.map_or(Limits::default(), |(limits, _)| limits);
        let Ok(client) = self.client() else { return known };
        let options = AdminOptions::new().request_timeout(Some(ANSWER_WITHIN));
        let answer = client.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await;
        drop_elsewhere(client);
        let limits = match answer.map(|resources| resources.into_iter().next()) {
            Ok(Some(Ok(resource))) => {
                let number = |name| resource.get(name).and_then(|entry| entry.value.as_deref()?.parse().ok());
                Limits {
                    max_message_bytes: number("max.message.bytes"),
                    min_in_sync_replicas: number("min.insync.replicas"),
                }
            }
            // A right that we need not have (DESCRIBE_CONFIGS): do without, and do not ask again and again.
            Ok(Some(Err(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed))) => Limits::default(),
            _ => return known,
        };
        self.lock().insert(topic.to_owned(), (limits, Instant::now()));
        limits
    }

    fn client(&self) -> Result<AdminClient<Quiet>, TopicError> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        settings.create_with_context(Quiet).map_err(|error| TopicError::of_settings(&self.brokers, error))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Limits, Instant)>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    // Its calls return their errors.
    fn error(&self, _: KafkaError, _: &str) {}

    fn stats_raw(&self, _: &[u8]) {}
}

/// Dropping a client waits for its threads, which a runtime thread must not.
fn drop_elsewhere(client: AdminClient<Quiet>) {
    tokio::task::spawn_blocking(move || drop(client));
}

/// Partitions, and the smallest numbers of replicas and of those in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) partitions: usize,
    pub(crate) replicas: usize,
    pub(crate) in_sync: usize,
}

/// The shape of a topic, as librdkafka tells it.
pub(crate) fn shape(metadata: &Metadata, topic: &str) -> Result<Shape, KafkaError> {
    let Some(topic) = metadata.topics().iter().find(|known| known.name() == topic) else {
        return Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition));
    };
    if let Some(error) = topic.error() {
        return Err(KafkaError::MetadataFetch(error.into()));
    }
    let partitions = topic.partitions();
    let replicas = partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
    let in_sync =
        partitions.iter().map(|partition| if partition.leader() < 0 { 0 } else { partition.isr().len() }).min();
    Ok(Shape { partitions: partitions.len(), replicas, in_sync: in_sync.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(replicas: usize, in_sync_replicas: usize, min_in_sync_replicas: Option<u64>) -> TopicFacts {
        TopicFacts {
            created: false,
            partitions: 3,
            replicas,
            in_sync_replicas,
            max_message_bytes: None,
            min_in_sync_replicas,
        }
    }

    #[test]
    fn too_few_replicas_in_sync_are_named() {
        let lacking = |replicas, in_sync, min| facts(replicas, in_sync, min).lacking_replicas();

        assert_eq!(lacking(3, 2, Some(2)), None);
        assert_eq!(lacking(3, 1, Some(2)).as_deref(), Some("a partition has 1 of 2 needed replicas in sync"));
        assert_eq!(lacking(1, 1, Some(2)), None);
        assert_eq!(lacking(3, 1, None), None);
        assert_eq!(lacking(3, 0, None).as_deref(), Some("a partition has no leader"));
    }
}
