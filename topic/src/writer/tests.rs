//! The writer against librdkafka's mock cluster: verdicts for errors that a healthy broker does not give.

use std::time::{Duration, Instant};

use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use super::*;

const TOPIC: &str = "exchanges";

struct Mock {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Mock {
    fn new() -> Mock {
        let cluster = MockCluster::new(1).expect("a mock cluster starts");
        cluster.create_topic(TOPIC, 3, 1).expect("a topic in it");
        Mock { cluster }
    }

    fn config(&self) -> WriterConfig {
        let mut config = WriterConfig::new(self.cluster.bootstrap_servers(), TOPIC);
        config.delivery_timeout = Duration::from_secs(2);
        config.linger = Duration::ZERO;
        config
    }

    fn writer(&self) -> Writer {
        Writer::new(self.config()).expect("good settings")
    }

    fn fail_produce(&self, error: RDKafkaRespErr, times: usize) {
        self.cluster.request_errors(RDKafkaApiKey::Produce, &vec![error; times]);
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

    assert_eq!(mock.writer().write([]).await, []);
}

#[tokio::test]
async fn a_broker_error_that_passes_is_never_seen() {
    let mock = Mock::new();
    let writer = mock.writer();
    mock.fail_produce(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 2);

    let verdicts = writer.write(records(1)).await;

    assert_eq!(verdicts, [Ok(())]);
}

#[tokio::test]
async fn too_few_replicas_are_retriable_and_seen_in_the_health() {
    let mock = Mock::new();
    let writer = mock.writer();
    mock.fail_produce(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 1000);

    let verdicts = writer.write(records(1)).await;

    assert!(matches!(verdicts.as_slice(), [Err(RecordError::Retriable { .. })]), "{verdicts:?}");
    assert!(!causes(&writer).is_empty());
    mock.cluster.clear_request_errors(RDKafkaApiKey::Produce);
    assert_eq!(writer.write(records(1)).await, [Ok(())]);
    assert_eq!(causes(&writer), []);
}

#[tokio::test]
async fn a_right_that_is_missing_is_retriable_and_named() {
    let mock = Mock::new();
    let writer = mock.writer();
    mock.fail_produce(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1);

    let verdicts = writer.write(records(1)).await;

    assert!(matches!(verdicts.as_slice(), [Err(RecordError::Retriable { .. })]), "{verdicts:?}");
    assert_eq!(causes(&writer), [Cause::NotAllowed]);
}

#[tokio::test]
async fn records_of_a_batch_that_is_too_large_pass_one_by_one() {
    let mock = Mock::new();
    let writer = mock.writer();
    mock.fail_produce(RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1);

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
    let bytes = records[1].bytes();

    let verdicts = writer.write(&records).await;

    assert_eq!(verdicts, [Ok(()), Err(RecordError::TooLarge { bytes }), Ok(())]);
}

#[tokio::test]
async fn a_record_that_kafka_refuses_for_good_is_rejected() {
    let mock = Mock::new();
    let writer = mock.writer();
    // Once in company, once alone.
    mock.fail_produce(RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD, 2);

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
    mock.cluster.broker_down(1).expect("the broker goes");
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
    mock.cluster.broker_down(1).expect("the broker goes");
    let mut config = mock.config();
    config.delivery_timeout = Duration::from_secs(20);
    let writer = Writer::new(config).expect("good settings");

    let records = records(5);
    let (verdicts, ()) = tokio::join!(writer.write(&records), async {
        tokio::task::yield_now().await;
        mock.cluster.broker_up(1).expect("the broker comes");
    });

    assert_eq!(verdicts, vec![Ok(()); 5]);
}

#[tokio::test]
async fn a_fatal_error_builds_a_new_producer() {
    let mock = Mock::new();
    let writer = mock.writer();
    assert_eq!(writer.write(records(1)).await, [Ok(())]);
    // At the head of the line this error says that the broker's state is not ours: librdkafka gives up for good.
    mock.fail_produce(RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1);

    let first = writer.write(records(1)).await;
    let start = Instant::now();
    let second = writer.write(records(1)).await;

    assert!(matches!(first.as_slice(), [Err(RecordError::Retriable { .. })]), "{first:?}");
    assert_eq!(second, [Ok(())]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
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
    mock.cluster.broker_down(1).expect("the broker goes");
    let writer = mock.writer();

    for _ in 0..2 {
        let error = writer.ensure_topic(3, -1).await.expect_err("nobody is there");
        assert!(matches!(error, TopicError::Unreachable { .. }), "{error:?}");
    }
    assert!(writer.is_blocked());
    assert_eq!(causes(&writer), [Cause::Unreachable]);
    mock.cluster.broker_up(1).expect("the broker comes");
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
    config.settings.push(("sasl.mechansim".to_owned(), "PLAIN".to_owned()));

    let error = Writer::new(config).map(drop).expect_err("a misspelt name");

    assert_eq!(error.to_string(), "setting sasl.mechansim: No such configuration property: \"sasl.mechansim\"");
}

#[test]
fn a_value_that_does_not_fit_is_refused_by_name() {
    for (name, value) in [("linger.ms", "soon"), ("partitioner", "best"), ("socket.timeout.ms", "-5")] {
        let mut config = WriterConfig::new("127.0.0.1:1", TOPIC);
        config.settings.push((name.to_owned(), value.to_owned()));

        let error = Writer::new(config).map(drop).expect_err(name);

        assert!(error.to_string().starts_with(&format!("setting {name}: ")), "{error}");
    }
}
