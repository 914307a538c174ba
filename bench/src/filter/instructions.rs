//! Area `instructions`: how many instructions a request costs Envoy, counted by callgrind.
//!
//! Of the whole Envoy process, its WebAssembly included, in user mode. A count does not depend on what else the machine does:
//! where times differ by half from one run to the next, counts differ by a hundredth. It is no time: what the kernel does is
//! not in it, and neither is what waiting for memory costs.
//!
//! Each variant has an Envoy under valgrind, some fifty times slower than by itself. A turn is a short load and a long one, and
//! what counts is by how much they differ: what Envoy does once a connection, or now and then by itself, is in both.

mod callgrind;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tributary_testbed::envoy::{Config, Envoy};

use super::{
    Case, Plan, Size, facts,
    load::{IN_FLIGHT, Load},
    origin::Origin,
    sink::Sink,
    variant::Running,
};
use crate::{report::Measure, run::Run};
use callgrind::Callgrind;

/// Of the Envoy process, in user mode.
const INSTRUCTIONS: Measure = Measure::cost("instructions per request", "");

/// Requests of the load that is subtracted: each connection is used.
const SHORT: usize = IN_FLIGHT;

/// Of the requests that are timed, callgrind has the time for one of so many.
const SHARE: usize = 30;

/// What Envoy does by itself in between shall not show.
const FEWEST: usize = 60;

/// After this time without a post, what is still missing does not come any more: callgrind makes all slow.
const NO_MORE_AFTER: Duration = Duration::from_secs(30);

/// Measures the area, as the options of the run say: the loads of area `filter` on one worker, but for the largest.
///
/// # Errors
/// As [`measure_plan`].
pub(crate) async fn measure(run: &mut Run) -> Result<()> {
    let plan = Plan::of(run.options(), |case| case.workers == 1 && case.size != Size::Mega1)?;
    measure_plan(run, &plan).await
}

/// Measures what a plan says. Without valgrind nothing is measured, and the report says so.
///
/// # Errors
/// A part is missing or does not start, or an answer is not what was asked for.
pub async fn measure_plan(run: &mut Run, plan: &Plan) -> Result<()> {
    if let Err(why) = callgrind::look() {
        run.absent(INSTRUCTIONS.name, why);
        return Ok(());
    }
    run.note(
        "Instructions per request: of the Envoy process with all its threads, in user mode, counted by callgrind (valgrind's own view \
         of the processor: no allocator that knows the core it runs on, for one). A turn is by how much a long load differs from one of \
         16 requests.",
    );
    facts::variants(run, plan);
    let (origin, sink) = (Origin::start().await?, Sink::start().await?);
    let baseline = plan.variants.first().context("a variant to compare with")?;
    for variant in &plan.variants {
        eprintln!("instructions: {}", variant.name);
        let callgrind = Callgrind::new()?;
        let builder = Envoy::builder().through(&callgrind.command()).edit(keep_quiet);
        let running = variant.start_as(builder, origin.address(), sink.address()).await?;
        for case in &plan.cases {
            run.compare_with(&case.name(), &baseline.name);
            let turn = Turn { running: &running, callgrind: &callgrind, sink: &sink, case };
            for round in run.rounds() {
                let counted = turn.take().await.with_context(|| format!("{}, {}", variant.name, case.name()))?;
                if round.is_counted() {
                    run.add(&case.name(), &variant.name, &INSTRUCTIONS, counted);
                }
            }
        }
    }
    Ok(())
}

/// No round of its counters to those who collect them, every five seconds by default, falls into a turn.
fn keep_quiet(config: &mut Config) -> Result<()> {
    let root = config.root().as_object_mut().context("the configuration is no object")?;
    root.insert("stats_flush_interval".to_owned(), Value::from("299s"));
    Ok(())
}

/// One variant on one load.
struct Turn<'a> {
    running: &'a Running,
    callgrind: &'a Callgrind,
    sink: &'a Sink,
    case: &'a Case,
}

impl Turn<'_> {
    /// Instructions a request.
    async fn take(&self) -> Result<f64> {
        let long = SHORT + (self.case.requests() / SHARE).max(FEWEST);
        let (few, many) = (self.count(SHORT).await?, self.count(long).await?);
        self.running.clear()?;
        let more = many
            .checked_sub(few)
            .with_context(|| format!("{few} instructions for {SHORT} requests, {many} for {long}"))?;
        Ok(more as f64 / (long - SHORT) as f64)
    }

    /// Instructions of so many requests, until the last of them is posted.
    async fn count(&self, requests: usize) -> Result<u64> {
        let process = self.running.envoy().process().id();
        let (lost, posted) = (self.running.lost().await?, self.sink.exchanges());
        self.callgrind.begin(process)?;
        Load { requests, ..self.case.load(self.running.address()) }.drive().await?;
        let came = self.running.posted_since(self.sink, posted, requests as u64, NO_MORE_AFTER).await;
        ensure!(came.is_none_or(|came| came >= requests as u64), "{came:?} of {requests} exchanges were posted");
        let counted = self.callgrind.end(process)?;
        let now = self.running.lost().await?;
        ensure!(now == lost, "the filter dropped exchanges, or cut them short: {lost:?} before, {now:?} now");
        Ok(counted)
    }
}
