//! An Envoy that dies without a word: what is lost with it was told before.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Result, ensure};
use serde_json::json;
use tributary_testbed::{
    client,
    collector::Accounting,
    envoy::Envoy,
    message::{Asked, Call},
    oracle::{Load, Mint, Outcome},
    origin::{Answer, Gate, Step},
    recordings::Line,
    stack::{Bed, Stack},
    wait,
};

/// For anything here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests that are open when Envoy dies.
const OPEN: u64 = 5;

/// How an Envoy dies.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// SIGTERM without a drain: Envoy ends at once, and sends what a warm connection takes.
    Term,
    /// SIGKILL.
    Kill,
}

impl Death {
    async fn of(self, envoy: &Envoy) -> Result<()> {
        match self {
            Death::Term => envoy.process().terminate(PATIENCE).await.map(drop),
            Death::Kill => {
                envoy.process().kill();
                Ok(())
            }
        }
    }
}

/// Under load: of what the filter had told the collector, no more is lost than it had told to be pending; and of what it
/// had not, at most what came after its last post.
pub(super) async fn envoy_that_dies_under_load_loses_what_it_last_told(bed: &Bed) -> Result<()> {
    for death in [Death::Term, Death::Kill] {
        let mint = Mint::new(format!("dies{death:?}").to_lowercase());
        let made = mint.clone();
        let paced = move |asked: &Asked| made.answer(asked).step(Step::Pause(Duration::from_millis(10)));
        let stack = bed.stack("dies").await?.origin(paced).await?.start().await?;
        let load = Load::start(&mint, stack.envoy.address(), 4, u64::MAX);
        load.further(150, PATIENCE).await?;

        death.of(&stack.envoy).await?;
        let ledger = load.stop().await?;
        let (lines, accounting) = at_rest(&stack).await?;

        let told = Told::of(&accounting);
        let delivered = delivered(&lines)?;
        let lost_of_told = told.captured.saturating_sub(told.dropped + delivered.len() as u64);
        ensure!(lost_of_told <= told.pending, "{death:?}: {lost_of_told} lost of what was told: {told:?}");
        let answered = ledger.attempts.iter().filter(|attempt| attempt.outcome == Outcome::AsMade).count() as u64;
        let lost = answered.saturating_sub(delivered.len() as u64);
        let after = (ledger.attempts.len() as u64).saturating_sub(told.seen);
        ensure!(lost <= told.pending + after, "{death:?}: {lost} lost, {after} came after the last post: {told:?}");
        // The rest of what a client saw is there: most of it, or the bound above says nothing.
        ensure!(delivered.len() as u64 >= 100, "{death:?}: only {} came out", delivered.len());
        for (source, account) in &accounting.sources {
            ensure!(account.missing <= told.pending, "source {source}: a gap of {} in {told:?}", account.missing);
        }
    }
    Ok(())
}

/// Requests that never end before Envoy does: the collector has been told of each, and those are all that is lost.
pub(super) async fn what_was_open_when_envoy_died_was_told_before(bed: &Bed) -> Result<()> {
    for death in [Death::Term, Death::Kill] {
        let (gate, mint) = (Gate::closed(), Mint::new(format!("open{death:?}").to_lowercase()));
        let (held, made) = (gate.clone(), mint.clone());
        let origin = move |asked: &Asked| match asked.path().starts_with("/open/") {
            true => Answer::new(200).wait(&held).body("never"),
            false => made.answer(asked),
        };
        let stack = bed.stack("dies-open").await?.filter(json!({"heartbeat_ms": 1_000}));
        let stack = stack.origin(origin).await?.start().await?;
        let address = stack.envoy.address();
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..OPEN {
            waiting.spawn(async move { client::call(address, &Call::get(format!("/open/{number}"))).await });
        }
        let ledger = Load::start(&mint, address, 2, 40).finish().await?;
        wait::until("a report of what is open", PATIENCE, async || {
            let told = Told::of(&stack.collector.accounting().await?);
            ensure!(told.open == OPEN && told.pending == OPEN && told.acked == 40, "{told:?}");
            Ok(())
        })
        .await?;

        death.of(&stack.envoy).await?;
        waiting.shutdown().await;
        let (lines, accounting) = at_rest(&stack).await?;

        let (told, delivered) = (Told::of(&accounting), delivered(&lines)?);
        let answered = ledger.attempts.iter().filter(|attempt| attempt.outcome == Outcome::AsMade).count();
        ensure!(
            answered == 40 && delivered.len() >= 40,
            "{death:?}: {} came out, {answered} answered",
            delivered.len()
        );
        let lost = OPEN + 40 - delivered.len() as u64;
        ensure!(lost <= OPEN, "{death:?}: {lost} lost");
        ensure!(told.captured == OPEN + 40, "{death:?}: {told:?}");
        // A killed one says nothing more: all of them are lost, the last report has said so, and so does the collector.
        if matches!(death, Death::Kill) {
            ensure!(lost == told.pending, "{death:?}: {lost} lost, told {told:?}");
            is_called_silent(&stack).await?;
        }
        gate.open();
    }
    Ok(())
}

/// The collector stays ready, and warns of the source that it has not heard of for three heartbeats.
async fn is_called_silent(stack: &Stack) -> Result<()> {
    wait::until("a warning of the dead source", PATIENCE, async || {
        let reply = stack.collector.call(&Call::get("/ready")).await?;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        ensure!(reply.status == 200 && text.contains(" is silent for "), "{} {text}", reply.status);
        ensure!(text.contains(&format!("with {OPEN} exchanges pending")), "{text}");
        Ok(())
    })
    .await
}

/// What the filter told last, all its VMs together.
#[derive(Debug, Default)]
struct Told {
    seen: u64,
    captured: u64,
    acked: u64,
    dropped: u64,
    open: u64,
    pending: u64,
}

impl Told {
    fn of(accounting: &Accounting) -> Told {
        let mut told = Told::default();
        for source in accounting.sources.values() {
            let value = |name: &str| source.counters.get(name).copied().unwrap_or(0);
            let dropped = source.counters.iter().filter(|(name, _)| name.starts_with("dropped_"));
            told.seen += value("seen");
            told.captured += value("captured");
            told.acked += value("acked");
            told.dropped += dropped.map(|(_, value)| value).sum::<u64>() + value("rejected");
            told.open += value("open");
            told.pending += value("open") + value("queued") + value("in_flight");
        }
        told
    }
}

/// The lines and the account when the collector has finished with the last post.
async fn at_rest(stack: &Stack) -> Result<(Vec<Line>, Accounting)> {
    let accounting = stack.collector_at_rest().await?;
    let lines = stack.lines(usize::try_from(accounting.accepted)?).await?;
    Ok((lines, accounting))
}

/// The identities of the lines, each once.
fn delivered(lines: &[Line]) -> Result<BTreeSet<String>> {
    Ok(super::texts(lines, "/meta/id")?.into_iter().collect())
}
