//! Rows about what the collector answers, and what happens to its answers on the way: a stand-in, or the fault proxy,
//! between Envoy and the real collector, which takes over again when the fault is healed.

mod odd;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    row::{Expects, Group, Outcome, Row},
    scene::{PATIENCE, Scene},
    trial::Trial,
};
use crate::{
    message::Asked,
    origin::{Answer, Origin},
    proxy::{After, Break, Counts, Half, Mode},
    wait,
};

pub(super) const ROWS: &[Row] = &[
    Row::new("reply-slow", Group::Collector, |trial| Box::pin(slow(trial)))
        .fault("The way to the collector is slow: first within the filter's time-out, then beyond it, then a trickle")
        .proof("posts that failed"),
    Row::new("reply-500", Group::Collector, |trial| Box::pin(answered(trial, |_| Answer::new(500).body("sorry"))))
        .fault("The collector answers 500")
        .proof("posts with lines answered so"),
    Row::new("reply-503", Group::Collector, |trial| {
        Box::pin(answered(trial, |_| Answer::new(503).header("retry-after", "1")))
    })
    .fault("The collector answers 503 with `Retry-After: 1`")
    .proof("posts with lines answered so"),
    Row::new("reply-429", Group::Collector, |trial| {
        Box::pin(answered(trial, |_| Answer::new(429).header("retry-after", "1")))
    })
    .fault("The collector answers 429 with `Retry-After: 1`")
    .proof("posts with lines answered so"),
    Row::new("reply-401", Group::Collector, |trial| Box::pin(answered(trial, |_| Answer::new(401))))
        .fault("The collector answers 401: the filter keeps what it has, and waits long")
        .proof("posts with lines answered so"),
    Row::new("reply-413", Group::Collector, |trial| Box::pin(too_large(trial)))
        .fault("The collector answers 413: the batch can never work, the filter drops it and counts it")
        .proof("exchanges counted as `dropped_too_large`")
        .expects(Expects::LossCounted),
    Row::new("reply-garbage", Group::Collector, |trial| {
        Box::pin(answered(trial, |_| Answer::raw("\u{0}\u{1}this is no HTTP\r\n\r\n\u{ff}")))
    })
    .fault("The collector answers bytes that are no HTTP")
    .proof("posts with lines answered so"),
    Row::new("reply-not-ours", Group::Collector, |trial| {
        Box::pin(answered(trial, |_| Answer::new(200).body(r#"{"accepted":1,"rejected":[]}"#)))
    })
    .fault("Something answers 200 without our acknowledgement header, as a captive portal does")
    .proof("posts with lines answered so"),
    Row::new("reply-300-mb", Group::Collector, |trial| Box::pin(answered(trial, |_| huge())))
        .fault("The collector answers 200 with a body of 300 MB")
        .proof("posts with lines answered so"),
    Row::new("reply-odd", Group::Collector, |trial| Box::pin(odd_ones(trial)))
        .fault(
            "The collector answers what none does, in turn: broken framing, heads of 100 KiB and a thousand headers, other \
             protocols and statuses, acknowledgements of other batches, sources and bytes, times that are none",
        )
        .proof("kinds of answers that a post with lines got")
        .within_s(240, 1_200),
    Row::new("reply-reset-mid-post", Group::Collector, |trial| {
        Box::pin(cut(trial, Half::Request, After::Bytes(2_000), Break::Reset))
    })
    .fault("The connection is reset in the middle of a post")
    .proof("connections cut"),
    Row::new("reply-truncated", Group::Collector, |trial| {
        Box::pin(cut(trial, Half::Reply, After::Bytes(60), Break::Close))
    })
    .fault("The real collector's reply is cut in its head, after it has stored the lines")
    .proof("connections cut"),
    Row::new("reply-head-then-hang", Group::Collector, |trial| {
        Box::pin(cut(trial, Half::Reply, After::Head, Break::Silence))
    })
    .fault("The head of the real collector's reply arrives, its body never")
    .proof("connections cut"),
    Row::new("reply-head-then-reset", Group::Collector, |trial| {
        Box::pin(cut(trial, Half::Reply, After::Head, Break::Reset))
    })
    .fault("The head of the real collector's reply arrives, then the connection is reset")
    .proof("connections cut"),
    Row::new("way-refused", Group::Collector, |trial| Box::pin(barred(trial, Mode::Refuse, |counts| counts.resets)))
        .fault("Nobody listens where the collector was, and open connections are reset")
        .proof("connections reset"),
    Row::new("way-reset", Group::Collector, |trial| Box::pin(barred(trial, Mode::Reset, |counts| counts.resets)))
        .fault("Every connection to the collector is taken and reset")
        .proof("connections reset"),
    Row::new("way-black-hole", Group::Collector, |trial| {
        Box::pin(barred(trial, Mode::BlackHole, |counts| counts.swallowed_bytes))
    })
    .fault("Connections to the collector are taken, and nothing ever comes back")
    .proof("bytes swallowed"),
];

/// Exchanges that pass at least while the fault lasts; 20,100 in full.
const SPAN: u64 = 150;

/// Lets traffic pass while the fault lasts; each client has to get the origin's answer.
async fn span(trial: &Trial, scene: &Scene<'_>) -> Result<()> {
    for _ in 0..trial.times(1, 134) {
        scene.pass(SPAN).await?;
    }
    Ok(())
}

/// A stand-in takes the collector's place and answers every post like this.
async fn answered(trial: &Trial, answer: fn(&Asked) -> Answer) -> Result<Outcome> {
    let stand_in = Origin::start(answer).await?;
    let scene = divert(trial, &stand_in, trial.times(2, 10)).await?;
    let answered = posts(&stand_in);
    scene.stack.proxy()?.set(Mode::Pass).await?;
    scene.healed(answered).await
}

/// A stand-in gives each answer of the list, one after the other, to posts with lines.
async fn odd_ones(trial: &Trial) -> Result<Outcome> {
    let next = Arc::new(AtomicUsize::new(0));
    let turn = next.clone();
    let stand_in = Origin::start(move |asked| {
        // A report has no lines: it takes the same answer and gives no turn away.
        let turn =
            if asked.body_bytes > 0 { turn.fetch_add(1, Ordering::Relaxed) } else { turn.load(Ordering::Relaxed) };
        odd::ODD.get(turn % odd::ODD.len()).map_or_else(Answer::hang_up, |(_, answer)| answer(asked))
    });
    let stand_in = stand_in.await?;
    // Short waits: there are many answers to come.
    let stack = trial.stack().await?.filter(json!({"retry_min_ms": 10, "retry_max_ms": 50})).proxied();
    let scene = Scene::start(trial, stack).await?;
    let rounds = usize::try_from(trial.times(1, 10))?;
    scene.stack.proxy()?.set(Mode::Divert(stand_in.address())).await?;
    let all_given = wait::until("each answer to be given", PATIENCE, async || {
        scene.pass(20).await?;
        let given = next.load(Ordering::Relaxed);
        ensure!(given >= odd::ODD.len() * rounds, "{given} of {} in {rounds} rounds", odd::ODD.len());
        Ok(())
    });
    all_given.await.map_err(|error| scene.with_logs(error))?;
    scene.stack.proxy()?.set(Mode::Pass).await?;
    let kinds: BTreeSet<&str> = odd::ODD.iter().take(next.load(Ordering::Relaxed)).map(|(kind, _)| *kind).collect();
    scene.healed(kinds.len() as u64).await
}

async fn too_large(trial: &Trial) -> Result<Outcome> {
    let stand_in = Origin::start(|_| Answer::new(413)).await?;
    let scene = divert(trial, &stand_in, trial.times(2, 10)).await?;
    scene.stack.proxy()?.set(Mode::Pass).await?;
    let dropped = scene.until_grown("dropped_too_large", 0, 1).await?;
    scene.healed(dropped).await
}

/// A scene whose posts go to the stand-in, once it has answered so many with lines.
async fn divert<'a>(trial: &'a Trial, stand_in: &Origin, times: u64) -> Result<Scene<'a>> {
    let scene = Scene::start(trial, trial.stack().await?.proxied()).await?;
    scene.stack.proxy()?.set(Mode::Divert(stand_in.address())).await?;
    span(trial, &scene).await?;
    let answered = wait::until("posts answered by the stand-in", PATIENCE, async || {
        ensure!(posts(stand_in) >= times, "{} of {times}", posts(stand_in));
        Ok(())
    });
    answered.await.map_err(|error| scene.with_logs(error))?;
    Ok(scene)
}

/// Posts that brought lines; one without is a report.
fn posts(stand_in: &Origin) -> u64 {
    stand_in.asked().iter().filter(|asked| asked.body_bytes > 0).count() as u64
}

fn huge() -> Answer {
    const PIECE: usize = 65_536;
    Answer::new(200).repeated(vec![b' '; PIECE], 300_000_000 / PIECE + 1)
}

/// Each conversation is cut at the same place.
async fn cut(trial: &Trial, of: Half, after: After, by: Break) -> Result<Outcome> {
    let times = trial.times(3, 20);
    barred_until(trial, Mode::Cut { of, after, by }, times, |counts| counts.cuts).await
}

async fn barred(trial: &Trial, mode: Mode, proof: fn(&Counts) -> u64) -> Result<Outcome> {
    barred_until(trial, mode, 1, proof).await
}

/// The proxy does this for a span of exchanges, and until it has done it so many times and posts have failed of it.
async fn barred_until(trial: &Trial, mode: Mode, times: u64, proof: fn(&Counts) -> u64) -> Result<Outcome> {
    let scene = Scene::start(trial, trial.stack().await?.proxied()).await?;
    let proxy = scene.stack.proxy()?;
    let before = scene.counter("post_failures").await?;
    proxy.set(mode).await?;
    span(trial, &scene).await?;
    let felt = wait::until("the proxy to do its harm", PATIENCE, async || {
        let done = proof(&proxy.counts());
        ensure!(done >= times, "{done} of {times}: {:?}", proxy.counts());
        Ok(())
    });
    felt.await.map_err(|error| scene.with_logs(error))?;
    scene.until_grown("post_failures", before, trial.times(2, 10)).await?;
    proxy.set(Mode::Pass).await?;
    let done = proof(&proxy.counts());
    scene.healed(done).await
}

async fn slow(trial: &Trial) -> Result<Outcome> {
    // Each piece of a post is late: with more of them it would take longer than the filter waits.
    let stack = trial.stack().await?.filter(json!({"max_batch_exchanges": 20})).proxied();
    let scene = Scene::start(trial, stack).await?;
    let proxy = scene.stack.proxy()?;
    // There and back: well inside the two seconds that the filter waits.
    proxy.set(Mode::Delay(Duration::from_millis(200))).await?;
    scene.pass(SPAN).await?;
    scene.until_acked(40).await?;

    let before = scene.counter("post_failures").await?;
    proxy.set(Mode::Delay(Duration::from_millis(2_500))).await?;
    scene.pass(SPAN).await?;
    scene.until_grown("post_failures", before, 2).await?;

    let late = scene.counter("post_failures").await?;
    proxy.set(Mode::Throttle { bytes: 256, every: Duration::from_millis(100) }).await?;
    scene.pass(SPAN).await?;
    scene.until_grown("post_failures", late, 1).await?;
    ensure!(proxy.counts().delays > 0 && proxy.counts().throttled > 0, "{:?}", proxy.counts());
    proxy.set(Mode::Pass).await?;

    let failed = scene.counter("post_failures").await? - before;
    scene.healed(failed).await
}
