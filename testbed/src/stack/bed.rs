//! What the tests of one run share.

use std::sync::Arc;

use anyhow::Result;

use super::{Stack, StackBuilder};
use crate::{kafka::Kafka, process::keep_nothing};

/// What the tests of one run share: a Kafka, started when the first test asks for it.
#[derive(Debug, Default)]
pub struct Bed {
    kafka: tokio::sync::OnceCell<Kafka>,
}

impl Bed {
    /// Nothing started yet.
    pub fn new() -> Arc<Bed> {
        Arc::new(Bed::default())
    }

    /// The shared Kafka. Nobody may pause or kill it: for that, start one's own with [`Kafka::builder`].
    ///
    /// # Errors
    /// As [`Kafka::shared`].
    pub async fn kafka(&self) -> Result<&Kafka> {
        // It outlives whoever asks first, and so do its files.
        self.kafka.get_or_try_init(|| keep_nothing(Kafka::shared())).await
    }

    /// A stack on a new topic of the shared Kafka.
    ///
    /// # Errors
    /// As [`kafka`](Self::kafka).
    pub async fn stack(&self, name: &str) -> Result<StackBuilder> {
        Ok(Stack::on(self.kafka().await?.brokers(), name))
    }
}
