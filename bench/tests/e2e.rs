//! One tiny cell of area `filter` on real Envoys, from the load to the report that is read again. No time is judged.
//!
//! Run by `cargo xtask test`, which builds the filter first.

use serde_json::Value;
use tributary_bench::{
    filter::{self, Case, Kind, Plan, Protocol, Size, Variant},
    page,
    report::Report,
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
    let options = Options { quick: true, rounds: 1, wasm: Vec::new(), collector: Vec::new() };
    let mut run = Run::new("filter", options).unwrap();
    let case = |protocol, latency| Case { size: Size::Bytes70, protocol, workers: 1, latency, fewer: 100 };
    let cases = vec![case(Protocol::Http1, true), case(Protocol::Http2, false)];

    filter::measure_plan(&mut run, &Plan { cases: cases.clone(), variants: variants() }).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut report = Report::default();
    report.put(run.finish());
    report.write(&file).unwrap();
    let read = Report::read(&file).unwrap();
    let area = read.area("filter").unwrap();
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
    assert!(page::tables(area).contains("| 70 B JSON, HTTP/1.1, 1 worker"));
}
