//! The watch beside a reader: looks at the topic every few seconds, for new partitions and for what is wrong.
//!
//! A thread of its own, for librdkafka's calls block: a look that waits for a dead broker must hold up neither the
//! reader nor the end of the program (a runtime waits for its blocking tasks, a process not for its threads).

use std::{
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use rdkafka::{
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use tokio::sync::mpsc;

use super::TopicConsumer;

/// How often to look while all is well: so late a new partition may be noticed. Nothing in it is missed, it is read
/// from its beginning.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often to look while something is wrong, and how long one look may take.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
const LOOK_WITHIN: Duration = Duration::from_secs(3);

/// What a look saw: how many partitions the topic has.
pub(super) type Look = Result<i32, KafkaError>;

/// The reader's end of the watch; dropping it ends the watch.
pub(super) struct Watch {
    looks: mpsc::Receiver<Look>,
    look_now: Sender<()>,
}

impl Watch {
    /// Starts watching. Holds no consumer alive: the reader alone decides when it is closed.
    pub(super) fn start(consumer: &Arc<TopicConsumer>, topic: &str) -> std::io::Result<Watch> {
        let (send_look, looks) = mpsc::channel(1);
        let (look_now, wishes) = channel();
        let (consumer, topic) = (Arc::downgrade(consumer), topic.to_owned());
        thread::Builder::new()
            .name("topic-watch".into())
            .spawn(move || watch(&consumer, &topic, &wishes, &send_look))?;
        Ok(Watch { looks, look_now })
    }

    /// The next look; never ends by itself. Safe to cancel.
    pub(super) async fn next(&mut self) -> Look {
        match self.looks.recv().await {
            Some(look) => look,
            // The thread ends only with the reader.
            None => std::future::pending().await,
        }
    }

    /// Asks for a look soon.
    pub(super) fn look_soon(&self) {
        // A watch that is gone has no reader either.
        let _ = self.look_now.send(());
    }
}

fn watch(consumer: &Weak<TopicConsumer>, topic: &str, wishes: &Receiver<()>, looks: &mpsc::Sender<Look>) {
    let mut pause = LOOK_EVERY;
    loop {
        match wishes.recv_timeout(pause) {
            Err(RecvTimeoutError::Disconnected) => return,
            // However many wishes there are, they are one.
            Ok(()) => while wishes.try_recv().is_ok() {},
            Err(RecvTimeoutError::Timeout) => {}
        }
        let Some(consumer) = consumer.upgrade() else { return };
        let look = partition_count(&consumer, topic, LOOK_WITHIN);
        drop(consumer);
        pause = if look.is_ok() { LOOK_EVERY } else { LOOK_AGAIN_AFTER };
        if looks.blocking_send(look).is_err() {
            return;
        }
        if pause == LOOK_AGAIN_AFTER {
            // Wishes must not make it spin while Kafka is away.
            thread::sleep(LOOK_AGAIN_AFTER);
        }
    }
}

/// How many partitions the topic has, asked of Kafka. Blocks, at most for `within`.
pub(super) fn partition_count(consumer: &TopicConsumer, topic: &str, within: Duration) -> Look {
    let metadata = consumer.fetch_metadata(Some(topic), within)?;
    let missing = || KafkaError::MetadataFetch(Code::UnknownTopicOrPartition);
    let found = metadata.topics().iter().find(|found| found.name() == topic).ok_or_else(missing)?;
    match found.error() {
        Some(error) => Err(KafkaError::MetadataFetch(error.into())),
        // A topic under way to its end (or its start) has no partitions and no error.
        None if found.partitions().is_empty() => Err(missing()),
        None => Ok(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX)),
    }
}
