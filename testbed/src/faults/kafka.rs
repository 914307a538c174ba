//! Kafka hurt, on a broker of the row's own. The collector has a spool and short time-outs, so that a fault of seconds is longer
//! than all of them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    row::{Group, Outcome, Row},
    scene::{PATIENCE, Scene},
    trial::Trial,
};
use crate::{kafka::Kafka, process::Scratch, stack::StackBuilder, wait};

const SPOOLED: &str = "lines that the spool took over meanwhile";

pub(super) const ROWS: &[Row] = &[Row::new("kafka-freeze", Group::Kafka, |trial| Box::pin(frozen(trial)))
    .fault("Kafka is frozen (SIGSTOP) for 10 s (60 s in full), and goes on")
    .proof(SPOOLED)
    .within_s(240, 600)];

/// A stack on this Kafka whose collector keeps in the folder what Kafka does not take. All time-outs below the filter's.
pub(super) fn spooling(trial: &Trial, brokers: &str, folder: &Path) -> StackBuilder {
    let folder = folder.to_string_lossy().into_owned();
    let timeouts = ["--delivery-timeout", "2s", "--request-timeout", "5s"];
    let stack = trial.stack_on(brokers).filter(json!({"collector": {"timeout_ms": 6_000}}));
    stack.collector(move |collector| collector.args(&["--spool", &folder]).args(&timeouts))
}

/// Waits until the spool has taken over so many lines more, and says how many it has.
pub(super) async fn until_spooled(scene: &Scene<'_>, before: u64, by: u64) -> Result<u64> {
    let what = format!("{by} lines in the spool");
    let spooled = wait::until(&what, PATIENCE, async || {
        let now = scene.stack.collector.accounting().await?.spooled;
        ensure!(now >= before + by, "{now}, it was {before}");
        Ok(now - before)
    });
    spooled.await.map_err(|error| scene.with_logs(error))
}

async fn frozen(trial: &Trial) -> Result<Outcome> {
    let (spool, kafka) = (Scratch::new("spool")?, Kafka::builder().start().await?);
    let scene = Scene::start(trial, spooling(trial, kafka.brokers(), spool.path())).await?;
    kafka.pause()?;
    lasting(&scene, trial.times(10, 60)).await?;
    let spooled = until_spooled(&scene, 0, 100).await?;
    kafka.resume().await?;
    scene.healed(spooled).await
}

/// Lets traffic pass for so many seconds.
async fn lasting(scene: &Scene<'_>, seconds: u64) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        scene.pass(20).await?;
    }
    Ok(())
}
