//! Kafka hurt as a healthy broker never is: librdkafka's mock cluster answers writes with errors that otherwise take a broken
//! disk, a lost replica or a bug.

use anyhow::{Context as _, Result, ensure};
use tributary_topic::mock::{Fault, MockKafka};

use super::{
    kafka::{spooling, until_spooled},
    row::{Group, Outcome, Row},
    scene::{PATIENCE, Scene},
    trial::Trial,
};
use crate::{message::Call, process::Scratch, wait};

const SPOOLED: &str = "lines that the spool took over meanwhile";

pub(super) const ROWS: &[Row] = &[
    Row::new("kafka-replicas", Group::Kafka, |trial| Box::pin(failing(trial, Fault::NotEnoughReplicas)))
        .fault("Every write is answered NOT_ENOUGH_REPLICAS for a while (mock cluster)")
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-storage", Group::Kafka, |trial| Box::pin(failing(trial, Fault::Storage)))
        .fault("Every write is answered KAFKA_STORAGE_ERROR for a while (mock cluster)")
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-time-out", Group::Kafka, |trial| Box::pin(failing(trial, Fault::TimedOut)))
        .fault("Every write is answered REQUEST_TIMED_OUT for a while (mock cluster)")
        .proof(SPOOLED)
        .within_s(240, 600),
    Row::new("kafka-leader", Group::Kafka, |trial| Box::pin(leader_moves(trial)))
        .fault("The leaders of all partitions move to another broker, and the old one goes, twice (mock cluster)")
        .proof("exchanges acknowledged while an old leader was gone")
        .within_s(240, 600),
    Row::new("kafka-fatal", Group::Kafka, |trial| Box::pin(fatal(trial)))
        .fault("A write is answered OUT_OF_ORDER_SEQUENCE_NUMBER, which ends the producer, 3 times (mock cluster)")
        .proof("producers that were replaced")
        .within_s(240, 600),
];

/// The mock keeps about 5 MiB a partition: enough of them for a run.
const PARTITIONS: i32 = 12;

/// A cluster with the topics of a stack, and traffic on it.
async fn scene<'a>(trial: &'a Trial, spool: &Scratch, brokers: i32) -> Result<(MockKafka, Scene<'a>)> {
    let mock = MockKafka::start(brokers).context("mock cluster")?;
    let stack = spooling(trial, mock.brokers(), spool.path());
    let topic = stack.topic()?.to_owned();
    for topic in [topic.clone(), format!("{topic}.dead-letter"), format!("{topic}.accounts")] {
        let partitions = if topic.ends_with(".accounts") { 1 } else { PARTITIONS };
        mock.create_topic(&topic, partitions, brokers).context("topic of the mock cluster")?;
    }
    lead(&mock, &topic, 1)?;
    let scene = Scene::start(trial, stack).await?;
    Ok((mock, scene))
}

fn lead(mock: &MockKafka, topic: &str, broker: i32) -> Result<()> {
    for partition in 0..PARTITIONS {
        mock.lead(topic, partition, Some(broker)).context("leader")?;
    }
    for topic in [format!("{topic}.dead-letter"), format!("{topic}.accounts")] {
        mock.lead(&topic, 0, Some(broker)).context("leader")?;
    }
    Ok(())
}

async fn failing(trial: &Trial, fault: Fault) -> Result<Outcome> {
    let spool = Scratch::new("spool")?;
    let (mock, scene) = scene(trial, &spool, 1).await?;
    // More than can be asked for in the time.
    mock.fail_writes(fault, 100_000)?;
    let spooled = until_spooled(&scene, 0, trial.times(100, 1_000)).await?;
    mock.heal_writes()?;
    scene.healed(spooled).await
}

async fn leader_moves(trial: &Trial) -> Result<Outcome> {
    let spool = Scratch::new("spool")?;
    let (mock, scene) = scene(trial, &spool, 3).await?;
    let topic = scene.stack.topic()?.to_owned();
    let mut acknowledged = 0;
    for (old, new) in [(1, 2), (2, 3)] {
        lead(&mock, &topic, new)?;
        mock.stop_broker(old)?;
        scene.until_acked(100).await?;
        acknowledged += 100;
        mock.start_broker(old)?;
    }
    scene.healed(acknowledged).await
}

async fn fatal(trial: &Trial) -> Result<Outcome> {
    let spool = Scratch::new("spool")?;
    let (mock, scene) = scene(trial, &spool, 1).await?;
    let mut replaced = 0;
    for _ in 0..trial.times(3, 20) {
        mock.fail_writes(Fault::OutOfOrder, 1)?;
        replaced = until_replaced(&scene, replaced + 1).await?;
        scene.until_acked(50).await?;
    }
    scene.healed(replaced).await
}

/// Waits for so many producers that the collector has replaced.
async fn until_replaced(scene: &Scene<'_>, count: u64) -> Result<u64> {
    let what = format!("replaced producer {count}");
    let replaced = wait::until(&what, PATIENCE, async || {
        let reply = scene.stack.collector.call(&Call::get("/metrics")).await?;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let name = "tributary_collector_kafka_producers_replaced_total ";
        let value = text.lines().find_map(|line| line.strip_prefix(name)).context("no such metric")?;
        let value: u64 = value.trim().parse().context("metric")?;
        ensure!(value >= count, "{value}");
        Ok(value)
    });
    replaced.await.map_err(|error| scene.with_logs(error))
}
