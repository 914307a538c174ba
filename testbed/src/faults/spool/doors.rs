//! The collector must not take a spool that it cannot write, or that is another's.

use anyhow::{Result, ensure};
use xtask::parts::UNSHARE;

use super::super::{row::Outcome, scene::Scene, spooling::Spooling, trial::Trial};
use crate::collector::Collector;

/// Exit code of a collector whose settings cannot work.
const WRONG_SETTINGS: i32 = 64;

pub(super) async fn read_only(trial: &Trial) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let mut scene = Scene::start(trial, spooling.stack(trial)).await?;
    scene.stack.collector.kill();
    let folder = spooling.folder().display().to_string();
    let script = format!(
        "mount --bind '{folder}' '{folder}' && mount -o remount,ro,bind '{folder}' '{folder}' && exec \"$0\" \"$@\""
    );
    let unshare = UNSHARE.path()?;
    let usual = scene.stack.collector.launch().clone();
    let hurt = usual.clone().through_shell(&script).through(&unshare, super::own_mounts());
    let mut refused = 0;
    for _ in 0..trial.times(1, 3) {
        scene.stack.collector.relaunch(|_| hurt.clone());
        let words = refusal(scene.stack.collector.start_again().await)?;
        let status = super::until_dead(&scene).await?;
        ensure!(status.code() == Some(WRONG_SETTINGS), "it ended with {status}: {words}");
        ensure!(words.contains(&folder), "it does not name {folder}: {words}");
        refused += 1;
    }
    scene.stack.collector.relaunch(|_| usual);
    scene.stack.collector.start_again().await?;
    spooling.kafka_comes().await?;
    scene.healed(refused).await
}

pub(super) async fn two_processes(trial: &Trial) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let scene = Scene::start(trial, spooling.stack(trial)).await?;
    let (folder, brokers) = (spooling.folder().display().to_string(), trial.kafka().await?.brokers());
    let mut refused = 0;
    for _ in 0..trial.times(1, 3) {
        let second = Collector::builder().kafka(brokers, "second").args(&["--spool", &folder]);
        let words = refusal(second.start().await.map(drop))?;
        ensure!(words.contains(&folder) && words.contains("in use by another process"), "it says: {words}");
        refused += 1;
    }
    scene.pass(100).await?;
    spooling.kafka_comes().await?;
    scene.healed(refused).await
}

/// What was said of a start that has to fail.
fn refusal(start: Result<()>) -> Result<String> {
    match start {
        Ok(()) => anyhow::bail!("it started"),
        Err(error) => Ok(format!("{error:#}")),
    }
}
