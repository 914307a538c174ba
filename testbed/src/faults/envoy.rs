//! Rows about Envoy and the filter in it: ended by the recipe and without it, killed, updated, out of memory.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tokio::process::Command;
use xtask::parts;

use super::{
    row::{Expects, Group, Outcome, Row},
    scene::{PATIENCE, Scene},
    trial::Trial,
};
use crate::{
    envoy::{Config, Envoy, Update},
    stack::Stack,
    wait,
};

pub(super) const ROWS: &[Row] = &[
    Row::new("envoy-drain", Group::Envoy, |trial| Box::pin(drained(trial)))
        .fault("`tributary drain` of an Envoy with two workers under load, then SIGTERM, once (5 times in full)")
        .proof("drains after which nothing was pending and nothing untold")
        // Who connects in the moment in which listeners close is cut off before any filter sees it.
        .expects(Expects::ConnectionsBreak),
    Row::new("envoy-terminate", Group::Envoy, |trial| Box::pin(ended(trial, Death::Terminate)))
        .fault(
            "SIGTERM of Envoy under load without a drain, 3 times (20 in full): lost is at most what it last told to \
             be pending, and what came after its last post",
        )
        .proof("ends")
        .expects(Expects::ConnectionsBreak)
        .within_s(180, 1_200),
    Row::new("envoy-kill", Group::Envoy, |trial| Box::pin(ended(trial, Death::Kill)))
        .fault("SIGKILL of Envoy under load, 3 times (20 in full): the same, and the collector has to call it silent")
        .proof("kills")
        .expects(Expects::ConnectionsBreak)
        .within_s(240, 1_200),
    Row::new("envoy-update", Group::Envoy, |trial| Box::pin(updated(trial)))
        .fault("The filter's settings change under load, 8 times (50 in full); nothing may come twice")
        .proof("updates that Envoy took")
        .within_s(240, 1_200),
    Row::new("filter-memory", Group::Envoy, |trial| Box::pin(full(trial)))
        .fault("The collector is frozen until the filter's memory is full, and for 5 s more (30 in full)")
        .proof("exchanges dropped for want of memory")
        .expects(Expects::LossCounted)
        .within_s(180, 300),
];

async fn drained(trial: &Trial) -> Result<Outcome> {
    let stack = trial.stack().await?;
    let stack =
        stack.envoy(|envoy| envoy.concurrency(2).args(&["--drain-time-s", "2", "--drain-strategy", "immediate"]));
    let mut scene = Scene::start(trial, stack).await?;
    let mut drains = 0;
    for _ in 0..trial.times(1, 5) {
        scene.until_acked(20).await?;
        scene.pass(trial.choose(20..80)).await?;
        let output = drain(&scene.stack.envoy).await?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            scene.with_logs(anyhow::anyhow!("the drain ended with {}: {told}", output.status))
        );
        scene.stack.envoy.process().terminate(PATIENCE).await?;
        let answered = scene.answered_at_rest().await?;
        let death = scene.stack.envoy_ended(answered).await?;
        ensure!(death.pending == 0 && death.untold == 0, "lost with an Envoy that was drained: {death:?}");
        drains += 1;
        scene.stack.envoy.start_again().await?;
    }
    let mut outcome = scene.healed(drains).await?;
    let missing = outcome.verdict.missing.len();
    if missing > 0 {
        outcome.findings.push(format!("{missing} exchanges are lost with Envoys that were drained"));
    }
    Ok(outcome)
}

async fn drain(envoy: &Envoy) -> Result<Output> {
    let admin = format!("http://{}", envoy.admin_address());
    let mut command = Command::new(parts::binary("tributary"));
    command.args(["drain", "--envoy-admin", &admin, "--timeout", "50s"]).kill_on_drop(true);
    tokio::time::timeout(PATIENCE, command.output()).await.context("the drain did not end")?.context("start tributary")
}

/// How Envoy ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    Terminate,
    Kill,
}

async fn ended(trial: &Trial, how: Death) -> Result<Outcome> {
    let stack = trial.stack().await?.filter(json!({"heartbeat_ms": 1_000}));
    let mut scene = Scene::start(trial, stack).await?;
    let (mut ends, mut lost) = (0, Vec::new());
    for _ in 0..trial.times(3, 20) {
        scene.until_acked(20).await?;
        scene.pass(trial.choose(1..60)).await?;
        match how {
            Death::Terminate => drop(scene.stack.envoy.process().terminate(PATIENCE).await?),
            Death::Kill => scene.stack.envoy.process().kill(),
        }
        let answered = scene.answered_at_rest().await?;
        let death = scene.stack.envoy_ended(answered).await?.clone();
        lost.push(format!("{}+{}", death.pending, death.untold));
        if how == Death::Kill && death.pending > 0 {
            until_called_silent(&scene.stack, &death.sources).await?;
        }
        ends += 1;
        scene.stack.envoy.start_again().await?;
    }
    trial.note(format!("pending as told + untold at each end: {}", lost.join(", ")));
    let mut outcome = scene.healed(ends).await?;
    // Envoy has ended in the middle of these answers; whoever was at them has seen it.
    let before = outcome.verdict.hurt.len();
    outcome.verdict.hurt.retain(|reason| !reason.contains("cut off"));
    outcome.verdict.unknown += before - outcome.verdict.hurt.len();
    Ok(outcome)
}

/// Waits until `/ready` names one of these sources as silent with something pending.
async fn until_called_silent(stack: &Stack, sources: &[String]) -> Result<()> {
    wait::until("the collector to call a dead source silent", PATIENCE, async || {
        let reply = stack.collector.call(&crate::message::Call::get("/ready")).await?;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let is_named = sources.iter().any(|source| text.contains(&format!("source {source} is silent")));
        ensure!(is_named && reply.status == 200, "{} {text}", reply.status);
        Ok(())
    })
    .await
}

async fn updated(trial: &Trial) -> Result<Outcome> {
    let stack = trial.stack().await?;
    // The drain time is far above what it takes Envoy to take an update on a busy machine: its timer counts from the
    // beginning of that.
    let stack = stack.envoy(|envoy| envoy.updatable().args(&["--drain-time-s", "12", "--drain-strategy", "immediate"]));
    let mut scene = Scene::start(trial, stack).await?;
    let mut updates = 0;
    for round in 0..trial.times(8, 50) {
        scene.pass(trial.choose(10..40)).await?;
        let fields = json!({"flush_after_ms": 10 + round % 5, "max_response_body_bytes": 60_000 + round});
        match scene.stack.envoy.update(|config: &mut Config| config.set_filter(&fields)).await? {
            Update::Accepted => updates += 1,
            Update::Refused(log) => bail!("update {round} was refused: {log}"),
        }
    }
    wait::until("the end of all that was replaced", PATIENCE, async || {
        let draining = scene.stack.envoy.stats().await?.value("listener_manager.total_filter_chains_draining");
        ensure!(draining == 0, "{draining} filter chains drain");
        Ok(())
    })
    .await?;
    let mut outcome = scene.healed(updates).await?;
    let duplicates = outcome.verdict.duplicates;
    if duplicates > 0 {
        outcome.findings.push(format!("{duplicates} exchanges came twice, although no post had failed"));
    }
    Ok(outcome)
}

async fn full(trial: &Trial) -> Result<Outcome> {
    let settings = json!({"max_memory_bytes": 262_144, "max_batch_bytes": 32_768});
    let scene = Scene::start(trial, trial.stack().await?.filter(settings)).await?;
    scene.stack.collector.process().pause()?;
    scene.until_grown("dropped_budget", 0, 1).await?;
    let (full, lasts) = (Instant::now(), Duration::from_secs(trial.times(5, 30)));
    while full.elapsed() < lasts {
        scene.pass(20).await?;
    }
    let dropped = scene.until_grown("dropped_budget", 0, 1).await?;
    scene.stack.collector.process().resume()?;
    // Until then the memory is as full as it was: a fresh exchange would rightly be dropped.
    scene.until_acked(100).await?;
    let [heads, meta] = [scene.counter("degraded_heads").await?, scene.counter("degraded_meta").await?];
    trial.note(format!("{heads} kept heads only, {meta} no headers, {dropped} dropped"));
    let mut outcome = scene.healed(dropped).await?;
    if heads == 0 || meta == 0 {
        outcome
            .findings
            .push(format!("a step of the memory ladder was left out: {heads} heads only, {meta} meta only"));
    }
    Ok(outcome)
}
