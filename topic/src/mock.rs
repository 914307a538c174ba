//! A cluster inside this process that fails as a healthy broker never does: too few replicas, a full disk, a producer
//! whose numbers are not believed. For tests only; behind the feature `mock`.
//!
//! It is librdkafka's own mock cluster, and speaks Kafka's protocol over loopback: clients of any process may connect.
//! What it is not: it keeps about 5 MiB or 100,000 records a partition and throws older ones away, knows no acks, no
//! rights, no settings of topics, and creates none; create each topic here, that of dead letters too.

use std::{sync::mpsc, thread, time::Duration};

use rdkafka::{
    error::KafkaError,
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

type Cluster = MockCluster<'static, DefaultProducerContext>;
type Order = Box<dyn FnOnce(&Cluster) + Send>;

/// How a request to write is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fewer replicas in sync than the topic asks for; nothing was written.
    NotEnoughReplicas,
    /// The same, found out when the leader had written already.
    NotEnoughReplicasAfterAppend,
    /// The broker's disk fails.
    Storage,
    /// The replicas did not answer in time.
    TimedOut,
    /// The partition is led by another broker.
    NotLeader,
    /// The producer's numbers are not in order: at the head of the line librdkafka gives up for good.
    OutOfOrder,
    /// The broker does not know the producer: librdkafka gives up for good.
    UnknownProducer,
    /// A right to write is missing.
    NotAllowed,
    /// The batch is too large.
    TooLarge,
    /// A record of the batch is refused for good.
    InvalidRecord,
    /// No answer: the connection ends.
    Disconnect,
}

impl Fault {
    fn code(self) -> RDKafkaRespErr {
        use RDKafkaRespErr as Code;
        match self {
            Fault::NotEnoughReplicas => Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            Fault::NotEnoughReplicasAfterAppend => Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            Fault::Storage => Code::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
            Fault::TimedOut => Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            Fault::NotLeader => Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            Fault::OutOfOrder => Code::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
            Fault::UnknownProducer => Code::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
            Fault::NotAllowed => Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            Fault::TooLarge => Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            Fault::InvalidRecord => Code::RD_KAFKA_RESP_ERR_INVALID_RECORD,
            Fault::Disconnect => Code::RD_KAFKA_RESP_ERR__TRANSPORT,
        }
    }
}

/// A cluster that does as it is told. Dropping it ends it.
///
/// librdkafka's handle may not leave its thread, so it has one of its own.
#[derive(Debug)]
pub struct MockKafka {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<thread::JoinHandle<()>>,
    brokers: String,
}

impl MockKafka {
    /// Starts `count` brokers, numbered from 1, at free ports of loopback.
    ///
    /// # Errors
    /// librdkafka cannot start them.
    pub fn start(count: i32) -> Result<MockKafka, KafkaError> {
        let (orders, todo) = mpsc::channel::<Order>();
        let (started, start) = mpsc::channel();
        let thread = thread::spawn(move || {
            let cluster = match Cluster::new(count) {
                Ok(cluster) => cluster,
                Err(error) => return drop(started.send(Err(error))),
            };
            let _ = started.send(Ok(cluster.bootstrap_servers()));
            while let Ok(order) = todo.recv() {
                order(&cluster);
            }
        });
        let brokers = start.recv().unwrap_or(Err(KafkaError::Canceled))?;
        Ok(MockKafka { orders: Some(orders), thread: Some(thread), brokers })
    }

    /// The bootstrap servers.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// It exists.
    pub fn create_topic(&self, topic: &str, partitions: i32, replicas: i32) -> Result<(), KafkaError> {
        let topic = topic.to_owned();
        self.told(move |cluster| cluster.create_topic(&topic, partitions, replicas))
    }

    /// Answers the next `times` requests to write with this fault.
    ///
    /// # Errors
    /// None but that the cluster has ended.
    pub fn fail_writes(&self, fault: Fault, times: usize) -> Result<(), KafkaError> {
        let errors = vec![fault.code(); times];
        self.told(move |cluster| {
            cluster.request_errors(RDKafkaApiKey::Produce, &errors);
            Ok(())
        })
    }

    /// Takes back the faults that no request has met yet.
    ///
    /// # Errors
    /// None but that the cluster has ended.
    pub fn heal_writes(&self) -> Result<(), KafkaError> {
        self.told(|cluster| {
            cluster.clear_request_errors(RDKafkaApiKey::Produce);
            Ok(())
        })
    }

    /// Makes a broker the leader of a partition; `None`: it has no leader.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn lead(&self, topic: &str, partition: i32, broker: Option<i32>) -> Result<(), KafkaError> {
        let topic = topic.to_owned();
        self.told(move |cluster| cluster.partition_leader(&topic, partition, broker))
    }

    /// Ends all connections of a broker, and takes none. It stays the leader of its partitions.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn stop_broker(&self, broker: i32) -> Result<(), KafkaError> {
        self.told(move |cluster| cluster.broker_down(broker))
    }

    /// Lets a stopped broker take connections again.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn start_broker(&self, broker: i32) -> Result<(), KafkaError> {
        self.told(move |cluster| cluster.broker_up(broker))
    }

    /// Lets each answer of a broker come so much later.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn delay(&self, broker: i32, delay: Duration) -> Result<(), KafkaError> {
        self.told(move |cluster| cluster.broker_round_trip_time(broker, delay))
    }

    /// Has something done to the cluster, and waits until it is done.
    fn told(&self, order: impl FnOnce(&Cluster) -> Result<(), KafkaError> + Send + 'static) -> Result<(), KafkaError> {
        let (done, outcome) = mpsc::channel();
        let order: Order = Box::new(move |cluster| drop(done.send(order(cluster))));
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        if sent { outcome.recv().unwrap_or(Err(KafkaError::Canceled)) } else { Err(KafkaError::Canceled) }
    }
}

impl Drop for MockKafka {
    fn drop(&mut self) {
        self.orders.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
