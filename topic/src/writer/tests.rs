//! The writer against librdkafka's mock cluster: verdicts for errors that a healthy broker does not give.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use super::*;
use crate::mock::{Fault, MockKafka};

const TOPIC: &str = "exchanges";

/// The longest that the mock cluster takes for an answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Mock {
    cluster: MockKafka,
}

impl Mock {
    fn new() -> Mock {
        Mock::of(1)
    }

    fn of(brokers: i32) -> Mock {
        let cluster = MockKafka::start(brokers).expect("a mock cluster starts");
        cluster.create_topic(TOPIC, 3, brokers).expect("a topic in it");
        Mock { cluster }
    }

    fn config(&self) -> WriterConfig {
        let mut config = WriterConfig::new(self.cluster.brokers(), TOPIC);
        config.delivery_timeout = Duration::from_secs(2);
        config.linger = Duration::ZERO;
        config
    }

    fn writer(&self) -> Writer {
        Writer::new(self.config()).expect("good settings")
    }

    fn fail_produce(&self, fault: Fault, times: usize) {
        self.cluster.fail_writes(fault, times).expect("the cluster is there");
    }

    fn heal(&self) {
        self.cluster.heal_writes().expect("the cluster is there");
    }

    fn stop(&self) {
        self.cluster.stop_broker(1).expect("the broker goes");
    }

    fn start(&self) {
        self.cluster.start_broker(1).expect("the broker comes");
    }
}

fn records(count: usize) -> Vec<Record> {
    (0..count)
        .map(|n| Record {
            key: Some(format!("source-{n}").into()),
            value: format!("{{\"n\":{n}}}").into(),
            headers: vec![("seq", n.to_string().into())],
        })
        .collect()
}

fn causes(writer: &Writer) -> Vec<Cause> {
    writer.health().into_iter().map(|problem| problem.cause).collect()
}

/// Writes until a write is acknowledged.
async fn until_written(writer: &Writer) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let verdicts = writer.write(records(1)).await;
        if verdicts == [Ok(())] {
            return;
        }
        assert!(Instant::now() < deadline, "no recovery: {verdicts:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn each_record_gets_its_verdict_when_kafka_has_it() {
    let mock = Mock::new();
    let writer = mock.writer();

    let verdicts = writer.write(records(500)).await;

    assert_eq!(verdicts, vec![Ok(()); 500]);
    assert_eq!(writer.queued_bytes(), 0);
    assert!(writer.close(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_write_of_nothing_is_answered() {
    let mock = Mock::new();

    assert_eq!(mock.writer().write::<Record>([]).await, []);
}

#[tokio::test]
async fn a_broker_error_that_passes_is_never_seen() {
    let mock = Mock::new();
    let writer = mock.writer();
    mock.fail_produce(Fault::NotEnoughReplicas, 2);

    let verdicts = writer.write(records(1)).await;

    assert_eq!(verdicts, [Ok(())]);
}

#[tokio::test]
async fn too_few_replicas_are_retriable_and_seen_in_the_health() {
    let mock = Mock::new();
    let writer = mock.writer();
    mock.fail_produce(Fault::NotEnoughReplicas, 1000);

    let verdicts = writer.write(records(1)).await;

    assert!(matches!(verdicts.as_slice(), [Err(RecordError::Retriable { .. })]), "{verdicts:?}");
    assert!(!causes(&writer).is_empty());
    mock.heal();
    assert_eq!(writer.write(records(1)).await, [Ok(())]);
    assert_eq!(causes(&writer), []);
}

#[tokio::test]
async fn a_right_that_is_missing_is_retriable_and_named() {
    let mock = Mock::new();
    let writer = mock.writer();
    mock.fail_produce(Fault::NotAllowed, 1);

    let verdicts = writer.write(records(1)).await;

    assert!(matches!(verdicts.as_slice(), [Err(RecordError::Retriable { .. })]), "{verdicts:?}");
    assert_eq!(causes(&writer), [Cause::NotAllowed]);
}

#[tokio::test]
async fn records_of_a_batch_that_is_too_large_pass_one_by_one() {
    let mock = Mock::new();
    let writer = mock.writer();
    mock.fail_produce(Fault::TooLarge, 1);

    let verdicts = writer.write(records(20)).await;

    assert_eq!(verdicts, vec![Ok(()); 20]);
}

#[tokio::test]
async fn a_record_that_is_too_large_by_itself_gets_that_verdict_and_its_neighbours_pass() {
    let mock = Mock::new();
    let mut config = mock.config();
    config.max_record_bytes = 1000;
    let writer = Writer::new(config).expect("good settings");
    let mut records = records(3);
    records[1].value = vec![b'x'; 2000].into();
    let bytes = record::bytes(&records[1]);

    let verdicts = writer.write(&records).await;

    assert_eq!(verdicts, [Ok(()), Err(RecordError::TooLarge { bytes }), Ok(())]);
}

#[tokio::test]
async fn a_record_that_kafka_refuses_for_good_is_rejected() {
    let mock = Mock::new();
    let writer = mock.writer();
    // Once in company, once alone.
    mock.fail_produce(Fault::InvalidRecord, 2);

    let verdicts = writer.write(records(1)).await;

    assert!(matches!(verdicts.as_slice(), [Err(RecordError::Rejected { .. })]), "{verdicts:?}");
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once_and_sends_nothing() {
    let mock = Mock::new();
    let mut config = mock.config();
    config.max_queue_bytes = 100;
    let writer = Writer::new(config).expect("good settings");

    let verdicts = writer.write(records(100)).await;

    assert_eq!(verdicts, vec![Err(RecordError::Busy); 100]);
    assert_eq!(writer.queued_bytes(), 0);
    assert_eq!(writer.write(records(1)).await, [Ok(())]);
}

#[tokio::test]
async fn without_a_broker_records_time_out_as_retriable() {
    let mock = Mock::new();
    mock.stop();
    let writer = mock.writer();
    let start = Instant::now();

    let verdicts = writer.write(records(2)).await;

    assert!(verdicts.iter().all(|verdict| matches!(verdict, Err(RecordError::Retriable { .. }))), "{verdicts:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(writer.queued_bytes(), 0);
}

#[tokio::test]
async fn a_broker_that_comes_back_gets_what_is_waiting() {
    let mock = Mock::new();
    mock.stop();
    let mut config = mock.config();
    config.delivery_timeout = Duration::from_secs(20);
    let writer = Writer::new(config).expect("good settings");

    let records = records(5);
    let (verdicts, ()) = tokio::join!(writer.write(&records), async {
        tokio::task::yield_now().await;
        mock.start();
    });

    assert_eq!(verdicts, vec![Ok(()); 5]);
}

#[tokio::test]
async fn a_fatal_error_builds_a_new_producer() {
    let mock = Mock::new();
    let writer = mock.writer();
    assert_eq!(writer.write(records(1)).await, [Ok(())]);
    // At the head of the line this error says that the broker's state is not ours: librdkafka gives up for good.
    mock.fail_produce(Fault::OutOfOrder, 1);

    let first = writer.write(records(1)).await;
    let start = Instant::now();
    let second = writer.write(records(1)).await;

    assert!(matches!(first.as_slice(), [Err(RecordError::Retriable { .. })]), "{first:?}");
    assert_eq!(second, [Ok(())]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(writer.replaced_producers(), 1);
}

/// The values in the topic.
fn written(mock: &Mock) -> Vec<Vec<u8>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", mock.cluster.brokers())
        .set("group.id", "test")
        .create()
        .expect("a consumer");
    let mut values = Vec::new();
    for partition in 0..3 {
        let (mut next, end) = consumer.fetch_watermarks(TOPIC, partition, PATIENCE).expect("watermarks");
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("an offset");
        consumer.assign(&assignment).expect("an assignment");
        while next < end {
            let message = consumer.poll(PATIENCE).expect("a record in time").expect("a record");
            values.push(message.payload().unwrap_or_default().to_vec());
            next = message.offset() + 1;
        }
    }
    values
}

// A record that the broker refused while it took the ones behind it was called acknowledged, and was nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_not_acknowledged_because_a_later_one_is() {
    let mock = Mock::new();
    let mut config = mock.config();
    config.delivery_timeout = Duration::from_secs(20);
    config.settings = vec!["batch.num.messages=1".parse().expect("a setting")];
    let writer = Writer::new(config).expect("good settings");
    let records: Vec<Record> =
        records(4).into_iter().map(|record| Record { key: Some("one partition".into()), ..record }).collect();
    // Long enough that all are on their way when the first answer comes.
    mock.cluster.delay(1, Duration::from_millis(300)).expect("the broker is there");
    mock.fail_produce(Fault::NotEnoughReplicas, 1);

    let verdicts = writer.write(&records).await;

    mock.cluster.delay(1, Duration::ZERO).expect("the broker is there");
    let written = written(&mock);
    assert!(!written.is_empty());
    for (verdict, record) in verdicts.iter().zip(&records) {
        let is_there = written.iter().any(|value| *value == record.value[..]);
        assert!(is_there || verdict.is_err(), "{verdict:?} for {record:?}, which is not there");
    }
}

#[tokio::test]
async fn a_producer_that_the_broker_does_not_know_delivers_in_the_end() {
    let mock = Mock::new();
    let writer = mock.writer();
    mock.fail_produce(Fault::UnknownProducer, 1);

    let first = writer.write(records(1)).await;

    until_written(&writer).await;
    // librdkafka may repair this one by itself; what counts is that the record is never called acknowledged in vain.
    assert!(matches!(first.as_slice(), [Ok(()) | Err(RecordError::Retriable { .. })]), "{first:?}");
    assert_eq!(causes(&writer), []);
}

// It waited for the time-out with every write, though looks at the topic went well.
#[tokio::test]
async fn writes_that_fail_in_a_row_are_refused_at_once_until_one_succeeds() {
    let mock = Mock::new();
    let writer = mock.writer();
    writer.ensure_topic(3, -1).await.expect("looks go well");
    mock.fail_produce(Fault::Storage, 100_000);

    for _ in 0..2 {
        let verdicts = writer.write(records(1)).await;
        assert!(matches!(verdicts.as_slice(), [Err(RecordError::Retriable { .. })]), "{verdicts:?}");
    }
    let start = Instant::now();
    let refused = writer.write(records(1)).await;

    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(matches!(refused.as_slice(), [Err(RecordError::Retriable { .. })]), "{refused:?}");
    assert!(writer.is_refusing());
    assert_eq!(causes(&writer), [Cause::NotDelivered]);
    assert_eq!(writer.failed_records(Cause::NotDelivered), 2, "what was not tried did not fail");
    mock.heal();
    until_written(&writer).await;
    assert!(!writer.is_refusing() && !writer.is_blocked());
    assert_eq!(causes(&writer), []);
}

// The records that its neighbours took made it look healthy.
#[tokio::test]
async fn one_partition_that_takes_nothing_is_trouble_though_others_do() {
    let mock = Mock::of(2);
    for (partition, broker) in [(0, 1), (1, 2), (2, 2)] {
        mock.cluster.lead(TOPIC, partition, Some(broker)).expect("a broker");
    }
    let writer = mock.writer();
    assert_eq!(writer.write(records(100)).await, vec![Ok(()); 100]);

    mock.stop();
    let verdicts = writer.write(records(100)).await;

    assert!(verdicts.contains(&Ok(())), "the other broker is there");
    assert!(verdicts.iter().any(|verdict| matches!(verdict, Err(RecordError::Retriable { .. }))));
    assert_eq!(causes(&writer), [Cause::NotDelivered]);
}

#[tokio::test]
async fn a_partition_that_moves_to_another_broker_is_followed() {
    let mock = Mock::of(2);
    let lead =
        |broker| (0..3).for_each(|partition| mock.cluster.lead(TOPIC, partition, Some(broker)).expect("a broker"));
    lead(1);
    let writer = mock.writer();
    assert_eq!(writer.write(records(10)).await, vec![Ok(()); 10]);

    lead(2);
    mock.stop();

    assert_eq!(writer.write(records(10)).await, vec![Ok(()); 10]);
}

#[tokio::test]
async fn a_partition_without_a_leader_is_named() {
    let mock = Mock::new();
    mock.cluster.lead(TOPIC, 1, None).expect("a partition");
    let writer = mock.writer();

    let facts = writer.ensure_topic(3, -1).await.expect("the topic is there");

    assert_eq!(facts.in_sync_replicas, 0);
    assert_eq!(causes(&writer), [Cause::TooFewReplicas]);
}

#[tokio::test]
async fn a_topic_that_exists_is_found_as_it_is() {
    let mock = Mock::new();

    let facts = mock.writer().ensure_topic(1, -1).await.expect("the topic is there");

    assert!(!facts.created);
    assert_eq!((facts.partitions, facts.replicas), (3, 1));
}

#[tokio::test]
async fn looks_that_fail_in_a_row_block_and_one_that_succeeds_unblocks() {
    let mock = Mock::new();
    mock.stop();
    let writer = mock.writer();

    for _ in 0..2 {
        let error = writer.ensure_topic(3, -1).await.expect_err("nobody is there");
        assert!(matches!(error, TopicError::Unreachable { .. }), "{error:?}");
    }
    assert!(writer.is_blocked());
    assert_eq!(causes(&writer), [Cause::Unreachable]);
    mock.start();
    let deadline = Instant::now() + Duration::from_secs(20);
    while writer.ensure_topic(3, -1).await.is_err() {
        assert!(Instant::now() < deadline, "no recovery");
    }

    assert!(!writer.is_blocked());
    assert_eq!(causes(&writer), []);
}

#[test]
fn a_setting_that_does_not_exist_is_refused_by_name() {
    let mut config = WriterConfig::new("127.0.0.1:1", TOPIC);
    config.settings.push(Setting::new("sasl.mechansim", "PLAIN"));

    let error = Writer::new(config).map(drop).expect_err("a misspelt name");

    assert_eq!(error.to_string(), "setting sasl.mechansim: No such configuration property: \"sasl.mechansim\"");
}

#[test]
fn a_value_that_does_not_fit_is_refused_by_name() {
    for (name, value) in [("linger.ms", "soon"), ("partitioner", "best"), ("socket.timeout.ms", "-5")] {
        let mut config = WriterConfig::new("127.0.0.1:1", TOPIC);
        config.settings.push(Setting::new(name, value));

        let error = Writer::new(config).map(drop).expect_err(name);

        assert!(error.to_string().starts_with(&format!("setting {name}: ")), "{error}");
    }
}
