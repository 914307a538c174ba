//! Looking after topics: whether one exists, what it takes, and creating it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    metadata::MetadataTopic,
};

use crate::{
    TopicError, WriterConfig,
    error::{code_of, is_silence},
    log::LogGate,
};

/// How long Kafka may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

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

#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    max_message_bytes: Option<u64>,
    min_in_sync_replicas: Option<u64>,
}

/// A client that looks at topics and creates them.
pub(crate) struct TopicAdmin {
    client: Arc<AdminClient<Quiet>>,
    brokers: String,
    /// Asked once a topic, and again after [`forget_limits`](Self::forget_limits).
    limits: Mutex<HashMap<String, Limits>>,
}

/// How long a refusal explains why nobody answers.
const REFUSAL_EXPLAINS: Duration = Duration::from_secs(10);

struct Quiet {
    log: Arc<LogGate>,
    /// The last time Kafka did not let us in: the calls say only that nobody answered.
    refused: Mutex<Option<(Instant, KafkaError)>>,
}

impl Quiet {
    fn explained(&self, error: KafkaError) -> KafkaError {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match refused.as_ref() {
            Some((when, refusal)) if is_silent(&error) && when.elapsed() < REFUSAL_EXPLAINS => refusal.clone(),
            _ => error,
        }
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log.forward(level, facility, message);
    }

    fn error(&self, error: KafkaError, _: &str) {
        if let Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL) = code_of(&error) {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error));
        }
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl TopicAdmin {
    pub(crate) fn new(config: &WriterConfig, log: Arc<LogGate>) -> Result<TopicAdmin, TopicError> {
        let client = config
            .admin()?
            .create_with_context(Quiet { log, refused: Mutex::default() })
            .map_err(|error| TopicError::of_settings(&config.brokers, error))?;
        Ok(TopicAdmin { client: Arc::new(client), brokers: config.brokers.clone(), limits: Mutex::default() })
    }

    /// The topic as it is; created first if it is missing.
    pub(crate) async fn ensure(
        &self,
        topic: &str,
        partitions: i32,
        replication: i32,
    ) -> Result<TopicFacts, TopicError> {
        match self.look(topic).await {
            Err(TopicError::TopicMissing { .. }) => {
                let created = self.create(topic, partitions, replication).await?;
                self.lock().remove(topic);
                let partitions = usize::try_from(partitions).unwrap_or(1);
                let limits = self.limits(topic).await;
                // Its metadata may take a moment to spread; what we asked for is what it is.
                let replicas = usize::try_from(replication).unwrap_or(0);
                let seen = self.look(topic).await.unwrap_or((partitions, replicas));
                Ok(facts(created, seen, limits))
            }
            Err(other) => Err(other),
            Ok(seen) => Ok(facts(false, seen, self.limits(topic).await)),
        }
    }

    /// The limits of topics have changed, it seems: ask again at the next occasion.
    pub(crate) fn forget_limits(&self) {
        self.lock().clear();
    }

    /// Partitions and smallest number of replicas.
    async fn look(&self, topic: &str) -> Result<(usize, usize), TopicError> {
        let (client, name) = (Arc::clone(&self.client), topic.to_owned());
        let ask = move || {
            let metadata = client.inner().fetch_metadata(Some(&name), ANSWER_WITHIN)?;
            let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
                return Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition));
            };
            shape(topic)
        };
        let answer = tokio::task::spawn_blocking(ask).await.unwrap_or(Err(KafkaError::Canceled));
        answer.map_err(|error| {
            let error = self.client.inner().context().explained(error);
            TopicError::of("describe", topic, &self.brokers, error)
        })
    }

    /// `false`: somebody else was faster.
    async fn create(&self, topic: &str, partitions: i32, replication: i32) -> Result<bool, TopicError> {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replication));
        let options = AdminOptions::new().request_timeout(Some(ANSWER_WITHIN)).operation_timeout(Some(ANSWER_WITHIN));
        let answer = self.client.create_topics([&new], &options).await;
        match answer.map(|topics| topics.into_iter().next()) {
            Ok(Some(Err((_, Code::TopicAlreadyExists)))) => Ok(false),
            Ok(Some(Err((_, code)))) => Err(TopicError::of("create", topic, &self.brokers, KafkaError::AdminOp(code))),
            Ok(_) => Ok(true),
            Err(error) => Err(TopicError::of("create", topic, &self.brokers, error)),
        }
    }

    async fn limits(&self, topic: &str) -> Limits {
        if let Some(known) = self.lock().get(topic) {
            return *known;
        }
        let options = AdminOptions::new().request_timeout(Some(ANSWER_WITHIN));
        let answer = self.client.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await;
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

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Limits>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_silent(error: &KafkaError) -> bool {
    code_of(error).is_some_and(is_silence)
}

fn shape(topic: &MetadataTopic) -> Result<(usize, usize), KafkaError> {
    if let Some(error) = topic.error() {
        return Err(KafkaError::MetadataFetch(error.into()));
    }
    let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
    Ok((topic.partitions().len(), replicas))
}

fn facts(created: bool, (partitions, replicas): (usize, usize), limits: Limits) -> TopicFacts {
    let Limits { max_message_bytes, min_in_sync_replicas } = limits;
    TopicFacts { created, partitions, replicas, max_message_bytes, min_in_sync_replicas }
}
