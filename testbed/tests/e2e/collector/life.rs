//! The collector dies, or is asked to end, under load.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tributary_testbed::{
    oracle::{Load, Mint, judge},
    origin::Step,
    stack::{Bed, Stack},
    wait,
};

/// For anything here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Killed (SIGKILL) in the middle of posts, three times; started again each time.
pub(super) async fn killed_again_and_again_loses_nothing(bed: &Bed) -> Result<()> {
    let mint = Mint::new("killed");
    let mut stack = start(bed, &mint, "killed").await?;

    let load = Load::start(&mint, stack.envoy.address(), 4, u64::MAX);
    for _ in 0..3 {
        let failures = until_posts_flow(&stack).await?;
        stack.collector.kill();
        load.further(60, PATIENCE).await?;
        until_posts_fail(&stack, failures).await?;
        stack.collector.start_again().await?;
    }
    until_posts_flow(&stack).await?;
    let ledger = load.stop().await?;

    judge(&ledger, &stack.evidence_of(&ledger).await?).nothing_lost()
}

/// Asked to end (SIGTERM) in the middle of posts: it answers those, exits 0, and nothing comes twice, for there is
/// nothing that was stored and not answered.
pub(super) async fn ended_in_good_order_loses_nothing(bed: &Bed) -> Result<()> {
    let mint = Mint::new("ended");
    let mut stack = start(bed, &mint, "ended").await?;

    let load = Load::start(&mint, stack.envoy.address(), 4, u64::MAX);
    for _ in 0..3 {
        let failures = until_posts_flow(&stack).await?;
        let status = stack.collector.terminate(PATIENCE).await?;
        ensure!(status.code() == Some(0), "it ended with {status}");
        until_posts_fail(&stack, failures).await?;
        stack.collector.start_again().await?;
    }
    until_posts_flow(&stack).await?;
    let ledger = load.stop().await?;

    judge(&ledger, &stack.evidence_of(&ledger).await?).exactly_once()
}

/// Small batches, so that posts are on their way all the time, and an origin that leaves the machine some rest.
async fn start(bed: &Bed, mint: &Mint, name: &str) -> Result<Stack> {
    let made = mint.clone();
    let settings = json!({"flush_after_ms": 10, "max_batch_exchanges": 20, "retry_max_ms": 300});
    let stack = bed.stack(name).await?.filter(settings);
    stack.origin(move |asked| made.answer(asked).step(Step::Pause(Duration::from_millis(4)))).await?.start().await
}

/// Waits until a hundred exchanges more are acknowledged: in the middle of posts. How many posts have failed so far.
async fn until_posts_flow(stack: &Stack) -> Result<u64> {
    let before = count(stack, "acked").await?;
    wait::until("acknowledgements", PATIENCE, async || {
        let now = count(stack, "acked").await?;
        ensure!(now >= before + 100, "{now} after {before}");
        Ok(())
    })
    .await?;
    count(stack, "post_failures").await
}

async fn count(stack: &Stack, name: &str) -> Result<u64> {
    Ok(stack.envoy.stats().await?.filter().get(name).copied().unwrap_or(0))
}

/// Proof that the fault was felt.
async fn until_posts_fail(stack: &Stack, before: u64) -> Result<()> {
    wait::until("a post that fails", PATIENCE, async || {
        ensure!(count(stack, "post_failures").await? > before, "none failed yet");
        Ok(())
    })
    .await
}
