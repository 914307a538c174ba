//! `tributary openapi --checkpoint`: killed at any moment it neither loses an exchange nor counts one twice.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use tokio::process::Child;
use tributary_testbed::{process::Scratch, stack::Bed};

use super::{
    document, exchanges, operations, shop,
    topic::{delete, fresh},
};
use crate::{
    harness::trials,
    program::{PATIENCE, run, start},
};

pub(super) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "openapi::checkpoint":
        twenty_kills_neither_lose_an_exchange_nor_count_one_twice,
        next_run_goes_on_where_the_last_has_stopped,
        checkpoint_of_a_topic_that_was_made_anew_is_refused,
        checkpoint_that_is_none_is_refused_and_kept,
    )
}

/// Each run is killed (SIGKILL) at another moment: some before they have noted anything, some right after, some while
/// they write. More is sent meanwhile, so that each run has something to do.
async fn twenty_kills_neither_lose_an_exchange_nor_count_one_twice(bed: &Bed) -> Result<()> {
    const KILLS: u64 = 20;
    const FOR_EACH: u64 = 1_000;
    let at = fresh(bed, "killed").await?;
    let files = Files::new("shop.checkpoint")?;
    at.send(&shop::lines(0..FOR_EACH), &[]).await?;

    let mut saves = 0;
    for kill in 1..=KILLS {
        let before = fs::read(&files.checkpoint).ok();
        let mut killed = start(&at.arguments(&[&files.flags()[..], &["--follow"]].concat()))?;
        at.send(&shop::lines(kill * FOR_EACH..(kill + 1) * FOR_EACH), &[]).await?;
        if kill % 4 != 0 {
            until_saved(&mut killed, &files.checkpoint, before.as_deref()).await?;
            saves += 1;
        }
        // Another moment each time; not to wait for anything.
        tokio::time::sleep(Duration::from_millis(kill * 37 % 250)).await;
        killed.kill().await?;
        ensure!(!files.out.exists() || super::read(&files.out).is_ok(), "the document is not whole after kill {kill}");
    }

    let last = run(&at.arguments(&files.flags()), "").await?;
    let straight = at.run_long(&[]).await?;

    let count = (KILLS + 1) * FOR_EACH;
    let told = String::from_utf8(last.stderr)?;
    ensure!(last.status.success(), "{told}");
    let sum = format!("topic {}: {count} exchanges learnt from\n", at.topic);
    ensure!(told.contains(&sum), "{told} instead of {sum}; saved {saves} times");
    let straight_document = document(&straight)?;
    assert_eq!((operations(&straight_document), exchanges(&straight_document)), (shop::OPERATIONS, count));
    ensure!(fs::read(&files.out)? == straight.stdout, "another document than that of one run without a kill");
    Ok(())
}

async fn next_run_goes_on_where_the_last_has_stopped(bed: &Bed) -> Result<()> {
    let at = fresh(bed, "continued").await?;
    let files = Files::new("shop.checkpoint")?;
    at.send(&shop::lines(0..100), &[]).await?;
    let first = run(&at.arguments(&files.flags()), "").await?;

    // The first hundred again, and some new: those that come twice count once, across runs.
    at.send(&shop::lines(0..150), &[]).await?;
    let second = run(&at.arguments(&files.flags()), "").await?;
    let third = run(&at.arguments(&files.flags()), "").await?;

    let told = [first, second, third].map(|ended| String::from_utf8_lossy(&ended.stderr).into_owned());
    let name = format!("tributary: topic {}: ", at.topic);
    assert!(told[0].starts_with(&format!("{name}100 exchanges learnt from\n")), "{}", told[0]);
    assert!(told[1].starts_with(&format!("{name}150 exchanges learnt from, 100 repeated\n")), "{}", told[1]);
    assert_eq!(told[2], told[1], "something was read again");
    assert_eq!(exchanges(&super::read(&files.out)?), 150);
    Ok(())
}

async fn checkpoint_of_a_topic_that_was_made_anew_is_refused(bed: &Bed) -> Result<()> {
    let at = fresh(bed, "anew").await?;
    let files = Files::new("shop.checkpoint")?;
    at.send(&shop::lines(0..100), &["--partitions", "1"]).await?;
    let first = run(&at.arguments(&files.flags()), "").await?;
    ensure!(first.status.success(), "{first:?}");
    let (noted, written) = (fs::read(&files.checkpoint)?, fs::read(&files.out)?);

    // Fewer records than were read, then more: both are another topic.
    for (count, words) in [(10, "is not the one that was read before"), (200, "holds another record")] {
        delete(bed, &at).await?;
        at.send(&shop::lines(1000..1000 + count), &["--partitions", "1"]).await?;

        let ended = run(&at.arguments(&files.flags()), "").await?;

        let told = String::from_utf8(ended.stderr)?;
        ensure!(ended.status.code() == Some(65) && told.contains(words), "{:?}: {told}", ended.status);
        ensure!(
            fs::read(&files.checkpoint)? == noted && fs::read(&files.out)? == written,
            "what was there was changed"
        );
    }
    Ok(())
}

async fn checkpoint_that_is_none_is_refused_and_kept(bed: &Bed) -> Result<()> {
    let at = fresh(bed, "foreign").await?;
    at.send(&shop::line(0), &[]).await?;
    let files = Files::new("notes.txt")?;
    fs::write(&files.checkpoint, "milk, bread\n")?;

    let ended = run(&at.arguments(&files.flags()), "").await?;

    let told = String::from_utf8(ended.stderr)?;
    ensure!(ended.status.code() == Some(65), "{:?}: {told}", ended.status);
    assert!(told.contains("notes.txt is no checkpoint of tributary openapi"), "{told}");
    assert_eq!(fs::read_to_string(&files.checkpoint)?, "milk, bread\n");
    ensure!(!files.out.exists(), "a document was written");
    Ok(())
}

/// A checkpoint and a document in a folder of their own.
struct Files {
    checkpoint: PathBuf,
    out: PathBuf,
    names: [String; 2],
    _scratch: Scratch,
}

impl Files {
    fn new(checkpoint: &str) -> Result<Files> {
        let scratch = Scratch::new("openapi-checkpoint")?;
        let (checkpoint, out) = (scratch.file(checkpoint), scratch.file("openapi.json"));
        let names = [&checkpoint, &out].map(|path| path.to_string_lossy().into_owned());
        Ok(Files { checkpoint, out, names, _scratch: scratch })
    }

    /// The flags that name them.
    fn flags(&self) -> [&str; 4] {
        ["--checkpoint", &self.names[0], "--out", &self.names[1]]
    }
}

/// Waits until the checkpoint is another one than before.
async fn until_saved(running: &mut Child, checkpoint: &Path, before: Option<&[u8]>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while fs::read(checkpoint).ok().as_deref() == before {
        let ended = running.try_wait().context("wait for it")?;
        ensure!(ended.is_none(), "it has ended by itself: {ended:?}");
        ensure!(Instant::now() < deadline, "nothing was noted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
