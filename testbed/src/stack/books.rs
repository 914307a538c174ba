//! The books of a stack: what filter and collector say of all exchanges, and what an Envoy said that has ended.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{DELIVERED_WITHIN, Stack};
use crate::{
    collector::Accounting,
    oracle::{self, Death, Evidence, Ledger},
    wait,
};

impl Stack {
    /// Waits until nothing is pending in any VM of the filter and the collector has heard their last word, then
    /// returns all that the judge needs.
    ///
    /// When the account does not settle within `within`, the evidence is returned as it is: the judge then says what is
    /// wrong with it.
    ///
    /// # Errors
    /// Envoy, collector or Kafka do not answer.
    pub async fn evidence(&self, within: Duration) -> Result<Evidence> {
        self.evidence_after(0, within).await
    }

    /// The same for a ledger: waits besides until the filter has counted every exchange that was answered. It tells
    /// Envoy of them with its next post, so an account may look settled before.
    ///
    /// # Errors
    /// As [`evidence`](Self::evidence).
    pub async fn evidence_of(&self, ledger: &Ledger) -> Result<Evidence> {
        self.evidence_after(ledger.answered() as u64, oracle::SETTLED_WITHIN).await
    }

    async fn evidence_after(&self, seen: u64, within: Duration) -> Result<Evidence> {
        let deadline = Instant::now() + within;
        let mut last = self.books().await?;
        let _ = wait::until("a settled account", within, async || {
            last = self.books().await?;
            let counted = last.0.get("seen").copied().unwrap_or(0);
            ensure!(counted >= seen, "the filter has counted {counted} of {seen}");
            let unsettled = oracle::unsettled(&last.0, &last.1);
            ensure!(unsettled.is_empty(), unsettled.join("; "));
            Ok(())
        })
        .await;
        let mut recordings = self.recordings().await?;
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(5));
        let lines = tokio::time::timeout(left, recordings.read()).await.context("read the topic in time")??;
        let (filter, accounting) = last;
        let collector_restarts = self.collector.restarts();
        Ok(Evidence { lines: lines.to_vec(), filter, accounting, collector_restarts })
    }

    /// Takes leave of an Envoy that has ended, when clients have finished so many exchanges in all: from now on what it told
    /// last stands for its counters. Before it is started again.
    ///
    /// # Errors
    /// It still runs, or the collector does not come to rest.
    pub async fn envoy_ended(&mut self, finished: u64) -> Result<&Death> {
        ensure!(!self.envoy.process().is_running(), "envoy still runs");
        let accounting = self.collector_at_rest().await?;
        self.deaths.push(Death::new(&accounting, &self.deaths, finished));
        self.deaths.last().context("the death that was just entered")
    }

    /// Waits until the collector's account has not changed for a second: when nobody is left who posts.
    ///
    /// # Errors
    /// It does not come to rest.
    pub async fn collector_at_rest(&self) -> Result<Accounting> {
        let (mut last, mut since) = (self.collector.accounting().await?, Instant::now());
        wait::until("a collector at rest", DELIVERED_WITHIN, async || {
            let now = self.collector.accounting().await?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
            ensure!(since.elapsed() >= Duration::from_secs(1), "it still works: {last:?}");
            Ok(())
        })
        .await?;
        Ok(last)
    }

    async fn books(&self) -> Result<(oracle::Counters, Accounting)> {
        let (mut filter, mut accounting) = (self.envoy.stats().await?.filter(), self.collector.accounting().await?);
        self.deaths.iter().for_each(|death| death.enter(&mut filter, &mut accounting));
        Ok((filter, accounting))
    }
}
