//! The filter's life inside a running Envoy: its configuration, code and collector change under it, and nothing is lost.

mod delivery;
mod drain;
mod killed;
mod refused;
mod scripted;
mod updates;

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tributary_testbed::{
    envoy::{Config, Envoy, EnvoyBuilder},
    oracle::{self, SETTLED_WITHIN},
    recordings::Line,
    stack::{Bed, Stack},
};

use crate::harness::trials;
use delivery::{
    batch_travels_until_its_own_acknowledgement, collector_that_is_away_loses_nothing,
    full_memory_is_counted_and_hurts_nobody, hopeless_batches_are_counted_by_reason, own_posts_are_not_recorded,
    two_posts_are_in_flight_at_most,
};
use drain::{
    drain_says_what_it_cannot_work_with, drain_waits_for_what_is_open_and_says_so, drained_envoy_ends_without_a_loss,
};
use killed::{envoy_that_dies_under_load_loses_what_it_last_told, what_was_open_when_envoy_died_was_told_before};
use refused::{starts_are_refused_with_the_reason, updates_are_refused_and_the_old_one_serves};
use updates::{
    code_changes_and_nothing_is_lost, four_workers_lose_nothing, one_worker_loses_nothing,
    settings_change_and_nothing_is_lost,
};

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "life":
        settings_change_and_nothing_is_lost,
        code_changes_and_nothing_is_lost,
        one_worker_loses_nothing,
        four_workers_lose_nothing,
        updates_are_refused_and_the_old_one_serves,
        starts_are_refused_with_the_reason,
        two_posts_are_in_flight_at_most,
        batch_travels_until_its_own_acknowledgement,
        hopeless_batches_are_counted_by_reason,
        collector_that_is_away_loses_nothing,
        full_memory_is_counted_and_hurts_nobody,
        own_posts_are_not_recorded,
        drained_envoy_ends_without_a_loss,
        drain_waits_for_what_is_open_and_says_so,
        drain_says_what_it_cannot_work_with,
        envoy_that_dies_under_load_loses_what_it_last_told,
        what_was_open_when_envoy_died_was_told_before,
    )
}

/// An Envoy whose listeners can be exchanged. Whoever is on an old one is told to come back with the next answer, so
/// soon nobody is.
///
/// The drain time is far above what it takes Envoy to compile the module, seconds on a busy machine: the main thread
/// does that in the same turn in which it sets the timer of the drain, and the timer counts from the turn's beginning
/// (with 3 s all connections were cut at once, now and then).
fn updatable(envoy: EnvoyBuilder) -> EnvoyBuilder {
    envoy.updatable().args(&["--drain-time-s", "12", "--drain-strategy", "immediate"])
}

/// Names the route, which `meta.route` repeats: so each line says which configuration its exchange met.
fn name_route(config: &mut Config, name: &str) -> Result<()> {
    let route = config.manager()?.pointer_mut("/route_config/virtual_hosts/0/routes/0/name");
    *route.context("envoy.yaml has no named route")? = json!(name);
    Ok(())
}

/// The lines are of these paths, each once.
fn each_once(lines: &[Line], paths: &[String]) -> Result<()> {
    let mut recorded = texts(lines, "/request/path")?;
    let mut called = paths.to_vec();
    recorded.sort();
    called.sort();
    ensure!(recorded == called, "called: {called:?}\nrecorded: {recorded:?}");
    Ok(())
}

/// The VMs that wrote the lines.
fn sources(lines: &[Line]) -> Result<BTreeSet<String>> {
    Ok(texts(lines, "/meta/source")?.into_iter().collect())
}

/// The text at this place of each line.
fn texts(lines: &[Line], pointer: &str) -> Result<Vec<String>> {
    let text = |line: &Line| {
        let json = line.json()?;
        let text = json.pointer(pointer).and_then(Value::as_str);
        text.map(str::to_owned).with_context(|| format!("no text at {pointer}: {json}"))
    };
    lines.iter().map(text).collect()
}

/// Nothing is pending, the collector has heard the last word of every VM, and the filter did only what it may.
async fn settles(stack: &Stack) -> Result<()> {
    let evidence = stack.evidence(SETTLED_WITHIN).await?;
    let unsettled = oracle::unsettled(&evidence.filter, &evidence.accounting);
    ensure!(unsettled.is_empty(), "{}", unsettled.join("\n"));
    only_reads(&stack.envoy)
}

/// Envoy has refused the filter none of its calls: what `envoy.yaml` allows it is all it asks for.
fn only_reads(envoy: &Envoy) -> Result<()> {
    let refused = envoy.log().lines_with("restricted proxy-wasm capability");
    ensure!(refused.is_empty(), "the filter asked for more than it may:\n{}", refused.join("\n"));
    Ok(())
}
