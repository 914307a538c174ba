//! The reader against librdkafka's mock cluster, fed by our own writer.

use std::time::Instant;

use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

use super::*;
use crate::{Record, Writer, WriterConfig};

const TOPIC: &str = "exchanges";
const PARTITIONS: i32 = 3;

/// No step of a test may take longer.
const DEADLINE: Duration = Duration::from_secs(20);

struct Mock {
    cluster: MockCluster<'static, DefaultProducerContext>,
    writer: Writer,
}

impl Mock {
    fn new() -> Mock {
        let cluster = MockCluster::new(1).expect("a mock cluster starts");
        cluster.create_topic(TOPIC, PARTITIONS, 1).expect("a topic in it");
        let writer = Writer::new(WriterConfig::new(cluster.bootstrap_servers(), TOPIC)).expect("good settings");
        Mock { cluster, writer }
    }

    async fn write(&self, names: std::ops::Range<u32>) {
        let record = |n: u32| Record { key: Some(n.to_string().into()), value: n.to_string().into(), headers: vec![] };
        let verdicts = self.writer.write(names.map(record).collect::<Vec<_>>()).await;
        assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
    }

    fn config(&self, start: Start) -> ReaderConfig {
        ReaderConfig { brokers: self.cluster.bootstrap_servers(), topic: TOPIC.into(), start, settings: vec![] }
    }

    async fn open(&self, start: Start) -> Reader {
        Reader::open(self.config(start)).await.expect("the mock answers")
    }
}

/// The values up to the marked end, in order of their numbers.
async fn read_to_end(reader: &mut Reader) -> Vec<u32> {
    let read = async {
        let mut values = Vec::new();
        while let Some(delivered) = reader.next_before_end().await.expect("a record") {
            values.push(value_of(&delivered));
        }
        values.sort_unstable();
        values
    };
    tokio::time::timeout(DEADLINE, read).await.expect("the end comes in time")
}

async fn read(reader: &mut Reader, count: usize) -> Vec<u32> {
    let read = async {
        let mut values = Vec::new();
        while values.len() < count {
            values.push(value_of(&reader.next().await.expect("a record")));
        }
        values.sort_unstable();
        values
    };
    tokio::time::timeout(DEADLINE, read).await.expect("the records come in time")
}

fn value_of(delivered: &Delivered) -> u32 {
    assert_eq!(delivered.key.as_ref(), Some(&delivered.value));
    std::str::from_utf8(&delivered.value).unwrap().parse().unwrap()
}

#[tokio::test]
async fn all_that_is_there_is_read_and_then_comes_the_end() {
    let mock = Mock::new();
    mock.write(0..500).await;

    let mut reader = mock.open(Start::Beginning).await;

    assert_eq!(read_to_end(&mut reader).await, (0..500).collect::<Vec<_>>());
    assert!(reader.is_at_end());
}

#[tokio::test]
async fn empty_topic_is_at_its_end_at_once() {
    let mock = Mock::new();

    let mut reader = mock.open(Start::Beginning).await;

    assert_eq!(read_to_end(&mut reader).await, Vec::<u32>::new());
}

#[tokio::test]
async fn reader_at_the_end_sees_what_is_written_once_it_is_open_and_nothing_older() {
    let mock = Mock::new();
    mock.write(0..50).await;

    let mut reader = mock.open(Start::End).await;
    mock.write(50..100).await;

    assert_eq!(read(&mut reader, 50).await, (50..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn end_can_be_marked_again_and_nothing_is_read_twice() {
    let mock = Mock::new();
    mock.write(0..100).await;
    let mut reader = mock.open(Start::Beginning).await;
    let first = read(&mut reader, 10).await;

    mock.write(100..200).await;
    reader.mark_end().await.expect("the mock answers");
    let rest = read_to_end(&mut reader).await;

    let mut all = [first, rest].concat();
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn reader_goes_on_with_the_last_record_that_another_has_read() {
    let mock = Mock::new();
    mock.write(0..100).await;
    let mut first = mock.open(Start::Beginning).await;
    assert_eq!(first.left(), 100);
    let before = read(&mut first, 60).await;
    let last: BTreeMap<_, _> = first.positions().into_iter().map(|(partition, next)| (partition, next - 1)).collect();
    let read_from = last.values().filter(|offset| **offset >= 0).count() as u64;
    drop(first);

    let mut second = mock.open(Start::Again(last.clone())).await;

    assert_eq!(second.left(), 40 + read_from);
    let after = read_to_end(&mut second).await;
    assert_eq!((after.len() as u64, second.left()), (40 + read_from, 0));
    let mut all = [before, after].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn partition_of_which_nothing_was_read_is_read_from_its_beginning() {
    let mock = Mock::new();
    mock.write(0..100).await;

    let mut reader = mock.open(Start::Again(BTreeMap::new())).await;

    assert_eq!(read_to_end(&mut reader).await, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn record_that_the_topic_never_had_is_refused() {
    let mock = Mock::new();
    mock.write(0..100).await;
    let refused =
        async |partition: i32, offset: i64| match Reader::open(mock.config(Start::Again([(partition, offset)].into())))
            .await
        {
            Ok(_) => panic!("{offset} in {partition} was taken"),
            Err(TopicError::PositionLost { partition, offset, end, .. }) => (partition, offset, end),
            Err(other) => panic!("{other:?}"),
        };
    let end = mock.open(Start::End).await.positions()[&1];

    assert!(Reader::open(mock.config(Start::Again([(1, end - 1)].into()))).await.is_ok());
    assert_eq!(refused(1, end).await, (1, end, end));
    assert_eq!(refused(PARTITIONS, 0).await, (PARTITIONS, 0, 0));
}

#[tokio::test]
async fn headers_and_time_come_with_the_record() {
    let mock = Mock::new();
    let headers = vec![("source", "ab".into()), ("seq", "7".into())];
    mock.writer.write([Record { key: None, value: "v".into(), headers }]).await;

    let mut reader = mock.open(Start::Beginning).await;
    let delivered = reader.next().await.expect("a record");

    assert_eq!((delivered.key, delivered.value), (None, b"v".to_vec()));
    assert_eq!(delivered.headers, [("source".into(), b"ab".to_vec()), ("seq".into(), b"7".to_vec())]);
    assert!(delivered.timestamp_millis.is_some());
}

#[tokio::test]
async fn broker_that_goes_and_comes_back_is_waited_for() {
    let mock = Mock::new();
    mock.write(0..10).await;
    let mut reader = mock.open(Start::Beginning).await;
    assert_eq!(read(&mut reader, 10).await.len(), 10);

    mock.cluster.broker_down(-1).unwrap();
    let gone = Instant::now();
    while !reader.is_unreachable() {
        assert!(gone.elapsed() < DEADLINE);
        let waiting = tokio::time::timeout(Duration::from_millis(100), reader.next()).await;
        assert!(waiting.is_err(), "{waiting:?}");
    }
    mock.cluster.broker_up(-1).unwrap();
    mock.write(10..20).await;

    assert_eq!(read(&mut reader, 10).await, (10..20).collect::<Vec<_>>());
    assert!(!reader.is_unreachable());
}

#[tokio::test]
async fn address_where_nobody_answers_is_named() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let config = ReaderConfig { brokers: closed.clone(), topic: TOPIC.into(), start: Start::End, settings: vec![] };

    let Err(error) = Reader::open(config).await else { panic!("nobody is there") };

    assert!(matches!(&error, TopicError::Unreachable { brokers, .. } if *brokers == closed), "{error:?}");
}

#[tokio::test]
async fn bad_settings_are_refused_with_name_and_value() {
    let mock = Mock::new();
    let refused = async |name: &str, value: &str| {
        let settings = vec![crate::Setting::new(name, value)];
        match Reader::open(ReaderConfig { settings, ..mock.config(Start::End) }).await {
            Ok(_) => panic!("{name}={value} was taken"),
            Err(error) => error.to_string(),
        }
    };

    assert_eq!(refused("fetch.mni", "1").await, r#"setting fetch.mni: No such configuration property: "fetch.mni""#);
    assert_eq!(
        refused("fetch.min.bytes", "many").await,
        r#"setting fetch.min.bytes: value "many" not accepted (Invalid value for configuration property "fetch.min.bytes")"#
    );
}
