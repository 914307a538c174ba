//! The file sink on a disk that is full.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tributary_testbed::{collector::Collector, process::Scratch, recordings::Recordings, stack::Bed};

use super::{accepted, account, busy, came_out, ended, line, line_of, number, readiness};

/// What fits, in bytes: the size that no file may grow beyond. For the writer it is the same as a full disk, a write
/// that stops in the middle and fails, and it needs no file system of one's own.
const ROOM: usize = 64 * 1024;

/// A line of this size fits six times.
const LINE: usize = 10_000;

/// What does not fit is refused and not in the file; what fits is still taken; with room again, all is taken, by the
/// same process. Everything acknowledged is in the file, and nothing else.
pub(super) async fn full_disk_promises_nothing_and_recovers(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("full-disk")?;
    let file = scratch.file("exchanges.jsonl");
    let collector = Collector::builder().file(&file).max_file_bytes(ROOM).start().await?;
    let mut stored = Vec::new();

    for number in 0..6 {
        let line = line_of(&format!("/fits/{number}"), LINE);
        accepted(&collector.post(ended([&line])).await?, 1, json!([]))?;
        stored.push(line);
    }
    for number in 0..3 {
        let neighbours = [line(&format!("/small/{number}"), ""), line_of("/too-much", LINE)];
        busy(&collector.post(ended(neighbours)).await?)?;
        ensure!(readiness(&collector).await? == (503, vec!["file".to_owned()]), "a full disk is not told");
        in_file(&file, &stored).await?;
    }
    let small = line("/still-fits", "");
    accepted(&collector.post(ended([&small])).await?, 1, json!([]))?;
    stored.push(small);
    ensure!(readiness(&collector).await? == (200, vec![]), "there is room again, and nobody is told");
    in_file(&file, &stored).await?;

    let moved = scratch.file("moved.jsonl");
    std::fs::rename(&file, &moved).context("make room")?;
    let large = line_of("/fits-again", LINE);
    accepted(&collector.post(ended([&large])).await?, 1, json!([]))?;
    in_file(&moved, &stored).await?;
    in_file(&file, &[large]).await?;

    let account = account(&collector).await?;
    let totals = ["/received", "/accepted", "/file_synced", "/refused/busy"].map(|name| number(&account, name).ok());
    ensure!(totals == [Some(14), Some(8), Some(8), Some(6)] && account["identity_exact"] == true, "{account}");
    ensure!(collector.log().has("The file cannot take exchanges."), "the trouble is not in the log");
    ensure!(collector.log().has("The file takes exchanges again."), "the end of the trouble is not in the log");
    ensure!(collector.terminate(Duration::from_secs(30)).await?.code() == Some(0), "it does not end in good order");
    Ok(())
}

/// The file holds these lines, whole, and no byte more.
async fn in_file(path: &Path, expected: &[String]) -> Result<()> {
    let lines = Recordings::of_file(path).read().await?.to_vec();
    came_out(&lines, expected)?;
    let bytes = std::fs::metadata(path)?.len();
    ensure!(bytes == ended(expected).len() as u64, "{bytes} bytes: something lies behind the last line");
    Ok(())
}
