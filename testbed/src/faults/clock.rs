//! Rows about clocks: the collector's wall clock jumps, by `faketime`; its monotonic clock goes on, as a real one does.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use xtask::parts::{self, FAKETIME};

use super::{
    row::{Group, Outcome, Row},
    scene::{PATIENCE, Scene},
    trial::Trial,
};
use crate::{process::Scratch, wait};

pub(super) const ROWS: &[Row] = &[Row::new("clock-jumps", Group::Clock, |trial| Box::pin(jumps(trial)))
    .fault("The collector's wall clock jumps two hours ahead, back, two hours behind, and back, under load")
    .proof("jumps seen in the collector's account")];

/// Offsets in seconds, one after the other.
const OFFSETS: [i64; 4] = [7_200, 0, -7_200, 0];

/// How near the clock has to be to where it was sent.
const NEAR_S: i64 = 600;

async fn jumps(trial: &Trial) -> Result<Outcome> {
    let scratch = Scratch::new("clock")?;
    let file = scratch.file("offset");
    std::fs::write(&file, "+0")?;
    let library = library()?;
    // The one whose allocator does not look at the clock: the other does not start under `faketime`.
    let program = parts::collector_with_fail_points();
    let stack = trial.stack().await?.collector(|collector| {
        collector
            .launch(|launch| launch.program(&program))
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &file.to_string_lossy())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    });
    let scene = Scene::start(trial, stack).await?;
    let mut seen = 0;
    for _ in 0..trial.times(1, 5) {
        for offset in OFFSETS {
            set(&file, offset)?;
            until_seen(&scene, offset).await?;
            seen += 1;
            scene.pass(60).await?;
            scene.until_acked(60).await?;
        }
    }
    scene.healed(seen).await
}

/// Renamed into place: the collector must never read half a number.
fn set(file: &Path, offset: i64) -> Result<()> {
    let next = file.with_extension("next");
    std::fs::write(&next, format!("{offset:+}"))?;
    std::fs::rename(&next, file).with_context(|| format!("write {}", file.display()))
}

/// Waits until the collector says that the last post came at the moved time.
async fn until_seen(scene: &Scene<'_>, offset: i64) -> Result<()> {
    wait::until(&format!("a clock at {offset:+} s"), PATIENCE, async || {
        let account = scene.stack.collector.accounting().await?;
        // The one that traffic goes through.
        let source = account.sources.values().max_by_key(|source| source.max_seq).context("no source")?;
        let told = seconds_of_day(&source.last_seen).with_context(|| format!("no time: {:?}", source.last_seen))?;
        let real = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() as i64 % DAY_S;
        let off = (told - real - offset).rem_euclid(DAY_S);
        ensure!(!(NEAR_S..=DAY_S - NEAR_S).contains(&off), "it says {}", source.last_seen);
        Ok(())
    })
    .await
    .map_err(|error| scene.with_logs(error))
}

const DAY_S: i64 = 86_400;

/// Of `2026-11-28T02:30:05.123Z`.
fn seconds_of_day(moment: &str) -> Option<i64> {
    let (_, time) = moment.split_once('T')?;
    let mut parts = time.get(..8)?.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some(hours * 3_600 + minutes * 60 + seconds)
}

/// The library that `faketime` puts before all others, as it names it itself.
fn library() -> Result<String> {
    let faketime: PathBuf = FAKETIME.path()?;
    // `-m`: the one for programs with threads.
    let mut command = Command::new(faketime);
    command.args(["-m", "-f", "+0", "sh", "-c", "printf %s \"$LD_PRELOAD\""]).stdin(Stdio::null());
    let output = command.output().context("ask faketime for its library")?;
    let name = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!name.is_empty(), "faketime does not say what it preloads");
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_a_moment_is_read() {
        assert_eq!(seconds_of_day("2026-11-28T02:30:05.123Z"), Some(9_005));
        assert_eq!(seconds_of_day("yesterday"), None);
    }
}
