//! The reader of the topic: every record of every partition, from a position that is fixed when it opens.
//!
//! It joins no consumer group and commits nothing, so any number of readers see all records and leave no trace.
//! New partitions are followed, broker restarts outlived.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    consumer::{Consumer, ConsumerContext, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{BorrowedMessage, Headers},
};

use crate::{
    TopicError,
    error::{code_of, is_silence},
    log::LogGate,
};

use bounds::{begins, bounds};
use positions::Positions;
use watch::{Look, Watch};

pub use config::{ReaderConfig, Start};

mod bounds;
mod config;
mod positions;
#[cfg(test)]
mod tests;
mod watch;

/// How long Kafka may take for each answer while a reader opens or marks the end.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How many events, and how long for each, to look through for the reason why nobody answered.
const MAX_EVENTS_HEARD: u32 = 16;
const HEAR_WITHIN: Duration = Duration::from_millis(50);

/// Looks in a row that must miss the topic until it counts as gone: a broker that has just started knows none yet.
const LOOKS_UNTIL_GONE: u32 = 3;

/// One record of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The partition, from 0.
    pub partition: i32,
    /// The offset in the partition, from 0.
    pub offset: i64,
    /// The time that Kafka keeps with the record: when it was made, or stored, in milliseconds since 1970.
    pub timestamp_millis: Option<i64>,
    /// The key, if there is one.
    pub key: Option<Vec<u8>>,
    /// The value; empty for a tombstone.
    pub value: Vec<u8>,
    /// Names and values, in order; an absent value is empty.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Delivered {
    fn of(message: &BorrowedMessage<'_>) -> Delivered {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        Delivered {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_millis: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: headers.map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect(),
        }
    }
}

/// Reads one topic.
///
/// ```no_run
/// # async fn example() -> Result<(), tributary_topic::TopicError> {
/// use tributary_topic::{Reader, ReaderConfig, Start};
///
/// let (brokers, topic) = ("localhost:9092".to_owned(), "http_recordings".to_owned());
/// let mut reader = Reader::open(ReaderConfig { brokers, topic, start: Start::Beginning, settings: vec![] }).await?;
/// while let Some(record) = reader.next_before_end().await? {
///     println!("{}/{}: {} bytes", record.partition, record.offset, record.value.len());
/// }
/// # Ok(())
/// # }
/// ```
///
/// Order is Kafka's: by offset in each partition, none between partitions. After an error the reader can still be
/// asked: it goes on where it stood.
///
/// A topic that is deleted and soon made anew is read from its beginning, which is logged; what retention has deleted
/// before it was read is passed over.
pub struct Reader {
    // Dropped before the consumer, so that no look can outlive it.
    watch: Watch,
    consumer: Arc<TopicConsumer>,
    positions: Positions,
    brokers: String,
    topic: String,
    looks_without_topic: u32,
    unreachable: bool,
    assigned: Assigned,
}

/// How far librdkafka is with what it was told to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Assigned {
    /// Nothing yet.
    Not,
    /// It reads, or is about to for the first time.
    Settled,
    /// It was told anew, and nothing has been heard since: it may still be stopping what it read before.
    ///
    /// To be told again, or to be closed, in this moment ends the process: it stops what it is stopping, and then asserts
    /// that a partition stops once (librdkafka 2.12, `rd_kafka_assignment_partition_stopped`).
    Anew,
}

type TopicConsumer = StreamConsumer<LogContext>;

struct LogContext(LogGate);

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.forward(level, facility, message);
    }

    // They come as events too, and are told apart there.
    fn error(&self, _: KafkaError, _: &str) {}

    fn stats_raw(&self, _: &[u8]) {}
}

impl ConsumerContext for LogContext {}

impl Reader {
    /// Opens the topic. When it returns, the start of each partition is fixed and the end is marked: a record
    /// acknowledged before the call is before the end, one written after it is behind.
    ///
    /// Takes 5 s at most for each of Kafka's answers: the metadata, and the bounds of each partition.
    ///
    /// # Errors
    /// - [`TopicError::Setting`], [`TopicError::Client`]: a setting is wrong; repair it.
    /// - [`TopicError::TopicMissing`]: create it, or try again later.
    /// - [`TopicError::PositionLost`]: the topic never held a record that [`Start::Again`] names; begin elsewhere.
    /// - [`TopicError::Unreachable`], [`TopicError::Kafka`]: try again later.
    /// - [`TopicError::NotAllowed`], [`TopicError::Credentials`]: somebody has to grant or repair something.
    pub async fn open(config: ReaderConfig) -> Result<Reader, TopicError> {
        let ReaderConfig { brokers, topic, start, .. } = config.clone();
        let consumer: TopicConsumer = config
            .consumer()?
            .create_with_context(LogContext(LogGate::default()))
            .map_err(|error| TopicError::of_settings(&brokers, error))?;
        let consumer = Arc::new(consumer);

        let bounds = match bounds(&consumer, &topic, None).await {
            Ok(bounds) => bounds,
            Err(error) => {
                let cause = refusal(&consumer).await.unwrap_or(error);
                return Err(TopicError::of("read", &topic, &brokers, cause));
            }
        };
        let begins = begins(&consumer, &topic, &start, &bounds);
        let begins = begins.await.map_err(|error| TopicError::of("read", &topic, &brokers, error))?;
        start.must_lie_in(&topic, &brokers, &bounds)?;
        let positions = Positions::at(&begins, &bounds);
        let watch = Watch::start(&consumer, &topic)
            .map_err(|error| TopicError::Client { brokers: brokers.clone(), reason: format!("no thread: {error}") })?;
        let (looks_without_topic, unreachable, assigned) = (0, false, Assigned::Not);
        let mut reader =
            Reader { watch, consumer, positions, brokers, topic, looks_without_topic, unreachable, assigned };
        reader.assign()?;
        Ok(reader)
    }

    /// The next record, as soon as there is one. Safe to cancel: no record is lost by it.
    ///
    /// Brokers that are away are waited for (see [`is_unreachable`](Self::is_unreachable)).
    ///
    /// # Errors
    /// - [`TopicError::TopicMissing`]: the topic is gone; open a new reader when there is one again.
    /// - [`TopicError::NotAllowed`], [`TopicError::Credentials`]: somebody has to grant or repair something.
    /// - [`TopicError::Kafka`]: anything else that Kafka answered.
    pub async fn next(&mut self) -> Result<Delivered, TopicError> {
        loop {
            if let Some(delivered) = self.step().await? {
                return Ok(delivered);
            }
        }
    }

    /// The next record, or `None` once [`is_at_end`](Self::is_at_end). Safe to cancel.
    ///
    /// While one partition is still behind its end, another may deliver records from behind its own.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub async fn next_before_end(&mut self) -> Result<Option<Delivered>, TopicError> {
        while !self.is_at_end() {
            if let Some(delivered) = self.step().await? {
                return Ok(Some(delivered));
            }
        }
        Ok(None)
    }

    /// Whether all records have been read that were there when the end was marked: by [`open`](Self::open), or by the
    /// last [`mark_end`](Self::mark_end).
    pub fn is_at_end(&self) -> bool {
        self.positions.is_at_end()
    }

    /// The partitions, and the offset of the oldest record of each when the reader was opened. More than 0: records before
    /// it were deleted, by retention or by somebody.
    pub fn beginnings(&self) -> impl Iterator<Item = (i32, i64)> {
        self.positions.beginnings()
    }

    /// Marks the end anew: where the topic ends now.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), but for the settings; the old mark stays then.
    pub async fn mark_end(&mut self) -> Result<(), TopicError> {
        let partitions = self.positions.partitions().collect();
        let bounds = bounds(&self.consumer, &self.topic, Some(partitions)).await;
        self.positions.mark_end(&bounds.map_err(|error| self.failed(error))?);
        if self.is_at_end() || self.assigned == Assigned::Anew {
            return Ok(());
        }
        // Takes back what was fetched ahead, and with it the news of an end that was the end before this mark.
        self.assign()
    }

    /// How many offsets lie between the positions and the marked end. Not all of them need hold a record.
    pub fn left(&self) -> u64 {
        self.positions.left()
    }

    /// Offset of the next record to read in each partition; a new partition that nothing was read from is left out.
    ///
    /// Right after [`open`](Self::open) this is where it begins: behind what [`Start::Again`] names where retention has
    /// deleted that record.
    pub fn positions(&self) -> BTreeMap<i32, i64> {
        self.positions.offsets()
    }

    /// Whether no broker has answered since the last record or the last look at the topic (one each second then).
    pub fn is_unreachable(&self) -> bool {
        self.unreachable
    }

    /// Waits for one thing to happen; `None` if it was no record.
    async fn step(&mut self) -> Result<Option<Delivered>, TopicError> {
        let received = tokio::select! {
            biased;
            look = self.watch.next() => return self.looked(look).map(|()| None),
            received = self.consumer.recv() => received.map(|message| Delivered::of(&message)),
        };
        match received {
            Ok(delivered) => {
                self.note_read(&delivered);
                Ok(Some(delivered))
            }
            Err(error) => self.failed_to_read(error).map(|()| None),
        }
    }

    fn note_read(&mut self, delivered: &Delivered) {
        self.assigned = Assigned::Settled;
        (self.unreachable, self.looks_without_topic) = (false, 0);
        let (partition, offset) = (delivered.partition, delivered.offset);
        if let Some(expected_offset) = self.positions.read(partition, offset) {
            tracing::warn!(partition, offset, expected_offset, "The partition begins anew; was the topic made anew?");
        }
    }

    fn looked(&mut self, look: Look) -> Result<(), TopicError> {
        match look {
            Ok(partitions) => {
                (self.unreachable, self.looks_without_topic) = (false, 0);
                if self.positions.grown_to(partitions) {
                    tracing::info!(partitions, "The topic has grown.");
                    return self.assign();
                }
                Ok(())
            }
            Err(error) if is_topic_missing(&error) => {
                self.unreachable = false;
                self.looks_without_topic += 1;
                match self.looks_without_topic {
                    LOOKS_UNTIL_GONE.. => Err(self.failed(error)),
                    _ => Ok(()),
                }
            }
            Err(error) => self.failed_to_read(error),
        }
    }

    /// Tells what has to be repaired from what passes.
    fn failed_to_read(&mut self, error: KafkaError) -> Result<(), TopicError> {
        match (&error, code_of(&error)) {
            (KafkaError::PartitionEOF(partition), _) => {
                self.assigned = Assigned::Settled;
                self.positions.reached_end(*partition);
                Ok(())
            }
            // We use no group, only its name: what Kafka thinks of it does not matter.
            (_, Some(Code::GroupAuthorizationFailed)) => Ok(()),
            // The watch finds out whether it is really gone.
            _ if is_topic_missing(&error) => {
                self.watch.look_soon();
                Ok(())
            }
            (_, Some(code)) if is_silence(code) => {
                // One broker of several may go without harm; the watch knows when they all have.
                self.unreachable |= code == Code::AllBrokersDown || matches!(error, KafkaError::MetadataFetch(_));
                self.watch.look_soon();
                Ok(())
            }
            _ => Err(self.failed(error)),
        }
    }

    fn assign(&mut self) -> Result<(), TopicError> {
        let assigned = self.positions.assignment(&self.topic).and_then(|list| self.consumer.assign(&list));
        assigned.map_err(|error| self.failed(error))?;
        self.assigned = match self.assigned {
            Assigned::Not => Assigned::Settled,
            Assigned::Settled | Assigned::Anew => Assigned::Anew,
        };
        Ok(())
    }

    fn failed(&self, error: KafkaError) -> TopicError {
        TopicError::of("read", &self.topic, &self.brokers, error)
    }
}

fn is_topic_missing(error: &KafkaError) -> bool {
    let missing = [Code::UnknownTopic, Code::UnknownTopicOrPartition, Code::UnknownPartition, Code::UnknownTopicId];
    code_of(error).is_some_and(|code| missing.contains(&code))
}

/// What librdkafka has heard besides, if it was a refusal to let us in: its calls say only that nobody answered.
async fn refusal(consumer: &TopicConsumer) -> Option<KafkaError> {
    for _ in 0..MAX_EVENTS_HEARD {
        let heard = tokio::time::timeout(HEAR_WITHIN, consumer.recv()).await.ok()?.err()?;
        if let Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL) = code_of(&heard) {
            return Some(heard);
        }
    }
    None
}
