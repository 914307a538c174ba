//! A trial of each area with its real parts, from the load to the report that is read again. No time is judged.
//!
//! Run by `cargo xtask test`, which builds the programs first.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tributary_bench::{
    area::Area,
    budget::{Bounds, judge},
    filter::{self, Case, Kind, Plan, Protocol, Size, Variant},
    page,
    report::{AreaReport, Report},
    run::{Options, Run},
};

fn variants() -> Vec<Variant> {
    vec![
        Variant::new("off", Kind::Off),
        Variant::new("ours", Kind::Ours { wasm: None, settings: Value::Null }),
        Variant::new("native tap", Kind::Tap("JSON_BODY_AS_STRING")),
        Variant::new("Lua", Kind::Lua),
        Variant::new("access log", Kind::AccessLog),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn tiny_cells_of_the_filter_are_measured_and_their_report_is_read_again() {
    let mut run = Run::new("filter", Options { quick: true, rounds: 1, ..Options::default() }).unwrap();
    let case = |protocol, latency| Case { size: Size::Bytes70, protocol, workers: 1, latency, fewer: 100 };
    let cases = vec![case(Protocol::Http1, true), case(Protocol::Http2, false)];

    filter::measure_plan(&mut run, &Plan { cases: cases.clone(), variants: variants() }).await.unwrap();

    let area = written_and_read_again(run.finish()).unwrap();
    for case in &cases {
        let measured = area.case(&case.name()).unwrap();
        for variant in variants() {
            let cpu = measured.samples(&variant.name, "CPU per request").unwrap();
            assert!(matches!(cpu, [cost] if *cost > 0.0), "{} {cpu:?}", variant.name);
            assert_eq!(measured.samples(&variant.name, "p99").is_some(), case.latency, "{}", variant.name);
        }
        let lost = measured.samples("ours", "exchanges dropped or cut short by the filter, a turn");
        assert_eq!(lost, Some([0.0].as_slice()));
    }
    assert_eq!(
        area.case("memory, 1 worker").and_then(|case| case.samples("ours", "VM growth")).map(<[f64]>::len),
        Some(1)
    );
    assert!(page::tables(&area).contains("| 70 B JSON, HTTP/1.1, 1 worker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn instructions_are_counted_where_valgrind_is() {
    let mut run = Run::new("instructions", Options { quick: true, rounds: 1, ..Options::default() }).unwrap();
    let case = Case { size: Size::Bytes70, protocol: Protocol::Http1, workers: 1, latency: false, fewer: 100 };
    let variants = variants().into_iter().take(2).collect();

    filter::instructions::measure_plan(&mut run, &Plan { cases: vec![case], variants }).await.unwrap();

    let area = written_and_read_again(run.finish()).unwrap();
    let has_valgrind = ["valgrind", "vgdb"].iter().all(|name| Command::new(name).arg("--help").output().is_ok());
    if has_valgrind {
        let measured = area.case(&case.name()).unwrap();
        // Far below what a filter in WebAssembly adds, and out of reach of a count that went wrong.
        let added = measured.ratios_to("ours", "off", "instructions per request").unwrap();
        assert!(matches!(added[..], [added] if added > 1.2), "{added:?}");
    } else {
        assert!(area.absent.iter().any(|absent| absent.why.contains("package `valgrind`")), "{:?}", area.absent);
    }
}

/// What a later run compares itself with.
fn written_and_read_again(measured: AreaReport) -> Result<AreaReport> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.json");
    let area = measured.area.clone();
    let mut report = Report::default();
    report.put(measured);
    report.write(&file)?;
    Report::read(&file)?.area(&area).cloned().context("an area that was written is there")
}

async fn trial(area: &str) -> Result<AreaReport> {
    let options = Options { quick: true, rounds: 1, is_trial: true, ..Options::default() };
    let mut run = Run::new(area, options)?;
    (Area::named(area)?.measure)(&mut run).await?;
    written_and_read_again(run.finish())
}

/// Each variant has one figure above zero in each of these cases.
#[track_caller]
fn assert_measured(area: &AreaReport, cases: &[&str], variants: &[&str], measure: &str) {
    for (case, variant) in cases.iter().flat_map(|case| variants.iter().map(move |variant| (case, variant))) {
        let samples = area.case(case).and_then(|measured| measured.samples(variant, measure));
        assert!(matches!(samples, Some([figure]) if *figure > 0.0), "{case}, {variant}, {measure}: {samples:?}");
    }
}

/// Each budget of the area has its figures, or what it needs is told as missing.
#[track_caller]
fn assert_budgets_are_judged(area: &AreaReport) {
    for verdict in judge(area) {
        let needed = |what: &str| matches!(verdict.budget.bounds, Bounds::RatioTo(other) if other == what);
        let is_told = area.absent.iter().any(|absent| needed(&absent.what));
        assert!(verdict.measured.is_some() || is_told, "{verdict:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_is_measured_beside_the_floor() {
    let area = trial("collector").await.unwrap();

    let posts = ["100 a post, 8 connections", "1000 a post, 8 connections"];
    for measure in ["CPU per line", "broker CPU per line", "lines per second", "p99 of a post"] {
        assert_measured(&area, &posts, &["floor", "floor, same records", "ours", "ours, filter-only"], measure);
    }
    assert_measured(&area, &["whole run"], &["floor", "ours"], "peak RSS");
    // Node and kafkajs are parts of the benchmark alone, which may be missing here.
    for node in ["Node, a send a post", "Node, a send a line"] {
        let is_told = area.absent.iter().any(|absent| absent.what == node);
        assert!(is_told || area.case(posts[0]).unwrap().samples(node, "CPU per line").is_some(), "{node}");
    }
    assert_budgets_are_judged(&area);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_path_is_measured_at_each_load() {
    let area = trial("end-to-end").await.unwrap();

    let loads = ["all it carries", "10 % of it", "50 % of it", "90 % of it"];
    assert_measured(&area, &loads, &["Envoy", "collector", "Kafka", "all three"], "CPU per exchange");
    assert_measured(&area, &loads, &["path"], "p99 from answer to record");
    assert_measured(&area, &["whole run"], &["Envoy", "collector", "Kafka"], "peak RSS");
    assert_budgets_are_judged(&area);
}

#[tokio::test(flavor = "multi_thread")]
async fn scale_is_measured_with_envoys_and_with_simulated_sources() {
    let area = trial("scale").await.unwrap();

    let envoys = "real Envoys, 150 exchanges a second each";
    assert_measured(&area, &[envoys], &["1 Envoy, 1 collector", "2 Envoys, 1 collector"], "Envoy CPU per exchange");
    let sources = "simulated sources, 10 lines a post";
    assert_measured(&area, &[sources], &["8 sources", "1", "10,000"], "collector CPU per exchange");
    let told_apart = area.case(sources).unwrap().samples("10,000", "sources in the account");
    assert_eq!(told_apart, Some([200.0].as_slice()), "a hundred posts in each of two rounds, each of another source");
    assert_measured(&area, &["bytes of a response body, batches of 512 KiB"], &["70 B", "64 KB"], "bytes of a line");
    assert_measured(&area, &["partitions, 100 lines a post"], &["1 partition", "12"], "broker CPU per exchange");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_of_encoding_is_measured_natively_and_in_v8() {
    let area = trial("encode").await.unwrap();

    for part in ["redaction", "line", "redaction and line", "escape", "second wall", "capture, line and batch"] {
        assert_measured(&area, &[&format!("{part}, 10 KB of JSON")], &["native", "V8"], "time");
    }
    assert_measured(&area, &["base64, 10 KB of bytes"], &["native", "V8"], "time");
    assert_eq!(area.absent, Vec::new());
}
