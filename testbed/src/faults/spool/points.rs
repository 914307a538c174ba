//! The collector ends itself at a point in the code that is named for this (a build with the feature `fail-points`).

use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Result, ensure};
use rustix::process::Signal;
use xtask::parts;

use super::super::{row::Outcome, scene::Scene, spooling::Spooling, trial::Trial};

/// What the points are set by.
const POINTS: &str = "FAILPOINTS";

/// Kafka is away all the time: a point of the spool's writer, passed some times before it ends the collector.
pub(super) async fn away(trial: &Trial, point: &str) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let mut scene = start(trial, &spooling).await?;
    let mut deaths = 0;
    for _ in 0..trial.times(3, 12) {
        restart(&mut scene, point, trial.choose(1..20)).await?;
        deaths += died(&scene, point).await?;
    }
    healed(scene, &spooling, deaths).await
}

/// Kafka comes back to a spool that holds something: a point of the replay, at the first passing.
pub(super) async fn coming(trial: &Trial, point: &str) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let mut scene = start(trial, &spooling).await?;
    let mut deaths = 0;
    for _ in 0..trial.times(3, 12) {
        spooling.kafka_goes().await?;
        restart(&mut scene, point, 0).await?;
        scene.until_acked(20 + trial.choose(0..60)).await?;
        spooling.kafka_comes().await?;
        deaths += died(&scene, point).await?;
    }
    healed(scene, &spooling, deaths).await
}

/// Kafka is there: a point after its acknowledgement, passed some times.
pub(super) async fn there(trial: &Trial, point: &str) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    spooling.kafka_comes().await?;
    let mut scene = start(trial, &spooling).await?;
    let mut deaths = 0;
    for _ in 0..trial.times(3, 12) {
        restart(&mut scene, point, trial.choose(1..20)).await?;
        deaths += died(&scene, point).await?;
    }
    healed(scene, &spooling, deaths).await
}

async fn start<'a>(trial: &'a Trial, spooling: &Spooling) -> Result<Scene<'a>> {
    let program = parts::collector_with_fail_points();
    let stack = spooling.stack(trial).collector(|collector| collector.launch(|launch| launch.program(program)));
    Scene::start(trial, stack).await
}

/// Starts the collector again, with a point that lets it pass so many times and then ends it.
async fn restart(scene: &mut Scene<'_>, point: &str, passes: u64) -> Result<()> {
    let collector = &mut scene.stack.collector;
    collector.kill();
    let action = if passes == 0 { "return".to_owned() } else { format!("{passes}*off->return") };
    collector.relaunch(|launch| launch.without_env(POINTS).env(POINTS, format!("{point}={action}")));
    collector.start_again().await
}

/// One death, if it was the one at the point.
async fn died(scene: &Scene<'_>, point: &str) -> Result<u64> {
    let status = super::until_dead(scene).await?;
    let at_the_point = status.signal() == Some(Signal::ABORT.as_raw());
    ensure!(at_the_point, scene.with_logs(anyhow::anyhow!("it did not die at {point}, but with {status}")));
    Ok(1)
}

async fn healed(mut scene: Scene<'_>, spooling: &Spooling, deaths: u64) -> Result<Outcome> {
    let collector = &mut scene.stack.collector;
    collector.relaunch(|launch| launch.without_env(POINTS));
    spooling.kafka_comes().await?;
    collector.start_again().await?;
    scene.healed(deaths).await
}
