//! `tributary drain`: an Envoy that is ended after it loses nothing, and it says what it waits for.

use std::{process::Output, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tributary_testbed::{
    envoy::Envoy,
    message::{Asked, Call},
    oracle::{Load, Mint, judge},
    origin::{Answer, Gate, Origin, Step},
    ports::Port,
    stack::Bed,
    wait,
};

use crate::program;

/// For anything here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two workers under load that does not cease: clients are sent away, the listeners close, everything is acknowledged,
/// Envoy ends by SIGTERM, and each exchange that a client saw answered came out once.
pub(super) async fn drained_envoy_ends_without_a_loss(bed: &Bed) -> Result<()> {
    let mint = Mint::new("drain");
    let made = mint.clone();
    let paced = move |asked: &Asked| made.answer(asked).step(Step::Pause(Duration::from_millis(10)));
    let stack = bed
        .stack("drain")
        .await?
        .envoy(|envoy| envoy.concurrency(2).args(&["--drain-time-s", "2", "--drain-strategy", "immediate"]));
    let stack = stack.origin(paced).await?.start().await?;
    let load = Load::start(&mint, stack.envoy.address(), 8, u64::MAX);
    load.further(100, PATIENCE).await?;

    let drained = drain(&stack.envoy, &["--timeout", "50s"]).await?;

    ensure!(drained.status.code() == Some(0), "{drained:?}");
    let ledger = load.stop().await?;
    let evidence = stack.evidence_of(&ledger).await?;
    let verdict = judge(&ledger, &evidence);
    verdict.nothing_lost()?;
    // Who connects in the moment in which the listeners close is cut off before any filter sees it.
    let else_than_once = verdict.duplicates + verdict.missing.len() + usize::try_from(verdict.degraded)?;
    ensure!(else_than_once == 0 && verdict.reported_dropped == 0 && verdict.unknown < 50, "{verdict}");
    let captured = evidence.filter.get("captured").copied().unwrap_or(0);
    let told = String::from_utf8(drained.stdout)?;
    let sum = format!("s: {captured} captured, {captured} acknowledged, 0 lost, nothing pending\n");
    ensure!(told.starts_with("drained in ") && told.ends_with(&sum), "{told:?} instead of …{sum:?}");
    stack.envoy.process().terminate(PATIENCE).await?;
    let lines = stack.lines(evidence.lines.len()).await?;
    ensure!(lines.len() == evidence.lines.len(), "{} lines after the end", lines.len());
    super::only_reads(&stack.envoy)
}

/// A request that has not ended is waited for, and named when the time is over; after it has, the drain ends Envoy.
pub(super) async fn drain_waits_for_what_is_open_and_says_so(bed: &Bed) -> Result<()> {
    let gate = Gate::closed();
    let held = gate.clone();
    let stack = bed.stack("drain-open").await?;
    let stack = stack.origin(move |_| Answer::new(200).wait(&held).body("late")).await?.start().await?;
    let address = stack.envoy.address();
    let waiting = tokio::spawn(async move { tributary_testbed::client::call(address, &Call::get("/open")).await });
    wait::until("the open request", PATIENCE, async || {
        let open = stack.envoy.stats().await?.filter().get("open").copied();
        ensure!(open == Some(1), "{open:?} open");
        Ok(())
    })
    .await?;

    let given_up = drain(&stack.envoy, &["--timeout", "2s", "--settle", "1s"]).await?;
    gate.open();
    let reply = waiting.await??;
    let drained = drain(&stack.envoy, &["--timeout", "50s", "--quit"]).await?;

    let told = String::from_utf8_lossy(&given_up.stderr);
    let words = "not drained within 2s, 1 pending (1 open, 0 queued, 0 in flight): 1 requests have not ended";
    ensure!(given_up.status.code() == Some(1) && told.contains(words), "{}: {told}", given_up.status);
    ensure!(given_up.stdout.is_empty(), "{given_up:?}");
    ensure!(reply.body == "late", "{reply:?}");
    ensure!(drained.status.code() == Some(0), "{drained:?}");
    ensure!(stack.line_of("/open").await?["response"]["body"] == "late", "the line is not whole");
    wait::until("the end of Envoy", PATIENCE, async || {
        let status = stack.envoy.process().exit().context("it still runs")?;
        ensure!(status.success(), "{status}");
        Ok(())
    })
    .await
}

/// No Envoy, an Envoy without the filter, settings that cannot be: each has its words and its exit code.
pub(super) async fn drain_says_what_it_cannot_work_with(_: &Bed) -> Result<()> {
    let app = Origin::start(|_| Answer::new(204)).await?;
    let bare = Envoy::builder().users(app.address()).collector(app.address()).without_filter().start().await?;
    let broken = Origin::start(|_| Answer::new(503).body("no")).await?;
    let nobody = Port::tcp()?;
    let [bare, broken, nobody] =
        [bare.admin_address(), broken.address(), nobody.address()].map(|address| format!("http://{address}"));
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--envoy-admin", &nobody], 69, "cannot be reached"),
        (&["--envoy-admin", &broken], 69, "it answers 503"),
        (&["--envoy-admin", &bare], 69, "has no statistics wasmcustom.tributary_*"),
        (&["--envoy-admin", "127.0.0.1:9901"], 64, "it must be a URL like http://127.0.0.1:9901"),
        (&["--timeout", "3s"], 64, "--settle is 3s; allowed: less than --timeout, which is 3s"),
    ];

    for (arguments, code, words) in cases {
        let ended = program::run(&[&["drain"], arguments].concat(), "").await?;
        let told = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.code() == Some(code), "{arguments:?}: {} instead of {code}: {told}", ended.status);
        ensure!(told.contains(words) && ended.stdout.is_empty(), "{arguments:?}: {told}");
    }
    Ok(())
}

async fn drain(envoy: &Envoy, arguments: &[&str]) -> Result<Output> {
    let admin = format!("http://{}", envoy.admin_address());
    program::run(&[&["drain", "--envoy-admin", &admin], arguments].concat(), "").await
}
