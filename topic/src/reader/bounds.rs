//! What Kafka is asked when a reader opens or marks the end: from where to where each partition reaches, and which
//! offset belongs to a time.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use super::{ANSWER_WITHIN, Start, TopicConsumer, positions::Bounds, watch::partition_count};
use crate::error::code_of;

/// The pause before a partition without a leader is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The bounds of these partitions, or of all that there are.
pub(super) async fn bounds(
    consumer: &Arc<TopicConsumer>,
    topic: &str,
    partitions: Option<Vec<i32>>,
) -> Result<Vec<(i32, Bounds)>, KafkaError> {
    let (consumer, topic) = (Arc::clone(consumer), topic.to_owned());
    let ask = move || {
        let partitions = match partitions {
            Some(partitions) => partitions,
            None => (0..partition_count(&consumer, &topic, ANSWER_WITHIN)?).collect(),
        };
        let bounds = |partition| {
            let ask = || consumer.fetch_watermarks(&topic, partition, ANSWER_WITHIN);
            let (low, end) = with_leader(ask)?;
            Ok((partition, Bounds { low, end }))
        };
        partitions.into_iter().map(bounds).collect()
    };
    tokio::task::spawn_blocking(ask).await.unwrap_or(Err(KafkaError::Canceled))
}

/// The offset of the first record to read in each partition with these bounds.
pub(super) async fn begins(
    consumer: &Arc<TopicConsumer>,
    topic: &str,
    start: &Start,
    bounds: &[(i32, Bounds)],
) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let begins = |begin: &dyn Fn(i32, Bounds) -> i64| {
        bounds.iter().map(|&(partition, bounds)| (partition, begin(partition, bounds))).collect()
    };
    Ok(match start {
        Start::Beginning => begins(&|_, bounds| bounds.low),
        Start::End => begins(&|_, bounds| bounds.end),
        Start::Again(offsets) => {
            begins(&|partition, bounds| offsets.get(&partition).map_or(bounds.low, |offset| *offset.max(&bounds.low)))
        }
        Start::Since(millis) => {
            let partitions = bounds.iter().map(|(partition, _)| *partition).collect();
            let offsets = offsets_since(consumer, topic, partitions, *millis).await?;
            // No record of this time: only what is written from now on.
            begins(&|partition, bounds| offsets.get(&partition).map_or(bounds.end, |offset| *offset.min(&bounds.end)))
        }
    })
}

/// The oldest offset of each partition whose record is not older than `millis`; none where all are older.
async fn offsets_since(
    consumer: &Arc<TopicConsumer>,
    topic: &str,
    partitions: Vec<i32>,
    millis: i64,
) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let (consumer, topic) = (Arc::clone(consumer), topic.to_owned());
    let ask = move || {
        let mut times = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            times.add_partition_offset(&topic, partition, Offset::Offset(millis))?;
        }
        let found = with_leader(|| consumer.offsets_for_times(times.clone(), ANSWER_WITHIN))?;
        let mut offsets = BTreeMap::new();
        for element in found.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                offsets.insert(element.partition(), offset);
            }
        }
        Ok(offsets)
    };
    tokio::task::spawn_blocking(ask).await.unwrap_or(Err(KafkaError::Canceled))
}

/// The answer to a question to a partition's leader. Blocks. A partition that has just been made, or whose broker has
/// just gone, has no leader for a moment: it is asked again.
fn with_leader<T>(ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    loop {
        match ask() {
            Err(error) if has_no_leader(&error) && Instant::now() < deadline => thread::sleep(ASK_AGAIN_AFTER),
            other => return other,
        }
    }
}

fn has_no_leader(error: &KafkaError) -> bool {
    let passing = [Code::NotLeaderForPartition, Code::LeaderNotAvailable, Code::FencedLeaderEpoch];
    code_of(error).is_some_and(|code| passing.contains(&code))
}
