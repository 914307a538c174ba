//! What lies in the spool is damaged while nobody looks after it.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::super::{
    row::Outcome,
    scene::{PATIENCE, Scene},
    spooling::{Spooling, counted_lost},
    trial::Trial,
};

/// Exchanges in the spool when it is damaged.
const SPOOLED: u64 = 300;

/// A scene with something in the spool and the collector killed.
async fn killed<'a>(trial: &'a Trial, spooling: &Spooling) -> Result<Scene<'a>> {
    let scene = Scene::start(trial, spooling.stack(trial)).await?;
    scene.until_acked(SPOOLED).await?;
    scene.stack.collector.kill();
    ensure!(!spooling.logs()?.is_empty(), "there is nothing in {}", spooling.folder().display());
    Ok(scene)
}

/// The same, the collector ended in good order: it has written down how far the spool is filled. After a kill nobody
/// can tell damage at the very end of the newest file from a write that was never finished.
async fn ended<'a>(trial: &'a Trial, spooling: &Spooling) -> Result<Scene<'a>> {
    let scene = Scene::start(trial, spooling.stack(trial)).await?;
    scene.until_acked(SPOOLED).await?;
    let status = scene.stack.collector.terminate(PATIENCE).await?;
    ensure!(status.code() == Some(0), "it ended with {status}");
    ensure!(!spooling.logs()?.is_empty(), "there is nothing in {}", spooling.folder().display());
    Ok(scene)
}

/// The collector starts on what is there, Kafka comes.
async fn start_again(scene: &mut Scene<'_>, spooling: &Spooling) -> Result<()> {
    scene.stack.collector.start_again().await?;
    spooling.kafka_comes().await
}

/// The judge's outcome, where the spool says how much the damage has cost: what it counts explains what is missing.
async fn judged(scene: Scene<'_>, trial: &Trial, injected: u64) -> Result<Outcome> {
    let (outcome, lost) = scene.healed_counting(injected, counted_lost).await?;
    let Outcome { mut verdict, injected, mut findings } = outcome;
    trial.note(format!("{} exchanges lost, the spool counts {lost} items", verdict.missing.len()));
    if verdict.missing.len() as u64 > lost {
        findings.push(format!("{} are missing, the spool counts {lost}", verdict.missing.len()));
    } else {
        // Acknowledged, then taken by the damage: the only explanation there is, and it was given.
        verdict.reported_dropped += lost;
        verdict.gaps.clear();
        verdict.identities.retain(|identity| !identity.starts_with("acknowledged "));
    }
    Ok(Outcome { injected, verdict, findings })
}

pub(super) async fn torn_tail(trial: &Trial) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let mut scene = killed(trial, &spooling).await?;
    let newest = spooling.logs()?.pop().context("no file")?;
    let bytes: Vec<u8> = (0..trial.choose(1..9_000)).map(|_| trial.choose(0..256) as u8).collect();
    fs::OpenOptions::new().append(true).open(&newest)?.write_all(&bytes)?;
    start_again(&mut scene, &spooling).await?;
    scene.healed(bytes.len() as u64).await
}

pub(super) async fn bit_flips(trial: &Trial) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let mut scene = ended(trial, &spooling).await?;
    let (files, flips) = (spooling.logs()?, trial.times(20, 200));
    for _ in 0..flips {
        let file = files.get(trial.choose(0..files.len() as u64) as usize).context("no file")?;
        flip(trial, file)?;
    }
    start_again(&mut scene, &spooling).await?;
    judged(scene, trial, flips).await
}

fn flip(trial: &Trial, path: &Path) -> Result<()> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let at = trial.choose(0..file.metadata()?.len());
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    let [old] = byte;
    Ok(file.write_all_at(&[old ^ (1 << trial.choose(0..8))], at)?)
}

pub(super) async fn deleted_file(trial: &Trial) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let mut scene = ended(trial, &spooling).await?;
    let files = spooling.logs()?;
    let victim = files.get(trial.choose(0..files.len() as u64) as usize).context("no file")?;
    fs::remove_file(victim)?;
    start_again(&mut scene, &spooling).await?;
    let mut outcome = judged(scene, trial, 1).await?;
    outcome.injected = outcome.verdict.reported_dropped;
    Ok(outcome)
}

pub(super) async fn foreign_files(trial: &Trial) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let mut scene = killed(trial, &spooling).await?;
    let file = |name: &str| -> PathBuf { spooling.folder().join(name) };
    fs::write(file("notes.txt"), "not the spool's\n")?;
    fs::write(file("core.1234"), vec![0_u8; 100_000])?;
    // Looks like the newest segment and is none.
    fs::write(file("00000000009999999999.spool"), "not the spool's either\n")?;
    start_again(&mut scene, &spooling).await?;
    let named = scene.stack.collector.metric("tributary_collector_spool_files_foreign").await?;
    ensure!(file("notes.txt").exists() && file("core.1234").exists(), "a foreign file was taken away");
    scene.healed(named).await
}
