//! What a row is given for one run: its seed, how much it is to do, and the parts to do it with.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use serde_json::json;

use super::row::Row;
use crate::{
    kafka::Kafka,
    oracle::Mint,
    random::Random,
    stack::{Bed, Stack, StackBuilder},
};

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// One run per row, small counts: part of every change.
    Short,
    /// The counts of the promises.
    Full,
}

/// One run of a row.
#[derive(Debug)]
pub struct Trial {
    row: &'static Row,
    seed: u64,
    scale: Scale,
    bed: Arc<Bed>,
    random: Mutex<Random>,
    notes: Mutex<Vec<String>>,
}

impl Trial {
    pub(super) fn new(row: &'static Row, seed: u64, scale: Scale, bed: Arc<Bed>) -> Trial {
        let random = Mutex::new(Random::seeded(row.id, seed));
        Trial { row, seed, scale, bed, random, notes: Mutex::default() }
    }

    /// The row.
    pub fn row(&self) -> &'static Row {
        self.row
    }

    /// How much is to be done: this many times in the short form, that many in the full one.
    pub fn times(&self, short: u64, full: u64) -> u64 {
        match self.scale {
            Scale::Short => short,
            Scale::Full => full,
        }
    }

    /// A number of this range, its end excluded, chosen by the seed.
    pub fn choose(&self, range: Range<u64>) -> u64 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        range.start + random.below(range.end.saturating_sub(range.start))
    }

    /// A fact for the report: how long something took, how large it grew.
    pub fn note(&self, fact: impl Into<String>) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(fact.into());
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The exchanges of this run: others with another seed.
    pub fn mint(&self) -> Mint {
        let letters: String = self.row.id.chars().filter(char::is_ascii_alphanumeric).collect();
        Mint::new(format!("{letters}{}", self.seed))
    }

    /// The Kafka that rows share. Nobody may hurt it: for that, start one's own with [`Kafka::builder`].
    ///
    /// # Errors
    /// As [`Kafka::shared`].
    pub async fn kafka(&self) -> Result<&Kafka> {
        self.bed.kafka().await
    }

    /// A stack on a new topic of the shared Kafka, with the filter in a hurry.
    ///
    /// # Errors
    /// As [`kafka`](Self::kafka).
    pub async fn stack(&self) -> Result<StackBuilder> {
        Ok(self.stack_on(self.kafka().await?.brokers()))
    }

    /// The same on another Kafka.
    pub fn stack_on(&self, brokers: &str) -> StackBuilder {
        self.in_a_hurry(Stack::on(brokers, self.row.id))
    }

    /// The same without Kafka: the collector writes a file.
    pub fn stack_on_file(&self) -> StackBuilder {
        self.in_a_hurry(Stack::on_file(self.row.id))
    }

    /// Small batches, so that posts are on their way all the time (in full of the size that users have: what waits after
    /// minutes is much); short waits, so that a fault of seconds is long; much memory, so that waiting alone costs
    /// nothing.
    fn in_a_hurry(&self, stack: StackBuilder) -> StackBuilder {
        stack.filter(json!({
            "flush_after_ms": 10, "max_batch_exchanges": self.times(20, 100), "retry_min_ms": 50, "retry_max_ms": 1_000,
            "max_memory_bytes": 134_217_728, "collector": {"timeout_ms": 2_000},
        }))
    }
}
