//! The books of a stack: what filter and collector say of all exchanges, and what an Envoy said that has ended.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tributary_http_types::SourceAccount;

use super::{DELIVERED_WITHIN, Sink, Stack};
use crate::{
    collector::Accounting,
    oracle::{self, Death, Evidence, Ledger},
    recordings::Recordings,
    wait,
};

/// The records of what sources say come a second behind, and later when Kafka was away.
const ACCOUNTS_WITHIN: Duration = Duration::from_secs(15);

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
        let lines = lines.to_vec();
        let (filter, accounting) = last;
        let accounts = self.accounts_of(&accounting).await?;
        // There is no such topic before the first of them.
        let dead_letters = match accounting.spool.dead_lettered {
            0 => BTreeMap::new(),
            _ => oracle::letters_of_spool(&self.dead_letters().await?),
        };
        Ok(Evidence {
            lines,
            filter,
            accounting,
            accounts,
            dead_letters,
            collector_restarts: self.collector.restarts(),
        })
    }

    /// The newest record of each source, once they say what the collector's account says; after a while as they are.
    async fn accounts_of(&self, accounting: &Accounting) -> Result<BTreeMap<String, SourceAccount>> {
        let mut recordings = match &self.sink {
            Sink::Topic { brokers, topic } => Recordings::of_topic(brokers, &format!("{topic}.accounts")).await?,
            Sink::File => Recordings::of_file(self.scratch.file("exchanges.jsonl.accounts")),
        };
        let age = |counters: &BTreeMap<String, u64>| {
            SourceAccount { counters: counters.clone(), ..SourceAccount::default() }.age()
        };
        // What was entered for the dead nobody has told.
        let is_dead = |source: &String| self.deaths.iter().any(|death| death.sources.contains(source));
        let mut newest: BTreeMap<String, SourceAccount> = BTreeMap::new();
        let told = recordings.until("the accounts of all sources", ACCOUNTS_WITHIN, |lines| {
            newest = oracle::newest_accounts(lines)?;
            let living = accounting.sources.iter().filter(|(source, _)| !is_dead(source));
            for (source, known) in living.filter(|(_, known)| !known.counters.is_empty()) {
                // It may have said more since.
                let told = newest.get(source).map_or(0, SourceAccount::age);
                ensure!(told >= age(&known.counters), "source {source} is not told up to now");
            }
            Ok(())
        });
        // What is missing the judge will miss.
        let _ = told.await;
        Ok(newest)
    }

    /// Takes leave of an Envoy that has ended, when so many exchanges in all were answered: from now on what it told last
    /// stands for its counters. Before it is started again.
    ///
    /// # Errors
    /// It still runs, or the collector does not come to rest.
    pub async fn envoy_ended(&mut self, answered: u64) -> Result<&Death> {
        ensure!(!self.envoy.process().is_running(), "envoy still runs");
        let accounting = self.collector_at_rest().await?;
        self.deaths.push(Death::new(&accounting, &self.deaths, answered));
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
