//! A running path with traffic on it: what a row hurts and heals.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{row::Outcome, trial::Trial};
use crate::{
    oracle::{Evidence, Load, judge},
    origin::Step,
    stack::{Stack, StackBuilder},
    wait,
};

/// The longest that a wait inside a row takes on a busy machine; a row has its own limit besides.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// An exchange made after healing has to come out in this time.
const FRESH_WITHIN: Duration = Duration::from_secs(10);

/// Clients at a time, and what each exchange waits at the origin: a few hundred a second, which leaves the machine rest.
const CLIENTS: usize = 4;
const ORIGIN_PAUSE: Duration = Duration::from_millis(10);

/// The same where what waits has to go a slow way when the fault is over: some dozens a second.
const LONG_ORIGIN_PAUSE: Duration = Duration::from_millis(50);

/// Acknowledged before anything is hurt.
const WARM_UP: u64 = 40;

/// Exchanges after healing, beside the fresh one.
const AFTER_HEALING: u64 = 40;

const OVER: &str = "the load is over";

/// A stack under load.
pub struct Scene<'a> {
    /// The parts.
    pub stack: Stack,
    /// None when it is over.
    load: Option<Load>,
    trial: &'a Trial,
}

impl<'a> Scene<'a> {
    /// Starts the stack with an origin of the trial's exchanges, and traffic on it; waits until some is acknowledged.
    ///
    /// # Errors
    /// A part does not start, or nothing is acknowledged.
    pub async fn start(trial: &'a Trial, stack: StackBuilder) -> Result<Scene<'a>> {
        let scene = Scene::start_cold(trial, stack).await?;
        scene.until_grown("acked", 0, WARM_UP).await?;
        Ok(scene)
    }

    /// The same with less traffic: for what drains slowly, however long the fault lasts on a busy machine.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_calm(trial: &'a Trial, stack: StackBuilder) -> Result<Scene<'a>> {
        let scene = Scene::start_at(trial, stack, LONG_ORIGIN_PAUSE).await?;
        scene.until_grown("acked", 0, WARM_UP).await?;
        Ok(scene)
    }

    /// The same without waiting: for what is broken from the beginning.
    ///
    /// # Errors
    /// A part does not start.
    pub async fn start_cold(trial: &'a Trial, stack: StackBuilder) -> Result<Scene<'a>> {
        Scene::start_at(trial, stack, ORIGIN_PAUSE).await
    }

    async fn start_at(trial: &'a Trial, stack: StackBuilder, pause: Duration) -> Result<Scene<'a>> {
        let mint = trial.mint();
        let made = mint.clone();
        let stack = stack.origin(move |asked| made.answer(asked).step(Step::Pause(pause))).await?.start().await?;
        let load = Some(Load::start(&mint, stack.envoy.address(), CLIENTS, u64::MAX));
        Ok(Scene { stack, load, trial })
    }

    /// Lets so many exchanges pass: how long a fault lasts.
    ///
    /// # Errors
    /// They do not pass: traffic is hurt.
    pub async fn pass(&self, exchanges: u64) -> Result<()> {
        self.load.as_ref().context(OVER)?.further(exchanges, PATIENCE).await
    }

    fn load(&mut self) -> Result<&mut Load> {
        self.load.as_mut().context(OVER)
    }

    /// How many exchanges were answered in all, when Envoy has ended.
    ///
    /// # Errors
    /// A client does not notice that.
    pub async fn answered_at_rest(&self) -> Result<u64> {
        self.load.as_ref().context(OVER)?.answered_at_rest(PATIENCE).await
    }

    /// A counter of the filter, all VMs together: `acked`, `post_failures` …
    ///
    /// # Errors
    /// Envoy's admin page does not answer.
    pub async fn counter(&self, name: &str) -> Result<u64> {
        Ok(self.stack.envoy.stats().await?.filter().get(name).copied().unwrap_or(0))
    }

    /// Waits until a counter of the filter is at least `by` above what it was, and says by how much.
    ///
    /// # Errors
    /// It is not in time; the error has the end of the logs.
    pub async fn until_grown(&self, name: &str, before: u64, by: u64) -> Result<u64> {
        let what = format!("{name} to grow by {by}");
        let grown = wait::until(&what, PATIENCE, async || {
            let now = self.counter(name).await?;
            ensure!(now >= before + by, "{name} is {now}, it was {before}");
            Ok(now - before)
        });
        grown.await.map_err(|error| self.with_logs(error))
    }

    /// Waits until so many more exchanges are acknowledged.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn until_acked(&self, more: u64) -> Result<()> {
        let before = self.counter("acked").await?;
        self.until_grown("acked", before, more).await.map(drop)
    }

    /// The fault is over: a fresh exchange has to come out in time, the account has to settle, and the judge decides.
    /// `injected` is the proof that the fault happened.
    ///
    /// # Errors
    /// The fresh exchange is not answered or does not come out, or the evidence cannot be read.
    pub async fn healed(self, injected: u64) -> Result<Outcome> {
        self.healed_then(injected, |_| ()).await
    }

    /// The same, with a last word on the evidence before the judge sees it.
    ///
    /// # Errors
    /// As [`healed`](Self::healed).
    pub async fn healed_then(mut self, injected: u64, look: impl FnOnce(&mut Evidence)) -> Result<Outcome> {
        self.judged(injected, look).await
    }

    /// The same, with a count that is taken when all has settled, before the parts are ended.
    ///
    /// # Errors
    /// As [`healed`](Self::healed), or the count cannot be taken.
    pub(super) async fn healed_counting<T>(
        mut self,
        injected: u64,
        count: impl AsyncFnOnce(&Scene<'_>) -> Result<T>,
    ) -> Result<(Outcome, T)> {
        let outcome = self.judged(injected, |_| ()).await?;
        let counted = count(&self).await?;
        Ok((outcome, counted))
    }

    async fn judged(&mut self, injected: u64, look: impl FnOnce(&mut Evidence)) -> Result<Outcome> {
        let healed = Instant::now();
        let made = self.load()?.fresh().await?;
        let (path, mut looked_at) = (format!("/orders/{}?", made.id), 0);
        let left = FRESH_WITHIN.saturating_sub(healed.elapsed());
        let came = self.stack.lines_within("a fresh exchange after healing", left, |lines| {
            let new = lines.get(looked_at..).unwrap_or_default();
            looked_at = lines.len();
            ensure!(new.iter().any(|line| line.text().is_ok_and(|text| text.contains(&path))), "not yet");
            Ok(())
        });
        came.await?;
        // The wait begins when the topic is open, and that may take its time.
        let took = healed.elapsed();
        ensure!(took <= FRESH_WITHIN, "a fresh exchange came out only {} ms after healing", took.as_millis());
        self.trial.note(format!("fresh exchange {} ms after healing", took.as_millis()));
        self.pass(AFTER_HEALING).await?;
        let ledger = self.load.take().context(OVER)?.stop().await?;
        let mut evidence = self.stack.evidence_of(&ledger).await?;
        look(&mut evidence);
        Ok(Outcome { injected, verdict: judge(&ledger, &evidence), findings: Vec::new() })
    }

    /// Adds the ends of Envoy's and the collector's logs.
    pub fn with_logs(&self, error: anyhow::Error) -> anyhow::Error {
        self.stack.collector.process().with_log(self.stack.envoy.process().with_log(error))
    }
}
