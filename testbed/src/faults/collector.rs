//! Rows about the collector's process: absent, killed, ended, frozen, one of two.

use anyhow::{Result, ensure};

use super::{
    row::{Group, Outcome, Row},
    scene::{PATIENCE, Scene},
    trial::Trial,
};
use crate::{collector::Collector, envoy::Config, ports::Port};

pub(super) const ROWS: &[Row] = &[
    Row::new("collector-absent", Group::Collector, |trial| Box::pin(absent(trial)))
        .fault("The collector is down when Envoy starts, and comes later")
        .proof("posts that failed before it came"),
    Row::new("collector-kill", Group::Collector, |trial| Box::pin(killed(trial)))
        .fault("SIGKILL of the collector at random moments under load, 20 times (200 in full)")
        .proof("kills after which a post failed")
        .within_s(180, 1_800),
    Row::new("collector-terminate", Group::Collector, |trial| Box::pin(terminated(trial)))
        .fault("SIGTERM of the collector under load, 10 times (50 in full); it has to exit 0 inside its grace time")
        .proof("ends with exit code 0")
        .within_s(180, 1_200),
    Row::new("collector-hang", Group::Collector, |trial| Box::pin(hung(trial)))
        .fault("The collector is frozen (SIGSTOP) beyond the filter's time-out, and goes on")
        .proof("posts that failed meanwhile"),
    Row::new("collector-one-of-two", Group::Collector, |trial| Box::pin(one_of_two(trial)))
        .fault("Two collectors behind one name, one of them is killed and stays dead")
        .proof("posts that failed since"),
];

/// The collector's `--grace`, by default.
const GRACE: std::time::Duration = std::time::Duration::from_secs(10);

async fn absent(trial: &Trial) -> Result<Outcome> {
    let mut scene = Scene::start_cold(trial, trial.stack().await?.collector_down()).await?;
    scene.pass(100).await?;
    let failed = scene.until_grown("post_failures", 0, 2).await?;
    scene.stack.collector.start_again().await?;
    scene.healed(failed).await
}

async fn killed(trial: &Trial) -> Result<Outcome> {
    let mut scene = Scene::start(trial, trial.stack().await?).await?;
    let mut felt = 0;
    for _ in 0..trial.times(20, 200) {
        scene.until_acked(20).await?;
        scene.pass(trial.choose(1..60)).await?;
        let failures = scene.counter("post_failures").await?;
        scene.stack.collector.kill();
        scene.until_grown("post_failures", failures, 1).await?;
        felt += 1;
        scene.stack.collector.start_again().await?;
    }
    scene.healed(felt).await
}

async fn terminated(trial: &Trial) -> Result<Outcome> {
    let mut scene = Scene::start(trial, trial.stack().await?).await?;
    let (mut ends, mut slowest) = (0, std::time::Duration::ZERO);
    for _ in 0..trial.times(10, 50) {
        scene.until_acked(20).await?;
        scene.pass(trial.choose(1..60)).await?;
        let asked = std::time::Instant::now();
        let status = scene.stack.collector.terminate(GRACE).await?;
        ensure!(status.code() == Some(0), scene.with_logs(anyhow::anyhow!("after SIGTERM it ended with {status}")));
        slowest = slowest.max(asked.elapsed());
        ends += 1;
        scene.stack.collector.start_again().await?;
    }
    trial.note(format!("slowest end {} ms", slowest.as_millis()));
    scene.healed(ends).await
}

async fn hung(trial: &Trial) -> Result<Outcome> {
    let scene = Scene::start(trial, trial.stack().await?).await?;
    let before = scene.counter("post_failures").await?;
    scene.stack.collector.process().pause()?;
    scene.pass(200).await?;
    let failed = scene.until_grown("post_failures", before, trial.times(2, 10)).await?;
    scene.stack.collector.process().resume()?;
    scene.healed(failed).await
}

async fn one_of_two(trial: &Trial) -> Result<Outcome> {
    let port = Port::tcp()?;
    let address = port.address();
    let stack = trial
        .stack()
        .await?
        .envoy(move |envoy| envoy.edit(move |config: &mut Config| config.add_endpoint("collector", address)));
    let scene = Scene::start(trial, stack).await?;
    let second = Collector::builder().kafka(trial.kafka().await?.brokers(), scene.stack.topic()?).port(port.number());
    let second = second.start().await?;
    second.ready(PATIENCE).await?;
    crate::wait::until("lines at the second collector", PATIENCE, async || {
        ensure!(second.accounting().await?.accepted > 0, "none yet");
        Ok(())
    })
    .await?;

    let before = scene.counter("post_failures").await?;
    second.kill();
    scene.pass(200).await?;
    let failed = scene.until_grown("post_failures", before, 2).await?;
    // What the dead one took is in no living account; the topic knows.
    scene.healed_then(failed, |evidence| evidence.collector_restarts += 1).await
}
