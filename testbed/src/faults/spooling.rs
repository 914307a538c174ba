//! A path whose Kafka is away: the collector finds the broker only while a proxy lets it, and has a spool meanwhile.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{scene::Scene, trial::Trial};
use crate::{
    process::Scratch,
    proxy::{Mode, Proxy},
    stack::StackBuilder,
};

/// Kafka's address, barred, and a folder for the spool.
///
/// The broker names itself to whoever reaches it, so once found it is not away again before the collector's next start.
pub(super) struct Spooling {
    kafka: Proxy,
    scratch: Scratch,
}

impl Spooling {
    /// Kafka is away.
    ///
    /// # Errors
    /// Kafka does not start, or has several addresses.
    pub(super) async fn new(trial: &Trial) -> Result<Spooling> {
        let brokers = trial.kafka().await?.brokers();
        let kafka = Proxy::start(brokers.parse().with_context(|| format!("{brokers} is not one address"))?).await?;
        kafka.set(Mode::Refuse).await?;
        Ok(Spooling { kafka, scratch: Scratch::new("spool")? })
    }

    /// The spool's folder.
    pub(super) fn folder(&self) -> PathBuf {
        self.scratch.file("spool")
    }

    /// The folder around it.
    pub(super) fn around(&self) -> &Path {
        self.scratch.path()
    }

    /// A stack with this spool. Segments are small, so that there are several.
    pub(super) fn stack(&self, trial: &Trial) -> StackBuilder {
        let folder = self.folder().display().to_string();
        // Times nest as they do by default: Kafka's below the collector's below the filter's.
        let stack = trial.stack_on(&self.kafka.address().to_string());
        stack.filter(json!({"collector": {"timeout_ms": 5_000}})).collector(move |collector| {
            collector
                .args(&["--spool", &folder, "--spool-max-bytes", "64MiB", "--max-decoded-bytes", "4MiB"])
                .args(&["--delivery-timeout", "3s", "--request-timeout", "4s"])
                .args(&["--kafka-config", "reconnect.backoff.max.ms=500"])
        })
    }

    /// Kafka can be found from now on.
    ///
    /// # Errors
    /// The proxy's port is taken.
    pub(super) async fn kafka_comes(&self) -> Result<()> {
        self.kafka.set(Mode::Pass).await
    }

    /// A collector that starts from now on does not find Kafka.
    ///
    /// # Errors
    /// As [`kafka_comes`](Self::kafka_comes).
    pub(super) async fn kafka_goes(&self) -> Result<()> {
        self.kafka.set(Mode::Refuse).await
    }

    /// The files of the segments, oldest first, without what SQLite puts beside them.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(super) fn logs(&self) -> Result<Vec<PathBuf>> {
        let mut logs = Vec::new();
        for entry in std::fs::read_dir(self.folder()).context("read the spool's folder")? {
            let path = entry.context("read the spool's folder")?.path();
            if path.to_string_lossy().ends_with(".spool-wal") {
                logs.push(path);
            }
        }
        logs.sort();
        Ok(logs)
    }
}

/// Items that the spool has lost and says so: what is not intact any more, wherever the rest of it went.
///
/// # Errors
/// The collector's metrics cannot be read.
pub(super) async fn counted_lost(scene: &Scene<'_>) -> Result<u64> {
    let collector = &scene.stack.collector;
    let lost = collector.metric("tributary_collector_spool_items_settled_total{into=\"lost\"}").await?;
    Ok(lost + collector.metric("tributary_collector_spool_items_settled_total{into=\"aside\"}").await?)
}
