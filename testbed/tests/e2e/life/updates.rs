//! Updates under load: other settings, other code, other VMs; with one worker and with four.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tributary_testbed::{
    envoy::{Config, Update},
    message::Asked,
    oracle::{Ledger, Load, Mint, Outcome, judge},
    origin::{Answer, Step},
    process::Scratch,
    recordings::Line,
    stack::{Bed, Stack},
    wait,
};
use xtask::parts;

/// Clients of the load.
const CONNECTIONS: usize = 4;

/// Exchanges between two updates.
const BETWEEN: u64 = 40;

/// For [`BETWEEN`] exchanges, or for a drain, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the settings change. The filter stays in its VM.
const SETTINGS: u64 = 8;

/// The filter's settings change under load: every exchange comes out once, from the one VM that there is, and each
/// configuration has served some of them.
pub(super) async fn settings_change_and_nothing_is_lost(bed: &Bed) -> Result<()> {
    let mint = Mint::new("settings");
    let mut stack = start(bed, &mint, "settings").await?;
    let edits = (1..=SETTINGS).map(|round| {
        let fields = json!({"flush_after_ms": 20 + 10 * round, "max_response_body_bytes": 65_000 + round});
        Box::new(move |config: &mut Config| config.set_filter(&fields)) as Edit
    });

    let ledger = updated_under_load(&mut stack, &mint, edits.collect()).await?;

    let lines = judged(&stack, &ledger).await?;
    let served = sources_by_route(&lines)?;
    ensure!(served.len() as u64 == SETTINGS + 1, "not each configuration served: {served:?}");
    ensure!(super::sources(&lines)?.len() == 1, "other settings made another VM: {served:?}");
    Ok(())
}

/// The filter's code, its VM's name and its environment change under load: each time a new VM takes over, and the old
/// one delivers what it has before it goes.
pub(super) async fn code_changes_and_nothing_is_lost(bed: &Bed) -> Result<()> {
    let mint = Mint::new("code");
    let mut stack = start(bed, &mint, "code").await?;
    let scratch = Scratch::new("code")?;
    let (second, third) = (copy_of_the_filter(&scratch, 2)?, copy_of_the_filter(&scratch, 3)?);
    let edits: Vec<Edit> = vec![
        Box::new(move |config| config.set_wasm(&second)),
        Box::new(|config| {
            let id = config.plugin()?.pointer_mut("/vm_config/vm_id").context("envoy.yaml names no VM")?;
            *id = json!("renamed");
            Ok(())
        }),
        Box::new(|config| config.set_filter_variable("REGION", "north")),
        Box::new(move |config| config.set_wasm(&third)),
    ];
    let vms = edits.len() + 1;

    let ledger = updated_under_load(&mut stack, &mint, edits).await?;

    let lines = judged(&stack, &ledger).await?;
    let served = sources_by_route(&lines)?;
    ensure!(served.len() == vms, "not each code served: {served:?}");
    ensure!(served.values().all(|sources| sources.len() == 1), "a configuration ran in two VMs: {served:?}");
    ensure!(super::sources(&lines)?.len() == vms, "an update made no VM of its own: {served:?}");
    Ok(())
}

/// One worker: one VM, one source.
pub(super) async fn one_worker_loses_nothing(bed: &Bed) -> Result<()> {
    workers_lose_nothing(bed, 1).await
}

/// Each worker has a VM, a source and numbers of its own; all that they saw comes out once.
pub(super) async fn four_workers_lose_nothing(bed: &Bed) -> Result<()> {
    workers_lose_nothing(bed, 4).await
}

async fn workers_lose_nothing(bed: &Bed, workers: u32) -> Result<()> {
    let mint = Mint::new(format!("workers{workers}"));
    let made = mint.clone();
    let stack = bed.stack(&format!("workers-{workers}")).await?.envoy(move |envoy| envoy.concurrency(workers));
    let stack = stack.origin(move |asked| made.answer(asked)).await?.start().await?;

    // So many connections that the kernel cannot by chance give them all to one worker.
    let ledger = Load::start(&mint, stack.envoy.address(), 32, 640).finish().await?;

    let lines = judged(&stack, &ledger).await?;
    let sources = super::sources(&lines)?.len();
    let expected = if workers == 1 { 1..=1 } else { 2..=workers as usize };
    ensure!(expected.contains(&sources), "{sources} sources with {workers} workers");
    Ok(())
}

type Edit = Box<dyn FnOnce(&mut Config) -> Result<()>>;

async fn start(bed: &Bed, mint: &Mint, name: &str) -> Result<Stack> {
    let made = mint.clone();
    let stack = bed.stack(name).await?.envoy(super::updatable);
    stack.origin(move |asked| paced(&made, asked)).await?.start().await
}

/// The answer, and a short rest of the connection: so the load leaves time for the updates, and stays small.
fn paced(mint: &Mint, asked: &Asked) -> Answer {
    mint.answer(asked).step(Step::Pause(Duration::from_millis(15)))
}

/// Applies the edits one after the other under load, each when the one before has served; then waits until all that
/// was replaced is gone.
async fn updated_under_load(stack: &mut Stack, mint: &Mint, edits: Vec<Edit>) -> Result<Ledger> {
    let load = Load::start(mint, stack.envoy.address(), CONNECTIONS, u64::MAX);
    load.further(BETWEEN, PATIENCE).await?;
    for (round, edit) in (1..).zip(edits) {
        let route = format!("round-{round}");
        let edit = |config: &mut Config| super::name_route(config, &route).and_then(|()| edit(config));
        let update = stack.envoy.update(edit).await?;
        ensure!(update == Update::Accepted, "update {round}: {update:?}");
        let served = |lines: &[Line]| -> Result<()> {
            // The newest lines first: nearly always it is among them.
            let is_it = |line: &Line| Ok(line.json()?.pointer("/meta/route") == Some(&json!(route)));
            let found = lines.iter().rev().map(is_it).find(|found| !matches!(found, Ok(false)));
            found.unwrap_or_else(|| Err(anyhow::anyhow!("the old one still serves"))).map(drop)
        };
        stack.lines_until(&format!("an exchange of update {round}"), served).await?;
        load.further(BETWEEN, PATIENCE).await?;
    }
    wait::until("the end of all that was replaced", PATIENCE, async || {
        let draining = stack.envoy.stats().await?.value("listener_manager.total_filter_chains_draining");
        ensure!(draining == 0, "{draining} filter chains drain");
        Ok(())
    })
    .await?;
    load.stop().await
}

/// All lines, after the judge has found them exactly right.
async fn judged(stack: &Stack, ledger: &Ledger) -> Result<Vec<Line>> {
    let evidence = stack.evidence_of(ledger).await?;
    let cut: Vec<_> = ledger.attempts.iter().filter(|attempt| attempt.outcome != Outcome::AsMade).take(3).collect();
    judge(ledger, &evidence).exactly_once().with_context(|| format!("not as made: {cut:?}"))?;
    super::only_reads(&stack.envoy)?;
    Ok(evidence.lines)
}

/// The VMs that each configuration ran in.
fn sources_by_route(lines: &[Line]) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut served: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (route, source) in super::texts(lines, "/meta/route")?.into_iter().zip(super::texts(lines, "/meta/source")?) {
        served.entry(route).or_default().insert(source);
    }
    Ok(served)
}

/// The same module with a custom section behind it, which no engine looks at: other code for Envoy, the same for us.
fn copy_of_the_filter(scratch: &Scratch, number: u8) -> Result<PathBuf> {
    let wasm = parts::filter_wasm();
    let mut module = std::fs::read(&wasm).with_context(|| format!("read {}", wasm.display()))?;
    // Section 0, its size, the length of its name, its name, its contents (WebAssembly core specification §5.5.3).
    module.extend([0, 6, 4]);
    module.extend(b"copy");
    module.push(number);
    let copy = scratch.file(format!("copy-{number}.wasm"));
    std::fs::write(&copy, module).context("write a copy of the filter")?;
    Ok(copy)
}
