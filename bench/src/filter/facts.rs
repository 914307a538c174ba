//! What is measured in this area, and what a reader has to know of it.

use std::fs;

use anyhow::{Context as _, Result};
use xtask::parts;

use super::{Kind, Plan, load};
use crate::{report::Measure, run::Run};

/// Of Envoy alone.
pub(super) const CPU: Measure = Measure::cost("CPU per request", "µs");
/// All sixteen connections busy.
pub(super) const RATE: Measure = Measure::yielded("requests per second", "1/s");
/// At half of the load that Envoy carries without the filter.
pub(super) const P50: Measure = Measure::cost("p50", "ms");
/// At half of the load that Envoy carries without the filter.
pub(super) const P99: Measure = Measure::cost("p99", "ms");
/// The most that Envoy held.
pub(super) const RSS: Measure = Measure::cost("RSS peak", "MiB");
/// All VMs of an Envoy together.
pub(super) const VM_GROWTH: Measure = Measure::cost("VM growth", "MiB");
/// A filter that drops is cheap: this has to be 0 for the figures beside it to count.
pub(super) const LOST: Measure = Measure::fact("exchanges dropped or cut short by the filter, a turn", "");
/// As it ships.
const SIZE: Measure = Measure::cost("size", "KB");

/// Looks at the module as it ships.
pub(super) fn of_module(run: &mut Run) -> Result<()> {
    let module = parts::filter_wasm();
    let bytes = fs::metadata(&module).with_context(|| format!("look at {}", module.display()))?.len();
    run.add("module", "ours", &SIZE, bytes as f64 / 1000.0);
    Ok(())
}

/// Tells how the figures came about.
pub(super) fn notes(run: &mut Run, plan: &Plan) {
    run.note(format!(
        "CPU per request: CPU time of the Envoy process alone, all its threads, user and kernel, until its last post was \
         answered. {} requests are in flight (HTTP/1.1: one on each of {} connections; HTTP/2: {} streams on each of {}), \
         and HTTP/2 is spoken to the origin as well.",
        load::IN_FLIGHT,
        load::IN_FLIGHT,
        load::STREAMS,
        load::IN_FLIGHT / load::STREAMS,
    ));
    run.note(
        "Load, origin and a stand-in for the collector (it counts lines and acknowledges) share the cores with Envoy, so \
         requests per second are those of the whole arrangement, and latencies are those of a full machine; neither is counted \
         as CPU of Envoy.",
    );
    run.note(
        "p50 and p99: requests are sent at a fixed rate, half of what `off` carried in the round that warms up; the time counts \
         from the moment a request was due.",
    );
    variants(run, plan);
}

/// Tells what is compared.
pub(super) fn variants(run: &mut Run, plan: &Plan) {
    for variant in &plan.variants {
        run.note(format!("`{}`: {}.", variant.name, about(&variant.kind)));
    }
}

fn about(kind: &Kind) -> &'static str {
    match kind {
        Kind::Off => "Envoy without any of them",
        Kind::Ours { wasm: Some(_), .. } => "a build of the filter given by `--wasm`, with its defaults",
        Kind::Ours { wasm: None, settings } if settings.is_null() => {
            "the filter as it ships, with its defaults: bodies up to 64 KiB, redaction on"
        }
        Kind::Ours { settings, .. } if settings.get("redact").is_some() => {
            "the filter with `redact.bodies` and `redact.query` off; headers are masked always, there is no switch for that"
        }
        Kind::Ours { .. } => "the filter with both body limits at 0",
        Kind::Tap(_) => "Envoy's tap filter, one file an exchange, bodies up to 64 KiB",
        Kind::Lua => {
            "Envoy's Lua filter: heads and bodies up to 64 KiB in one asynchronous call an exchange, neither escaped nor masked"
        }
        Kind::AccessLog => "Envoy's file access log in JSON: heads only",
    }
}
