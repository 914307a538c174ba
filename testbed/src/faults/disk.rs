//! Rows about the disk below the collector.

use anyhow::Result;

use super::{
    row::{Group, Outcome, Row},
    scene::{PATIENCE, Scene},
    strace::Trace,
    trial::Trial,
};
use crate::stack::StackBuilder;

pub(super) const ROWS: &[Row] = &[
    Row::new("file-sync-eio", Group::Disk, |trial| Box::pin(file_sync(trial, "error=EIO")))
        .fault("With a file: `fdatasync` fails with EIO, several times in a row")
        .proof("syncs that failed"),
    Row::new("file-sync-enospc", Group::Disk, |trial| Box::pin(file_sync(trial, "error=ENOSPC")))
        .fault("With a file: `fdatasync` fails with ENOSPC, several times in a row")
        .proof("syncs that failed"),
    Row::new("file-sync-slow", Group::Disk, |trial| Box::pin(file_sync(trial, "delay_enter=2000000")))
        .fault("With a file: `fdatasync` takes 2 s, several times in a row")
        .proof("syncs that were late"),
];

/// Syncs that go well before the first one is hurt.
const GOOD_SYNCS: u64 = 8;

/// What is hurt.
const SYNCS: &str = "fsync,fdatasync";

/// Syncs that are hurt, one after the other.
const TIMES: u64 = 3;

async fn file_sync(trial: &Trial, how: &str) -> Result<Outcome> {
    hurt_syncs(trial, trial.stack_on_file(), how, async || Ok(())).await
}

/// Some syncs of the collector go wrong; when they are over, `heal` does what is left to do.
pub(super) async fn hurt_syncs(
    trial: &Trial,
    stack: StackBuilder,
    how: &str,
    heal: impl AsyncFnOnce() -> Result<()>,
) -> Result<Outcome> {
    let trace = Trace::new()?;
    let first = GOOD_SYNCS + trial.choose(0..10);
    let when = format!("{how}:when={first}..{}", first + TIMES - 1);
    let stack = trace.hurting(stack, SYNCS, &when)?;
    let scene = Scene::start_cold(trial, stack).await?;
    let hurt = trace.until_hurt(TIMES, PATIENCE).await.map_err(|error| scene.with_logs(error))?;
    heal().await?;
    scene.healed(hurt).await
}
