//! Area `filter`: what the filter costs Envoy, beside what else records traffic in it.
//!
//! In each round every variant has an Envoy of its own, started anew (where things lie in memory is chance, too); then, load by
//! load, the variants have their turns. A turn is a known number of requests; what counts is the CPU time of that Envoy
//! alone, from before the first request until the last line has been posted. Origin, load and the collector's stand-in run in
//! this process: they share the cores with Envoy, alike for all variants, and are not counted.

mod case;
mod facts;
pub mod instructions;
mod load;
mod origin;
mod sink;
mod variant;
mod wire;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};

pub use case::{Case, Protocol, Size};
pub use variant::{Kind, Variant};

use crate::{
    cpu::Reading,
    filter::variant::Running,
    rounds::Round,
    run::{Options, Run},
    statistics,
};
use facts::{CPU, LOST, P50, P99, RATE, RSS, VM_GROWTH};
use load::{Load, Pace};
use origin::Origin;
use sink::Sink;

/// To which all are compared.
const OFF: &str = "off";

/// How long a turn for latency lasts.
const LATENCY_FOR: Duration = Duration::from_secs(1);

/// Fewest requests of a turn for latency: below a hundred there is no p99.
const FEWEST_FOR_LATENCY: f64 = 200.0;

const MIB: f64 = 1024.0 * 1024.0;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In the order in which they are driven.
    pub cases: Vec<Case>,
    /// What is compared; the first is the baseline.
    pub variants: Vec<Variant>,
}

impl Plan {
    /// As the options of a run say; of the cases those that are `fit`.
    ///
    /// # Errors
    /// A build to compare is no file, or there is no case that is wanted.
    fn of(options: &Options, fit: impl Fn(&Case) -> bool) -> Result<Plan> {
        let mut cases = case::chosen(options.quick);
        cases.retain(fit);
        let variants = variant::chosen(&options.wasm, options.quick)?;
        Ok(Plan { cases: options.wanted(cases, Case::name)?, variants })
    }
}

/// Measures the area, as the options of the run say.
///
/// # Errors
/// A part is missing or does not start, or an answer is not what was asked for.
pub async fn measure(run: &mut Run) -> Result<()> {
    facts::of_module(run)?;
    let plan = Plan::of(run.options(), |_| true)?;
    measure_plan(run, &plan).await
}

/// Measures what a plan says.
///
/// # Errors
/// As [`measure`].
pub async fn measure_plan(run: &mut Run, plan: &Plan) -> Result<()> {
    facts::notes(run, plan);
    let (origin, sink) = (Origin::start().await?, Sink::start().await?);
    let mut workers: Vec<u32> = plan.cases.iter().map(|case| case.workers).collect();
    workers.dedup();
    // What `off` carried when it warmed up, in requests a second: half of it is the load for latency, the same for all.
    let mut carried = BTreeMap::new();
    for round in run.rounds() {
        for workers in &workers {
            let cases = plan.cases.iter().filter(|case| case.workers == *workers);
            let cases: Vec<&Case> = cases.collect();
            let mut lap = Lap { run, round, sink: &sink, carried: &mut carried, fleet: Vec::new() };
            for variant in &plan.variants {
                lap.fleet.push(variant.start(*workers, origin.address(), sink.address()).await?);
            }
            for case in cases {
                lap.drive(case).await.with_context(|| case.name())?;
            }
            lap.memory(*workers)?;
        }
    }
    Ok(())
}

/// One round with one number of workers.
struct Lap<'a> {
    run: &'a mut Run,
    round: Round,
    sink: &'a Sink,
    carried: &'a mut BTreeMap<String, f64>,
    fleet: Vec<Running>,
}

impl Lap<'_> {
    /// All variants, in turn, on one load.
    async fn drive(&mut self, case: &Case) -> Result<()> {
        self.run.compare_with(&case.name(), OFF);
        for turn in self.round.order(self.fleet.len()) {
            let running = self.fleet.get(turn).context("a variant for each turn")?;
            let measured = Turn::take(running, case, self.sink).await.with_context(|| running.name().to_owned())?;
            if running.name() == OFF && !self.round.is_counted() {
                self.carried.insert(case.name(), measured.rate);
            }
            if self.round.is_counted() {
                let name = case.name();
                self.run.add(&name, running.name(), &CPU, measured.cpu_us);
                self.run.add(&name, running.name(), &RATE, measured.rate);
                if let Some(lost) = measured.lost {
                    self.run.add(&name, running.name(), &LOST, lost as f64);
                }
            }
        }
        if case.latency {
            self.latency(case).await?;
        }
        Ok(())
    }

    /// All variants, in turn, at half of what `off` carries.
    async fn latency(&mut self, case: &Case) -> Result<()> {
        let rate = self.carried.get(&case.name()).context("what off carries is measured first")? / 2.0;
        let requests = (rate * LATENCY_FOR.as_secs_f64()).max(FEWEST_FOR_LATENCY) as usize;
        for turn in self.round.order(self.fleet.len()) {
            let running = self.fleet.get(turn).context("a variant for each turn")?;
            let load = Load { pace: Pace::Rate(rate), requests, ..case.load(running.address()) };
            let posted = self.sink.exchanges();
            let mut driven = load.drive().await.with_context(|| running.name().to_owned())?;
            running.rest(self.sink, posted, requests as u64).await?;
            if self.round.is_counted() {
                for (measure, share) in [(&P50, 0.50), (&P99, 0.99)] {
                    let nanoseconds = statistics::quantile(&mut driven.latencies_ns, share).context("no latencies")?;
                    self.run.add(&case.name(), running.name(), measure, nanoseconds as f64 / 1e6);
                }
            }
        }
        Ok(())
    }

    /// What each Envoy holds after all the loads of the round.
    fn memory(&mut self, workers: u32) -> Result<()> {
        if !self.round.is_counted() {
            return Ok(());
        }
        let case = format!("memory, {}", case::workers(workers));
        for running in &self.fleet {
            let peak = running.envoy().process().peak_memory_bytes()?;
            self.run.add(&case, running.name(), &RSS, peak as f64 / MIB);
            if let Some(growth) = running.vm_growth()? {
                self.run.add(&case, running.name(), &VM_GROWTH, growth as f64 / MIB);
            }
        }
        Ok(())
    }
}

/// What one turn has measured.
struct Turn {
    /// Of Envoy, for each request, in microseconds.
    cpu_us: f64,
    /// Requests a second.
    rate: f64,
    /// Exchanges that were dropped, or whose line was cut short for lack of memory; none of a variant that records nothing of
    /// the kind.
    lost: Option<u64>,
}

impl Turn {
    async fn take(running: &Running, case: &Case, sink: &Sink) -> Result<Turn> {
        let requests = case.requests();
        let (lost, posted) = (running.lost().await?, sink.exchanges());
        let before = Reading::of(running.envoy().process().id())?;
        let driven = case.load(running.address()).drive().await?;
        running.rest(sink, posted, requests as u64).await?;
        let spent = Reading::of(running.envoy().process().id())?.since(&before);
        ensure!(!spent.is_zero(), "Envoy spent no CPU time on {requests} requests: /proc does not tell it here");
        let lost = running.lost().await?.zip(lost).map(|(now, before)| now.saturating_sub(before));
        running.clear()?;
        Ok(Turn {
            cpu_us: spent.as_secs_f64() * 1e6 / requests as f64,
            rate: requests as f64 / driven.took.as_secs_f64(),
            lost,
        })
    }
}
