//! Rows about the spool: the collector killed at its named points, its disk full, failing, slow, damaged, not its own.

mod damage;
mod doors;
mod points;

use std::path::Path;

use anyhow::{Result, ensure};
use xtask::parts::UNSHARE;

use super::{
    disk::hurt_syncs,
    order::{observe, witness::Promise},
    row::{Expects, Group, Outcome, Row},
    scene::Scene,
    spooling::Spooling,
    strace::Trace,
    trial::Trial,
};
use crate::wait;

pub(super) const ROWS: &[Row] = &[
    point("spool-kill-after-append", |trial| Box::pin(points::away(trial, "spool-after-append")))
        .fault("The collector dies after handing lines to the spool's store, before the commit; 3 times (12 in full)"),
    point("spool-kill-before-sync", |trial| Box::pin(points::away(trial, "spool-before-sync")))
        .fault("The collector dies right before the spool's commit and sync; 3 times (12 in full)"),
    point("spool-kill-after-sync", |trial| Box::pin(points::away(trial, "spool-after-sync")))
        .fault("The collector dies after the spool's sync, before the answer; 3 times (12 in full)"),
    point("spool-kill-mid-replay", |trial| Box::pin(points::coming(trial, "replay-mid")))
        .fault("The collector dies when a batch of the spool is in Kafka and the spool does not know yet; 3 times (12 in full)"),
    point("spool-kill-before-delete", |trial| Box::pin(points::coming(trial, "replay-before-delete")))
        .fault("The collector dies before it deletes a segment that is replayed; 3 times (12 in full)"),
    point("kafka-kill-after-ack", |trial| Box::pin(points::there(trial, "kafka-after-ack")))
        .fault("The collector dies when Kafka has acknowledged and nobody is told yet; 3 times (12 in full)"),
    Row::new("spool-disk-full", Group::Disk, |trial| Box::pin(full(trial)))
        .fault("The spool lies on a small tmpfs that is full, until there is room again; Kafka is away")
        .proof("posts that failed"),
    Row::new("spool-sync-eio", Group::Disk, |trial| Box::pin(sync(trial, "error=EIO")))
        .fault("The spool's `fdatasync` fails with EIO, three times in a row; Kafka is away")
        .proof("syncs that failed"),
    Row::new("spool-sync-enospc", Group::Disk, |trial| Box::pin(sync(trial, "error=ENOSPC")))
        .fault("The spool's `fdatasync` fails with ENOSPC, three times in a row; Kafka is away")
        .proof("syncs that failed"),
    Row::new("spool-sync-slow", Group::Disk, |trial| Box::pin(sync(trial, "delay_enter=2000000")))
        .fault("The spool's `fdatasync` takes 2 s, three times in a row; Kafka is away")
        .proof("syncs that were late"),
    Row::new("spool-torn-tail", Group::Disk, |trial| Box::pin(damage::torn_tail(trial)))
        .fault("After a kill the newest spool file ends in bytes of a write that was never finished")
        .proof("bytes of the torn tail"),
    Row::new("spool-bit-flips", Group::Disk, |trial| Box::pin(damage::bit_flips(trial)))
        .fault("After an end in good order bits of the spool's files are flipped")
        .proof("bits flipped")
        .expects(Expects::LossCounted),
    Row::new("spool-file-deleted", Group::Disk, |trial| Box::pin(damage::deleted_file(trial)))
        .fault("After an end in good order one of the spool's files is deleted")
        .proof("items that the spool counts as lost")
        .expects(Expects::LossCounted),
    Row::new("spool-file-foreign", Group::Disk, |trial| Box::pin(damage::foreign_files(trial)))
        .fault("After a kill there are files in the spool's folder that are not its own, one under a name of its own")
        .proof("foreign files named by the collector"),
    Row::new("spool-read-only", Group::Disk, |trial| Box::pin(doors::read_only(trial)))
        .fault("The spool's folder is read-only when the collector starts: it refuses with exit code 64")
        .proof("starts refused"),
    Row::new("spool-two-processes", Group::Disk, |trial| Box::pin(doors::two_processes(trial)))
        .fault("A second collector is started on the same spool: it refuses and names the folder, the first goes on")
        .proof("starts refused"),
    Row::new("order-spool", Group::Durability, |trial| Box::pin(order(trial)))
        .fault("Under strace, with the spool: no acknowledgement is written before the lines' `fdatasync` has returned")
        .proof("acknowledgements with lines that were looked at"),
];

/// A row that ends the collector at one of its named points.
const fn point(id: &'static str, run: super::row::Work) -> Row {
    Row::new(id, Group::Collector, run).proof("deaths at the point (SIGABRT)").within_s(180, 900)
}

async fn sync(trial: &Trial, how: &str) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let stack = spooling.stack(trial);
    hurt_syncs(trial, stack, how, async || spooling.kafka_comes().await).await
}

async fn order(trial: &Trial) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let (stack, trace) = (spooling.stack(trial), Trace::new()?);
    observe(trial, stack, &trace, Promise::Synced, async || spooling.kafka_comes().await).await
}

/// 24 MiB, 21 of them taken by a file that is in the way.
async fn full(trial: &Trial) -> Result<Outcome> {
    let spooling = Spooling::new(trial).await?;
    let around = spooling.around().display().to_string();
    let script = format!(
        "mount -t tmpfs -o size=24m tmpfs '{around}' && head -c 22020096 /dev/zero >'{around}/ballast' && exec \"$0\" \"$@\""
    );
    let unshare = UNSHARE.path()?;
    let stack = spooling.stack(trial).collector(|collector| {
        collector.launch(|launch| launch.through_shell(&script).through(&unshare, own_mounts()))
    });
    let scene = Scene::start(trial, stack).await?;
    let failures = scene.counter("post_failures").await?;
    let failed = scene.until_grown("post_failures", failures, trial.times(3, 20)).await?;

    // The file system is the collector's own: it is reached through it.
    let id = scene.stack.collector.process().id();
    let of_collector = Path::new("/proc").join(id.to_string()).join("root");
    std::fs::remove_file(of_collector.join(around.trim_start_matches('/')).join("ballast"))?;
    let freed = std::time::Instant::now();
    scene.until_acked(1).await?;
    trial.note(format!("acknowledged again {} ms after there was room", freed.elapsed().as_millis()));
    scene.pass(100).await?;
    spooling.kafka_comes().await?;
    scene.healed(failed).await
}

/// What `unshare` takes to give a process file systems of its own: root may, others need a user namespace.
fn own_mounts() -> Vec<&'static str> {
    match rustix::process::geteuid().is_root() {
        true => vec!["--mount"],
        false => vec!["--user", "--map-root-user", "--mount"],
    }
}

/// Waits until the collector has died.
async fn until_dead(scene: &Scene<'_>) -> Result<std::process::ExitStatus> {
    let process = scene.stack.collector.process();
    wait::until("the collector's death", super::scene::PATIENCE, async || {
        ensure!(!process.is_running(), "it runs");
        Ok(())
    })
    .await
    .map_err(|error| scene.with_logs(error))?;
    process.exit().ok_or_else(|| anyhow::anyhow!("it runs"))
}
