//! Looking after topics: whether one exists, what it takes, and creating it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
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

/// What is known of a topic that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// Whether this very call created it.
    pub created: bool,
    /// How many partitions it has.
    pub partitions: usize,
    /// The smallest number of replicas that a partition has.
    pub replicas: usize,
    /// Bytes of the largest batch it takes (`max.message.bytes`); `None` if we may not know.
    pub max_message_bytes: Option<u64>,
    /// How many replicas must have a record before it is acknowledged (`min.insync.replicas`); `None` if we may not
    /// know.
    pub min_in_sync_replicas: Option<u64>,
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
    settings: ClientConfig,
    brokers: String,
    /// Asked once a topic, and again after [`forget_limits`](Self::forget_limits).
    limits: Mutex<HashMap<String, Limits>>,
}

impl TopicAdmin {
    pub(crate) fn new(config: &WriterConfig) -> Result<TopicAdmin, TopicError> {
        Ok(TopicAdmin { settings: config.admin()?, brokers: config.brokers.clone(), limits: Mutex::default() })
    }

    /// The limits of topics have changed, it seems: ask again at the next occasion.
    pub(crate) fn forget_limits(&self) {
        self.lock().clear();
    }

    /// Creates the topic. `false`: somebody else was faster.
    pub(crate) async fn create(&self, topic: &str, partitions: i32, replication: i32) -> Result<bool, TopicError> {
        let client = self.client()?;
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replication));
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
        if let Some(known) = self.lock().get(topic) {
            return *known;
        }
        let Ok(client) = self.client() else { return Limits::default() };
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
            _ => return Limits::default(),
        };
        self.lock().insert(topic.to_owned(), limits);
        limits
    }

    fn client(&self) -> Result<AdminClient<Quiet>, TopicError> {
        self.settings.create_with_context(Quiet).map_err(|error| TopicError::of_settings(&self.brokers, error))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Limits>> {
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

/// Partitions and smallest number of replicas, as librdkafka tells it.
pub(crate) fn shape(metadata: &Metadata, topic: &str) -> Result<(usize, usize), KafkaError> {
    let Some(topic) = metadata.topics().iter().find(|known| known.name() == topic) else {
        return Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition));
    };
    if let Some(error) = topic.error() {
        return Err(KafkaError::MetadataFetch(error.into()));
    }
    let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
    Ok((topic.partitions().len(), replicas))
}
