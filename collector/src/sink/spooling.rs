//! The sink that puts exchanges into the topic, and into the spool while the topic does not take them.
//!
//! What Kafka has not acknowledged within its delivery deadline is taken over by the spool, and answered as soon as it
//! is synced. From then on every post goes into the spool at once (a dead Kafka costs no post a deadline), until all of
//! it is replayed: see [`gate`] for the rule, [`replaying`] for the way back. A line whose outcome Kafka left open may
//! be in both; it is never in neither.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use super::{BoxFuture, Condition, KafkaCounts, Sink, Stored, Trouble, Verdict, rfc3339};
use crate::{
    accounting::{Account, StoredIn},
    lines::Exchange,
    spool::{Kind, Spool, SpoolReport},
};

use gate::{Gate, Pass, Phase, Way};

mod gate;
mod replaying;
#[cfg(test)]
mod tests;

/// Words about damage that `/ready` shows.
const MAX_DAMAGE_SHOWN: usize = 5;

/// Another sink with a spool beside it.
pub(crate) struct SpoolingSink {
    shared: Arc<Shared>,
    replaying: Mutex<Option<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
    /// When whatever is still on its way to the sink below is taken over: the collector ends.
    hurry: watch::Sender<Option<Instant>>,
}

struct Shared {
    below: Arc<dyn Sink>,
    spool: Spool,
    gate: Gate,
    take_over_after: Duration,
}

impl SpoolingSink {
    /// Puts a spool beside a sink. `take_over_after`: how long the sink below may take. Needs a runtime.
    pub(crate) fn new(below: Arc<dyn Sink>, spool: Spool, take_over_after: Duration) -> SpoolingSink {
        let phase = if spool.waiting() > 0 { Phase::Spooling } else { Phase::Direct };
        let shared = Arc::new(Shared { below, spool, gate: Gate::new(phase), take_over_after });
        let (stop, stopped) = watch::channel(false);
        let (hurry, _) = watch::channel(None);
        let replaying = tokio::spawn(replaying::run(Arc::clone(&shared), stopped));
        SpoolingSink { shared, replaying: Mutex::new(Some(replaying)), stop, hurry }
    }

    async fn store_all(&self, exchanges: &[Exchange], accounts: &[Account]) -> Stored {
        let shared = &self.shared;
        match shared.gate.enter().await {
            Way::Spool(pass) => shared.keep(Stored::unknown(exchanges.len()), exchanges, accounts, pass).await,
            Way::Direct if shared.below.is_blocked() => {
                let pass = shared.take_over("it is known to be away");
                shared.keep(Stored::unknown(exchanges.len()), exchanges, accounts, pass).await
            }
            Way::Direct => {
                let stored = self.try_below(exchanges, accounts).await;
                // Accounts alone come again, as long as there is somebody to bring them.
                let accounts_end = !stored.accounts && self.hurry.borrow().is_some();
                if !stored.verdicts.contains(&Verdict::Unknown) && !accounts_end {
                    return stored;
                }
                let pass = shared.take_over("it did not acknowledge in time");
                shared.keep(stored, exchanges, accounts, pass).await
            }
        }
    }

    /// The outcome of the sink below; unknown if it takes too long.
    async fn try_below(&self, exchanges: &[Exchange], accounts: &[Account]) -> Stored {
        let deadline = Instant::now() + self.shared.take_over_after;
        let mut hurry = self.hurry.subscribe();
        let hurried = async {
            let at = hurry.wait_for(Option::is_some).await.ok().and_then(|at| *at);
            sleep_until(at.unwrap_or(deadline)).await;
        };
        tokio::select! {
            stored = self.shared.below.store(exchanges, accounts) => stored,
            () = sleep_until(deadline) => Stored::unknown(exchanges.len()),
            () = hurried => Stored::unknown(exchanges.len()),
        }
    }
}

impl Shared {
    fn take_over(&self, why: &str) -> Pass<'_> {
        if self.gate.phase().0 == Phase::Direct {
            tracing::warn!(why, "Kafka does not take exchanges, the spool takes over.");
        }
        self.gate.take_over()
    }

    /// Keeps in the spool what is not stored yet, and the accounts that are not.
    async fn keep(&self, mut stored: Stored, exchanges: &[Exchange], accounts: &[Account], _pass: Pass<'_>) -> Stored {
        let open = |verdict: &Verdict| *verdict == Verdict::Unknown;
        let left = stored.verdicts.iter().zip(exchanges).filter(|(verdict, _)| open(verdict));
        let mut items: Vec<(Kind, Bytes)> = left.map(|(_, exchange)| (Kind::Exchange, exchange.line.clone())).collect();
        if !stored.accounts {
            items.extend(accounts.iter().map(|account| (Kind::Account, account.line.clone())));
        }
        if !items.is_empty() && self.spool.append(items).await.is_err() {
            return stored;
        }
        for verdict in stored.verdicts.iter_mut().filter(|verdict| open(verdict)) {
            *verdict = Verdict::Spooled;
        }
        stored.accounts = true;
        stored
    }

    fn troubles(&self, phase: Phase, since: SystemTime, below_is_well: bool) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let mut add = |cause, why, since| troubles.push(Trouble { cause, why, since: rfc3339(since) });
        let report = self.spool.report();
        if phase != Phase::Direct {
            let SpoolReport { waiting, bytes, max_bytes, .. } = report;
            let why = format!("{waiting} items wait in the spool, it has {bytes} of {max_bytes} bytes");
            add(if below_is_well { "replaying" } else { "spooling" }, why, since);
        }
        if self.spool.is_full() {
            let why = format!("the spool has {} of {} bytes", report.bytes, report.max_bytes);
            add("spool_full", why, since);
        }
        if let Some(trouble) = self.spool.trouble() {
            let why =
                format!("{}; the segment it was writing is read from the disk before it is believed", trouble.why);
            add("spool_failed", why, trouble.since);
        }
        troubles
    }

    fn warnings(&self) -> Vec<String> {
        let report = self.spool.report();
        let mut warnings: Vec<String> = report.damage.iter().take(MAX_DAMAGE_SHOWN).cloned().collect();
        if report.lost > 0 {
            warnings.push(format!("the disk has lost {} items of the spool", report.lost));
        }
        if report.aside_files > 0 {
            let (files, bytes) = (report.aside_files, report.aside_bytes);
            warnings.push(format!(
                "{files} files of {bytes} bytes lie in the spool's aside/: look at them, then remove them"
            ));
        }
        if report.foreign_files > 0 {
            warnings.push(format!("{} files in the spool's directory are not the spool's", report.foreign_files));
        }
        warnings
    }

    fn cannot_keep(&self) -> bool {
        self.spool.is_full() || self.spool.trouble().is_some()
    }
}

impl Sink for SpoolingSink {
    fn stored_in(&self) -> StoredIn {
        self.shared.below.stored_in()
    }

    fn store<'a>(&'a self, exchanges: &'a [Exchange], accounts: &'a [Account]) -> BoxFuture<'a, Stored> {
        Box::pin(self.store_all(exchanges, accounts))
    }

    fn is_blocked(&self) -> bool {
        let is_direct = self.shared.gate.phase().0 == Phase::Direct;
        (!is_direct || self.shared.below.is_blocked()) && self.shared.cannot_keep()
    }

    fn condition(&self) -> Condition {
        let mut condition = self.shared.below.condition();
        let (phase, since) = self.shared.gate.phase();
        let troubles = self.shared.troubles(phase, since, condition.degraded.is_empty());
        let goes_direct = phase == Phase::Direct && !condition.refuses;
        condition.refuses = !goes_direct && self.shared.cannot_keep();
        condition.degraded.extend(troubles);
        condition.warnings.extend(self.shared.warnings());
        condition
    }

    fn kafka_counts(&self) -> Option<KafkaCounts> {
        self.shared.below.kafka_counts()
    }

    fn queued_bytes(&self) -> u64 {
        self.shared.below.queued_bytes() + self.shared.spool.queued_bytes()
    }

    fn spool(&self) -> Option<SpoolReport> {
        Some(self.shared.spool.report())
    }

    fn prepare_to_end(&self, within: Duration) {
        self.hurry.send_replace(Some(Instant::now() + within.mul_f64(0.3)));
    }

    fn close(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let started = Instant::now();
            let left = || within.saturating_sub(started.elapsed());
            self.stop.send_replace(true);
            let replaying = self.replaying.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(replaying) = replaying {
                // What it had in hand is not settled, so it comes again at the next start.
                let _ = timeout(left().mul_f64(0.3), replaying).await;
            }
            if !self.shared.spool.close(left().mul_f64(0.7)).await {
                tracing::warn!("The spool's disk did not finish in time; what it holds back was never acknowledged.");
            }
            self.shared.below.close(left()).await;
            let waiting = self.shared.spool.waiting();
            if waiting > 0 {
                tracing::info!(waiting, "What waits in the spool is replayed at the next start.");
            }
        })
    }
}
