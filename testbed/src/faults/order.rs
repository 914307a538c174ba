//! Rows that hurt nothing: each reply with our acknowledgement is seen to be written after what it promises was done,
//! in the collector's own system calls.

pub(super) mod witness;

use anyhow::{Result, ensure};

use super::{
    row::{Group, Outcome, Row},
    scene::Scene,
    strace::Trace,
    trial::Trial,
};
use crate::stack::StackBuilder;
use witness::{Promise, Witness};

pub(super) const ROWS: &[Row] = &[
    Row::new("order-file", Group::Durability, |trial| Box::pin(file(trial)))
        .fault("Under strace, with a file: no acknowledgement is written before the lines' `fdatasync` has returned")
        .proof("acknowledgements with lines that were looked at"),
    Row::new("order-kafka", Group::Durability, |trial| Box::pin(kafka(trial)))
        .fault("Under strace, with Kafka: no acknowledgement is written before Kafka's reply to the lines' produce request")
        .proof("acknowledgements with lines that were looked at"),
];

/// Exchanges that pass under strace.
const EXCHANGES: [u64; 2] = [200, 2_000];

async fn file(trial: &Trial) -> Result<Outcome> {
    let trace = Trace::new()?;
    observe(trial, trial.stack_on_file(), &trace, Promise::Synced, async || Ok(())).await
}

async fn kafka(trial: &Trial) -> Result<Outcome> {
    let trace = Trace::new()?;
    let brokers = trial.kafka().await?.brokers().to_owned();
    // So that what is in a produce request can be read.
    let stack = trial.stack().await?.collector(|collector| collector.args(&["--compression", "none"]));
    observe(trial, stack, &trace, Promise::Produced { brokers }, async || Ok(())).await
}

/// Lets exchanges pass, and looks at every acknowledgement so far; then `heal` does what is left to do.
pub(super) async fn observe(
    trial: &Trial,
    stack: StackBuilder,
    trace: &Trace,
    promise: Promise,
    heal: impl AsyncFnOnce() -> Result<()>,
) -> Result<Outcome> {
    let stack = trace.watching(stack)?;
    let [short, full] = EXCHANGES;
    let scene = Scene::start(trial, stack).await?;
    scene.pass(trial.times(short, full)).await?;
    let listens = scene.stack.collector.address().to_string();
    let witness = Witness::hear(&trace.calls()?, &listens, &trial.mint(), &promise)?;
    heal().await?;
    let mut outcome = scene.healed(witness.acknowledgements).await?;
    trial.note(format!("{} acknowledgements of {} exchanges in order", witness.acknowledgements, witness.exchanges));
    ensure!(witness.exchanges > 0, "no exchange was seen in the system calls");
    outcome.findings = witness.too_early;
    Ok(outcome)
}
